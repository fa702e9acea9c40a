package web_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/goshawk-ai/goshawk/internal/problem"
	"github.com/goshawk-ai/goshawk/internal/web"
)

// site is a small whole one.
func site(t *testing.T) *web.Site {
	t.Helper()
	spec, err := os.ReadFile("testdata/openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return web.New(web.Options{
		Spec: spec, Version: "1.2.3", MaxPictureBytes: 20_000_000,
		Models: func() []web.Model {
			return []web.Model{{Name: "cifar10"}, {Name: "imagenet", Default: true}}
		},
		Examples: fstest.MapFS{
			"red-car.jpg":  {Data: []byte("\xff\xd8jpeg")},
			"expected.csv": {Data: []byte("file,model,label\n")},
			"odd.txt":      {Data: []byte("no picture")},
		},
	})
}

// reply is an answer without its body.
type reply struct {
	status int
	header http.Header
}

func get(t *testing.T, h http.Handler, path, accept string) (reply, string) {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, "http://127.0.0.1:9999"+path, nil)
	r.Header.Set("Accept", accept)
	return send(t, h, r)
}

func send(t *testing.T, h http.Handler, r *http.Request) (reply, string) {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return reply{w.Code, w.Header()}, w.Body.String()
}

func wants(t *testing.T, page string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(page, part) {
			t.Errorf("a reader needs %q on the page, got:\n%s", part, page)
		}
	}
}

const browserAccept = "text/html,application/xhtml+xml,*/*;q=0.8"

func TestHomeWorksAsAPlainForm(t *testing.T) {
	r, page := get(t, site(t), "/", browserAccept)
	if r.status != http.StatusOK || r.header.Get("Content-Type") != "text/html; charset=utf-8" {
		t.Fatalf("got %d %q, want a page", r.status, r.header.Get("Content-Type"))
	}
	wants(t, page,
		`method="post" action="/predict" enctype="multipart/form-data"`,
		`name="image" accept="image/*" multiple`,
		`<option value="imagenet" selected>`, `<option value="cifar10">`,
		`href="/examples/red-car.jpg"`, "red car", "Goshawk 1.2.3", `data-max-bytes="20000000"`)
	for _, hidden := range []string{"odd.txt", "expected.csv"} {
		if strings.Contains(page, hidden) {
			t.Errorf("%s is no picture and must not be offered to try", hidden)
		}
	}
}

func TestEveryPageObeysItsOwnPolicy(t *testing.T) {
	inline := regexp.MustCompile(`(?i)<script(?:>|\s[^>]*>)[^<]|<style|\sstyle=|\son[a-z]+=|javascript:`)
	elsewhere := regexp.MustCompile(`(?i)(?:src|action|<link[^>]*href)="(?:https?:)?//`)
	s := site(t)
	for _, path := range []string{"/", "/docs", "/errors", "/errors/limited", "/nothing"} {
		r, page := get(t, s, path, browserAccept)
		if found := inline.FindString(page); found != "" {
			t.Errorf("%s: %q is inline script or style, which the policy blocks", path, found)
		}
		if found := elsewhere.FindString(page); found != "" {
			t.Errorf("%s: %q asks another host", path, found)
		}
		policy := r.header.Get("Content-Security-Policy")
		for _, part := range []string{
			"default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'", "img-src 'self' blob:",
			"form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'",
		} {
			if !strings.Contains(policy, part) {
				t.Errorf("%s: the policy lacks %q: %s", path, part, policy)
			}
		}
		if strings.Contains(policy, "unsafe") {
			t.Errorf("%s: the policy must not be weakened: %s", path, policy)
		}
		for name, want := range map[string]string{
			"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY",
			"Referrer-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin",
		} {
			if got := r.header.Get(name); got != want {
				t.Errorf("%s: %s is %q, want %q", path, name, got, want)
			}
		}
	}
}

func TestEveryProblemHasItsPage(t *testing.T) {
	s := site(t)
	_, index := get(t, s, "/errors", browserAccept)
	for _, k := range problem.Kinds() {
		wants(t, index, `href="`+k.URI()+`"`)
		r, page := get(t, s, k.URI(), browserAccept)
		if r.status != http.StatusOK {
			t.Errorf("%s: got %d: clients send people to the type's address", k.URI(), r.status)
		}
		wants(t, page, "<h1>"+k.Title+"</h1>", k.Slug)
	}
}

