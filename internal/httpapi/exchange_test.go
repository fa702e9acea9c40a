package httpapi_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/goshawk-ai/goshawk/internal/access"
	"github.com/goshawk-ai/goshawk/internal/httpapi"
	"github.com/goshawk-ai/goshawk/internal/predict"
	"github.com/goshawk-ai/goshawk/internal/principal"
	"github.com/goshawk-ai/goshawk/internal/problem"
	"github.com/goshawk-ai/goshawk/internal/telemetry"
)

// line is the request's line of the log.
func (g *rig) line(mark string) map[string]any {
	g.t.Helper()
	for text := range strings.Lines(g.log.await(g.t, mark)) {
		if strings.Contains(text, mark) {
			var fields map[string]any
			if err := json.Unmarshal([]byte(text), &fields); err != nil {
				g.t.Fatal(err)
			}
			return fields
		}
	}
	return nil
}

func TestRequestIDsAreTakenOrMade(t *testing.T) {
	g := newRig(t, nil)
	for sent, kept := range map[string]bool{
		"abc-DEF_1.2": true, strings.Repeat("x", 64): true,
		"": false, strings.Repeat("x", 65): false, "a b": false, "a\"b": false, "{{7*7}}": false, "é": false,
	} {
		header := map[string]string{}
		if sent != "" {
			header["X-Request-Id"] = sent
		}
		got := g.do("GET", "/livez", header, nil).header.Get("X-Request-Id")
		if kept && got != sent || !kept && !regexp.MustCompile(`^[0-9a-v]{16}$`).MatchString(got) {
			t.Errorf("sent %q, got %q back", sent, got)
		}
	}
}

func TestOneLineARequest(t *testing.T) {
	g := newRig(t, nil)
	g.do("POST", "/v1/predictions?model=birds", map[string]string{
		"Content-Type": "image/jpeg", "X-Request-Id": "line-1", "User-Agent": "evil<script>",
		"Traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
	}, strings.NewReader(picture))
	fields := g.line("line-1")
	for name, want := range map[string]any{
		"level": "INFO", "msg": "request", "request_id": "line-1", "method": "POST", "route": "/v1/predictions", "status": 200.0,
		"bytes_read": float64(len(picture)), "principal": "default", "project": "default", "trace_id": "0af7651916cd43dd8448eb211c80319c",
		"model": "birds", "version": digest,
	} {
		if fields[name] != want {
			t.Errorf("%s is %v, want %v", name, fields[name], want)
		}
	}
	if fields["bytes"].(float64) < 100 || fields["ms"].(float64) <= 0 {
		t.Errorf("bytes %v and ms %v must be real", fields["bytes"], fields["ms"])
	}
	text := g.log.String()
	if strings.Contains(text, "evil") || strings.Count(text, "\n") != 1 {
		t.Errorf("one line, and nothing of the caller's own words: %s", text)
	}
	g.do("GET", "/readyz", map[string]string{"X-Request-Id": "probe"}, nil)
	g.do("GET", "/nothing/<script>", map[string]string{"X-Request-Id": "line-2"}, nil)
	if fields := g.line("line-2"); fields["route"] != "pages" || fields["outcome"] != "not-found" {
		t.Errorf("an unknown path is logged as %v", fields)
	}
	if strings.Contains(g.log.String(), "probe") || strings.Contains(g.log.String(), "script") {
		t.Error("probes are not worth a line, and paths are the caller's text")
	}
}

