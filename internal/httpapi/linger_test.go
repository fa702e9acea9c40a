package httpapi_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/goshawk-ai/goshawk/internal/httpapi"
	"github.com/goshawk-ai/goshawk/internal/model"
)

// TestWhoSendsFirstAndReadsThenSeesTheRefusal does what Python's http.client
// does: all of the body, and only then a look at the answer.
func TestWhoSendsFirstAndReadsThenSeesTheRefusal(t *testing.T) {
	g := newRig(t, nil)
	for name, c := range map[string]struct {
		path, headers string
		size, status  int
	}{
		"wrong type":        {"/v1/predictions", "Content-Type: text/plain", 5_000_000, 400},
		"one byte too many": {"/v1/predictions", "Content-Type: image/jpeg", 20_000_001, 413},
		"unknown address":   {"/v1/nothing", "Content-Type: image/jpeg", 5_000_000, 404},
		"broken JSON":       {"/v1/predictions", "Content-Type: text/css", 1_000_000, 400},
	} {
		w := g.dial()
		w.say("POST %s HTTP/1.1\r\nHost: localhost\r\n%s\r\nContent-Length: %d\r\n\r\n", c.path, c.headers, c.size)
		if _, err := io.Copy(w.Conn, zeros(int64(c.size))); err != nil {
			t.Errorf("%s: the connection was cut after the headers' refusal: %v; the sender would never see why", name, err)
			continue
		}
		if status, closes, body := w.answer(); status != c.status || !closes {
			t.Errorf("%s: got %d (closing: %v) %s, want %d", name, status, closes, body, c.status)
		}
		w.atEnd()
	}
}

func TestAHugeRefusedBodyIsNotReadToItsEnd(t *testing.T) {
	g := newRig(t, nil)
	w := g.dial()
	w.post("Content-Type: application/json\r\nContent-Length: 4000000000")
	if n, err := io.Copy(w.Conn, zeros(4e9)); err == nil {
		t.Errorf("all %d bytes of a refused body were taken", n)
	}
	w = g.dial()
	w.post("Content-Type: text/plain\r\nTransfer-Encoding: chunked")
	piece := fmt.Sprintf("100000\r\n%s\r\n", strings.Repeat("x", 1<<20))
	for range 100 {
		if _, err := io.WriteString(w.Conn, piece); err != nil {
			return
		}
	}
	t.Error("100 MB of a refused body without a length were taken")
}

// wordy has a list of labels that no socket buffer holds.
type wordy struct{ shelf }

func (wordy) Model(string) (httpapi.ModelInfo, error) {
	long := strings.Repeat("x", 1<<20)
	return httpapi.ModelInfo{LabelList: func() (all []model.Label) {
		for range 10 {
			all = append(all, model.Label{Name: long})
		}
		return all
	}()}, nil
}

func TestACallerThatNeverReadsIsCutOff(t *testing.T) {
	g := newRig(t, func(o *httpapi.Options) {
		o.Models, o.Limits.Grace, o.Limits.LeastRate = wordy{}, 50*time.Millisecond, 1e9
	})
	w := g.dial()
	if err := w.Conn.(*net.TCPConn).SetReadBuffer(4 << 10); err != nil {
		t.Fatal(err)
	}
	w.say("GET /v1/models/x/labels HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: deaf\r\n\r\n")
	// The line is written when the handler is done with the caller.
	if fields := g.line("deaf"); fields["outcome"] != "gone" || fields["level"] != "INFO" {
		t.Errorf("logged as %v, want it told that the answer was not taken", fields)
	}
}

func TestAStalledBodyThatNobodyWantsHoldsNothing(t *testing.T) {
	g := newRig(t, func(o *httpapi.Options) {
		o.Limits.Grace = 50 * time.Millisecond
		o.Pages = http.NotFoundHandler()
	})
	for path, want := range map[string]int{"GET /livez": 200, "GET /v1/models": 200, "POST /page": 404} {
		w := g.dial()
		w.say("%s HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nx", path)
		if status, closes, _ := w.answer(); status != want || !closes {
			t.Errorf("%s: got %d (closing: %v), want %d", path, status, closes, want)
		}
		w.atEnd()
	}
}
