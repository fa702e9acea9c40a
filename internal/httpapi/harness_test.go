package httpapi_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/goshawk-ai/goshawk/api"
	"github.com/goshawk-ai/goshawk/internal/access"
	"github.com/goshawk-ai/goshawk/internal/httpapi"
	"github.com/goshawk-ai/goshawk/internal/model"
	"github.com/goshawk-ai/goshawk/internal/predict"
	"github.com/goshawk-ai/goshawk/internal/problem"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	picture   = "PICTURE of a bird" // what the fake takes for a picture: it begins with PICTURE
	noPicture = "<html>not one</html>"
	digest    = "sha256:397f3a69dd6610fff0e2473f9ed894e27d87cc37178cab5ec2b9b14e6e009815"
)

// fake classifies without a model: what begins with PICTURE (or like a JPEG or
// PNG) is a bird, a plane, or both.
type fake struct {
	run func(ctx context.Context, r predict.Request) (*predict.Answer, error) // in place of it

	mu   sync.Mutex
	last predict.Request // guarded by mu; pictures copied
	runs int             // guarded by mu
}

func (f *fake) Run(ctx context.Context, r predict.Request) (*predict.Answer, error) {
	f.mu.Lock()
	f.runs++
	f.last = r
	f.last.Pictures = nil
	for _, p := range r.Pictures {
		p.Data = bytes.Clone(p.Data)
		f.last.Pictures = append(f.last.Pictures, p)
	}
	f.mu.Unlock()
	if f.run != nil {
		return f.run(ctx, r)
	}
	return classify(r)
}

func (f *fake) seen() (predict.Request, int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.last, f.runs
}

func classify(r predict.Request) (*predict.Answer, error) {
	if r.Model != "" && !strings.HasPrefix(r.Model, "birds") && !strings.HasPrefix(r.Model, "imagenet") {
		return nil, problem.ModelNotFound.New("no model %q is here", r.Model)
	}
	answer := &predict.Answer{ID: "pred_0123456789abcdefghijklmnop", Model: predict.Model{Name: "birds", Version: digest}}
	for _, p := range r.Pictures {
		answer.Results = append(answer.Results, result(p, r))
	}
	return answer, nil
}

func result(p predict.Picture, r predict.Request) predict.Result {
	if p.Err != nil {
		return predict.Result{Name: p.Name, Error: p.Err}
	}
	sum := sha256.Sum256(p.Data)
	out := predict.Result{Name: p.Name, SHA256: hex.EncodeToString(sum[:])}
	if !bytes.HasPrefix(p.Data, []byte("PICTURE")) && !bytes.HasPrefix(p.Data, []byte("\xff\xd8")) && !bytes.HasPrefix(p.Data, []byte("\x89PNG")) {
		out.Error = problem.NotAPicture.New("the bytes are no picture")
		return out
	}
	out.Format, out.Width, out.Height = "jpeg", 500, 375
	all := []predict.Prediction{{Label: "bird", Index: 3, Probability: 0.75}, {Label: "=plane", Index: 0, Probability: 0.25}}
	if r.TopK > 0 && r.TopK < len(all) {
		all = all[:r.TopK]
	}
	for _, prediction := range all {
		if prediction.Probability >= r.Threshold {
			out.Predictions = append(out.Predictions, prediction)
		}
	}
	return out
}

func refusing(err error) func(context.Context, predict.Request) (*predict.Answer, error) {
	return func(context.Context, predict.Request) (*predict.Answer, error) { return nil, err }
}

func answering(a *predict.Answer) func(context.Context, predict.Request) (*predict.Answer, error) {
	return func(context.Context, predict.Request) (*predict.Answer, error) { return a, nil }
}

// shelf serves one model.
type shelf struct{}

func (shelf) info() httpapi.ModelInfo {
	added := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	return httpapi.ModelInfo{
		Name: "imagenet", Version: digest, Aliases: []string{"default"}, State: "ready", License: "Apache-2.0",
		BuiltIn: true, Required: true, Added: &added, Labels: 2, TopK: 5,
		Input: &httpapi.InputInfo{
			Tensor: httpapi.Tensor{Name: "input", Type: "float32", Shape: []int64{-1, 3, 224, 224}}, Layout: "NCHW", Color: "RGB",
		},
		Preprocess: map[string]any{"rescale": 1.0 / 255},
		LabelList:  []model.Label{{Name: "crane", Description: "a bird"}, {Name: "crane (machine)"}},
	}
}

