package oipapi_test

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"

	"github.com/goshawk-ai/goshawk/api/oip"
	"github.com/goshawk-ai/goshawk/internal/httpapi"
	"github.com/goshawk-ai/goshawk/internal/oipapi"
	"github.com/goshawk-ai/goshawk/internal/telemetry"
)

// changeable are settings of which clients may change everything; traces go to dir.
func changeable(t *testing.T, dir string) *oipapi.Settings {
	t.Helper()
	traces := oipapi.NewTraces(dir, slog.New(slog.DiscardHandler))
	t.Cleanup(func() {
		if err := traces.Close(); err != nil {
			t.Error(err)
		}
	})
	return oipapi.NewSettings(oipapi.SettingsOptions{
		Traces: traces, Tensors: true, Log: telemetry.NewSwitch(slog.NewJSONHandler(io.Discard, nil), slog.NewTextHandler(io.Discard, nil)),
	})
}

// record is what a trace file has of one request.
type record struct {
	ID         int64  `json:"id"`
	Model      string `json:"model_name"`
	Version    int    `json:"model_version"`
	Request    string `json:"request_id"`
	Timestamps []struct {
		Name string `json:"name"`
		NS   int64  `json:"ns"`
	} `json:"timestamps"`
	Activity string            `json:"activity"`
	Tensor   map[string]string `json:"tensor"`
}

// traced reads a file of traces; none is an empty list.
func traced(t *testing.T, file string) (list []record) {
	t.Helper()
	text, err := os.ReadFile(file)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&list); err != nil {
		t.Fatalf("%s is no list of records: %v\n%s", file, err, text)
	}
	return list
}

var computed = []string{"QUEUE_START", "COMPUTE_START", "COMPUTE_INPUT_END", "COMPUTE_OUTPUT_START", "COMPUTE_END", "INFER_RESPONSE_COMPLETE", "REQUEST_END"}

// holdsMarks wants the marks in their order, and the clock not to run backwards.
func holdsMarks(t *testing.T, r record, want ...string) {
	t.Helper()
	var got []string
	for i, m := range r.Timestamps {
		got = append(got, m.Name)
		if i > 0 && m.NS < r.Timestamps[i-1].NS || m.NS < 1e18 {
			t.Errorf("%s is at %d, after %+v", m.Name, m.NS, r.Timestamps[:i])
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("the marks are %v, want %v", got, want)
	}
}

func TestTracesOfREST(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "traces")
	g := newRESTRig(t, func(_ *httpapi.Options, o *oipapi.Options) { o.Settings = changeable(t, dir) })
	const body = `{"id":"mine","inputs":[{"name":"x","shape":[3],"datatype":"FP32","data":[1,2.5,-3]}]}`
	file := filepath.Join(dir, "trace.json")
	g.infer(body)
	if got := traced(t, file); got != nil {
		t.Fatalf("nobody asked for traces: %+v", got)
	}
	set := func(settings string) { g.do("POST", "/v2/trace/setting", []byte(settings)) }
	set(`{"trace_level":["TIMESTAMPS","TENSORS"],"trace_rate":"2","trace_count":"2"}`)
	for range 10 {
		g.infer(body)
	}
	until(t, "two of ten requests are traced", func() bool { return len(traced(t, file)) == 8 })
	list := traced(t, file)
	if list[0].ID != 1 || list[0].Model != "echo" || list[0].Version != 3 || list[0].Request != "mine" || list[4].ID != 2 {
		t.Errorf("the records begin %+v and %+v", list[0], list[4])
	}
	holdsMarks(t, list[1], slices.Concat([]string{"HTTP_RECV_START", "HTTP_RECV_END", "REQUEST_START"}, computed, []string{"HTTP_SEND_START", "HTTP_SEND_END"})...)
	in, out := list[2], list[3]
	if in.Activity != "TENSOR_QUEUE_INPUT" || in.Tensor["data"] != "1,2.5,-3" || in.Tensor["shape"] != "3" || in.Tensor["dtype"] != "FP32" || out.Activity != "TENSOR_BACKEND_OUTPUT" || out.ID != 1 {
		t.Errorf("the tensors are %+v and %+v", in, out)
	}
	if got := string(g.do("GET", "/v2/trace/setting", nil).body); !strings.Contains(got, `"trace_count":"0"`) {
		t.Errorf("%s; two traces were asked for, and none is left", got)
	}

	// A request that fails has an end too.
	set(`{"trace_rate":"1","trace_count":"1","trace_level":["TIMESTAMPS"]}`)
	g.infer(`{"inputs":[{"name":"x","shape":[2],"datatype":"FP32","data":[1]}]}`)
	until(t, "one that fails is traced", func() bool { return len(traced(t, file)) == 10 })
	holdsMarks(t, traced(t, file)[9], "HTTP_RECV_START", "HTTP_RECV_END")

	// A model of its own.
	set(`{"trace_level":["OFF"]}`)
	g.do("POST", "/v2/models/echo/trace/setting", []byte(`{"trace_level":["TIMESTAMPS"],"trace_count":"1"}`))
	g.infer(body)
	g.do("POST", "/v2/models/text/infer", []byte(body))
	until(t, "a model's own setting holds", func() bool { return len(traced(t, file)) == 12 })
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file's mode is %v (%v); what was sent is nobody else's", info.Mode(), err)
	}
}

