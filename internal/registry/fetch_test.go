package registry

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/goshawk-ai/goshawk/internal/problem"
)

// site is a small real server that can be told to misbehave.
type site struct {
	*httptest.Server
	body []byte
	etag string

	changed time.Time // sent as Last-Modified, unless zero

	mu       sync.Mutex
	requests []string                                            // guarded by mu; method, path and range
	first    []func(w http.ResponseWriter, r *http.Request) bool // guarded by mu; each answers one request, or passes it on
}

func newSite(t *testing.T, body string) *site {
	t.Helper()
	s := &site{body: []byte(body), etag: `"one"`}
	s.Server = httptest.NewUnstartedServer(s)
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

func (s *site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.requests = append(s.requests, r.URL.Path+" "+r.Header.Get("Range"))
	var trick func(http.ResponseWriter, *http.Request) bool
	if len(s.first) > 0 {
		trick, s.first = s.first[0], s.first[1:]
	}
	s.mu.Unlock()
	if trick != nil && trick(w, r) {
		return
	}
	s.serve(w, r)
}

func (s *site) serve(w http.ResponseWriter, r *http.Request) {
	if s.etag != "" {
		w.Header().Set("ETag", s.etag)
	}
	http.ServeContent(w, r, "", s.changed, strings.NewReader(string(s.body)))
}

// breaks sends the first n bytes of what is asked for and hangs up.
func (s *site) breaks(n int) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		at, _ := strconv.Atoi(strings.TrimSuffix(strings.TrimPrefix(r.Header.Get("Range"), "bytes="), "-"))
		w.Header().Set("ETag", s.etag)
		if !s.changed.IsZero() {
			w.Header().Set("Last-Modified", s.changed.UTC().Format(http.TimeFormat))
		}
		w.Header().Set("Content-Length", strconv.Itoa(len(s.body)-at))
		if at > 0 {
			w.Header().Set("Content-Range", "bytes "+strconv.Itoa(at)+"-")
			w.WriteHeader(http.StatusPartialContent)
		}
		_, _ = w.Write(s.body[at : at+n])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
}

func answers(status int) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, _ *http.Request) bool { w.WriteHeader(status); return true }
}

func (s *site) fetcher() Fetcher {
	return Fetcher{Client: s.Client(), Pause: time.Millisecond, Stall: time.Minute}
}

func (s *site) digest() string {
	sum := sha256.Sum256(s.body)
	return hex.EncodeToString(sum[:])
}

func (s *site) seen() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.requests...)
}

const story = "once upon a time there was a model that wanted to be fetched, byte by byte"