func TestMetricsHaveBoundedLabels(t *testing.T) {
	g := newRig(t, nil)
	g.raw("", picture)
	g.raw("?x=1", picture)
	g.do("BREW", "/v1/predictions", nil, nil)
	g.do("GET", "/a/b/c", nil, nil)
	g.do("GET", "/v1/models/imagenet", nil, nil)
	g.do("GET", "/v1/models/cats", map[string]string{"X-Request-Id": "end"}, nil)
	g.log.await(t, "end")
	want := `
# HELP goshawk_http_requests_total Requests answered, by route, method and status; status "gone" is a caller that hung up before its answer.
# TYPE goshawk_http_requests_total counter
goshawk_http_requests_total{method="GET",route="/v1/models/{name}",status="200"} 1
goshawk_http_requests_total{method="GET",route="/v1/models/{name}",status="404"} 1
goshawk_http_requests_total{method="GET",route="pages",status="404"} 1
goshawk_http_requests_total{method="POST",route="/v1/predictions",status="200"} 1
goshawk_http_requests_total{method="POST",route="/v1/predictions",status="400"} 1
goshawk_http_requests_total{method="other",route="/v1/predictions",status="405"} 1
`
	if err := testutil.GatherAndCompare(g.registry, strings.NewReader(want), "goshawk_http_requests_total"); err != nil {
		t.Error(err)
	}
	if n, _ := testutil.GatherAndCount(g.registry, "goshawk_http_request_seconds"); n != 3 {
		t.Errorf("%d histograms, want one for each of the 3 routes", n)
	}
	if problems, err := testutil.GatherAndLint(g.registry); err != nil || len(problems) > 0 {
		t.Errorf("%v %v", problems, err)
	}
	httpapi.New(httpapi.Options{Metrics: g.registry, Models: shelf{}, Predictor: g.fake}) // a second door writes to the same
}

func TestAPanicIsAnInternalError(t *testing.T) {
	g := newRig(t, nil)
	g.fake.run = func(context.Context, predict.Request) (*predict.Answer, error) { panic("secret of the house") }
	got := g.raw("", picture)
	if got.status != 500 || strings.Contains(got.body, "secret") || got.problem(t)["type"] != "/errors/internal" {
		t.Errorf("got %d %s", got.status, got.body)
	}
	fields := g.line(got.header.Get("X-Request-Id"))
	if text, _ := fields["error"].(string); fields["level"] != "ERROR" || !strings.Contains(text, "secret of the house") || !strings.Contains(text, "exchange_test.go") {
		t.Errorf("the log must say what happened and where: %v", fields)
	}
	if n, _ := testutil.GatherAndCount(g.registry, "goshawk_http_panics_total"); n != 1 {
		t.Error("panics are counted")
	}
	g.fake.run = nil
	g.raw("", picture).document(t)
}

func TestAPanicInTheMiddleOfAnAnswerCutsTheConnection(t *testing.T) {
	g := newRig(t, func(o *httpapi.Options) {
		o.Pages = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write(make([]byte, 100_000))
			panic("half way")
		})
	})
	response, err := http.Get(g.url + "/page")
	if err == nil {
		_, err = io.Copy(io.Discard, response.Body)
		_ = response.Body.Close()
	}
	if err == nil {
		t.Error("half an answer must not look like a whole one")
	}
	g.log.await(t, "half way")
	http.DefaultClient.CloseIdleConnections()
}

func TestInternalErrorsHideTheirCauseAndLogIt(t *testing.T) {
	g := newRig(t, nil)
	g.fake.run = refusing(errors.New("disk /dev/sda1 at block 7"))
	got := g.raw("", picture)
	if got.status != 500 || strings.Contains(got.body, "sda1") {
		t.Errorf("got %d %s", got.status, got.body)
	}
	if text, _ := g.line(got.header.Get("X-Request-Id"))["error"].(string); !strings.Contains(text, "sda1") {
		t.Errorf("the log must name the cause, got %q", text)
	}
	g.fake.run = refusing(problem.ModelUnhealthy.New("the model is ill").Because(errors.New("tensor of NaN")))
	got = g.raw("", picture)
	if got.status != 503 || got.header.Get("Retry-After") != "1" || strings.Contains(got.body, "NaN") {
		t.Errorf("got %d %s", got.status, got.body)
	}
	if text, _ := g.line(got.header.Get("X-Request-Id"))["error"].(string); !strings.Contains(text, "NaN") {
		t.Errorf("the log must name the cause, got %q", text)
	}
}