func (s shelf) Models() []httpapi.ModelInfo { return []httpapi.ModelInfo{s.info()} }

func (s shelf) Model(ref string) (httpapi.ModelInfo, error) {
	if ref != "imagenet" && ref != "imagenet@default" && ref != "imagenet@"+digest[:19] {
		return httpapi.ModelInfo{}, problem.ModelNotFound.New("no model %.80q is here", ref)
	}
	return s.info(), nil
}

// rig is a door behind a real server.
type rig struct {
	t        *testing.T
	url      string
	client   *http.Client // validates each exchange
	fake     *fake
	registry *prometheus.Registry
	log      *lines
}

func newRig(t *testing.T, change func(*httpapi.Options)) *rig {
	t.Helper()
	g := &rig{t: t, fake: &fake{}, registry: prometheus.NewRegistry(), log: &lines{}}
	o := httpapi.Options{
		Predictor: g.fake, Models: shelf{}, Access: access.New(access.Options{Loopback: true}),
		Metrics: g.registry, Logger: slog.New(slog.NewJSONHandler(g.log, nil)), Version: "1.2.3",
	}
	if change != nil {
		change(&o)
	}
	server := httptest.NewUnstartedServer(nil)
	server.Config.Handler = httpapi.New(o)
	server.Config.MaxHeaderBytes = 32 << 10
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	server.Start()
	t.Cleanup(server.Close)
	g.url = server.URL
	g.client = &http.Client{Transport: &validator{t: t, next: server.Client().Transport, router: specRouter(t)}}
	return g
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   string
}

func (a answer) problem(t *testing.T) map[string]any {
	t.Helper()
	var doc map[string]any
	if err := json.Unmarshal([]byte(a.body), &doc); err != nil {
		t.Fatalf("no problem document: %v in %.200q", err, a.body)
	}
	return doc
}

func (a answer) document(t *testing.T) predict.Answer {
	t.Helper()
	if a.status != http.StatusOK {
		t.Fatalf("status %d, want 200: %.300s", a.status, a.body)
	}
	var doc struct {
		predict.Answer
		Results []struct {
			predict.Result
			Error map[string]any `json:"error"`
		} `json:"results"`
	}
	if err := json.Unmarshal([]byte(a.body), &doc); err != nil {
		t.Fatalf("no answer document: %v in %.200q", err, a.body)
	}
	for _, r := range doc.Results {
		if r.Error != nil {
			r.Result.Error = problem.Internal.New("%v %v", r.Error["type"], r.Error["detail"])
		}
		doc.Answer.Results = append(doc.Answer.Results, r.Result)
	}
	return doc.Answer
}

func (g *rig) do(method, path string, header map[string]string, body io.Reader) answer {
	g.t.Helper()
	r, err := http.NewRequest(method, g.url+path, body)
	if err != nil {
		g.t.Fatal(err)
	}
	for name, value := range header {
		r.Header.Set(name, value)
		if name == "Host" {
			r.Host = value
		}
	}
	response, err := g.client.Do(r)
	if err != nil {
		g.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		g.t.Fatalf("%s %s: read the answer: %v", method, path, err)
	}
	return answer{response.StatusCode, response.Header, string(content)}
}

func (g *rig) raw(query, body string) answer {
	g.t.Helper()
	return g.do("POST", "/v1/predictions"+query, map[string]string{"Content-Type": "image/jpeg"}, strings.NewReader(body))
}

func (g *rig) json(body string) answer {
	g.t.Helper()
	return g.do("POST", "/v1/predictions", map[string]string{"Content-Type": "application/json"}, strings.NewReader(body))
}

// part is one part of a form; file is what a browser sends for a file.
type part struct{ field, file, content string }

func form(parts ...part) (contentType, body string) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for _, p := range parts {
		var to io.Writer
		if p.file != "" {
			to, _ = w.CreateFormFile(p.field, p.file)
		} else {
			to, _ = w.CreateFormField(p.field)
		}
		_, _ = io.WriteString(to, p.content)
	}
	_ = w.Close()
	return w.FormDataContentType(), b.String()
}

func (g *rig) form(path string, header map[string]string, parts ...part) answer {
	g.t.Helper()
	contentType, body := form(parts...)
	all := map[string]string{"Content-Type": contentType}
	for name, value := range header {
		all[name] = value
	}
	return g.do("POST", path, all, strings.NewReader(body))
}