func TestTracesOfGRPC(t *testing.T) {
	dir := t.TempDir()
	c, _ := serve(t, &echo{}, oipapi.Options{Settings: changeable(t, dir)})
	if _, err := c.TraceSetting(t.Context(), &oip.TraceSettingRequest{Settings: map[string]*oip.TraceSettingRequest_SettingValue{
		"trace_level": {Value: []string{"TIMESTAMPS"}}, "trace_rate": {Value: []string{"1"}}, "log_frequency": {Value: []string{"2"}},
	}}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.ModelInfer(t.Context(), raw("UINT8", []byte{1}, 1)); err != nil {
		t.Fatal(err)
	}
	stream := open(t, t.Context(), c)
	send(t, stream, raw("UINT8", []byte{1}, 1), raw("UINT8", []byte{1}, 5))
	receive(t, stream)
	receive(t, stream)
	closed(t, stream)
	first, second := filepath.Join(dir, "trace.json.0"), filepath.Join(dir, "trace.json")
	until(t, "three traces, two in a file", func() bool { return len(traced(t, first)) == 4 && len(traced(t, second)) >= 1 })
	list := traced(t, first)
	marks := slices.Concat([]string{"REQUEST_START"}, computed, []string{"GRPC_SEND_START", "GRPC_SEND_END"})
	holdsMarks(t, list[1], slices.Concat([]string{"GRPC_WAITREAD_START", "GRPC_WAITREAD_END"}, marks)...)
	holdsMarks(t, list[3], marks...)
}

// TestWhatIsNotAllowedIsNotServed, nor advertised.
func TestWhatIsNotAllowedIsNotServed(t *testing.T) {
	shut := oipapi.NewSettings(oipapi.SettingsOptions{})
	g := newRESTRig(t, func(_ *httpapi.Options, o *oipapi.Options) { o.Settings = shut })
	for _, path := range []string{"/v2/trace/setting", "/v2/models/echo/trace/setting", "/v2/logging"} {
		g.do("GET", path, nil).refused(t, path, 400, "not served here")
		g.do("POST", path, []byte(`{"log_info":false}`)).refused(t, path, 400, "not served here")
	}
	c, _ := serve(t, &echo{}, oipapi.Options{Settings: shut})
	_, err := c.TraceSetting(t.Context(), &oip.TraceSettingRequest{})
	wants(t, err, codes.InvalidArgument, "not served here")
	_, err = c.LogSettings(t.Context(), &oip.LogSettingsRequest{})
	wants(t, err, codes.InvalidArgument, "not served here")
	about, err := c.ServerMetadata(t.Context(), &oip.ServerMetadataRequest{})
	if err != nil || slices.Contains(about.GetExtensions(), "trace") || slices.Contains(about.GetExtensions(), "logging") {
		t.Errorf("%v, %v; neither extension is there", about.GetExtensions(), err)
	}
	traces := oipapi.NewTraces(t.TempDir(), slog.New(slog.DiscardHandler))
	times := newRESTRig(t, func(_ *httpapi.Options, o *oipapi.Options) {
		o.Settings = oipapi.NewSettings(oipapi.SettingsOptions{Traces: traces})
	})
	times.do("POST", "/v2/trace/setting", []byte(`{"trace_level":["TIMESTAMPS","TENSORS"]}`)).refused(t, "others' tensors", 400, "TENSORS is not served here")
	if got := times.do("POST", "/v2/trace/setting", []byte(`{"trace_level":["TIMESTAMPS"]}`)); got.status != 200 {
		t.Errorf("times alone: %d %s", got.status, got.body)
	}
}

// TestLogSettingsChangeTheLog, and each change is told whatever they say.
func TestLogSettingsChangeTheLog(t *testing.T) {
	log := &lines{}
	levels := telemetry.NewSwitch(slog.NewJSONHandler(log, nil), slog.NewTextHandler(log, nil))
	settings := oipapi.NewSettings(oipapi.SettingsOptions{Log: levels, Logger: slog.New(levels.Always())})
	g := newRESTRig(t, func(h *httpapi.Options, o *oipapi.Options) { h.Logger, o.Settings = slog.New(levels), settings })
	said := func() string {
		log.mu.Lock()
		defer log.mu.Unlock()
		text := log.text.String()
		log.text.Reset()
		return text
	}
	ask := func() { g.do("GET", "/v2/models/echo/ready", nil); g.do("GET", "/v2", nil) }
	until(t, "an info line", func() bool { ask(); return strings.Contains(said(), `"route":"/v2",`) })
	g.do("POST", "/v2/logging", []byte(`{"log_info":false,"log_warning":false}`))
	if got := said(); !strings.Contains(got, "log settings were changed") {
		t.Errorf("%s; who silences the log must not go unseen", got)
	}
	ask()
	if got := said(); got != "" {
		t.Errorf("info is off, and it says %s", got)
	}
	g.do("POST", "/v2/logging", []byte(`{"log_info":true,"log_verbose_level":1,"log_format":"ISO8601"}`))
	until(t, "a line of a probe, in the other form", func() bool {
		ask()
		return strings.Contains(said(), "level=DEBUG msg=request")
	})
}
