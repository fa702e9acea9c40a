package httpapi_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/goshawk-ai/goshawk/internal/access"
	"github.com/goshawk-ai/goshawk/internal/httpapi"
	"github.com/goshawk-ai/goshawk/internal/problem"
	"github.com/goshawk-ai/goshawk/internal/web"
)

// browser is what Firefox sends.
const browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"

func TestPredictAnswersProgramsWithTheDocument(t *testing.T) {
	g := newRig(t, nil)
	for _, field := range []string{"image", "file"} {
		got := g.form("/predict", map[string]string{"Accept": "*/*"}, part{field, "a.jpg", picture}, part{"model", "", "birds"})
		document := got.document(t)
		r, _ := g.fake.seen()
		if r.TopK != 3 || r.Model != "birds" || len(document.Results) != 1 || document.Results[0].Name != "a.jpg" {
			t.Errorf("%s: asked for %+v, answered %s", field, r, got.body)
		}
	}
	g.form("/predict", nil, part{"image", "a.jpg", picture}, part{"model", "", ""}, part{"top_k", "", "1"}, part{"threshold", "", ""}).document(t)
	if r, _ := g.fake.seen(); r.TopK != 1 || r.Model != "" {
		t.Errorf("a browser sends empty fields, and they count as left out; got %+v", r)
	}
}

func withPages(o *httpapi.Options) { o.Pages = web.New(web.Options{}) }

func TestPredictAnswersBrowsersWithAPage(t *testing.T) {
	g := newRig(t, withPages)
	got := g.form("/predict", map[string]string{"Accept": browser},
		part{"image", "<script>alert(1).jpg", picture}, part{"image", "b.html", noPicture})
	if got.status != 200 || got.header.Get("Content-Type") != "text/html; charset=utf-8" {
		t.Fatalf("got %d %s", got.status, got.header.Get("Content-Type"))
	}
	for _, want := range []string{"bird", "75.0 %", "=plane", "he bytes are no picture", "&lt;script&gt;alert(1)"} {
		if !strings.Contains(got.body, want) {
			t.Errorf("the page has no %q: %s", want, got.body)
		}
	}
	if strings.Contains(got.body, "<script>alert") {
		t.Error("a file's name must not become markup")
	}
	policy := got.header.Get("Content-Security-Policy")
	if !strings.HasPrefix(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") {
		t.Errorf("policy %q", policy)
	}
}

func TestPredictShowsBrowsersTheProblem(t *testing.T) {
	g := newRig(t, withPages)
	got := g.form("/predict", map[string]string{"Accept": browser}, part{"image", "a", noPicture})
	if got.status != 415 || got.header.Get("Content-Type") != "text/html; charset=utf-8" {
		t.Fatalf("got %d %s", got.status, got.header.Get("Content-Type"))
	}
	for _, want := range []string{"he bytes are no picture", `href="/errors/not-a-picture"`} {
		if !strings.Contains(got.body, want) {
			t.Errorf("the page has no %q: %s", want, got.body)
		}
	}
	if g.line(got.header.Get("X-Request-Id"))["outcome"] != "not-a-picture" {
		t.Error("a problem that is shown as a page is logged as one that is not")
	}
	g.fake.run = refusing(problem.Overloaded.New("later").With("retry_after_seconds", 3))
	if got := g.form("/predict", map[string]string{"Accept": browser}, part{"image", "a", picture}); got.status != 503 || got.header.Get("Retry-After") != "3" {
		t.Errorf("overload: %d, Retry-After %q", got.status, got.header.Get("Retry-After"))
	}
}

func TestPredictWithoutPagesIsForPrograms(t *testing.T) {
	g := newRig(t, nil)
	g.form("/predict", map[string]string{"Accept": browser}, part{"image", "a", picture}).document(t)
	if got := g.form("/predict", map[string]string{"Accept": "text/html"}, part{"image", "a", picture}); got.status != 406 {
		t.Errorf("got %d, want 406: nobody draws pages here", got.status)
	}
}

func TestModels(t *testing.T) {
	g := newRig(t, nil)
	var list struct {
		Items []map[string]any
		Next  any
	}
	if err := json.Unmarshal([]byte(g.do("GET", "/v1/models", nil, nil).body), &list); err != nil {
		t.Fatal(err)
	}
	if len(list.Items) != 1 || list.Next != nil || list.Items[0]["name"] != "imagenet" || list.Items[0]["labels"] != 2.0 {
		t.Errorf("got %v", list)
	}
	for _, ref := range []string{"imagenet", "imagenet@default", "imagenet%40default", "imagenet@" + digest[:19]} {
		got := g.do("GET", "/v1/models/"+ref, nil, nil)
		if got.status != 200 || !strings.Contains(got.body, `"version":"`+digest+`"`) || !strings.Contains(got.body, `"outputs":[]`) {
			t.Errorf("%s: %d %s", ref, got.status, got.body)
		}
	}
	got := g.do("GET", "/v1/models/imagenet/labels", nil, nil)
	want := `{"items":[{"index":0,"label":"crane","description":"a bird"},{"index":1,"label":"crane (machine)"}],"next":null}` + "\n"
	if got.body != want {
		t.Errorf("labels: %s, want %s", got.body, want)
	}
	if head := g.do("HEAD", "/v1/models", nil, nil); head.status != 200 || head.body != "" || head.header.Get("Content-Length") == "0" {
		t.Errorf("HEAD: %+v", head)
	}
}

