package httpapi_test

import (
	"context"
	"encoding/csv"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/goshawk-ai/goshawk/internal/access"
	"github.com/goshawk-ai/goshawk/internal/httpapi"
	"github.com/goshawk-ai/goshawk/internal/predict"
	"github.com/goshawk-ai/goshawk/internal/problem"
	"github.com/goshawk-ai/goshawk/internal/schedule"
)

// counted counts how often bytes are asked for.
type counted struct {
	*schedule.Budget
	times int
}

func (c *counted) Acquire(ctx context.Context, n int64) error {
	c.times++
	return c.Budget.Acquire(ctx, n)
}

// watched is a body whose sender looks at what is held for it.
type watched struct {
	io.Reader
	budget *counted
	came   int64
	worst  int64 // bytes held above eight times what came, and a step
	first  int64 // bytes held before the first came
}

func (w *watched) Read(p []byte) (int, error) {
	used := w.budget.Used()
	if w.came == 0 {
		w.first = used
	}
	w.worst = max(w.worst, used-8*w.came-1<<20)
	n, err := w.Reader.Read(p)
	w.came += int64(n)
	return n, err
}

func (w *watched) Close() error { return nil }

func TestADeclaredLengthIsNotTakenBeforeItComes(t *testing.T) {
	for _, c := range []struct {
		contentType string
		size, grown int64
	}{
		{"image/jpeg", 5_000, 1},
		{"image/jpeg", 1 << 20, 1},
		{"image/jpeg", 5_000_000, 2},
		{"image/jpeg", 20_000_000, 3},
		{"application/json", 100_000_000, 4},
	} {
		budget := &counted{Budget: schedule.NewBudget(100_000_000)}
		h := httpapi.New(httpapi.Options{
			Predictor: &fake{}, Models: shelf{}, Access: access.New(access.Options{Loopback: true}), Budget: budget,
		})
		body := &watched{Reader: zeros(c.size), budget: budget}
		r := httptest.NewRequest("POST", "http://localhost/v1/predictions", nil)
		r.Body, r.ContentLength = body, c.size
		r.Header.Set("Content-Type", c.contentType)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if body.came != c.size || w.Code == 503 || w.Code == 413 {
			t.Fatalf("%d bytes: %d came, answered %d %s; a body as large as the budget must fit", c.size, body.came, w.Code, w.Body)
		}
		// Slabs come in sizes a quarter apart.
		if body.first > 1<<20 || body.worst > 2*body.came {
			t.Errorf("%d bytes: %d were held before one came, and then %d too many", c.size, body.first, body.worst)
		}
		if int64(budget.times) > c.grown {
			t.Errorf("%d bytes: memory was asked for %d times, want at most %d: each time all is copied", c.size, budget.times, c.grown)
		}
		if budget.Used() != 0 {
			t.Errorf("%d bytes: %d were not given back", c.size, budget.Used())
		}
	}
}

func TestHalfABodyHoldsLittle(t *testing.T) {
	budget := &counted{Budget: schedule.NewBudget(200_000_000)}
	h := httpapi.New(httpapi.Options{Predictor: &fake{}, Models: shelf{}, Access: access.New(access.Options{Loopback: true}), Budget: budget})
	var held int64
	last := readerFunc(func([]byte) (int, error) { held = budget.Used(); return 0, io.ErrUnexpectedEOF })
	body := &watched{Reader: io.MultiReader(zeros(1_500_000), last), budget: budget}
	r := httptest.NewRequest("POST", "http://localhost/v1/predictions", nil)
	r.Body, r.ContentLength = body, 100_000_000
	r.Header.Set("Content-Type", "application/json")
	h.ServeHTTP(httptest.NewRecorder(), r)
	if held > 5<<20 || held < 1_500_000 {
		t.Errorf("%d bytes are held for 1.5 MB of 100 MB declared", held)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// taker looks at what is still held when the answer goes out.
type taker struct {
	*httptest.ResponseRecorder
	budget *schedule.Budget
	held   int64
}

func (k *taker) Write(p []byte) (int, error) {
	k.held = max(k.held, k.budget.Used())
	return k.ResponseRecorder.Write(p)
}

// plain draws pages.
type plain struct{ http.Handler }

func (plain) Answer(w http.ResponseWriter, _ *http.Request, _ *predict.Answer) {
	_, _ = io.WriteString(w, "<p>")
}

func (plain) Problem(w http.ResponseWriter, _ *http.Request, p *problem.Problem) {
	w.WriteHeader(p.Kind.Status)
	_, _ = io.WriteString(w, "<p>")
}

// TestPicturesAreGivenBackBeforeTheAnswer: whoever is slow to take an answer
// must not hold the memory that others wait for.
func TestPicturesAreGivenBackBeforeTheAnswer(t *testing.T) {
	budget := schedule.NewBudget(64 << 20)
	h := httpapi.New(httpapi.Options{
		Predictor: &fake{}, Models: shelf{}, Access: access.New(access.Options{Loopback: true}), Budget: budget,
		Pages: plain{http.NotFoundHandler()},
	})
	contentType, body := form(part{"image", "a", picture})
	wrongType, wrong := form(part{"image", "a", noPicture})
	for _, c := range []struct {
		name, path, accept, contentType, body string
		status                                int
	}{
		{"json", "/v1/predictions", "", "image/jpeg", picture, 200},
		{"csv", "/v1/predictions", "text/csv", "image/jpeg", picture, 200},
		{"problem", "/v1/predictions", "", "image/jpeg", noPicture, 415},
		{"form", "/predict", "", contentType, body, 200},
		{"page", "/predict", "text/html", contentType, body, 200},
		{"page of a problem", "/predict", "text/html", wrongType, wrong, 415},
	} {
		r := httptest.NewRequest("POST", "http://localhost"+c.path, strings.NewReader(c.body))
		r.Header.Set("Content-Type", c.contentType)
		r.Header.Set("Accept", c.accept)
		k := &taker{ResponseRecorder: httptest.NewRecorder(), budget: budget}
		h.ServeHTTP(k, r)
		if k.Code != c.status || k.Body.Len() == 0 {
			t.Errorf("%s: got %d %s", c.name, k.Code, k.Body)
		}
		if k.held != 0 {
			t.Errorf("%s: %d bytes are held while the answer goes out", c.name, k.held)
		}
		if c.name == "csv" {
			if rows, err := csv.NewReader(k.Body).ReadAll(); err != nil || len(rows) < 2 {
				t.Errorf("csv: %v, %v", rows, err)
			}
		}
	}
}