func TestWhatIsNotThere(t *testing.T) {
	s := site(t)
	for _, c := range []struct{ path, accept, contentType, part string }{
		{"/nothing", browserAccept, "text/html; charset=utf-8", "Nothing is at &#34;/nothing&#34;."},
		{"/nothing", "*/*", "application/problem+json", `"type":"/errors/not-found"`},
		{"/errors/%3Cb%3E", browserAccept, "text/html; charset=utf-8", "&lt;b&gt;"},
		{"/examples/none.jpg", "*/*", "application/problem+json", "no example"},
		{"/examples/expected.csv", "*/*", "application/problem+json", "no example"},
		{"/examples/..%2fweb.go", "*/*", "application/problem+json", "not-found"},
		{"/" + strings.Repeat("x", 5000), "*/*", "application/problem+json", "…"},
	} {
		r, page := get(t, s, c.path, c.accept)
		if r.status != http.StatusNotFound || r.header.Get("Content-Type") != c.contentType {
			t.Errorf("%.40s for %s: got %d %q, want 404 %q", c.path, c.accept, r.status, r.header.Get("Content-Type"), c.contentType)
		}
		wants(t, page, c.part)
		if len(page) > 4000 {
			t.Errorf("%.40s: %d bytes: a stranger's text must be cut", c.path, len(page))
		}
	}
}

func TestAWrongMethodIsToldFromAWrongAddress(t *testing.T) {
	for path, want := range map[string]int{"/": 405, "/docs": 405, "/errors/limited": 405, "/nothing": 404} {
		r, page := send(t, site(t), httptest.NewRequest(http.MethodPost, path, nil))
		if r.status != want {
			t.Errorf("POST %s: got %d, want %d: %s", path, r.status, want, page)
		}
		if want == 405 && r.header.Get("Allow") != "GET, HEAD" {
			t.Errorf("POST %s: Allow is %q; a 405 must name what is allowed", path, r.header.Get("Allow"))
		}
	}
}

func TestExamplesAreServedAsPictures(t *testing.T) {
	r, body := get(t, site(t), "/examples/red-car.jpg", "*/*")
	if r.status != http.StatusOK || r.header.Get("Content-Type") != "image/jpeg" || body != "\xff\xd8jpeg" {
		t.Errorf("got %d %q %q, want the picture", r.status, r.header.Get("Content-Type"), body)
	}
}

func TestFilesOfThePageAreKeptUntilTheyChange(t *testing.T) {
	s := site(t)
	_, home := get(t, s, "/", browserAccept)
	for _, want := range []struct{ file, contentType string }{
		{"style.css", "text/css; charset=utf-8"}, {"app.js", "text/javascript; charset=utf-8"},
	} {
		path := regexp.MustCompile(`/static/[0-9a-f]{12}/` + regexp.QuoteMeta(want.file)).FindString(home)
		r, body := get(t, s, path, "*/*")
		if r.status != http.StatusOK || r.header.Get("Content-Type") != want.contentType || body == "" {
			t.Fatalf("%q: got %d %q: the page would be bare", path, r.status, r.header.Get("Content-Type"))
		}
		if got := r.header.Get("Cache-Control"); !strings.Contains(got, "immutable") {
			t.Errorf("%s: Cache-Control %q: an address with a digest may be kept", path, got)
		}
		r, _ = get(t, s, "/static/000000000000/"+want.file, "*/*")
		if got := r.header.Get("Cache-Control"); r.status != http.StatusOK || got != "no-store" {
			t.Errorf("an old digest: got %d, Cache-Control %q; new content must not be kept under an old name", r.status, got)
		}
	}
	if r, _ := get(t, s, "/favicon.svg", "*/*"); r.header.Get("Content-Type") != "image/svg+xml" {
		t.Errorf("the icon is %q, want an SVG", r.header.Get("Content-Type"))
	}
}

func TestTheZeroOptionsServe(t *testing.T) {
	s := web.New(web.Options{})
	if r, _ := get(t, s, "/", browserAccept); r.status != http.StatusOK {
		t.Errorf("/ without models and examples: got %d, want 200", r.status)
	}
	r, page := get(t, s, "/docs", browserAccept)
	if r.status != http.StatusInternalServerError {
		t.Errorf("/docs without a document: got %d, want 500", r.status)
	}
	wants(t, page, "The API documentation is missing from this build.")
}
