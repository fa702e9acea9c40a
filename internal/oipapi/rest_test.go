package oipapi_test

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/goshawk-ai/goshawk/internal/access"
	"github.com/goshawk-ai/goshawk/internal/fleet"
	"github.com/goshawk-ai/goshawk/internal/httpapi"
	"github.com/goshawk-ai/goshawk/internal/model"
	"github.com/goshawk-ai/goshawk/internal/oipapi"
	"github.com/goshawk-ai/goshawk/internal/predict"
	"github.com/goshawk-ai/goshawk/internal/problem"
	"github.com/goshawk-ai/goshawk/internal/schedule"
	"github.com/goshawk-ai/goshawk/internal/tensor"
)

// echo answers each input as an output of its name, unless a test says otherwise.
type echo struct {
	run func(ctx context.Context, r *predict.TensorRequest) (*predict.TensorAnswer, error)

	mu   sync.Mutex
	last *predict.TensorRequest // guarded by mu
}

func (e *echo) Tensors(ctx context.Context, r *predict.TensorRequest) (*predict.TensorAnswer, error) {
	e.mu.Lock()
	e.last = r
	e.mu.Unlock()
	if e.run != nil {
		return e.run(ctx, r)
	}
	a := &predict.TensorAnswer{Version: fleet.Version{Number: 3}}
	for _, t := range r.Inputs {
		c := &tensor.Tensor{Name: t.Name, Type: t.Type, Shape: slices.Clone(t.Shape)}
		if len(t.Data) > 0 {
			c.Data = tensor.Aligned(len(t.Data))
			copy(c.Data, t.Data)
		}
		for _, s := range t.Strings {
			c.Strings = append(c.Strings, bytes.Clone(s))
		}
		a.Outputs = append(a.Outputs, c)
	}
	return a, nil
}

func (e *echo) seen() *predict.TensorRequest {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.last
}

// shelf has the models echo (3 versions), pictures and asleep.
type shelf struct {
	mu       sync.Mutex
	loaded   map[string]oipapi.LoadOptions // guarded by mu
	unloaded []string                      // guarded by mu
}

func (s *shelf) Describe(_ context.Context, ref string) (oipapi.Description, error) {
	d := oipapi.Description{
		Name: "echo", Number: "3", Versions: []string{"1", "2", "3"}, Platform: "onnxruntime_onnx", Backend: "onnxruntime",
		Inputs:  []tensor.Spec{{Name: "x", Type: tensor.Float32, Shape: []int64{-1, 2}, Ranked: true}},
		Outputs: []tensor.Spec{{Name: "y", Type: tensor.String, Shape: []int64{-1, 2}, Ranked: true}},
	}
	switch ref {
	case "echo", "echo/3":
		d.MaxBatch = 8
		return d, nil
	case "text":
		d.Name, d.Inputs[0].Type, d.Inputs[0].Shape = "text", tensor.String, []int64{-1, 1}
		return d, nil
	case "two":
		d.Name, d.Inputs = "two", append(d.Inputs, d.Inputs[0])
		return d, nil
	}
	return d, problem.ModelNotFound.New("no model %q is here", ref)
}

func (s *shelf) Ready(ref string) error {
	switch ref {
	case "echo", "echo/3", "text", "two", "pictures":
		return nil
	case "broken":
		return problem.ModelUnhealthy.New("the model %q does not answer", ref)
	}
	return problem.ModelNotFound.New("no model %q is here", ref)
}

func (s *shelf) Index() []oipapi.State {
	return []oipapi.State{{Name: "broken", Number: "1", State: "UNAVAILABLE", Reason: "its probe failed"}, {Name: "echo", Number: "3", State: "READY"}}
}

func (s *shelf) Statistics(ref string) ([]oipapi.Statistics, error) {
	if ref != "" && s.Ready(ref) != nil {
		return nil, s.Ready(ref)
	}
	return []oipapi.Statistics{{
		Name: "echo", Number: "3", LastInference: time.UnixMilli(1234), Inferences: 7, Executions: 5,
		Success: oipapi.Count{Times: 5, Took: time.Millisecond}, Fail: oipapi.Count{Times: 1, Took: time.Microsecond},
		Batches: map[int]oipapi.BatchCount{2: {Infer: oipapi.Count{Times: 2, Took: 9}}, 1: {}},
	}}, nil
}

