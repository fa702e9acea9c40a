package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/goshawk-ai/goshawk/internal/config"
	"github.com/goshawk-ai/goshawk/internal/predict"
)

// far is a server that answers with one handler.
func far(t *testing.T, handle http.HandlerFunc) string {
	s := httptest.NewServer(handle)
	t.Cleanup(s.Close)
	return s.URL
}

func say(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		io.WriteString(w, body)
	}
}

const goodAnswer = `{"id":"pred_1","model":{"name":"imagenet","version":"sha256:ab"},"results":[{"name":"","sha256":"cd","predictions":[{"label":"cat","index":281,"probability":0.5}]}],"timings":{"total_ms":9}}`

func TestRemoteSendsWhatIsAsked(t *testing.T) {
	t.Chdir(files(t, map[string]string{"a.jpg": "picture", "key": "k1\n"}))
	var got *http.Request
	var body string
	url := far(t, func(w http.ResponseWriter, r *http.Request) {
		data, _ := io.ReadAll(r.Body)
		got, body = r, string(data)
		io.WriteString(w, goodAnswer)
	})
	b := newBench(t)
	code := b.run(t.Context(), "predict", "a.jpg", "--server", url+"/behind/proxy/", "--key-file", "key", "--model", "m@a", "--top-k", "3", "--threshold", "0.25")
	expect(t, b, code, exitDone, "a.jpg\t0.500000\tcat\n", "")
	if got.URL.Path != "/behind/proxy/v1/predictions" || got.URL.RawQuery != "model=m%40a&threshold=0.25&top_k=3" {
		t.Errorf("asked for %s", got.URL)
	}
	if body != "picture" || got.Header.Get("Authorization") != "Bearer k1" || got.Header.Get("Content-Type") != "application/octet-stream" {
		t.Errorf("body %q, header %v", body, got.Header)
	}
}

func TestRemoteAnswers(t *testing.T) {
	t.Chdir(files(t, map[string]string{"a": "a", "b": "b"}))
	for _, c := range []struct {
		name     string
		status   int
		body     string
		code     int
		out, err string // parts
	}{
		{
			"picture's problem", 415, `{"type":"/errors/not-a-picture","title":"x","status":415,"detail":"this is a PDF"}`, exitFailed,
			"a\t\terror: not-a-picture: this is a PDF\nb\t\terror", "goshawk: none of 2 pictures could be classified",
		},
		{
			"a result's problem", 200, `{"results":[{"name":"","error":{"type":"/errors/picture-damaged","detail":"cut off","status":422}}]}`, exitFailed,
			"picture-damaged: cut off", "none of 2",
		},
		{
			"problem of a newer server", 200, `{"results":[{"error":{"type":"/errors/too-blue","title":"Too blue","detail":"the picture is too blue","status":422}}]}`, exitFailed,
			"the picture is too blue", "none of 2",
		},
		{
			"a problem that moves the cursor", 401, `{"type":"/errors/unauthenticated","detail":"\u001b[2Jgone\r\nover"}`, exitFailed,
			"", "goshawk: \uFFFD[2Jgone\uFFFD\uFFFDover\n",
		},
		{
			"an error that is none", 200, `{"results":[{"error":null}]}`, exitFailed,
			"", "is not one that we understand",
		},
		{
			"no key", 401, `{"type":"/errors/unauthenticated","detail":"this server asks for a key"}`, exitFailed,
			"", "goshawk: this server asks for a key\n",
		},
		{
			"another path", 404, `{"type":"/errors/not-found","detail":"nothing is at \"/x/v1/predictions\""}`, exitFailed,
			"", "does not classify pictures: nothing is at \"/x/v1/predictions\" (is it the address that goshawk serve prints as listening?)\n",
		},
		{
			"the operators' door", 405, `{"type":"/errors/method-not-allowed","detail":"it is for reading"}`, exitFailed,
			"", "does not classify pictures: it is for reading",
		},
		{"another server", 404, `<h1>404</h1>`, exitFailed, "", "without a problem document (is it a goshawk server?)"},
		{"an answer that is none", 200, `{"results":[]}`, exitFailed, "", "is not one that we understand"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t)
			code := b.run(t.Context(), "predict", "a", "b", "--server", far(t, say(c.status, c.body)))
			if code != c.code || !strings.Contains(b.out.String(), c.out) || !strings.Contains(b.err.String(), c.err) || c.out == "" && b.out.Len() > 0 {
				t.Errorf("code %d, want %d\nstdout %q, want %q\nstderr %q, want %q", code, c.code, &b.out, c.out, &b.err, c.err)
			}
		})
	}
}

func TestRemoteUnreachable(t *testing.T) {
	t.Chdir(files(t, map[string]string{"a": "a", "b": "b"}))
	s := httptest.NewServer(nil)
	s.Close()
	b := newBench(t)
	code := b.run(t.Context(), "predict", "a", "b", "--server", s.URL)
	expect(t, b, code, exitUnreachable, "", "goshawk: cannot reach "+s.URL+": connection refused (is goshawk serve running there?)\n")
}

