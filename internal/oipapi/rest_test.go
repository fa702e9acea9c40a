package oipapi_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
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
	"github.com/goshawk-ai/goshawk/internal/oipapi"
	"github.com/goshawk-ai/goshawk/internal/predict"
	"github.com/goshawk-ai/goshawk/internal/problem"
	"github.com/goshawk-ai/goshawk/internal/schedule"
	"github.com/goshawk-ai/goshawk/internal/tensor"
)

// restEcho answers each input as an output of its name, unless a test says otherwise.
type restEcho struct {
	run func(ctx context.Context, r *predict.TensorRequest) (*predict.TensorAnswer, error)

	mu   sync.Mutex
	last *predict.TensorRequest // guarded by mu
}

func (e *restEcho) Tensors(ctx context.Context, r *predict.TensorRequest) (*predict.TensorAnswer, error) {
	e.mu.Lock()
	e.last = r
	e.mu.Unlock()
	if e.run != nil {
		return e.run(ctx, r)
	}
	a := &predict.TensorAnswer{Version: fleet.Version{Number: 3}, Began: time.Now(), Ended: time.Now(), Stages: predict.TensorStages{Queue: time.Second, Infer: time.Second}}
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

func (e *restEcho) seen() *predict.TensorRequest {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.last
}

// restShelf has the models echo (3 versions), pictures and asleep.
type restShelf struct {
	mu       sync.Mutex
	loaded   map[string]oipapi.LoadOptions // guarded by mu
	unloaded []string                      // guarded by mu
}

func (s *restShelf) Describe(_ context.Context, ref string) (oipapi.Description, error) {
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

func (s *restShelf) Ready(ref string) error {
	switch ref {
	case "echo", "echo/3", "text", "two", "pictures":
		return nil
	case "broken":
		return problem.ModelUnhealthy.New("the model %q does not answer", ref)
	}
	return problem.ModelNotFound.New("no model %q is here", ref)
}

func (s *restShelf) Index() []oipapi.State {
	return []oipapi.State{{Name: "broken", Number: "1", State: "UNAVAILABLE", Reason: "its probe failed"}, {Name: "echo", Number: "3", State: "READY"}}
}

func (s *restShelf) Statistics(ref string) ([]oipapi.Statistics, error) {
	if ref != "" && s.Ready(ref) != nil {
		return nil, s.Ready(ref)
	}
	return []oipapi.Statistics{{
		Name: "echo", Number: "3", Statistics: predict.Statistics{
			Last: time.UnixMilli(1234), Rows: 7, Runs: 5,
			Success: predict.Count{Times: 5, Took: time.Millisecond}, Fail: predict.Count{Times: 1, Took: time.Microsecond},
			Batches: map[int]predict.Batch{2: {Infer: predict.Count{Times: 2, Took: 9}}, 1: {}},
		},
	}}, nil
}

func (s *restShelf) Load(_ context.Context, name string, o oipapi.LoadOptions) error {
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

func (s *restShelf) Unload(_ context.Context, name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unloaded = append(s.unloaded, name)
	return nil
}

// restRig is the REST form behind a real server.
type restRig struct {
	t        *testing.T
	url      string
	client   *http.Client
	echo     *restEcho
	shelf    *restShelf
	budget   *schedule.Budget
	registry *prometheus.Registry
}

func newRESTRig(t *testing.T, change func(*httpapi.Options, *oipapi.Options)) *restRig {
	t.Helper()
	g := &restRig{t: t, echo: &restEcho{}, shelf: &restShelf{loaded: map[string]oipapi.LoadOptions{}}, budget: schedule.NewBudget(64 << 20), registry: prometheus.NewRegistry()}
	guard := access.New(access.Options{Loopback: true})
	h := httpapi.Options{Access: guard, Budget: g.budget, Metrics: g.registry, Limits: httpapi.Limits{Body: 8 << 20}}
	o := oipapi.Options{Access: guard, Inference: g.echo, Repository: g.shelf, Version: "1.2.3", Settings: changeable(t, t.TempDir())}
	if change != nil {
		change(&h, &o)
	}
	h.Routes = oipapi.Routes(o)
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

func (g *restRig) do(method, path string, body []byte, header ...string) reply {
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

func (g *restRig) infer(body string, header ...string) reply {
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

func TestRESTEachAddressAnswers(t *testing.T) {
	g := newRESTRig(t, nil)
	for _, c := range []struct{ method, path, body, want string }{
		{"GET", "/v2", "", `{"name":"goshawk","version":"1.2.3","extensions":["binary_tensor_data","classification","logging","model_configuration","model_repository","model_repository(unload_dependents)","parameters","schedule_policy","statistics","trace"]}`},
		{"GET", "/v2/", "", `{"name":"goshawk","version":"1.2.3","extensions":["binary_tensor_data","classification","logging","model_configuration","model_repository","model_repository(unload_dependents)","parameters","schedule_policy","statistics","trace"]}`},
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
		{"POST", "/v2/repository/index", `{"ready": null}`, `[{"name":"broken","version":"1","state":"UNAVAILABLE","reason":"its probe failed"},{"name":"echo","version":"3","state":"READY"}]`},
		{"POST", "/v2/repository/models/echo/load", "", ""},
		{"POST", "/v2/repository/models/echo/load", `{"parameters":null}`, ""},
		{"POST", "/v2/repository/models/echo/unload", `{"parameters":null}`, ""},
		{"POST", "/v2/repository/models/echo/unload", `{"parameters":{"unload_dependents":true}}`, ""},
		{"GET", "/v2/trace/setting", "", `{"log_frequency":"0","trace_count":"-1","trace_file":"trace.json","trace_level":["OFF"],"trace_mode":"triton","trace_rate":"1000"}`},
		{"GET", "/v2/models/echo/trace/setting", "", `{"log_frequency":"0","trace_count":"-1","trace_file":"trace.json","trace_level":["OFF"],"trace_mode":"triton","trace_rate":"1000"}`},
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

func TestRESTStatisticsAreTritons(t *testing.T) {
	g := newRESTRig(t, nil)
	const zero = `{"count":0,"ns":0}`
	want := `{"model_stats":[{"name":"echo","version":"3","last_inference":1234,"inference_count":7,"execution_count":5,"inference_stats":{` +
		`"cache_hit":` + zero + `,"cache_miss":` + zero + `,"compute_infer":` + zero + `,"compute_input":` + zero + `,"compute_output":` + zero +
		`,"fail":{"count":1,"ns":1000},"queue":` + zero + `,"success":{"count":5,"ns":1000000}},"batch_stats":[` +
		`{"batch_size":1,"compute_input":` + zero + `,"compute_infer":` + zero + `,"compute_output":` + zero + `},` +
		`{"batch_size":2,"compute_input":` + zero + `,"compute_infer":{"count":2,"ns":9},"compute_output":{"count":2,"ns":0}}]}]}`
	for _, path := range []string{"/v2/models/stats", "/v2/models/echo/stats", "/v2/models/echo/versions/3/stats"} {
		g.do("GET", path, nil).is(t, path, want)
	}
	g.do("GET", "/v2/models/nobody/stats", nil).refused(t, "an unknown model", 404, "nobody")
}

func TestRESTWhatIsNotThereIsTheProtocolsError(t *testing.T) {
	g := newRESTRig(t, nil)
	for _, path := range []string{"/v2/models/nobody", "/v2/models/nobody/ready", "/v2/models/nobody/config", "/v2/models/echo/versions/9/ready", "/v2/models/echo/versions/v1", "/v2/models/a%2F1/ready", "/v2/models/nobody/trace/setting"} {
		g.do("GET", path, nil).refused(t, path, 404, "")
	}
	for _, path := range []string{"/v2//models/echo", "/v2/models/../models/echo", "/v2/models/..%2f..%2fetc", "/v2/models/echo//ready", "/v2/nothing", "/v2/models/echo/versions", "/v2/models/echo/generate", "/v2/repository/other/index"} {
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

func TestRESTReadinessIsTheServers(t *testing.T) {
	var down error
	g := newRESTRig(t, func(_ *httpapi.Options, o *oipapi.Options) { o.Ready = func() error { return down } })
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

func TestRESTKeysAndHostsAreThoseOfTheDoor(t *testing.T) {
	keys, err := access.ParseKeys([]byte("keys: [{id: a, sha256: 2c70e12b7a0646f92279f427c7b38e7334d8e5389cff167a1dc30e73f826b683}]")) // of "key"
	if err != nil {
		t.Fatal(err)
	}
	g := newRESTRig(t, func(h *httpapi.Options, _ *oipapi.Options) {
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

func TestRESTTheEnginesProblemsKeepTheirStatus(t *testing.T) {
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
		g := newRESTRig(t, nil)
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

func TestRESTAPanicIsTheProtocolsErrorAndGivesTheBudgetBack(t *testing.T) {
	g := newRESTRig(t, nil)
	g.echo.run = func(context.Context, *predict.TensorRequest) (*predict.TensorAnswer, error) { panic("secret") }
	g.infer(`{"inputs":[{"name":"x","shape":[1],"datatype":"FP32","data":[1]}]}`).refused(t, "a panic", 500, "went wrong")
}

func TestRESTLoadTakesConfigAndFiles(t *testing.T) {
	g := newRESTRig(t, nil)
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

func TestRESTSettings(t *testing.T) {
	g := newRESTRig(t, nil)
	post := func(path, body string) reply { return g.do("POST", path, []byte(body)) }
	post("/v2/logging", `{"log_info":false,"log_verbose_level":2,"log_format":"ISO8601","log_error":null}`).is(t, "logging",
		`{"log_error":true,"log_file":"","log_format":"ISO8601","log_info":false,"log_verbose_level":2,"log_warning":true}`)
	post("/v2/trace/setting", `{"trace_rate":"5","trace_level":["TIMESTAMPS","TENSORS"]}`).is(t, "trace",
		`{"log_frequency":"0","trace_count":"-1","trace_file":"trace.json","trace_level":["TIMESTAMPS","TENSORS"],"trace_mode":"triton","trace_rate":"5"}`)
	post("/v2/models/echo/trace/setting", `{"trace_rate":7,"trace_count":"3"}`).is(t, "a model's",
		`{"log_frequency":"0","trace_count":"3","trace_file":"trace.json","trace_level":["TIMESTAMPS","TENSORS"],"trace_mode":"triton","trace_rate":"7"}`)
	post("/v2/models/echo/trace/setting", `{"trace_rate":null}`).is(t, "a model's, cleared",
		`{"log_frequency":"0","trace_count":"3","trace_file":"trace.json","trace_level":["TIMESTAMPS","TENSORS"],"trace_mode":"triton","trace_rate":"5"}`)
	post("/v2/logging", `{"log_warnings":false,"log_errors":true}`).is(t, "logging by the names of its documentation",
		`{"log_error":true,"log_file":"","log_format":"ISO8601","log_info":false,"log_verbose_level":2,"log_warning":false}`)
	post("/v2/models/echo/trace", ``).is(t, "a model's, forgotten",
		`{"log_frequency":"0","trace_count":"-1","trace_file":"trace.json","trace_level":["TIMESTAMPS","TENSORS"],"trace_mode":"triton","trace_rate":"5"}`)
	for body, path := range map[string]string{
		`{"log_file":"/etc/passwd"}`: "/v2/logging", `{"log_info":1}`: "/v2/logging", `{"other":1}`: "/v2/logging", `{"other":"1"}`: "/v2/trace/setting", `{"log_verbose_level":-1}`: "/v2/logging", `{"log_format":"xml"}`: "/v2/logging",
		`{"trace_file":"a"}`: "/v2/trace/setting", `{"trace_file":"../trace.json"}`: "/v2/trace", `{"trace_mode":"opentelemetry"}`: "/v2/trace", `{"trace_level":["OFF","TENSORS"]}`: "/v2/trace/setting",
		`{"trace_rate":"many"}`: "/v2/trace/setting", `{"trace_count":-2}`: "/v2/trace/setting", `{"trace_rate":1,"trace_rate":2}`: "/v2/trace/setting",
	} {
		post(path, body).refused(t, body, 400, "")
	}
	post("/v2/models/nobody/trace/setting", `{}`).refused(t, "a model that is not here", 404, "nobody")
}

func TestRESTLinesNameTheModel(t *testing.T) {
	log := &lines{}
	g := newRESTRig(t, func(h *httpapi.Options, _ *oipapi.Options) { h.Logger = slog.New(slog.NewJSONHandler(log, nil)) })
	g.infer(`{"inputs":[]}`)
	g.do("GET", "/v2/models/nobody%0Aelse", nil)
	until(t, "two requests have two lines", func() bool {
		log.mu.Lock()
		defer log.mu.Unlock()
		text := log.text.String()
		return strings.Contains(text, `"model":"echo","version":"3"`) && strings.Contains(text, `"model":"nobody else"`)
	})
}

func TestRESTRoutesAreCountedByPattern(t *testing.T) {
	g := newRESTRig(t, nil)
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
