package telemetry_test

import (
	"bytes"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goshawk-ai/goshawk/internal/telemetry"
)

// page counts writes as well as it keeps them.
type page struct {
	mu     sync.Mutex
	text   bytes.Buffer
	writes int
}

func (p *page) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.writes++
	return p.text.Write(b)
}

func (p *page) read() (string, int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.String(), p.writes
}

func later(out io.Writer) (*slog.Logger, *telemetry.Later) {
	h := telemetry.NewLater(out, func(w io.Writer) slog.Handler {
		return slog.NewTextHandler(w, &slog.HandlerOptions{ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey && len(groups) == 0 {
				return slog.Attr{}
			}
			return a
		}})
	})
	return slog.New(h), h
}

func TestLinesAreWrittenTogetherAndInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out page
		log, _ := later(&out)
		log.Info("one", "a", 1)
		log.With("of", "a part").WithGroup("g").Info("two", "b", 2)
		log.Debug("never")
		if text, _ := out.read(); text != "" {
			t.Errorf("written at once: %q", text)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		want := "level=INFO msg=one a=1\nlevel=INFO msg=two of=\"a part\" g.b=2\n"
		if text, writes := out.read(); text != want || writes != 1 {
			t.Errorf("got %q in %d writes, want %q in one", text, writes, want)
		}
	})
}

func TestAWarningIsWrittenAtOnceBehindWhatWaited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out page
		log, _ := later(&out)
		log.Info("before")
		log.Warn("now")
		if text, writes := out.read(); text != "level=INFO msg=before\nlevel=WARN msg=now\n" || writes != 1 {
			t.Errorf("got %q in %d writes: a warning may be the last that a process says", text, writes)
		}
		time.Sleep(time.Second)
		if _, writes := out.read(); writes != 1 {
			t.Errorf("%d writes, though nothing waited any more", writes)
		}
	})
}

func TestTwoFormsKeepTheirOrder(t *testing.T) {
	var out page
	log, h := later(&out)
	other := slog.New(h.Also(func(w io.Writer) slog.Handler { return slog.NewJSONHandler(w, nil) }))
	log.Info("one")
	other.Info("two")
	log.Info("three")
	h.Flush()
	lines := strings.Split(strings.TrimSpace(firstOf(out.read())), "\n")
	if len(lines) != 3 || lines[0] != "level=INFO msg=one" || !strings.Contains(lines[1], `"msg":"two"`) || lines[2] != "level=INFO msg=three" {
		t.Errorf("got %q", lines)
	}
}

func firstOf(text string, _ int) string { return text }

func TestWhatWaitsIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out page
		log, h := later(&out)
		for range 1000 {
			log.Info("busy")
		}
		text, writes := out.read()
		if lines := strings.Count(text, "\n"); lines < 900 || writes > 40 {
			t.Errorf("of 1000 lines %d were written, in %d writes", lines, writes)
		}
		h.Flush()
		if text, _ := out.read(); strings.Count(text, "\n") != 1000 {
			t.Errorf("after Flush %d of 1000 lines are there", strings.Count(text, "\n"))
		}
	})
}

func TestManySpeakAtATime(t *testing.T) {
	var out page
	log, h := later(&out)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 500 {
				log.Info("busy")
			}
		})
	}
	all.Wait()
	h.Flush()
	if text, _ := out.read(); strings.Count(text, "level=INFO msg=busy\n") != 4000 {
		t.Errorf("%d whole lines of 4000", strings.Count(text, "level=INFO msg=busy\n"))
	}
}