// A probe that is told "not yet" got what it came for. Only for debugging it has
// a line, with the reason.
func TestAProbeThatComesTooEarlyIsNoError(t *testing.T) {
	log := &lines{}
	debug := slog.New(slog.NewJSONHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	o := httpapi.Options{Logger: debug, Ready: func() error { return errors.New("model imagenet is still loading") }}
	for door, h := range map[string]http.Handler{
		"main":  httpapi.New(o),
		"admin": httpapi.Admin(o, func(*http.Request) error { return nil }, http.NewServeMux()),
	} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", "/readyz", nil))
		if got := log.String(); w.Code != 503 || strings.Count(got, "\n") != 1 || !strings.Contains(got, `"level":"DEBUG"`) || !strings.Contains(got, "still loading") {
			t.Errorf("%s: %d, and the log says %s; want 503, and one line of DEBUG with the reason", door, w.Code, got)
		}
		log.text = nil
	}
}

func TestAShutdownSaysSo(t *testing.T) {
	fake := &fake{run: func(ctx context.Context, _ predict.Request) (*predict.Answer, error) { return nil, ctx.Err() }}
	h := httpapi.New(httpapi.Options{Predictor: fake, Models: shelf{}, Access: access.New(access.Options{Loopback: true})})
	ctx, stop := context.WithCancelCause(t.Context())
	stop(problem.Overloaded.New("the server is stopping"))
	r := httptest.NewRequestWithContext(ctx, "POST", "http://localhost/v1/predictions", strings.NewReader(picture))
	r.Header.Set("Content-Type", "image/jpeg")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code != 503 || !strings.Contains(w.Body.String(), "stopping") {
		t.Errorf("got %d %s, want the cause of the cancellation", w.Code, w.Body)
	}
}

func TestKeysOpenTheDoor(t *testing.T) {
	keys, err := access.ParseKeys([]byte("keys: [{id: alice, project: shop, sha256: 2c70e12b7a0646f92279f427c7b38e7334d8e5389cff167a1dc30e73f826b683}]")) // of "key"
	if err != nil {
		t.Fatal(err)
	}
	var who principal.Principal
	g := newRig(t, func(o *httpapi.Options) { o.Access = access.New(access.Options{Keys: keys}) })
	g.fake.run = func(ctx context.Context, r predict.Request) (*predict.Answer, error) {
		who = principal.From(ctx)
		return classify(r)
	}
	got := g.raw("", picture)
	if got.status != 401 || got.header.Get("WWW-Authenticate") == "" || got.problem(t)["type"] != "/errors/unauthenticated" {
		t.Errorf("without a key: %d %s", got.status, got.body)
	}
	for _, path := range []string{"/livez", "/readyz", "/openapi.json"} {
		if got := g.do("GET", path, nil, nil); got.status != 200 {
			t.Errorf("%s needs no key, got %d", path, got.status)
		}
	}
	for _, path := range []string{"/v1/models", "/v1/models/imagenet", "/v1/models/imagenet/labels"} {
		if got := g.do("GET", path, map[string]string{"Authorization": "Bearer wrong"}, nil); got.status != 401 {
			t.Errorf("%s with a wrong key: %d", path, got.status)
		}
	}
	got = g.do("POST", "/v1/predictions", map[string]string{"Content-Type": "image/png", "Authorization": "Bearer key", "X-Request-Id": "keyed"}, strings.NewReader(picture))
	got.document(t)
	if who.ID != "alice" || who.Project != "shop" || g.line("keyed")["project"] != "shop" {
		t.Errorf("the principal below is %v", who)
	}
	if strings.Contains(g.log.String(), "Bearer") || strings.Contains(g.log.String(), "wrong") {
		t.Error("keys must not be logged")
	}
}

func TestEveryAnswerHasTheSafetyHeaders(t *testing.T) {
	g := newRig(t, nil)
	for name, got := range map[string]answer{
		"answer": g.raw("", picture), "problem": g.raw("?x", picture), "unknown": g.do("GET", "/x", nil, nil), "probe": g.do("GET", "/livez", nil, nil),
	} {
		for header, want := range map[string]string{
			"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "same-origin",
			"Cross-Origin-Resource-Policy": "same-origin", "Cache-Control": "no-store", "Access-Control-Allow-Origin": "",
		} {
			if got.header.Get(header) != want {
				t.Errorf("%s: %s is %q, want %q", name, header, got.header.Get(header), want)
			}
		}
		policy := got.header.Get("Content-Security-Policy")
		if !strings.HasPrefix(policy, "default-src 'none'") || !strings.Contains(policy, "frame-ancestors 'none'") || strings.Contains(policy, "unsafe") {
			t.Errorf("%s: policy %q", name, policy)
		}
	}
}

