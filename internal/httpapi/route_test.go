package httpapi_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/goshawk-ai/goshawk/internal/httpapi"
	"github.com/goshawk-ai/goshawk/internal/problem"
	"github.com/goshawk-ai/goshawk/internal/schedule"
)

// upper is another room's route: it answers with the body in capitals.
func upper(x *httpapi.Exchange, r *http.Request) error {
	body, err := x.Body(r)
	if err != nil {
		return err
	}
	switch string(body) {
	case "fail":
		return problem.ModelNotFound.New("a sentence")
	case "panic":
		panic("secret")
	case "much":
		return x.Reserve(r.Context(), 1<<40)
	}
	if err := x.Reserve(r.Context(), int64(len(body))); err != nil {
		return err
	}
	answer := bytes.ToUpper(body)
	x.Release()
	x.Send(r, httpapi.Answer{Type: "text/plain", Parts: [][]byte{[]byte("<"), nil, answer, []byte(">")}, Compress: true})
	return nil
}

func mounted(t *testing.T) (*rig, *schedule.Budget) {
	t.Helper()
	budget := schedule.NewBudget(8 << 20)
	g := newRig(t, func(o *httpapi.Options) {
		o.Budget = budget
		o.Limits.Body = 2 << 20
		o.Routes = []httpapi.Route{
			{
				Path: "/other/{name}", Methods: map[string]httpapi.Handler{"GET": upper, "POST": upper},
				Refuse: func(p *problem.Problem) (string, []byte) { return "text/x-error", []byte("E:" + p.Detail) },
			},
			{Path: "/other/", Refuse: func(*problem.Problem) (string, []byte) { return "text/x-error", []byte("E:nothing") }},
		}
	})
	return g, budget
}

func TestAnotherRoomsRouteHasTheDoorsCare(t *testing.T) {
	g, budget := mounted(t)
	for _, c := range []struct {
		method, path, body string
		status             int
		want               string
	}{
		{"POST", "/other/a", "hello", 200, "<HELLO>"},
		{"GET", "/other/a", "", 200, "<>"},
		{"HEAD", "/other/a", "", 200, ""},
		{"PUT", "/other/a", "", 405, "E:/other/{name} does not take PUT"},
		{"GET", "/other/a/b", "", 404, "E:nothing"},
		{"POST", "/other/a", "fail", 404, "E:a sentence"},
		{"POST", "/other/a", "panic", 500, "E:something went wrong"},
		{"POST", "/other/a", "much", 413, "E:this needs"},
		{"POST", "/other/a", strings.Repeat("x", 3<<20), 413, "E:the request has more than"},
	} {
		got := g.do(c.method, c.path, map[string]string{"Accept-Encoding": "identity"}, strings.NewReader(c.body))
		if got.status != c.status || !strings.HasPrefix(got.body, c.want) || strings.Contains(got.body, "secret") {
			t.Errorf("%s %s %.10q: got %d %.100q, want %d %q", c.method, c.path, c.body, got.status, got.body, c.status, c.want)
		}
		if got.header.Get("X-Request-Id") == "" || got.header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s %s: the headers of every answer are missing", c.method, c.path)
		}
	}
	g.log.await(t, `"route":"/other/{name}","status":413`)
	if used := budget.Used(); used != 0 {
		t.Errorf("%d bytes of the budget were kept", used)
	}
	if got := g.do("GET", "/other/a", map[string]string{"Host": "evil.example"}, nil); got.status != 421 {
		t.Errorf("a rebound name: %d, want 421", got.status)
	}
}

func TestARoutesBodyMayBeCompressedButNoBomb(t *testing.T) {
	g, budget := mounted(t)
	pack := func(text string) string {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		_, _ = io.WriteString(w, text)
		_ = w.Close()
		return b.String()
	}
	header := map[string]string{"Content-Encoding": "gzip", "Accept-Encoding": "identity"}
	if got := g.do("POST", "/other/a", header, strings.NewReader(pack("hello"))); got.body != "<HELLO>" {
		t.Errorf("got %d %q", got.status, got.body)
	}
	long := strings.Repeat("ab", 1<<20)
	if got := g.do("POST", "/other/a", header, strings.NewReader(pack(long))); got.status != 200 || len(got.body) != len(long)+2 {
		t.Errorf("as much as the limit: %d, %d bytes", got.status, len(got.body))
	}
	if got := g.do("POST", "/other/a", header, strings.NewReader(pack(long+"a"))); got.status != 413 || !strings.Contains(got.body, "decompressed") {
		t.Errorf("one byte above the limit: %d %q", got.status, got.body)
	}
	if used := budget.Used(); used != 0 {
		t.Errorf("%d bytes of the budget were kept", used)
	}
	// What other rooms may have, /v1 has not.
	if got := g.do("POST", "/v1/predictions", map[string]string{"Content-Encoding": "gzip", "Content-Type": "image/jpeg"}, strings.NewReader(pack(picture))); got.status != 400 {
		t.Errorf("/v1 took a compressed body: %d", got.status)
	}
}