type emptyShelf struct{ shelf }

func (emptyShelf) Models() []httpapi.ModelInfo { return nil }

func TestAListWithoutItemsIsNoNull(t *testing.T) {
	g := newRig(t, func(o *httpapi.Options) { o.Models = emptyShelf{} })
	if got := g.do("GET", "/v1/models", nil, nil); got.body != `{"items":[],"next":null}`+"\n" {
		t.Errorf("got %s", got.body)
	}
}

func TestProbes(t *testing.T) {
	var ready error
	options := func(o *httpapi.Options) { o.Ready = func() error { return ready } }
	g := newRig(t, options)
	admin := httpapi.Options{Metrics: prometheus.NewRegistry()}
	options(&admin)
	other := httpapi.Admin(admin, func(*http.Request) error { return nil }, http.NewServeMux())
	for _, c := range []struct {
		err    error
		status int
		detail string
	}{
		{nil, 200, ""},
		{errors.New("model imagenet is still loading"), 503, "not ready: model imagenet is still loading"},
		{problem.Overloaded.New("the server is stopping"), 503, "the server is stopping"},
		{problem.ModelNotFound.New("no default model"), 503, "not ready: no default model"},
	} {
		ready = c.err
		got := g.do("GET", "/readyz", map[string]string{"Host": "10.1.2.3:8080"}, nil) // as a kubelet asks
		w := httptest.NewRecorder()
		other.ServeHTTP(w, httptest.NewRequest("GET", "/readyz", nil))
		if got.status != c.status || w.Code != c.status {
			t.Errorf("%v: ports answer %d and %d, want %d", c.err, got.status, w.Code, c.status)
		}
		if c.err != nil && (got.problem(t)["detail"] != c.detail || got.header.Get("Retry-After") != "1") {
			t.Errorf("%v: %s", c.err, got.body)
		}
		if live := g.do("GET", "/livez", nil, nil); live.status != 200 || live.body != `{"status":"live"}`+"\n" {
			t.Errorf("a server that is not ready lives all the same, got %d", live.status)
		}
	}
	w := httptest.NewRecorder()
	other.ServeHTTP(w, httptest.NewRequest("GET", "/v1/models", nil))
	if w.Code != 404 || w.Header().Get("Content-Type") != "application/problem+json" || !strings.Contains(w.Body.String(), `"request_id":"`+w.Header().Get("X-Request-Id")) {
		t.Errorf("the admin port has no models, got %d %s", w.Code, w.Body)
	}
}

func TestPagesGetTheRest(t *testing.T) {
	g := newRig(t, func(o *httpapi.Options) {
		o.Pages = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Security-Policy", "default-src 'self'")
			_, _ = w.Write([]byte("page " + r.URL.Path))
		})
	})
	for _, path := range []string{"/", "/docs", "/errors/not-a-picture"} {
		if got := g.do("GET", path, nil, nil); got.body != "page "+path || got.header.Get("Content-Security-Policy") != "default-src 'self'" {
			t.Errorf("%s: %d %q", path, got.status, got.body)
		}
	}
	if got := g.do("GET", "/v1/x", nil, nil); got.status != 404 || got.problem(t)["type"] != "/errors/not-found" {
		t.Errorf("what begins with /v1/ is for programs: %d %s", got.status, got.body)
	}
	if got := g.do("GET", "/", map[string]string{"Host": "attacker.example"}, nil); got.status != 421 {
		t.Errorf("a page under a rebound name: %d, want 421", got.status)
	}
}

func TestPagesNeedNoKey(t *testing.T) {
	keys, err := access.ParseKeys([]byte("keys: [{id: a, sha256: " + digest[7:] + "}]"))
	if err != nil {
		t.Fatal(err)
	}
	g := newRig(t, func(o *httpapi.Options) {
		o.Access = access.New(access.Options{Keys: keys})
		o.Pages = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("page")) })
	})
	if got := g.do("GET", "/docs", nil, nil); got.status != 200 {
		t.Errorf("got %d: a browser cannot send a key before it has a page", got.status)
	}
}