// TestReasonsAreForPeople: where a name was looked up helps nobody.
func TestReasonsAreForPeople(t *testing.T) {
	err := fmt.Errorf("dial: %w", &net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Err: "no such host", Name: "h.example", Server: "192.0.2.1:53"}})
	if got := reason(err).Error(); got != "no such host" {
		t.Errorf("got %q; want the reason alone", got)
	}
}

// TestRemoteWaitsWhenAsked: a busy server is asked again after as long as it said, and not for ever.
func TestRemoteWaitsWhenAsked(t *testing.T) {
	busy := 2
	url := far(t, func(w http.ResponseWriter, _ *http.Request) {
		if busy--; busy >= 0 {
			w.Header().Set("Retry-After", "7")
			say(503, `{"type":"/errors/overloaded","detail":"too much to do"}`)(w, nil)
			return
		}
		io.WriteString(w, goodAnswer)
	})
	cfg, err := config.Load(config.Sources{Flags: map[string]string{"server": url}})
	if err != nil {
		t.Fatal(err)
	}
	r, err := newRemote(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var waited []time.Duration
	r.wait = func(_ context.Context, d time.Duration) error {
		waited = append(waited, d)
		return nil
	}
	q := predict.Request{Pictures: []predict.Picture{{Name: "a"}}}
	if a, err := r.Run(t.Context(), q); err != nil || a.Results[0].Predictions[0].Label != "cat" || len(waited) != 2 || waited[0] != 7*time.Second {
		t.Errorf("answer %v, %v after waits %v; want the cat after two waits of 7s", a, err, waited)
	}
	busy, waited = 100, nil
	if _, err := r.Run(t.Context(), q); err == nil || err.Error() != "too much to do" || len(waited) != maxAttempts-1 {
		t.Errorf("%v after %d waits; want the server's own sentence after %d", err, len(waited), maxAttempts-1)
	}
}

func TestPause(t *testing.T) {
	if err := pause(t.Context(), time.Nanosecond); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := pause(ctx, time.Hour); err == nil {
		t.Error("a caller who went away must not be waited for")
	}
}

func TestPredictURL(t *testing.T) {
	b := newBench(t)
	good := far(t, say(200, "picture"))
	code := b.run(t.Context(), "predict", good, "-o", "csv")
	if code != exitDone || !strings.Contains(b.out.String(), good+",00ff,1,7 bytes") {
		t.Errorf("code %d, %q %q", code, &b.out, &b.err)
	}
	gone := far(t, say(404, "no"))
	code = b.run(t.Context(), "predict", gone)
	if code != exitFailed || !strings.Contains(b.out.String(), "cannot fetch it: the server there answered 404 Not Found") {
		t.Errorf("code %d, %q %q", code, &b.out, &b.err)
	}
	big := far(t, say(200, strings.Repeat("x", 2000)))
	code = b.run(t.Context(), "predict", big, "--limits-picture-bytes", "1KB")
	if code != exitFailed || !strings.Contains(b.out.String(), "picture-too-large") {
		t.Errorf("code %d, %q %q; a download is bounded as a file is", code, &b.out, &b.err)
	}
}

func TestRetryAfterIsNeverNegativeOrEndless(t *testing.T) {
	for header, want := range map[string]time.Duration{
		"": 0, "soon": 0, "-5": 0, "0": 100 * time.Millisecond, "2": 2 * time.Second,
		"9000000000000000000": longestWait, "99999999999999999999": 0,
	} {
		resp := &http.Response{StatusCode: http.StatusServiceUnavailable, Header: http.Header{"Retry-After": {header}}}
		if got := retryAfter(resp); got != want {
			t.Errorf("Retry-After %q: wait %v, want %v", header, got, want)
		}
	}
}

// FuzzRemoteAnswer: whatever a server says is an answer with one result, or an
// error, and what is shown of it moves no cursor.
func FuzzRemoteAnswer(f *testing.F) {
	f.Add(200, goodAnswer)
	f.Add(422, `{"type":"/errors/picture-damaged","detail":"cut off","status":422}`)
	f.Add(200, `{"results":[{"error":{"type":"a","detail":"\u001b"}}]}`)
	base := &url.URL{Scheme: "http", Host: "server"}
	f.Fuzz(func(t *testing.T, status int, body string) {
		answer, err := (&remote{base: base}).read(&http.Response{StatusCode: status}, []byte(body), "a.jpg")
		switch {
		case err == nil && (len(answer.Results) != 1 || answer.Results[0].Name != "a.jpg"):
			t.Errorf("%q: %+v", body, answer)
		case err == nil && answer.Results[0].Error != nil:
			err = answer.Results[0].Error
		}
		if err != nil && err.Error() != printable(err.Error()) {
			t.Errorf("%q: %q", body, err)
		}
	})
}
