package httpapi_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/goshawk-ai/goshawk/internal/access"
	"github.com/goshawk-ai/goshawk/internal/httpapi"
	"github.com/goshawk-ai/goshawk/internal/predict"
	"github.com/goshawk-ai/goshawk/internal/schedule"
)

// wire is a connection on which a test sends what no client library would.
type wire struct {
	t *testing.T
	net.Conn
	in *bufio.Reader
}

func (g *rig) dial() *wire {
	g.t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(g.url, "http://"))
	if err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(func() { _ = conn.Close() })
	// Not a bound that is tested: only so that a failure ends.
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		g.t.Fatal(err)
	}
	return &wire{g.t, conn, bufio.NewReader(conn)}
}

func (w *wire) say(format string, args ...any) {
	w.t.Helper()
	if _, err := fmt.Fprintf(w.Conn, format, args...); err != nil {
		w.t.Fatal(err)
	}
}

func (w *wire) post(headers string) {
	w.t.Helper()
	w.say("POST /v1/predictions HTTP/1.1\r\nHost: localhost\r\n%s\r\n\r\n", headers)
}

func (w *wire) answer() (status int, closes bool, body string) {
	w.t.Helper()
	response, err := http.ReadResponse(w.in, nil)
	if err != nil {
		w.t.Fatalf("no answer: %v", err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return response.StatusCode, response.Close, string(content)
}

// atEnd fails unless the server closes.
func (w *wire) atEnd() {
	w.t.Helper()
	if rest, err := io.ReadAll(w.in); err != nil || len(rest) > 0 {
		w.t.Fatalf("got %q, %v; want the server to close the connection", rest, err)
	}
}

func TestASenderThatStallsIsCutOff(t *testing.T) {
	g := newRig(t, func(o *httpapi.Options) { o.Limits.Grace, o.Limits.LeastRate = 50*time.Millisecond, 1e9 })
	for name, headers := range map[string]string{
		"known length":   "Content-Type: image/jpeg\r\nContent-Length: 1000",
		"form":           "Content-Type: multipart/form-data; boundary=B\r\nContent-Length: 1000",
		"json":           "Content-Type: application/json\r\nContent-Length: 1000",
		"unknown length": "Content-Type: image/jpeg\r\nTransfer-Encoding: chunked",
	} {
		w := g.dial()
		w.post(headers + "\r\n\r\n500\r\nab") // in one piece: the clock runs
		status, closes, body := w.answer()
		if status != 504 || !closes || !strings.Contains(body, "too slowly") {
			t.Errorf("%s: got %d (closing: %v) %s", name, status, closes, body)
		}
		w.atEnd()
	}
	if fields := g.line("deadline-exceeded"); fields["level"] != "WARN" {
		t.Errorf("logged as %v: a slow sender is nothing that somebody here must mend", fields)
	}
}

func TestRefusedBodiesAreNotRead(t *testing.T) {
	g := newRig(t, nil)
	for name, c := range map[string]struct {
		headers string
		status  int
	}{
		"too large":  {"Content-Type: image/jpeg\r\nContent-Length: 20000001", 413},
		"wrong type": {"Content-Type: text/plain\r\nContent-Length: 5000000", 400},
		"wrong host": {"Content-Type: image/jpeg\r\nContent-Length: 5000000\r\nOrigin: http://attacker.example", 421},
		"waiting":    {"Content-Type: text/plain\r\nContent-Length: 5000000\r\nExpect: 100-continue", 400},
		"small":      {"Content-Type: text/plain\r\nContent-Length: 10", 400},
	} {
		w := g.dial()
		w.post(c.headers)
		status, closes, body := w.answer() // without a byte of the body
		if status != c.status || !closes {
			t.Errorf("%s: got %d (closing: %v) %s, want %d and a closed connection", name, status, closes, body, c.status)
		}
		w.atEnd()
	}
	w := g.dial()
	w.post("Content-Type: image/jpeg\r\nContent-Length: 17\r\nExpect: 100-continue")
	if line, err := w.in.ReadString('\n'); err != nil || line != "HTTP/1.1 100 Continue\r\n" {
		t.Fatalf("got %q, %v; want to be asked for the body", line, err)
	}
	if _, err := w.in.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	w.say(picture)
	if status, closes, body := w.answer(); status != 200 || closes {
		t.Errorf("got %d (closing: %v) %s", status, closes, body)
	}
}

func TestBrokenBodiesAreNamed(t *testing.T) {
	g := newRig(t, nil)
	for name, c := range map[string]struct{ headers, body, want string }{
		"cut off":         {"Content-Type: image/jpeg\r\nContent-Length: 100", "PICTURE", "ended after 7 of the 100 bytes"},
		"form cut off":    {"Content-Type: multipart/form-data; boundary=B\r\nContent-Length: 100", "--B\r\n", "ended after 5 of the 100 bytes"},
		"chunk cut off":   {"Content-Type: image/jpeg\r\nTransfer-Encoding: chunked", "a\r\nPIC", "ended after 3 bytes"},
		"chunks not hex":  {"Content-Type: image/jpeg\r\nTransfer-Encoding: chunked", "xyz\r\nPIC", "transfer encoding is broken"},
		"json chunks odd": {"Content-Type: application/json\r\nTransfer-Encoding: chunked", "1\r\n{}\r\n", "transfer encoding is broken"},
	} {
		w := g.dial()
		w.post(c.headers)
		w.say("%s", c.body)
		if err := w.Conn.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		status, _, body := w.answer()
		if status != 400 || !strings.Contains(body, c.want) {
			t.Errorf("%s: got %d %s, want a sentence with %q", name, status, body, c.want)
		}
	}
}

func TestHugeHeadersAreRefused(t *testing.T) {
	g := newRig(t, nil)
	w := g.dial()
	w.post("X: " + strings.Repeat("x", 40<<10))
	if status, closes, _ := w.answer(); status != 431 || !closes {
		t.Errorf("got %d (closing: %v), want 431", status, closes)
	}
}

func TestACallerThatHangsUpCostsNothing(t *testing.T) {
	g := newRig(t, nil)
	started := make(chan struct{})
	g.fake.run = func(ctx context.Context, _ predict.Request) (*predict.Answer, error) {
		close(started)
		<-ctx.Done()
		return nil, context.Cause(ctx)
	}
	w := g.dial()
	w.post("Content-Type: image/jpeg\r\nX-Request-Id: hung-up\r\nContent-Length: 17")
	w.say(picture)
	<-started
	_ = w.Close()
	fields := g.line("hung-up")
	if fields["status"] != 499.0 || fields["outcome"] != "gone" || fields["level"] != "INFO" {
		t.Errorf("logged as %v", fields)
	}
	want := `
# HELP goshawk_http_requests_total Requests answered, by route, method and status; status "gone" is a caller that hung up before its answer.
# TYPE goshawk_http_requests_total counter
goshawk_http_requests_total{method="POST",route="/v1/predictions",status="gone"} 1
`
	if err := testutil.GatherAndCompare(g.registry, strings.NewReader(want), "goshawk_http_requests_total"); err != nil {
		t.Error(err)
	}
}

func TestTheDeadlineOfTheBodyEndsWithTheBody(t *testing.T) {
	const grace = 2 * time.Second // so long that a busy machine does not take it for a stalled sender
	g := newRig(t, func(o *httpapi.Options) { o.Limits.Grace, o.Limits.LeastRate = grace, 1e9 })
	g.fake.run = func(ctx context.Context, r predict.Request) (*predict.Answer, error) {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(grace + 100*time.Millisecond): // longer than the grace, during which the server listens for a hang-up
			return classify(r)
		}
	}
	var all sync.WaitGroup
	for name, send := range map[string]func() answer{
		"raw":  func() answer { return g.raw("", picture) },
		"form": func() answer { return g.form("/v1/predictions", nil, part{"image", "a", picture}) },
		"chunked": func() answer {
			return g.do("POST", "/v1/predictions", map[string]string{"Content-Type": "image/png"}, chunked(picture))
		},
	} {
		all.Go(func() {
			if got := send(); got.status != 200 {
				t.Errorf("%s: got %d %s", name, got.status, got.body)
			}
		})
	}
	all.Wait()
}

func TestBodiesAreTakenFromTheBudget(t *testing.T) {
	budget := schedule.NewBudget(64 << 20)
	g := newRig(t, func(o *httpapi.Options) { o.Budget = budget })
	var used int64
	g.fake.run = func(_ context.Context, r predict.Request) (*predict.Answer, error) {
		used = budget.Used()
		return classify(r)
	}
	large := picture + strings.Repeat("x", 5_000_000)
	contentType, body := form(part{"image", "a", large}, part{"image", "b", picture}, part{"image", "c", large})
	jsonBody := fmt.Sprintf(`{"pictures":[{"data":%q}]}`, b64(large))
	for name, c := range map[string]struct {
		contentType string
		body        io.Reader
		most        int64
	}{
		"raw":           {"image/png", strings.NewReader(large), 6 << 20},
		"raw, chunked":  {"image/png", chunked(large), 8 << 20},
		"form":          {contentType, strings.NewReader(body), 11 << 20},
		"form, chunked": {contentType, chunked(body), 20 << 20},
		"json":          {"application/json", strings.NewReader(jsonBody), 8 << 20},
		"json, chunked": {"application/json", chunked(jsonBody), 10 << 20},
	} {
		document := g.do("POST", "/v1/predictions", map[string]string{"Content-Type": c.contentType}, c.body).document(t)
		r, _ := g.fake.seen()
		for i, p := range r.Pictures {
			if want := []string{large, picture, large}[i]; string(p.Data) != want {
				t.Errorf("%s: picture %d arrived with %d bytes, want %d", name, i, len(p.Data), len(want))
			}
		}
		if used < 5_000_000 || used > c.most || len(document.Results) != len(r.Pictures) {
			t.Errorf("%s: %d bytes were taken, want at most %d: what is held is taken, and little more", name, used, c.most)
		}
		if budget.Used() != 0 {
			t.Errorf("%s: %d bytes were not given back", name, budget.Used())
		}
	}
	g.fake.run = func(context.Context, predict.Request) (*predict.Answer, error) { panic("x") }
	g.raw("", picture)
	g.raw("?top_k=x", picture)
	g.do("POST", "/v1/predictions", map[string]string{"Content-Type": "application/json"}, chunked("{"))
	if budget.Used() != 0 {
		t.Errorf("%d bytes were not given back after failures", budget.Used())
	}
}

func TestAnExhaustedBudgetIsOverload(t *testing.T) {
	budget := schedule.NewBudget(2 << 20)
	g := newRig(t, func(o *httpapi.Options) { o.Budget, o.Limits.BudgetWait = budget, 20*time.Millisecond })
	if err := budget.Acquire(t.Context(), 2<<20-4096); err != nil {
		t.Fatal(err)
	}
	g.raw("", picture).document(t) // a small one still fits
	for name, body := range map[string]io.Reader{"known": strings.NewReader(strings.Repeat("x", 5000)), "unknown": chunked("x")} {
		got := g.do("POST", "/v1/predictions", map[string]string{"Content-Type": "image/png"}, body)
		if got.status != 503 || got.header.Get("Retry-After") != "1" || got.problem(t)["type"] != "/errors/overloaded" {
			t.Errorf("%s: got %d %s", name, got.status, got.body)
		}
	}
	if got := g.raw("", strings.Repeat("x", 3<<20)); got.status != 413 {
		t.Errorf("more than the whole budget: got %d, want 413 at once: waiting would not help", got.status)
	}
	// A body of unknown length that outgrows what is free is refused half way.
	budget.Release(1 << 20)
	if got := g.do("POST", "/v1/predictions", map[string]string{"Content-Type": "image/png"}, chunked(strings.Repeat("x", 3<<20))); got.status != 413 && got.status != 503 {
		t.Errorf("got %d", got.status)
	}
	budget.Release(1<<20 - 4096)
	if budget.Used() != 0 {
		t.Errorf("%d bytes were not given back", budget.Used())
	}
	g.raw("", strings.Repeat("PICTURE", 1000)).document(t)
}

// TestAFormThatFillsTheBudgetAloneIsNotToldToWait: nobody else holds anything.
// The body does not come over a network, whose pieces decide how the memory for
// it grows.
func TestAFormThatFillsTheBudgetAloneIsNotToldToWait(t *testing.T) {
	budget := schedule.NewBudget(6 << 20)
	h := httpapi.New(httpapi.Options{Predictor: &fake{}, Models: shelf{}, Access: access.New(access.Options{Loopback: true}), Budget: budget})
	send := func(sizes ...int) *httptest.ResponseRecorder {
		var parts []part
		for _, n := range sizes {
			parts = append(parts, part{"image", "a", strings.Repeat("x", n)})
		}
		contentType, body := form(parts...)
		r := httptest.NewRequest("POST", "http://localhost/v1/predictions", strings.NewReader(body))
		r.Header.Set("Content-Type", contentType)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if budget.Used() != 0 {
			t.Errorf("%v: %d bytes were not given back", sizes, budget.Used())
		}
		return w
	}
	if w := send(700_000, 2_900_000, 2_600_000); w.Code != 413 || w.Header().Get("Retry-After") != "" || !strings.Contains(w.Body.String(), "send its pictures in several requests") {
		t.Errorf("got %d %s, want 413: to try again is no help", w.Code, w.Body)
	}
	if w := send(700_000, 2_900_000); w.Code != 200 {
		t.Errorf("two of them: got %d %s", w.Code, w.Body)
	}
}

func TestManyCallersKeepTheirOwnPictures(t *testing.T) {
	budget := schedule.NewBudget(8 << 20)
	g := newRig(t, func(o *httpapi.Options) { o.Budget, o.Logger = budget, nil })
	var callers sync.WaitGroup
	for caller := range 8 {
		callers.Go(func() {
			for i := range 20 {
				body := fmt.Sprintf("PICTURE %d/%d %s", caller, i, strings.Repeat("x", 1000*(caller+1)*(i%7)))
				want := result(predict.Picture{Data: []byte(body)}, predict.Request{}).SHA256
				var got answer
				switch i % 3 {
				case 0:
					got = g.raw("", body)
				case 1:
					got = g.form("/v1/predictions", nil, part{"file", "a", body})
				default:
					got = g.json(fmt.Sprintf(`{"pictures":[{"data":%q}]}`, b64(body)))
				}
				if !strings.Contains(got.body, want) {
					t.Errorf("caller %d got the answer to another picture: %s", caller, got.body)
				}
			}
		})
	}
	callers.Wait()
	if budget.Used() != 0 {
		t.Errorf("%d bytes were not given back", budget.Used())
	}
}

func TestConnectionsAreUsedAgain(t *testing.T) {
	g := newRig(t, nil)
	w := g.dial()
	contentType, body := form(part{"image", "a", picture})
	for range 3 {
		w.post(fmt.Sprintf("Content-Type: %s\r\nContent-Length: %d", contentType, len(body)))
		w.say("%s", body)
		if status, closes, answer := w.answer(); status != 200 || closes {
			t.Fatalf("got %d (closing: %v) %s", status, closes, answer)
		}
		w.post(fmt.Sprintf("Content-Type: image/png\r\nContent-Length: %d", len(noPicture)))
		w.say("%s", noPicture)
		if status, closes, answer := w.answer(); status != 415 || closes {
			t.Fatalf("got %d (closing: %v) %s; a body that was read is no reason to close", status, closes, answer)
		}
	}
}

func TestClassesHoldAndWasteLittle(t *testing.T) {
	last := -1
	for n := int64(1); n <= 64<<20; n += 1 + n/50 {
		class, size := httpapi.ClassOf(n)
		if size < n || n > 4096 && size > n+n/4+1 || class < last {
			t.Fatalf("a slab for %d bytes has %d, class %d after %d", n, size, class, last)
		}
		if again, same := httpapi.ClassOf(size); again != class || same != size {
			t.Fatalf("the slab of %d bytes is class %d, not %d", size, again, class)
		}
		last = class
	}
	if class, size := httpapi.ClassOf(64<<20 + 1); class != -1 || size != 64<<20+1 {
		t.Errorf("a giant has its own size, got %d %d", class, size)
	}
	if last >= 64 {
		t.Errorf("class %d has no pool", last)
	}
}

func TestGiantBodies(t *testing.T) {
	g := newRig(t, nil)
	chunk := picture + strings.Repeat("x", 9_000_000)
	var parts []part
	for range 8 {
		parts = append(parts, part{"image", "a", chunk})
	}
	contentType, body := form(parts...)
	got := g.do("POST", "/v1/predictions", map[string]string{"Content-Type": contentType}, bytes.NewReader([]byte(body)))
	if len(got.document(t).Results) != 8 {
		t.Errorf("got %.200s", got.body)
	}
}

func TestHTTP2(t *testing.T) {
	budget := schedule.NewBudget(64 << 20)
	h := httpapi.New(httpapi.Options{
		Predictor: &fake{}, Models: shelf{}, Access: access.New(access.Options{Loopback: true}), Budget: budget,
		Limits: httpapi.Limits{Grace: time.Second},
	})
	server := httptest.NewUnstartedServer(h)
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	for name, c := range map[string]struct {
		contentType string
		body        io.Reader
		status      int
	}{
		"raw":       {"image/png", strings.NewReader(picture + strings.Repeat("x", 3_000_000)), 200},
		"unknown":   {"image/png", chunked(picture + strings.Repeat("x", 3_000_000)), 200},
		"too large": {"image/png", sized(21e6, zeros(21e6)), 413},
		"wrong":     {"text/plain", strings.NewReader(picture), 400},
	} {
		r, err := http.NewRequest("POST", server.URL+"/v1/predictions", c.body)
		if err != nil {
			t.Fatal(err)
		}
		if s, ok := c.body.(sizedBody); ok {
			r.ContentLength = s.n
		}
		r.Header.Set("Content-Type", c.contentType)
		response, err := server.Client().Do(r)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		content, _ := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if response.ProtoMajor != 2 || response.StatusCode != c.status {
			t.Errorf("%s: got HTTP/%d %d %s, want %d", name, response.ProtoMajor, response.StatusCode, content, c.status)
		}
	}
	if budget.Used() != 0 {
		t.Errorf("%d bytes were not given back", budget.Used())
	}
}
