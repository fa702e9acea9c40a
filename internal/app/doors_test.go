package app

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/goshawk-ai/goshawk/internal/access"
	"github.com/goshawk-ai/goshawk/internal/config"
	"github.com/goshawk-ai/goshawk/internal/httpapi"
	"github.com/goshawk-ai/goshawk/internal/problem"
	"github.com/goshawk-ai/goshawk/internal/units"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func loopback(t *testing.T) net.Listener {
	t.Helper()
	l, err := listen("--listen", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestATakenPortIsASentenceWithTheNextStep(t *testing.T) {
	l := loopback(t)
	defer l.Close()
	_, err := listen("--grpc-listen", l.Addr().String())
	want := fmt.Sprintf("cannot listen on %s: address in use (try --grpc-listen 127.0.0.1:0)", l.Addr())
	if err == nil || err.Error() != want {
		t.Fatalf("err = %v, want %q: the flag is the one that gave the address", err, want)
	}
}

func TestAnIPv4AddressOpensNoIPv6Door(t *testing.T) {
	l, err := listen("--listen", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if got := l.Addr().String(); !strings.HasPrefix(got, "0.0.0.0:") {
		t.Errorf("asked for 0.0.0.0, it listens on %s: on every IPv6 address too", got)
	}
}

func TestACertificateThatCannotBeUsedIsNamed(t *testing.T) {
	if c, err := serverTLS(config.TLS{}); c != nil || err != nil {
		t.Fatalf("without settings: %v, %v; want no TLS and no error", c, err)
	}
	_, err := serverTLS(config.TLS{Cert: "missing.pem", Key: "missing.key"})
	if err == nil || !strings.Contains(err.Error(), "missing.pem") {
		t.Fatalf("err = %v, want one that names the file", err)
	}
}

func TestOperatorsSeeMetricsOnLoopbackOrWithAKey(t *testing.T) {
	keys, err := access.ParseKeys([]byte("keys:\n  - {id: ops, project: default, sha256: 2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b}\n")) // of "secret"
	if err != nil {
		t.Fatal(err)
	}
	metrics := prometheus.NewRegistry()
	for _, c := range []struct {
		name       string
		loopback   bool
		host, auth string
		want       int
	}{
		{"loopback needs no key", true, "127.0.0.1:8082", "", 200},
		{"a rebound name is refused", true, "evil.example", "", 421},
		{"elsewhere without a key", false, "host.example", "", 401},
		{"elsewhere with a wrong key", false, "host.example", "Bearer wrong", 401},
		{"elsewhere with a key", false, "host.example", "Bearer secret", 200},
	} {
		guard := access.New(access.Options{Keys: keys, Loopback: c.loopback})
		r := httptest.NewRequest(http.MethodGet, "/metrics", nil)
		r.Host = c.host
		if c.auth != "" {
			r.Header.Set("Authorization", c.auth)
		}
		w := httptest.NewRecorder()
		adminHandler(httpapi.Options{Access: guard}, metrics, c.loopback).ServeHTTP(w, r)
		if w.Code != c.want {
			t.Errorf("%s: status %d, want %d: %s", c.name, w.Code, c.want, w.Body)
		}
		if id := w.Header().Get("X-Request-Id"); c.want != 200 && (id == "" || !strings.Contains(w.Body.String(), `"request_id":"`+id)) {
			t.Errorf("%s: %s; a refusal names its request", c.name, w.Body)
		}
	}
}

// A prober carries no key, and learns nothing but two words.
func TestProbesNeedNoKeyOnTheOperatorsDoor(t *testing.T) {
	keys, err := access.ParseKeys([]byte("keys:\n  - {id: ops, sha256: 2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b}\n"))
	if err != nil {
		t.Fatal(err)
	}
	h := adminHandler(httpapi.Options{Access: access.New(access.Options{Keys: keys}), Ready: func() error { return nil }}, prometheus.NewRegistry(), false)
	for path, want := range map[string]int{"/livez": 200, "/readyz": 200, "/metrics": 401, "/debug/pprof/": 401} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		if w.Code != want {
			t.Errorf("GET %s without a key: %d, want %d, as on the main door", path, w.Code, want)
		}
	}
}

// TestADrainFinishesWhatItCanAndSaysWhyItCutsTheRest: the cause reaches the
// handler, which makes a 503 of it.
func TestADrainFinishesWhatItCanAndSaysWhyItCutsTheRest(t *testing.T) {
	for _, c := range []struct {
		main, admin int // requests that do not end
		want        string
	}{
		{1, 0, "1 request still ran after 1ms and was cut off (--drain-timeout)"},
		{2, 0, "2 requests still ran after 1ms and were cut off (--drain-timeout)"},
		{1, 2, "3 requests still ran after 1ms and were cut off (--drain-timeout)"}, // of two doors, told once
	} {
		began, causes := make(chan struct{}), make(chan error, c.main+c.admin)
		endless := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			began <- struct{}{}
			<-r.Context().Done()
			causes <- context.Cause(r.Context())
		})
		s := &server{config: &config.Config{DrainTimeout: time.Millisecond}}
		main, admin := loopback(t), loopback(t)
		log := slog.New(slog.DiscardHandler)
		s.doors.add(httpDoor("listening", main, endless, nil, log))
		s.doors.add(httpDoor("admin", admin, endless, nil, log))
		s.doors.all[1].last = true
		s.doors.open()
		client := &http.Client{Transport: &http.Transport{}}
		var answered sync.WaitGroup
		for i := range c.main + c.admin {
			l := main
			if i >= c.main {
				l = admin
			}
			answered.Go(func() { get(client, l) })
			<-began
		}
		if err := s.drain(); err == nil || err.Error() != c.want {
			t.Errorf("drain = %v, want %q", err, c.want)
		}
		for range c.main + c.admin {
			if cause := <-causes; !errors.Is(cause, problem.Overloaded) {
				t.Errorf("a request ended with %v, want a problem that says to come back", cause)
			}
		}
		answered.Wait()
		client.CloseIdleConnections()
	}
}