func (s *shelf) Load(_ context.Context, name string, o oipapi.LoadOptions) error {
	if name == "broken" {
		return problem.ModelInvalid.New("its probe failed")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	files := map[string][]byte{}
	for path, content := range o.Files {
		files[path] = bytes.Clone(content)
	}
	o.Files = files
	s.loaded[name] = o
	return nil
}

func (s *shelf) Unload(_ context.Context, name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unloaded = append(s.unloaded, name)
	return nil
}

// rig is the REST form behind a real server.
type rig struct {
	t        *testing.T
	url      string
	client   *http.Client
	echo     *echo
	shelf    *shelf
	budget   *schedule.Budget
	registry *prometheus.Registry
}

func newRig(t *testing.T, change func(*httpapi.Options, *oipapi.Options)) *rig {
	t.Helper()
	g := &rig{t: t, echo: &echo{}, shelf: &shelf{loaded: map[string]oipapi.LoadOptions{}}, budget: schedule.NewBudget(64 << 20), registry: prometheus.NewRegistry()}
	guard := access.New(access.Options{Loopback: true})
	h := httpapi.Options{Access: guard, Budget: g.budget, Metrics: g.registry, Limits: httpapi.Limits{Body: 8 << 20}}
	o := oipapi.Options{Access: guard, Inference: g.echo, Repository: g.shelf, Version: "1.2.3"}
	if change != nil {
		change(&h, &o)
	}
	h.Routes = oipapi.New(o).Routes()
	server := httptest.NewServer(httpapi.New(h))
	t.Cleanup(server.Close)
	g.url, g.client = server.URL, server.Client()
	g.client.Transport.(*http.Transport).DisableCompression = true // so that tests see what is sent
	t.Cleanup(func() {
		server.Close()
		if used := g.budget.Used(); used != 0 {
			t.Errorf("%d bytes of the budget were not given back", used)
		}
	})
	return g
}

type reply struct {
	status int
	header http.Header
	body   []byte
}

func (g *rig) do(method, path string, body []byte, header ...string) reply {
	g.t.Helper()
	var from io.Reader
	if body != nil {
		from = bytes.NewReader(body)
	}
	r, err := http.NewRequest(method, g.url+path, from)
	if err != nil {
		g.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
		if header[i] == "Host" {
			r.Host = header[i+1]
		}
	}
	response, err := g.client.Do(r)
	if err != nil {
		g.t.Fatal(err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		g.t.Fatal(err)
	}
	return reply{response.StatusCode, response.Header, content}
}

func (g *rig) infer(body string, header ...string) reply {
	g.t.Helper()
	return g.do("POST", "/v2/models/echo/infer", []byte(body), header...)
}

// refused checks the protocol's error.
func (r reply) refused(t *testing.T, what string, status int, words string) {
	t.Helper()
	var doc map[string]string
	if err := json.Unmarshal(r.body, &doc); err != nil || len(doc) != 1 || r.status != status || !strings.Contains(doc["error"], words) || doc["error"] == "" {
		t.Errorf("%s: got %d %.300s; want %d and an error that says %q", what, r.status, r.body, status, words)
	}
	if got := r.header.Get("Content-Type"); got != "application/json" {
		t.Errorf("%s: the error's Content-Type is %q, and clients look for application/json", what, got)
	}
}

func (r reply) is(t *testing.T, what, want string) {
	t.Helper()
	if r.status != 200 || string(r.body) != want {
		t.Errorf("%s: got %d %s\nwant 200 %s", what, r.status, r.body, want)
	}
}

func TestEachAddressAnswers(t *testing.T) {
	g := newRig(t, nil)
	for _, c := range []struct{ method, path, body, want string }{
		{"GET", "/v2", "", `{"name":"goshawk","version":"1.2.3","extensions":["classification","model_repository","model_repository(unload_dependents)","schedule_policy","model_configuration","statistics","trace","logging","binary_tensor_data","parameters"]}`},
		{"GET", "/v2/health/live", "", `{"live":true}`},
		{"GET", "/v2/health/ready", "", `{"live":true,"ready":true}`},
		{"GET", "/v2/models/echo", "", `{"name":"echo","versions":["1","2","3"],"platform":"onnxruntime_onnx","inputs":[{"name":"x","datatype":"FP32","shape":[-1,2]}],"outputs":[{"name":"y","datatype":"BYTES","shape":[-1,2]}]}`},
		{"GET", "/v2/models/echo/versions/3", "", `{"name":"echo","versions":["1","2","3"],"platform":"onnxruntime_onnx","inputs":[{"name":"x","datatype":"FP32","shape":[-1,2]}],"outputs":[{"name":"y","datatype":"BYTES","shape":[-1,2]}]}`},
		{"GET", "/v2/models/echo/ready", "", `{"name":"echo","ready":true}`},
		{"GET", "/v2/models/echo/versions/3/ready", "", `{"name":"echo","ready":true}`},
		{"GET", "/v2/models/echo/config", "", `{"name":"echo","platform":"onnxruntime_onnx","backend":"onnxruntime","max_batch_size":8,"input":[{"name":"x","data_type":"TYPE_FP32","dims":[2]}],"output":[{"name":"y","data_type":"TYPE_STRING","dims":[2]}]}`},
		{"GET", "/v2/models/text/config", "", `{"name":"text","platform":"onnxruntime_onnx","backend":"onnxruntime","max_batch_size":0,"input":[{"name":"x","data_type":"TYPE_STRING","dims":[-1,1]}],"output":[{"name":"y","data_type":"TYPE_STRING","dims":[-1,2]}]}`},
		{"POST", "/v2/repository/index", "", `[{"name":"broken","version":"1","state":"UNAVAILABLE","reason":"its probe failed"},{"name":"echo","version":"3","state":"READY"}]`},
		{"POST", "/v2/repository/index", `{"ready": true, "other": {"a": [1, "}"]}}`, `[{"name":"echo","version":"3","state":"READY"}]`},
		{"POST", "/v2/repository/models/echo/load", "", ""},
		{"POST", "/v2/repository/models/echo/unload", `{"parameters":{"unload_dependents":true}}`, ""},
		{"GET", "/v2/trace/setting", "", `{"log_frequency":"0","trace_count":"-1","trace_file":"","trace_level":["OFF"],"trace_rate":"1000"}`},
		{"GET", "/v2/models/echo/trace/setting", "", `{"log_frequency":"0","trace_count":"-1","trace_file":"","trace_level":["OFF"],"trace_rate":"1000"}`},
		{"GET", "/v2/logging", "", `{"log_error":true,"log_file":"","log_format":"default","log_info":true,"log_verbose_level":0,"log_warning":true}`},
		{"POST", "/v2/models/echo/infer", `{"inputs":[{"name":"x","shape":[2],"datatype":"FP32","data":[1,2.5]}]}`, `{"model_name":"echo","model_version":"3","outputs":[{"name":"x","datatype":"FP32","shape":[2],"data":[1.0,2.5]}]}`},
		{"POST", "/v2/models/echo/versions/3/infer", `{"inputs":[{"name":"x","shape":[0],"datatype":"FP32","data":[]}]}`, `{"model_name":"echo","model_version":"3","outputs":[{"name":"x","datatype":"FP32","shape":[0],"data":[]}]}`},
	} {
		var body []byte
		if c.body != "" {
			body = []byte(c.body)
		}
		g.do(c.method, c.path, body).is(t, c.method+" "+c.path, c.want)
		if c.method == "GET" {
			head := g.do("HEAD", c.path, nil)
			if head.status != 200 || len(head.body) != 0 || head.header.Get("Content-Length") != strconv.Itoa(len(c.want)) {
				t.Errorf("HEAD %s: got %d, %d bytes, Content-Length %s; want GET's headers alone", c.path, head.status, len(head.body), head.header.Get("Content-Length"))
			}
		}
		wrong := map[string]string{"GET": "POST", "POST": "GET"}[c.method]
		if !strings.Contains(c.path, "setting") && !strings.Contains(c.path, "logging") {
			got := g.do(wrong, c.path, nil)
			got.refused(t, wrong+" "+c.path, 405, "only "+c.method)
			if !strings.Contains(got.header.Get("Allow"), c.method) {
				t.Errorf("%s %s: Allow is %q", wrong, c.path, got.header.Get("Allow"))
			}
		}
		g.do("DELETE", c.path, nil).refused(t, "DELETE "+c.path, 405, c.method)
	}
}

func TestStatisticsAreTritons(t *testing.T) {
	g := newRig(t, nil)
	const zero = `{"count":0,"ns":0}`
	want := `{"model_stats":[{"name":"echo","version":"3","last_inference":1234,"inference_count":7,"execution_count":5,"inference_stats":{` +
		`"cache_hit":` + zero + `,"cache_miss":` + zero + `,"compute_infer":` + zero + `,"compute_input":` + zero + `,"compute_output":` + zero +
		`,"fail":{"count":1,"ns":1000},"queue":` + zero + `,"success":{"count":5,"ns":1000000}},"batch_stats":[` +
		`{"batch_size":1,"compute_input":` + zero + `,"compute_infer":` + zero + `,"compute_output":` + zero + `},` +
		`{"batch_size":2,"compute_input":` + zero + `,"compute_infer":{"count":2,"ns":9},"compute_output":` + zero + `}]}]}`
	for _, path := range []string{"/v2/models/stats", "/v2/models/echo/stats", "/v2/models/echo/versions/3/stats"} {
		g.do("GET", path, nil).is(t, path, want)
	}
	g.do("GET", "/v2/models/nobody/stats", nil).refused(t, "an unknown model", 404, "nobody")
}

func TestWhatIsNotThereIsTheProtocolsError(t *testing.T) {
	g := newRig(t, nil)
	for _, path := range []string{"/v2/models/nobody", "/v2/models/nobody/ready", "/v2/models/nobody/config", "/v2/models/echo/versions/9/ready", "/v2/models/echo/versions/v1", "/v2/models/a%2F1/ready", "/v2/models/nobody/trace/setting"} {
		g.do("GET", path, nil).refused(t, path, 404, "")
	}
	for _, path := range []string{"/v2/", "/v2/nothing", "/v2/models/echo/versions", "/v2/models/echo/generate", "/v2/repository/other/index"} {
		g.do("GET", path, nil).refused(t, path, 404, "nothing is at")
		g.do("POST", path, []byte("{}")).refused(t, path, 404, "nothing is at")
	}
	g.do("POST", "/v2/models/nobody/infer", []byte("not even JSON")).refused(t, "an unknown model's inference", 404, "nobody")
	g.do("GET", "/v2/models/broken/ready", nil).refused(t, "a model that is not ready", 503, "does not answer")
	g.do("POST", "/v2/repository/models/broken/load", nil).refused(t, "a load that fails", 422, "its probe failed")
	for _, memory := range []string{"systemsharedmemory", "cudasharedmemory"} {
		for _, region := range []string{"", "/region/a"} {
			g.do("GET", "/v2/"+memory+region+"/status", nil).refused(t, memory, 400, "shared memory is not served")
			g.do("POST", "/v2/"+memory+region+"/register", []byte(`{"key":"/a"}`)).refused(t, memory, 400, "shared memory is not served")
			g.do("POST", "/v2/"+memory+region+"/unregister", nil).refused(t, memory, 400, "shared memory is not served")
		}
	}
}

func TestReadinessIsTheServers(t *testing.T) {
	var down error
	g := newRig(t, func(_ *httpapi.Options, o *oipapi.Options) { o.Ready = func() error { return down } })
	down = errors.New("the model imagenet is still loading")
	got := g.do("GET", "/v2/health/ready", nil)
	got.refused(t, "not ready", 503, "still loading")
	if got.header.Get("Retry-After") == "" {
		t.Error("503 has no Retry-After")
	}
	if got := g.do("GET", "/v2/health/live", nil); got.status != 200 {
		t.Errorf("live is %d while the server is not ready, want 200", got.status)
	}
}

func TestKeysAndHostsAreThoseOfTheDoor(t *testing.T) {
	keys, err := access.ParseKeys([]byte("keys: [{id: a, sha256: 2c70e12b7a0646f92279f427c7b38e7334d8e5389cff167a1dc30e73f826b683}]")) // of "key"
	if err != nil {
		t.Fatal(err)
	}
	g := newRig(t, func(h *httpapi.Options, _ *oipapi.Options) {
		h.Access = access.New(access.Options{Loopback: true, Keys: keys})
	})
	g.do("GET", "/v2", nil).refused(t, "no key", 401, "key")
	g.do("GET", "/v2", nil, "Authorization", "Bearer wrong").refused(t, "a wrong key", 401, "not known")
	g.do("GET", "/v2", nil, "Authorization", "Bearer key", "Host", "evil.example").refused(t, "a rebound name", 421, "evil.example")
	g.do("POST", "/v2/repository/index", nil, "Authorization", "Bearer key", "Sec-Fetch-Site", "cross-site").refused(t, "another site's page", 403, "another site")
	if got := g.do("GET", "/v2", nil, "Authorization", "Bearer key"); got.status != 200 {
		t.Errorf("with the key: %d %s", got.status, got.body)
	}
	for _, path := range []string{"/v2/health/live", "/v2/health/ready"} {
		if got := g.do("GET", path, nil); got.status != 200 {
			t.Errorf("%s without a key: %d; a probe has none to send", path, got.status)
		}
	}
}

func TestTheEnginesProblemsKeepTheirStatus(t *testing.T) {
	for _, c := range []struct {
		err    error
		status int
	}{
		{problem.InvalidRequest.New("sentence"), 400},
		{problem.NotAPicture.New("sentence"), 415},
		{problem.Overloaded.New("sentence"), 503},
		{problem.ModelUnhealthy.New("sentence"), 503},
		{problem.DeadlineExceeded.New("sentence"), 504},
		{errors.New("a secret"), 500},
	} {
		g := newRig(t, nil)
		g.echo.run = func(context.Context, *predict.TensorRequest) (*predict.TensorAnswer, error) { return nil, c.err }
		got := g.infer(`{"inputs":[]}`)
		words := "sentence"
		if c.status == 500 {
			words = "went wrong"
		}
		got.refused(t, c.err.Error(), c.status, words)
		if c.status == 503 && got.header.Get("Retry-After") == "" {
			t.Error("503 has no Retry-After")
		}
		if bytes.Contains(got.body, []byte("secret")) {
			t.Errorf("the cause was shown: %s", got.body)
		}
	}
}

func TestAPanicIsTheProtocolsErrorAndGivesTheBudgetBack(t *testing.T) {
	g := newRig(t, nil)
	g.echo.run = func(context.Context, *predict.TensorRequest) (*predict.TensorAnswer, error) { panic("secret") }
	g.infer(`{"inputs":[{"name":"x","shape":[1],"datatype":"FP32","data":[1]}]}`).refused(t, "a panic", 500, "went wrong")
}

// Each type, from JSON to the tensor and back to JSON, and as binary data.
func TestEachTypeComesBackAsItWent(t *testing.T) {
	g := newRig(t, nil)
	le := binary.LittleEndian
	for _, c := range []struct {
		typ, data string
		raw       []byte
	}{
		{"BOOL", "[true,false,true]", []byte{1, 0, 1}},
		{"UINT8", "[0,255,7]", []byte{0, 255, 7}},
		{"UINT16", "[0,65535]", le.AppendUint16(le.AppendUint16(nil, 0), 65535)},
		{"UINT32", "[4294967295]", le.AppendUint32(nil, math.MaxUint32)},
		{"UINT64", "[18446744073709551615]", le.AppendUint64(nil, math.MaxUint64)},
		{"INT8", "[-128,127]", []byte{0x80, 0x7f}},
		{"INT16", "[-32768]", []byte{0, 0x80}},
		{"INT32", "[-2147483648]", []byte{0, 0, 0, 0x80}},
		{"INT64", "[-9223372036854775808,9223372036854775807]", le.AppendUint64(le.AppendUint64(nil, 1<<63), 1<<63-1)},
		{"FP32", "[0.1,-1e+30,1.0]", le.AppendUint32(le.AppendUint32(le.AppendUint32(nil, math.Float32bits(0.1)), math.Float32bits(-1e30)), math.Float32bits(1))},
		{"FP32", "[NaN,Infinity,-Infinity]", nil},
		{"FP64", "[0.1,1e-300]", le.AppendUint64(le.AppendUint64(nil, math.Float64bits(0.1)), math.Float64bits(1e-300))},
		{"BYTES", `["a","","gr\u00fc\u00dfe \ud83d\ude00 \"\\"]`, nil},
	} {
		var elements []any
		n := strings.Count(c.data, ",") + 1
		if c.typ == "BYTES" {
			_ = json.Unmarshal([]byte(c.data), &elements)
			for _, e := range elements {
				c.raw = append(le.AppendUint32(c.raw, uint32(len(e.(string)))), e.(string)...)
			}
			c.data = `["a","","grüße 😀 \"\\"]`
		}
		head := fmt.Sprintf(`{"id":"7","inputs":[{"name":"x","shape":[1,%d],"datatype":%q,`, n, c.typ)
		want := fmt.Sprintf(`{"id":"7","model_name":"echo","model_version":"3","outputs":[{"name":"x","datatype":%q,"shape":[1,%d],`, c.typ, n)
		g.infer(head+`"data":[`+c.data+`]}]}`).is(t, c.typ+" nested JSON", want+`"data":`+c.data+`}]}`)
		if c.raw == nil {
			continue
		}
		head += fmt.Sprintf(`"parameters":{"binary_data_size":%d}}]`, len(c.raw))
		for _, binary := range []string{`,"parameters":{"binary_data_output":true}}`, `,"outputs":[{"name":"x","parameters":{"binary_data":true}}]}`} {
			header := head + binary
			got := g.infer(header+string(c.raw), "Inference-Header-Content-Length", strconv.Itoa(len(header)))
			wantHeader := want + fmt.Sprintf(`"parameters":{"binary_data_size":%d}}]}`, len(c.raw))
			got.is(t, c.typ+" binary", wantHeader+string(c.raw))
			if n := got.header.Get("Inference-Header-Content-Length"); n != strconv.Itoa(len(wantHeader)) || got.header.Get("Content-Type") != "application/octet-stream" {
				t.Errorf("%s: the header's length is %s of type %s, want %d of application/octet-stream", c.typ, n, got.header.Get("Content-Type"), len(wantHeader))
			}
		}
		header := head + `}`
		g.infer(header+string(c.raw), "Inference-Header-Content-Length", strconv.Itoa(len(header))).is(t, c.typ+" from binary to JSON", want+`"data":`+c.data+`}]}`)
	}
}

func TestHalvesAreBinaryOnly(t *testing.T) {
	g := newRig(t, nil)
	for _, typ := range []string{"FP16", "BF16"} {
		g.infer(`{"inputs":[{"name":"x","shape":[1],"datatype":"`+typ+`","data":[1]}]}`).refused(t, typ, 400, "binary data")
		head := `{"inputs":[{"name":"x","shape":[1],"datatype":"` + typ + `","parameters":{"binary_data_size":2}}]`
		json := head + "}"
		g.infer(json+"ab", "Inference-Header-Content-Length", strconv.Itoa(len(json))).refused(t, typ+" out as JSON", 400, "binary data")
		both := head + `,"parameters":{"binary_data_output":true}}`
		if got := g.infer(both+"ab", "Inference-Header-Content-Length", strconv.Itoa(len(both))); got.status != 200 || !bytes.HasSuffix(got.body, []byte("}]}ab")) {
			t.Errorf("%s binary both ways: %d %s", typ, got.status, got.body)
		}
	}
}

func TestMixedOutputsAndTheOutputsOwnWord(t *testing.T) {
	g := newRig(t, nil)
	head := `{"inputs":[{"name":"a","shape":[1],"datatype":"UINT8","data":[65]},{"name":"b","shape":[3],"datatype":"UINT8","parameters":{"binary_data_size":3}},` +
		`{"name":"c","shape":[1],"datatype":"INT32","parameters":{"binary_data_size":4}}],` +
		`"outputs":[{"name":"a"},{"name":"b","parameters":{"binary_data":false}},{"name":"c"}],"parameters":{"binary_data_output":true}}`
	got := g.infer(head+"BCD\x01\x00\x00\x00", "Inference-Header-Content-Length", strconv.Itoa(len(head)))
	want := `{"model_name":"echo","model_version":"3","outputs":[{"name":"a","datatype":"UINT8","shape":[1],"parameters":{"binary_data_size":1}},` +
		`{"name":"b","datatype":"UINT8","shape":[3],"data":[66,67,68]},{"name":"c","datatype":"INT32","shape":[1],"parameters":{"binary_data_size":4}}]}`
	got.is(t, "mixed", want+"A\x01\x00\x00\x00")
	if r := g.echo.seen(); !slices.Equal(r.Outputs, []string{"a", "b", "c"}) || r.Model != "echo" {
		t.Errorf("the engine was asked for %v of %q", r.Outputs, r.Model)
	}
}

func TestClassification(t *testing.T) {
	g := newRig(t, nil)
	g.echo.run = func(context.Context, *predict.TensorRequest) (*predict.TensorAnswer, error) {
		scores, _ := tensor.New("y", tensor.Float32, []int64{1, 3}, 12)
		copy(tensor.View[float32](scores.Data), []float32{0.25, 0.75, 0})
		return &predict.TensorAnswer{
			Version: fleet.Version{Number: 1}, Outputs: []*tensor.Tensor{scores}, Scores: "y",
			Labels: []model.Label{{Name: "cat"}, {Name: "dog"}, {Name: "eel"}},
		}, nil
	}
	got := g.infer(`{"inputs":[],"outputs":[{"name":"y","parameters":{"classification":2}}]}`)
	got.is(t, "the best two", `{"model_name":"echo","model_version":"1","outputs":[{"name":"y","datatype":"BYTES","shape":[1,2],"data":["0.750000:1:dog","0.250000:0:cat"]}]}`)
}

func TestBase64Content(t *testing.T) {
	g := newRig(t, nil)
	picture := []byte{0xff, 0xd8, 0, '"'}
	body := func(text string) string {
		return `{"inputs":[{"data":["` + text + `"],"parameters":{"content_type":"base64"},"datatype":"BYTES","shape":[1],"name":"x"}]}`
	}
	if got := g.infer(body(strings.ReplaceAll(base64.StdEncoding.EncodeToString(picture), "/", `\/`))); got.status != 400 {
		t.Errorf("what is no UTF-8 was sent as JSON: %d %s", got.status, got.body)
	}
	if got := g.echo.seen().Inputs[0].Strings; len(got) != 1 {
		t.Errorf("the engine got %q, want the bytes themselves", got)
	}
	g.infer(body("a*b=")).refused(t, "no base64", 400, "base64")
}

func TestParametersReachTheCore(t *testing.T) {
	g := newRig(t, nil)
	g.echo.run = func(ctx context.Context, _ *predict.TensorRequest) (*predict.TensorAnswer, error) {
		<-ctx.Done()
		return nil, context.Cause(ctx)
	}
	g.infer(`{"inputs":[],"parameters":{"timeout":1000,"priority":2,"custom":"a","half":0.5,"nothing":null,"deep":{"a":[1]}}}`).refused(t, "a timeout", 504, "timeout")
	for what, parameters := range map[string]string{
		"shared memory":          `"shared_memory_region":"a"`,
		"whole number":           `"timeout":"soon"`,
		"sequences":              `"sequence_id":5,"sequence_start":true`,
		"given twice":            `"a":1,"a":2`,
		"true or false":          `"binary_data_output":1`,
		"number of microseconds": `"timeout":-1`,
	} {
		g.infer(`{"inputs":[],"parameters":{`+parameters+`}}`).refused(t, parameters, 400, what)
	}
}

func TestWrongRequestsAreRefused(t *testing.T) {
	g := newRig(t, nil)
	one := func(typ, shape, data string) string {
		return `{"inputs":[{"name":"x","shape":` + shape + `,"datatype":"` + typ + `","data":` + data + `}]}`
	}
	deep := strings.Repeat("[", 1000)
	for _, c := range []struct{ body, words string }{
		{"", "no body"},
		{"nonsense", "an object"},
		{"{", "ends"},
		{"[]", "an object"},
		{`{}`, `no "inputs"`},
		{`{"inputs":{}}`, "a list"},
		{`{"inputs":[]} {}`, "something follows"},
		{`{"inputs":[],"inputs":[]}`, "given twice"},
		{`{"inputs":[{"name":"x","name":"y"}]}`, "given twice"},
		{`{"inputs":[],"id":5}`, "id as a string"},
		{`{"inputs":[],"id":"` + strings.Repeat("a", 5000) + `"}`, "longer than"},
		{`{"inputs":[],"x":01}`, "no number"},
		{`{"inputs":[],"x":tru}`, "a value"},
		{`{"inputs":[],"x":` + deep, "deep"},
		{`{"inputs":[{}]}`, "no name"},
		{`{"inputs":[{"name":"x"}]}`, "no datatype"},
		{`{"inputs":[{"name":"x","datatype":"FP32"}]}`, "no shape"},
		{`{"inputs":[{"name":"x","datatype":"FP32","shape":[1]}]}`, "no data"},
		{`{"inputs":[{"name":"x","datatype":"FP31","shape":[1]}]}`, "FP31"},
		{`{"inputs":[{"name":"x","datatype":"FP32","shape":[1],"data":[1],"parameters":{"binary_data_size":4}}]}`, "both"},
		{`{"inputs":[{"name":"x","datatype":"FP32","shape":[1],"parameters":{"binary_data_size":4}}]}`, "0 are left"},
		{`{"inputs":[{"name":"x","datatype":"FP32","shape":[1],"parameters":{"shared_memory_region":"a"}}]}`, "shared memory"},
		{`{"inputs":[],"outputs":[{"name":"x","parameters":{"shared_memory_region":"a"}}]}`, "shared memory"},
		{`{"inputs":[],"outputs":[{}]}`, "no name"},
		{`{"inputs":[],"outputs":[{"name":"x","parameters":{"classification":-1}}]}`, "negative"},
		{`{"inputs":[],"outputs":[{"name":"x","parameters":{"binary_data":"yes"}}]}`, "true or false"},
		{one("UINT8", "[1]", "[300]"), "out of range"},
		{one("UINT8", "[1]", "[-1]"), "out of range"},
		{one("INT8", "[1]", "[128]"), "out of range"},
		{one("INT32", "[1]", "[1.5]"), "no whole number"},
		{one("INT64", "[1]", "[9223372036854775808]"), "out of range"},
		{one("UINT64", "[1]", "[18446744073709551616]"), "out of range"},
		{one("INT64", "[1]", "[NaN]"), "no number"},
		{one("BOOL", "[1]", "[2]"), "out of range"},
		{one("BOOL", "[1]", "[tru]"), "no number"},
		{one("FP32", "[1]", "[1e39]"), "out of range"},
		{one("FP64", "[1]", "[1e999]"), "out of range"},
		{one("FP32", "[1]", `["1"]`), "no number"},
		{one("FP32", "[1]", "[null]"), "no number"},
		{one("FP32", "[1]", "[.5]"), "no number"},
		{one("FP32", "[1]", "[1.]"), "no number"},
		{one("FP32", "[1]", "[+1]"), "no number"},
		{one("FP32", "[1]", "[0x1]"), "comma"},
		{one("FP32", "[1]", "5"), "a list"},
		{one("FP32", "[2]", "[1,]"), "no number"},
		{one("FP32", "[2]", "[1 2]"), "comma"},
		{one("FP32", "[2]", "[1]"), "its data are 1"},
		{one("FP32", "[2]", "[1,2,3]"), "its data are more"},
		{one("FP32", "[2]", "[[1],[2]"), "comma"},
		{one("FP32", "[1]", deep), "deep"},
		{one("FP32", "[-1]", "[1]"), "negative"},
		{one("FP32", "[1.5]", "[1]"), "whole number"},
		{one("FP32", "[1099511627776]", "[1]"), "shorter than that"},
		{one("FP32", "[9223372036854775807,9223372036854775807]", "[1]"), "too large"},
		{one("BYTES", "[1099511627776]", `["a"]`), "shorter than that"},
		{one("BYTES", "[1]", `[1]`), "as a string"},
		{one("BYTES", "[1]", `["\ud800"]`), "escape"},
		{one("BYTES", "[1]", `["\x"]`), "escape"},
		{one("BYTES", "[1]", `["a`), "no end"},
		{one("FP32", "["+strings.Repeat("1,", 100)+"1]", "[1]"), "axes"},
	} {
		status := 400
		g.infer(c.body).refused(t, fmt.Sprintf("%.80s", c.body), status, c.words)
	}
}

func TestWrongBinaryRequestsAreRefused(t *testing.T) {
	g := newRig(t, nil)
	one := func(typ, shape string, size int) string {
		return fmt.Sprintf(`{"inputs":[{"name":"x","shape":%s,"datatype":%q,"parameters":{"binary_data_size":%d}}]}`, shape, typ, size)
	}
	for _, c := range []struct{ json, data, length, words string }{
		{one("FP32", "[1]", 4), "abc", "", "3 are left"},
		{one("FP32", "[1]", 4), "abcde", "", "1 bytes of binary data are left"},
		{one("FP32", "[2]", 4), "abcd", "", "not as many"},
		{one("FP32", "[0]", 4), "abcd", "", "not as many"},
		{one("FP32", "[4611686018427387904]", 0), "", "", "not as many"},
		{one("BYTES", "[1099511627776]", 4), "abcd", "", "fewer than"},
		{one("BYTES", "[1]", 5), "\x05\x00\x00\x00a", "", "says that it has 5 bytes"},
		{one("BYTES", "[1]", 6), "\x01\x00\x00\x00ab", "", "left after the last"},
		{one("FP32", "[1]", 4), "abcd", "100000", "says 100000 bytes"},
		{one("FP32", "[1]", 4), "abcd", "-1", "number of bytes"},
		{one("FP32", "[1]", 4), "abcd", "99999999999999999999", "number of bytes"},
		{one("FP32", "[1]", 4), "abcd", "ten", "number of bytes"},
		{one("FP32", "[1]", 4), "abcd", "10", "ends"},
		{`{"inputs":[]}`, "a", "", "1 bytes of binary data are left"},
	} {
		length := c.length
		if length == "" {
			length = strconv.Itoa(len(c.json))
		}
		g.infer(c.json+c.data, "Inference-Header-Content-Length", length).refused(t, c.json+c.data, 400, c.words)
	}
}

func TestRawBodies(t *testing.T) {
	g := newRig(t, nil)
	raw := func(model, body string) reply {
		return g.do("POST", "/v2/models/"+model+"/infer", []byte(body), "Inference-Header-Content-Length", "0")
	}
	want := `{"model_name":"echo","model_version":"3","outputs":[{"name":"x","datatype":"FP32","shape":[2,2],"parameters":{"binary_data_size":16}}]}`
	raw("echo", "0123456789abcdef").is(t, "two rows of two", want+"0123456789abcdef")
	want = `{"model_name":"text","model_version":"3","outputs":[{"name":"x","datatype":"BYTES","shape":[1,1],"parameters":{"binary_data_size":9}}]}`
	raw("text", "hello").is(t, "one text", want+"\x05\x00\x00\x00hello")
	raw("echo", "0123").refused(t, "half a row", 400, "do not make one")
	raw("echo", "012").refused(t, "half a number", 400, "whole number of elements")
	raw("two", "01234567").refused(t, "a model with two inputs", 400, "one input")
}

func deflated(t *testing.T, coding string, content []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	var w io.WriteCloser = gzip.NewWriter(&out)
	if coding == "deflate" {
		w = zlib.NewWriter(&out)
	}
	if _, err := w.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func inflated(t *testing.T, coding string, content []byte) []byte {
	t.Helper()
	var r io.Reader
	var err error
	if coding == "gzip" {
		r, err = gzip.NewReader(bytes.NewReader(content))
	} else {
		r, err = zlib.NewReader(bytes.NewReader(content))
	}
	if err != nil {
		t.Fatal(err)
	}
	all, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestCompressedBothWays(t *testing.T) {
	g := newRig(t, nil)
	head := `{"inputs":[{"name":"x","shape":[200000],"datatype":"FP32","parameters":{"binary_data_size":800000}}],"parameters":{"binary_data_output":true}}`
	body := append([]byte(head), make([]byte, 800000)...)
	for _, coding := range []string{"gzip", "deflate"} {
		got := g.infer(string(deflated(t, coding, body)), "Content-Encoding", coding, "Inference-Header-Content-Length", strconv.Itoa(len(head)), "Accept-Encoding", coding)
		if got.status != 200 || got.header.Get("Content-Encoding") != coding {
			t.Fatalf("%s: %d %s, Content-Encoding %q", coding, got.status, got.body, got.header.Get("Content-Encoding"))
		}
		plain := inflated(t, coding, got.body)
		n, err := strconv.Atoi(got.header.Get("Inference-Header-Content-Length"))
		if err != nil || len(plain) != n+800000 {
			t.Errorf("%s: the answer has %d bytes, %d of them JSON (%v); want 800000 behind it", coding, len(plain), n, err)
		}
	}
	for accept, want := range map[string]string{"": "", "br": "", "identity": "", "gzip;q=0": "", "deflate, gzip": "deflate", "gzip;q=0.5, identity": "", "br, gzip;q=0.9, deflate;q=0.1": "gzip"} {
		if got := g.infer(`{"inputs":[]}`, "Accept-Encoding", accept); got.header.Get("Content-Encoding") != want || got.status != 200 {
			t.Errorf("Accept-Encoding %q: got %d in %q, want %q", accept, got.status, got.header.Get("Content-Encoding"), want)
		}
	}
}

func TestBombsAndBrokenBodies(t *testing.T) {
	g := newRig(t, nil)
	whole := deflated(t, "gzip", []byte(`{"inputs":[]}`))
	for what, c := range map[string]struct {
		coding string
		body   []byte
		status int
		words  string
	}{
		"a gzip bomb":          {"gzip", deflated(t, "gzip", make([]byte, 200<<20)), 413, "decompressed"},
		"a deflate bomb":       {"deflate", deflated(t, "deflate", make([]byte, 200<<20)), 413, "decompressed"},
		"a bomb in a bomb":     {"gzip, gzip", whole, 400, "more than once"},
		"an unknown coding":    {"br", whole, 400, "gzip and deflate"},
		"a cut gzip":           {"gzip", whole[:len(whole)-3], 400, "no whole gzip"},
		"half a gzip header":   {"gzip", whole[:5], 400, "no whole gzip"},
		"no gzip":              {"gzip", []byte("hello"), 400, "no whole gzip"},
		"gzip as deflate":      {"deflate", whole, 400, "no whole deflate"},
		"more behind deflate":  {"deflate", append(deflated(t, "deflate", []byte(`{"inputs":[]}`)), 'x'), 400, "no whole deflate"},
		"more than the limit":  {"", make([]byte, 9<<20), 413, "limit"},
		"nothing, in gzip":     {"gzip", []byte{}, 400, "no body"},
		"a body that is wrong": {"identity", []byte("x"), 400, "object"},
	} {
		g.infer(string(c.body), "Content-Encoding", c.coding).refused(t, what, c.status, c.words)
	}
	if got := g.infer(string(whole), "Content-Encoding", "x-gzip"); got.status != 200 {
		t.Errorf("a whole gzip: %d %s", got.status, got.body)
	}
}

func TestContentTypeIsNeverAskedFor(t *testing.T) {
	g := newRig(t, nil)
	for _, media := range []string{"", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ";;;"} {
		if got := g.infer(`{"inputs":[]}`, "Content-Type", media); got.status != 200 {
			t.Errorf("Content-Type %q: %d %s", media, got.status, got.body)
		}
	}
}

func TestLoadTakesConfigAndFiles(t *testing.T) {
	g := newRig(t, nil)
	body := `{"parameters":{"config":"{\"name\":\"echo\"}","file:1/model.onnx":"` + base64.StdEncoding.EncodeToString([]byte("MODEL")) + `"}}`
	g.do("POST", "/v2/repository/models/echo/load", []byte(body)).is(t, "load", "")
	o := g.shelf.loaded["echo"]
	if o.Config != `{"name":"echo"}` || string(o.Files["1/model.onnx"]) != "MODEL" {
		t.Errorf("the repository got %q and %q", o.Config, o.Files)
	}
	g.do("POST", "/v2/repository/models/echo/unload", nil).is(t, "unload", "")
	if !slices.Equal(g.shelf.unloaded, []string{"echo"}) {
		t.Errorf("unloaded %v", g.shelf.unloaded)
	}
	for parameters, words := range map[string]string{
		`"other":1`:                                   "no parameter",
		`"config":5`:                                  "as a string",
		`"file:1/a":"*"`:                              "no base64",
		`"file:1/a":"QQ==","file:1/a":"QQ=="`:         "twice",
		`"config":"a","config":"b"`:                   "twice",
		`"file:` + strings.Repeat("a", 5000) + `":""`: "too long",
	} {
		g.do("POST", "/v2/repository/models/echo/load", []byte(`{"parameters":{`+parameters+`}}`)).refused(t, fmt.Sprintf("%.40s", parameters), 400, words)
	}
}

func TestSettings(t *testing.T) {
	g := newRig(t, nil)
	post := func(path, body string) reply { return g.do("POST", path, []byte(body)) }
	post("/v2/logging", `{"log_info":false,"log_verbose_level":2,"log_format":"ISO8601","unknown":1,"log_error":null}`).is(t, "logging",
		`{"log_error":true,"log_file":"","log_format":"ISO8601","log_info":false,"log_verbose_level":2,"log_warning":true}`)
	post("/v2/trace/setting", `{"trace_rate":"5","trace_level":["TIMESTAMPS","TENSORS"]}`).is(t, "trace",
		`{"log_frequency":"0","trace_count":"-1","trace_file":"","trace_level":["TENSORS","TIMESTAMPS"],"trace_rate":"5"}`)
	post("/v2/models/echo/trace/setting", `{"trace_rate":7,"trace_count":"3"}`).is(t, "a model's",
		`{"log_frequency":"0","trace_count":"3","trace_file":"","trace_level":["TENSORS","TIMESTAMPS"],"trace_rate":"7"}`)
	post("/v2/models/echo/trace/setting", `{"trace_rate":null}`).is(t, "a model's, cleared",
		`{"log_frequency":"0","trace_count":"3","trace_file":"","trace_level":["TENSORS","TIMESTAMPS"],"trace_rate":"5"}`)
	post("/v2/models/echo/trace/setting", ``).is(t, "a model's, forgotten",
		`{"log_frequency":"0","trace_count":"-1","trace_file":"","trace_level":["TENSORS","TIMESTAMPS"],"trace_rate":"5"}`)
	for body, path := range map[string]string{
		`{"log_file":"/etc/passwd"}`: "/v2/logging", `{"log_info":1}`: "/v2/logging", `{"log_verbose_level":-1}`: "/v2/logging", `{"log_format":"xml"}`: "/v2/logging",
		`{"trace_file":"a"}`: "/v2/trace/setting", `{"trace_level":["OFF","TENSORS"]}`: "/v2/trace/setting", `{"trace_level":[]}`: "/v2/trace/setting",
		`{"trace_rate":"many"}`: "/v2/trace/setting", `{"trace_count":-2}`: "/v2/trace/setting", `{"trace_rate":1,"trace_rate":2}`: "/v2/trace/setting",
	} {
		post(path, body).refused(t, body, 400, "")
	}
	post("/v2/models/nobody/trace/setting", `{}`).refused(t, "a model that is not here", 404, "nobody")
}

func TestRoutesAreCountedByPattern(t *testing.T) {
	g := newRig(t, nil)
	g.infer(`{"inputs":[]}`)
	g.do("GET", "/v2/models/some-strangers-words/ready", nil)
	families, err := g.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprint(families)
	if !strings.Contains(text, "/v2/models/{model}/infer") || strings.Contains(text, "strangers") {
		t.Errorf("the metrics want the pattern, and never a client's text: %.2000s", text)
	}
}
