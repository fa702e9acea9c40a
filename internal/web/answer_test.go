package web_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/goshawk-ai/goshawk/internal/predict"
	"github.com/goshawk-ai/goshawk/internal/principal"
	"github.com/goshawk-ai/goshawk/internal/problem"
)

func TestAnswerAsAPage(t *testing.T) {
	w := httptest.NewRecorder()
	site(t).Answer(w, httptest.NewRequest(http.MethodPost, "/predict", nil), &predict.Answer{
		Model: predict.Model{Name: "imagenet"},
		Results: []predict.Result{
			{Name: "<script>.jpg", Format: "jpeg", Width: 640, Height: 480, Predictions: []predict.Prediction{
				{Label: "Egyptian cat", Probability: 0.6312}, {Label: "lynx", Probability: 0.00004}, {Label: "sure", Probability: 0.99999},
			}},
			{Error: problem.PictureDamaged.New("the file ends after 12 of 300 rows")},
		},
		Timings: predict.Timings{Decode: 2.14, Infer: 117.3, Total: 120},
	})
	page := w.Body.String()
	wants(t, page,
		"Egyptian cat", "63.1 %", `width="63.12%"`, "&lt; 0.1 %", "&gt; 99.9 %", "640 × 480", "JPEG", "by imagenet",
		"&lt;script&gt;.jpg", "The file ends after 12 of 300 rows.", `href="/errors/picture-damaged"`, "2.1", "117", "120 ms")
	if strings.Contains(page, "<script>") {
		t.Error("a file's name must not become markup")
	}
	if w.Header().Get("Content-Security-Policy") == "" {
		t.Error("the page of an answer needs the policy too: it shows a stranger's text")
	}
}

func TestProblemGoesByWhatTheCallerReads(t *testing.T) {
	p := problem.PictureTooLarge.New("the picture has 31 MB; 20 MB are taken").With("limit_bytes", 20_000_000)
	for accept, want := range map[string][]string{
		browserAccept:              {"text/html; charset=utf-8", "The picture has 31 MB; 20 MB are taken."},
		"":                         {"application/problem+json", `"limit_bytes":20000000`},
		"application/problem+json": {"application/problem+json", `"title":"Picture too large"`},
	} {
		r := httptest.NewRequest(http.MethodPost, "/predict", nil)
		r.Header.Set("Accept", accept)
		w := httptest.NewRecorder()
		site(t).Problem(w, r, p)
		if w.Code != 413 || w.Header().Get("Content-Type") != want[0] {
			t.Errorf("Accept %q: got %d %q, want 413 %q", accept, w.Code, w.Header().Get("Content-Type"), want[0])
		}
		wants(t, w.Body.String(), want[1])
	}
}

func TestProblemsOfPagesNameTheRequest(t *testing.T) {
	for _, c := range []struct{ method, path string }{
		{"GET", "/nope"}, {"GET", "/errors/nope"}, {"GET", "/examples/nope.jpg"}, {"GET", "/static/0/nope.css"}, {"POST", "/docs"},
	} {
		r := httptest.NewRequest(c.method, c.path, nil)
		r = r.WithContext(principal.WithRequestID(r.Context(), "req-7"))
		w := httptest.NewRecorder()
		site(t).ServeHTTP(w, r)
		if w.Code < 400 || w.Header().Get("Content-Type") != "application/problem+json" || !strings.Contains(w.Body.String(), `"request_id":"req-7"`) {
			t.Errorf("%s %s: %d %s; the id finds the request in the log", c.method, c.path, w.Code, w.Body)
		}
	}
}