// TestAHalfSentHeaderIsNoRequest: whoever has not asked yet loses nothing.
func TestAHalfSentHeaderIsNoRequest(t *testing.T) {
	s := &server{config: &config.Config{DrainTimeout: time.Millisecond}}
	l := loopback(t)
	s.doors.add(httpDoor("listening", l, http.NotFoundHandler(), nil, slog.New(slog.DiscardHandler)))
	s.doors.open()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: local")
	if err := s.drain(); err != nil {
		t.Errorf("drain = %v, want an orderly end", err)
	}
}

func TestTheOperatorsDoorSpeaksInProblems(t *testing.T) {
	h := adminHandler(httpapi.Options{Access: access.New(access.Options{Loopback: true})}, prometheus.NewRegistry(), true)
	for _, c := range []struct {
		method, path string
		want         int
	}{
		{"GET", "/nope", 404},
		{"POST", "/metrics", 405},
		{"POST", "/readyz", 405},
		{"GET", "/debug/pprof/", 200},
		{"GET", "/livez", 200},
		{"GET", "/readyz", 200},
	} {
		r := httptest.NewRequest(c.method, "http://localhost"+c.path, nil)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != c.want {
			t.Errorf("%s %s: got %d, want %d", c.method, c.path, w.Code, c.want)
		}
		if c.want >= 400 && (w.Header().Get("Content-Type") != "application/problem+json" || !strings.Contains(w.Body.String(), "request_id")) {
			t.Errorf("%s %s: %s; want a problem with the request's id", c.method, c.path, w.Body)
		}
	}
}

// TestADrainingServerSaysSoOnTheAdminDoor: whoever balances load must be able to
// see "not ready" while the last requests are answered.
func TestADrainingServerSaysSoOnTheAdminDoor(t *testing.T) {
	began, finish := make(chan struct{}), make(chan struct{})
	main, admin := loopback(t), loopback(t)
	s := &server{config: &config.Config{DrainTimeout: time.Minute}, log: slog.New(slog.DiscardHandler)}
	s.doors.add(httpDoor("listening", main, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		close(began)
		<-finish
	}), nil, s.log))
	o := httpapi.Options{Access: access.New(access.Options{Loopback: true}), Ready: s.ready}
	last := httpDoor("admin", admin, adminHandler(o, prometheus.NewRegistry(), true), nil, s.log)
	last.last = true
	s.doors.add(last)
	s.doors.open()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	status := make(chan int, 1)
	go func() { status <- get(client, main) }()
	<-began
	drained := make(chan error, 1)
	go func() { drained <- s.drain() }()
	for conn, err := net.Dial("tcp", main.Addr().String()); err == nil; conn, err = net.Dial("tcp", main.Addr().String()) {
		conn.Close() // until the drain has closed the listener
	}
	if got := get(client, admin); got != 503 {
		t.Errorf("/readyz on the admin door is %d during a drain, want 503", got)
	}
	close(finish)
	if err := <-drained; err != nil {
		t.Errorf("drain = %v, want an orderly end", err)
	}
	if got := <-status; got != 200 {
		t.Errorf("the request under way got %d", got)
	}
	if got := get(client, admin); got != 0 {
		t.Errorf("the admin door answers %d after the drain", got)
	}
}

// get asks a door whether it is ready; 0: nobody answers.
func get(client *http.Client, l net.Listener) int {
	res, err := client.Get("http://" + l.Addr().String() + "/readyz")
	if err != nil {
		return 0
	}
	res.Body.Close()
	return res.StatusCode
}

func TestDoorsPrintInOrder(t *testing.T) {
	var out strings.Builder
	l := loopback(t)
	defer l.Close()
	(&door{name: "listening", listener: l}).print(&out, "http://")
	(&door{name: "grpc", listener: l}).print(&out, "")
	want := fmt.Sprintf("listening http://%s\ngrpc %s\n", l.Addr(), l.Addr())
	if out.String() != want {
		t.Fatalf("printed %q, want %q", out.String(), want)
	}
}

func TestHeadersAreBounded(t *testing.T) {
	l := loopback(t)
	x := httpDoor("listening", l, http.NotFoundHandler(), nil, slog.New(slog.DiscardHandler))
	var d doors
	d.add(x)
	d.open()
	defer func() {
		if _, err := d.close(context.Background()); err != nil {
			t.Error(err)
		}
	}()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	// 64 KB of headers and net/http's own slack are the most that is read.
	_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: localhost\r\nX: "+strings.Repeat("x", 80<<10)+"\r\n\r\n")
	status, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil || !strings.Contains(status, "431") {
		t.Fatalf("%q, %v; want 431 for headers above the limit", status, err)
	}
}

// TestBothBudgetsHoldTheLargest: the smallest memory that Check lets pass must
// still hold the largest body and the largest decoded picture.
func TestBothBudgetsHoldTheLargest(t *testing.T) {
	for _, body := range []units.Bytes{1, 20e6, 100e6, 999_999_937} {
		c := &config.Config{}
		c.Limits.RequestBytes, c.Limits.DecodedBytes = body, 192e6
		c.Memory.Pictures = body + c.Limits.DecodedBytes
		if bodies := share(c); bodies < int64(body) || int64(c.Memory.Pictures)-bodies < int64(c.Limits.DecodedBytes) {
			t.Errorf("memory %d is parted at %d: a body of %d and 192 MB of pixels must fit", c.Memory.Pictures, bodies, body)
		}
	}
}