func TestAFileIsFetchedAndChecked(t *testing.T) {
	t.Parallel()
	s := newSite(t, story)
	f := s.fetcher()
	var done, total int64
	f.Progress = func(d, of int64) { done, total = d, of }
	path, err := f.Fetch(t.Context(), s.URL+"/models/cats.tar.gz?token=secret", strings.ToUpper(s.digest()), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil || string(text) != story || filepath.Base(path) != "cats.tar.gz" {
		t.Errorf("fetched %q into %q (%v)", text, filepath.Base(path), err)
	}
	if done != int64(len(story)) || total != done {
		t.Errorf("progress ended at %d of %d, want %d", done, total, len(story))
	}
}

func TestABrokenTransferIsTakenUpWhereItBroke(t *testing.T) {
	t.Parallel()
	s := newSite(t, story)
	s.first = append(s.first, s.breaks(10), answers(http.StatusServiceUnavailable), s.breaks(20), answers(http.StatusTooManyRequests))
	path, err := s.fetcher().Fetch(t.Context(), s.URL+"/m", s.digest(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if text, _ := os.ReadFile(path); string(text) != story {
		t.Errorf("got %q", text)
	}
	got, want := strings.Join(s.seen(), ","), "/m ,/m bytes=10-,/m bytes=10-,/m bytes=30-,/m bytes=30-"
	if got != want {
		t.Errorf("the requests were %s, want %s: nothing is to be fetched twice", got, want)
	}
}

func TestAFileThatChangedMeanwhileBeginsAnew(t *testing.T) {
	t.Parallel()
	s := newSite(t, story)
	s.etag = `"old"`
	breaks := s.breaks(10)
	s.first = append(s.first, func(w http.ResponseWriter, r *http.Request) bool {
		defer func() { s.etag = `"new"` }()
		return breaks(w, r)
	})
	path, err := s.fetcher().Fetch(t.Context(), s.URL+"/m", s.digest(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if text, _ := os.ReadFile(path); string(text) != story {
		t.Errorf("got %q: halves of two files were joined", text)
	}
}

// nginx behind a compressing cache gives a weak tag, and many a file server none.
func TestADateJoinsWhereThereIsNoStrongTag(t *testing.T) {
	t.Parallel()
	for _, etag := range []string{"", `W/"weak"`} {
		s := newSite(t, story)
		s.etag, s.changed = etag, time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)
		s.first = append(s.first, s.breaks(10), s.breaks(20))
		if _, err := s.fetcher().Fetch(t.Context(), s.URL+"/m", s.digest(), t.TempDir()); err != nil {
			t.Fatal(err)
		}
		if got, want := strings.Join(s.seen(), ","), "/m ,/m bytes=10-,/m bytes=30-"; got != want {
			t.Errorf("with the tag %q the requests were %s, want %s: a large model would never arrive over a bad line", etag, got, want)
		}
	}
}

func TestWhatAnotherConnectionWouldMeetAgainIsSaidAtOnce(t *testing.T) {
	t.Parallel()
	s := newSite(t, story)
	f := s.fetcher()
	f.Client, f.Pause = nil, time.Hour // the system's roots do not know the site's certificate
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	_, err := f.Fetch(ctx, s.URL+"/m", s.digest(), t.TempDir())
	if !errors.Is(err, problem.ModelInvalid) || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("an untrusted certificate: %v, want a refusal that names it, at once", err)
	}
}

func TestWithoutATagNothingIsJoined(t *testing.T) {
	t.Parallel()
	s := newSite(t, story)
	s.etag = ""
	s.first = append(s.first, s.breaks(10))
	if _, err := s.fetcher().Fetch(t.Context(), s.URL+"/m", s.digest(), t.TempDir()); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(s.seen(), ","); got != "/m ,/m " {
		t.Errorf("the requests were %q, want two whole ones", got)
	}
}

// An answer that is made while it is sent has no length, and many have no tag.
func TestAnAnswerWithoutLengthAndTagIsWhole(t *testing.T) {
	t.Parallel()
	s := newSite(t, story)
	s.first = append(s.first, func(w http.ResponseWriter, r *http.Request) bool {
		if r.Header.Get("Accept-Encoding") != "identity" {
			t.Errorf("Accept-Encoding is %q, want identity: the digest is of the file as it lies there", r.Header.Get("Accept-Encoding"))
		}
		_ = http.NewResponseController(w).Flush()
		_, _ = w.Write(s.body)
		return true
	})
	path, err := s.fetcher().Fetch(t.Context(), s.URL+"/m", s.digest(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if text, _ := os.ReadFile(path); string(text) != story {
		t.Errorf("got %q, want all of it", text)
	}
}

// One that breaks off is begun anew, since nothing says that the rest belongs to it.
func TestAnAnswerWithoutLengthAndTagThatBreaksBeginsAnew(t *testing.T) {
	t.Parallel()
	s := newSite(t, story)
	s.etag = ""
	s.first = append(s.first, func(w http.ResponseWriter, _ *http.Request) bool {
		_, _ = w.Write(s.body[:10])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	})
	path, err := s.fetcher().Fetch(t.Context(), s.URL+"/m", s.digest(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if text, _ := os.ReadFile(path); string(text) != story {
		t.Errorf("got %q, want the story once", text)
	}
}

func TestWhatFetchRefuses(t *testing.T) {
	t.Parallel()
	s := newSite(t, story)
	plain := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(plain.Close)
	redirect := func(to string) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, r *http.Request) bool {
			http.Redirect(w, r, to, http.StatusFound)
			return true
		}
	}
	endless := func(w http.ResponseWriter, _ *http.Request) bool {
		for range 1000 {
			if _, err := w.Write(make([]byte, 1000)); err != nil {
				return true
			}
		}
		return true
	}
	good := s.digest()
	for _, c := range []struct {
		name, url, digest string
		trick             func(http.ResponseWriter, *http.Request) bool
		kind              *problem.Kind
		want              string
	}{
		{"plain http", "http://example.org/m.onnx", good, nil, problem.InvalidRequest, "by https only"},
		{"another scheme", "ftp://example.org/m.onnx", good, nil, problem.InvalidRequest, "by https only"},
		{"a password in the address", "http://joe:hunter2@example.org/m", good, nil, problem.InvalidRequest, "joe:xxxxx@"},
		{"no host", "https:///m", good, nil, problem.InvalidRequest, "is no address"},
		{"no digest", s.URL + "/m", "", nil, problem.InvalidRequest, "needs --sha256"},
		{"half a digest", s.URL + "/m", "0123", nil, problem.InvalidRequest, "64 hexadecimal digits"},
		{"another file", s.URL + "/m", strings.Repeat("0", 64), nil, problem.ModelInvalid, "it is not what you asked for"},
		{"not there", s.URL + "/m", good, answers(http.StatusNotFound), problem.ModelInvalid, "404 Not Found"},
		{"not allowed", s.URL + "/m", good, answers(http.StatusForbidden), problem.ModelInvalid, "403 Forbidden"},
		{"a way out of https", s.URL + "/m", good, redirect(plain.URL), problem.ModelInvalid, "without https"},
		{"too large by its own word", s.URL + "/m", good, func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Content-Length", "999999999")
			return true
		}, problem.ModelInvalid, "at most 500KB are fetched"},
		{"too large without a word", s.URL + "/m", good, endless, problem.ModelInvalid, "at most 500KB are fetched"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s.mu.Lock()
			s.first = nil
			if c.trick != nil {
				s.first = append(s.first, c.trick)
			}
			s.mu.Unlock()
			dir := t.TempDir()
			f := s.fetcher()
			f.Limit = 500e3
			_, err := f.Fetch(t.Context(), c.url, c.digest, dir)
			if !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("Fetch = %v; want %s that says %q", err, c.kind.Slug, c.want)
			}
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the sentence shows a password: %v", err)
			}
			if left := files(t, dir); len(left) != 0 {
				t.Errorf("%v is left behind: nobody checked it", left)
			}
		})
	}
}

func TestARedirectWithinHTTPSIsFollowed(t *testing.T) {
	t.Parallel()
	s := newSite(t, story)
	s.first = append(s.first, func(w http.ResponseWriter, r *http.Request) bool {
		http.Redirect(w, r, "/elsewhere", http.StatusFound)
		return true
	})
	if _, err := s.fetcher().Fetch(t.Context(), s.URL+"/m", s.digest(), t.TempDir()); err != nil {
		t.Error(err)
	}
}

func TestAFetchThatBringsNothingGivesUp(t *testing.T) {
	t.Parallel()
	s := newSite(t, story)
	for range 10 {
		s.first = append(s.first, answers(http.StatusBadGateway))
	}
	f := s.fetcher()
	f.Tries = 3
	_, err := f.Fetch(t.Context(), s.URL+"/m", s.digest(), t.TempDir())
	if err == nil || !strings.Contains(err.Error(), "502") || len(s.seen()) != 3 {
		t.Errorf("Fetch = %v after %d requests; want the reason after 3", err, len(s.seen()))
	}
}

func TestAStalledServerIsLeft(t *testing.T) {
	t.Parallel()
	s := newSite(t, story)
	s.first = append(s.first, func(w http.ResponseWriter, r *http.Request) bool {
		w.Header().Set("Content-Length", strconv.Itoa(len(story)))
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
		return true
	})
	f := s.fetcher()
	f.Stall = time.Second
	if _, err := f.Fetch(t.Context(), s.URL+"/m", s.digest(), t.TempDir()); err != nil {
		t.Errorf("Fetch = %v; want another connection to bring what the stalled one did not", err)
	}
}

func TestAFetchEndsWithItsCaller(t *testing.T) {
	t.Parallel()
	s := newSite(t, story)
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("control-C")
	s.first = append(s.first, func(_ http.ResponseWriter, r *http.Request) bool {
		cancel(why)
		<-r.Context().Done()
		return true
	})
	if _, err := s.fetcher().Fetch(ctx, s.URL+"/m", s.digest(), t.TempDir()); !errors.Is(err, why) {
		t.Errorf("Fetch = %v, want the cause", err)
	}
}