// tracer notes what it is told.
type tracer struct {
	parent httpapi.Trace
	name   string
	fields map[string]string
	err    error
	ended  chan struct{}
}

func (s *tracer) Start(ctx context.Context, name string) (context.Context, telemetry.Span) {
	s.parent, s.name, s.fields = httpapi.TraceFrom(ctx), name, map[string]string{}
	return ctx, s
}
func (s *tracer) Set(key, value string) { s.fields[key] = value }
func (s *tracer) End(err error)         { s.err = err; close(s.ended) }

func TestSpansBelongToTheCallersTrace(t *testing.T) {
	spans := &tracer{ended: make(chan struct{})}
	g := newRig(t, func(o *httpapi.Options) { o.Tracer = spans })
	g.do("POST", "/v1/predictions?top_k=0", map[string]string{
		"Content-Type": "image/png", "X-Request-Id": "r1", "Tracestate": "a=b",
		"Traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
	}, strings.NewReader(picture))
	<-spans.ended
	want := httpapi.Trace{ID: "0af7651916cd43dd8448eb211c80319c", Parent: "b7ad6b7169203331", Sampled: true, State: "a=b"}
	if spans.parent != want || spans.name != "http POST /v1/predictions" || spans.fields["request_id"] != "r1" || spans.fields["http.response.status_code"] != "400" {
		t.Errorf("got %+v", spans)
	}
	if !errors.Is(spans.err, problem.InvalidRequest) {
		t.Errorf("the span ended with %v", spans.err)
	}
}

func TestParseTrace(t *testing.T) {
	const id, parent = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
	for value, valid := range map[string]bool{
		"00-" + id + "-" + parent + "-01":                      true,
		"00-" + id + "-" + parent + "-00":                      true,
		"cc-" + id + "-" + parent + "-01-what-the-future-says": true,
		"cc-" + id + "-" + parent + "-01.x":                    false,
		"00-" + id + "-" + parent + "-01-more":                 false,
		"ff-" + id + "-" + parent + "-01":                      false,
		"00-" + strings.Repeat("0", 32) + "-" + parent + "-01": false,
		"00-" + id + "-" + strings.Repeat("0", 16) + "-01":     false,
		"00-" + strings.ToUpper(id) + "-" + parent + "-01":     false,
		"00_" + id + "-" + parent + "-01":                      false,
		"00-" + id + "-" + parent + "-0":                       false,
		"00-" + id + "-" + parent + "-0g":                      false,
		"":                                                     false,
		"x":                                                    false,
	} {
		if _, ok := httpapi.ParseTrace(http.Header{"Traceparent": {value}}); ok != valid {
			t.Errorf("traceparent %q: taken %v, want %v", value, ok, valid)
		}
	}
	good := "00-" + id + "-" + parent + "-03"
	if _, ok := httpapi.ParseTrace(http.Header{"Traceparent": {good, good}}); ok {
		t.Error("two parents are none")
	}
	long, _ := httpapi.ParseTrace(http.Header{"Traceparent": {good}, "Tracestate": {strings.Repeat("x", 600)}})
	if !long.Sampled || long.State != "" {
		t.Errorf("got %+v, want it sampled, without the oversized state", long)
	}
}

func TestADoorWithDefaultsAnswers(t *testing.T) {
	w := httptest.NewRecorder()
	httpapi.New(httpapi.Options{Models: shelf{}, Access: access.New(access.Options{})}).ServeHTTP(w, httptest.NewRequest("GET", "/livez", nil))
	if w.Code != 200 {
		t.Errorf("a door with defaults answers %d", w.Code)
	}
}
