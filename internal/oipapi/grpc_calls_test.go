package oipapi_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/goshawk-ai/goshawk/api/oip"
	"github.com/goshawk-ai/goshawk/internal/access"
	"github.com/goshawk-ai/goshawk/internal/oipapi"
)

// lines is a log that is read line by line.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// of are the lines about a method.
func (l *lines) of(t *testing.T, method string) (found []map[string]any) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for line := range strings.Lines(l.text.String()) {
		var m map[string]any
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatal(err)
		}
		if m["grpc_method"] == method {
			found = append(found, m)
		}
	}
	return found
}

// counted is a counter's value, by its labels.
func counted(t *testing.T, r *prometheus.Registry, name string, labels ...string) float64 {
	t.Helper()
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			var got []string
			for _, l := range m.GetLabel() {
				got = append(got, l.GetValue())
			}
			if f.GetName() == name && slices.Equal(got, labels) {
				return m.GetCounter().GetValue() + float64(m.GetHistogram().GetSampleCount())
			}
		}
	}
	return 0
}

func TestEachCallHasALine(t *testing.T) {
	log, registry := &lines{}, prometheus.NewRegistry()
	c, conn := serve(t, &echo{}, oipapi.Options{Logger: slog.New(slog.NewJSONHandler(log, nil)), Metrics: registry})

	var header metadata.MD
	ctx := metadata.AppendToOutgoingContext(t.Context(), "x-request-id", "mine-7", "traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	if _, err := c.ModelInfer(ctx, raw("UINT8", []byte{1, 2}, 2), grpc.Header(&header)); err != nil {
		t.Fatal(err)
	}
	if got := header.Get("x-request-id"); !slices.Equal(got, []string{"mine-7"}) {
		t.Errorf("the request id came back as %q; the caller could not find its line", got)
	}
	until(t, "the call has no line", func() bool { return len(log.of(t, "ModelInfer")) == 1 })
	line := log.of(t, "ModelInfer")[0]
	if line["request_id"] != "mine-7" || line["code"] != "OK" || line["trace_id"] != "0af7651916cd43dd8448eb211c80319c" || line["level"] != "INFO" || line["bytes_read"].(float64) < 2 || line["model"] != "flowers" {
		t.Errorf("the line is %v", line)
	}

	ctx = metadata.AppendToOutgoingContext(t.Context(), "x-request-id", "harm ful")
	_, err := c.ModelInfer(ctx, &request{ModelName: "trees\n" + strings.Repeat("s", 5000), Inputs: []*inTensor{{Name: "x", Datatype: "WHAT"}}}, grpc.Header(&header))
	if err == nil {
		t.Fatal("an unknown datatype was taken")
	}
	until(t, "the call that failed has no line", func() bool { return len(log.of(t, "ModelInfer")) == 2 })
	line = log.of(t, "ModelInfer")[1]
	if line["outcome"] != "invalid-request" || line["code"] != "InvalidArgument" || line["request_id"] == "harm ful" || line["request_id"] == "" || !strings.HasPrefix(line["model"].(string), "trees sss") || len(line["model"].(string)) > 250 {
		t.Errorf("the line is %v", line)
	}

	if _, err := c.ServerLive(t.Context(), &oip.ServerLiveRequest{}); err != nil {
		t.Fatal(err)
	}
	if err := conn.Invoke(t.Context(), "/a.Stranger/Word", &oip.ServerLiveRequest{}, &oip.ServerLiveResponse{}); err == nil {
		t.Fatal("a method that is not here answered")
	}
	until(t, "a call of a method that is not here has no line", func() bool { return len(log.of(t, "other")) == 1 })
	if got := log.of(t, "ServerLive"); len(got) > 0 {
		t.Errorf("a probe, which comes every second, wrote %v", got)
	}
	for _, want := range []struct {
		name   string
		labels []string
		times  float64
	}{
		{"goshawk_grpc_requests_total", []string{"InvalidArgument", "ModelInfer"}, 1},
		{"goshawk_grpc_requests_total", []string{"OK", "ModelInfer"}, 1},
		{"goshawk_grpc_requests_total", []string{"OK", "ServerLive"}, 1},
		{"goshawk_grpc_requests_total", []string{"Unimplemented", "other"}, 1},
		{"goshawk_grpc_request_seconds", []string{"ModelInfer"}, 2},
	} {
		if got := counted(t, registry, want.name, want.labels...); got != want.times {
			t.Errorf("%s %v is %v, want %v", want.name, want.labels, got, want.times)
		}
	}
}

func TestEachRequestOfAStreamHasALine(t *testing.T) {
	log, registry := &lines{}, prometheus.NewRegistry()
	c, _ := serve(t, &echo{}, oipapi.Options{Logger: slog.New(slog.NewJSONHandler(log, nil)), Metrics: registry})
	stream := open(t, t.Context(), c)
	send(t, stream, raw("UINT8", []byte{1}, 1), raw("UINT8", []byte{1}, 5))
	receive(t, stream)
	receive(t, stream)
	closed(t, stream)
	until(t, "the stream has no line", func() bool { return len(log.of(t, "ModelStreamInfer")) == 1 })
	got := log.of(t, "ModelStreamInfer/request")
	if len(got) != 2 || got[0]["model"] != "flowers" || counted(t, registry, "goshawk_grpc_requests_total", "InvalidArgument", "ModelStreamInfer/request") != 1 {
		t.Errorf("the requests of the stream have the lines %v", got)
	}
}

func TestProbesNeedNoKeyAndOthersAreRefusedInTheLog(t *testing.T) {
	keys, err := access.ParseKeys([]byte("keys: [{id: a, sha256: 2c70e12b7a0646f92279f427c7b38e7334d8e5389cff167a1dc30e73f826b683}]")) // of "key"
	if err != nil {
		t.Fatal(err)
	}
	log := &lines{}
	c, _ := serve(t, &echo{}, oipapi.Options{Logger: slog.New(slog.NewJSONHandler(log, nil)), Access: access.New(access.Options{Keys: keys})})
	if got, err := c.ServerLive(t.Context(), &oip.ServerLiveRequest{}); err != nil || !got.GetLive() {
		t.Errorf("live without a key: %v, %v", got, err)
	}
	if got, err := c.ServerReady(t.Context(), &oip.ServerReadyRequest{}); err != nil || !got.GetReady() {
		t.Errorf("ready without a key: %v, %v", got, err)
	}
	if _, err := c.ModelReady(t.Context(), &oip.ModelReadyRequest{Name: "flowers"}); err == nil {
		t.Error("a stranger may ask which models there are")
	}
	if _, err := c.ModelInfer(t.Context(), raw("UINT8", []byte{1}, 1)); err == nil {
		t.Error("a stranger may infer")
	}
	if got := log.of(t, "ModelInfer"); len(got) != 1 || got[0]["outcome"] != "unauthenticated" {
		t.Errorf("a call without a key has the lines %v, want one that says so", got)
	}
}