// lines collects the log.
type lines struct {
	mu      sync.Mutex
	text    []byte        // guarded by mu
	written chan struct{} // guarded by mu; closed at the next line
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = append(l.text, p...)
	if l.written != nil {
		close(l.written)
		l.written = nil
	}
	return len(p), nil
}

// next is the log so far, and a signal for more.
func (l *lines) next() (string, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.written == nil {
		l.written = make(chan struct{})
	}
	return string(l.text), l.written
}

func (l *lines) String() string {
	text, _ := l.next()
	return text
}

// await waits until the log says so: the line is written after the answer.
func (l *lines) await(t *testing.T, want string) string {
	t.Helper()
	late := time.After(time.Minute)
	for {
		text, more := l.next()
		if strings.Contains(text, want) {
			return text
		}
		select {
		case <-more:
		case <-late:
			t.Fatalf("the log never said %q: %s", want, text)
		}
	}
}

// validator holds every exchange against the specification: an answer must be
// one that is described, and what was answered with success must have been a
// request that is described.
type validator struct {
	t      *testing.T
	next   http.RoundTripper
	router routers.Router
}

var (
	specOnce sync.Once
	specDoc  *openapi3.T
	errSpec  error
)

func spec(t *testing.T) *openapi3.T {
	t.Helper()
	specOnce.Do(func() {
		for _, media := range []string{"image/jpeg", "image/png", "image/x-unheard-of"} {
			openapi3filter.RegisterBodyDecoder(media, openapi3filter.FileBodyDecoder)
		}
		openapi3filter.RegisterBodyDecoder("text/csv", openapi3filter.PlainBodyDecoder)
		openapi3filter.RegisterBodyDecoder("text/html", openapi3filter.PlainBodyDecoder)
		loader := openapi3.NewLoader()
		if specDoc, errSpec = loader.LoadFromData(api.YAML()); errSpec == nil {
			errSpec = specDoc.Validate(loader.Context)
			specDoc.Servers = nil // any address
		}
	})
	if errSpec != nil {
		t.Fatalf("the specification is not valid: %v", errSpec)
	}
	return specDoc
}

func specRouter(t *testing.T) routers.Router {
	t.Helper()
	router, err := gorillamux.NewRouter(spec(t))
	if err != nil {
		t.Fatal(err)
	}
	return router
}

func (v *validator) RoundTrip(r *http.Request) (*http.Response, error) {
	const most = 1 << 20 // larger bodies are not kept to be looked at
	keep := r.Body != nil && r.ContentLength >= 0 && r.ContentLength <= most
	var sent []byte
	if keep {
		var err error
		if sent, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
		r.Body = io.NopCloser(bytes.NewReader(sent))
	}
	response, err := v.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	content, err := io.ReadAll(response.Body)
	_ = response.Body.Close()
	response.Body = io.NopCloser(bytes.NewReader(content))
	if err != nil {
		return nil, fmt.Errorf("read the answer: %w", err)
	}
	v.check(r, keep, sent, response, content)
	return response, nil
}

func (v *validator) check(r *http.Request, keep bool, sent []byte, response *http.Response, content []byte) {
	v.t.Helper()
	if response.Header.Get("X-Request-Id") == "" && response.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		v.t.Errorf("%s %s: the answer has no X-Request-Id", r.Method, r.URL.Path)
	}
	route, params, err := v.router.FindRoute(r)
	if err != nil {
		return // no route of the specification: 404, 405 or a page, which the tests look at
	}
	copied := r.Clone(r.Context())
	copied.Body = io.NopCloser(bytes.NewReader(sent))
	input := &openapi3filter.RequestValidationInput{
		Request: copied, PathParams: params, Route: route,
		Options: &openapi3filter.Options{
			AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, IncludeResponseStatus: true,
			ExcludeRequestBody: !keep, SkipSettingDefaults: true,
		},
	}
	if response.StatusCode < 300 {
		if err := openapi3filter.ValidateRequest(r.Context(), input); err != nil {
			v.t.Errorf("%s %s was answered, but the specification does not allow it: %v", r.Method, r.URL, err)
		}
	}
	err = openapi3filter.ValidateResponse(r.Context(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: input, Status: response.StatusCode, Header: response.Header,
		Body: io.NopCloser(bytes.NewReader(content)), Options: input.Options,
	})
	if err != nil {
		v.t.Errorf("%s %s: the answer is not as specified: %v\n%.500s", r.Method, r.URL, err, content)
	}
}
