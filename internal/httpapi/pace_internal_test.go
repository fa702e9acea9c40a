package httpapi

import (
	"bytes"
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

// drip gives n bytes every second, total bytes in all.
type drip struct{ n, total int }

func (d *drip) Read(p []byte) (int, error) {
	if d.total == 0 {
		return 0, io.EOF
	}
	time.Sleep(time.Second) // a bubble's clock
	n := min(d.n, d.total, len(p))
	d.total -= n
	return n, nil
}

func (d *drip) Close() error { return nil }

// clocked is a writer whose read deadline is looked at.
type clocked struct {
	http.ResponseWriter
	deadline time.Time
}

func (c *clocked) SetReadDeadline(t time.Time) error { c.deadline = t; return nil }

// SetWriteDeadline is looked at in tests that do not read.
func (c *clocked) SetWriteDeadline(t time.Time) error { c.deadline = t; return nil }

// late tells after how many seconds a sender of rate bytes a second is cut off;
// 0: never.
func late(t *testing.T, limits Limits, declared int64, rate, total int) (seconds float64) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		w := &clocked{}
		d := &door{Options: Options{Limits: limits.withDefaults()}}
		r := &http.Request{Body: &drip{rate, total}, ContentLength: declared}
		b := d.newBody(&exchange{ResponseWriter: w}, r, 1<<40)
		for buf := make([]byte, 1<<20); ; {
			before := w.deadline
			_, err := b.Read(buf)
			if time.Now().After(before) {
				seconds = time.Since(began).Seconds()
				return
			}
			if err != nil {
				break
			}
		}
		if !b.ended || !w.deadline.IsZero() {
			t.Error("after the end there must be no deadline: the server listens for a hang-up on the same connection")
		}
	})
	return seconds
}

func TestSendersAreHeldToALeastRate(t *testing.T) {
	var limits Limits
	for name, c := range map[string]struct {
		declared    int64
		rate, total int
		cutAfter    bool
	}{
		"fast":                  {1e6, 1e6, 1e6, false},
		"as slow as may be":     {1e6, 16_001, 1e6, false},
		"slow, but short":       {1e4, 1_000, 1e4, false},
		"slow":                  {1e6, 8_000, 1e6, true},
		"a trickle":             {1e6, 1, 1e6, true},
		"large, in two minutes": {100e6, 900_000, 100e6, false},
		"large, at the least rate of a small one":  {100e6, 16_001, 100e6, true},
		"unknown length, fast":                     {-1, 100_000, 1e6, false},
		"unknown length, without an end at a pace": {-1, 20_000, 100e6, true},
	} {
		if got := late(t, limits, c.declared, c.rate, c.total); (got > 0) != c.cutAfter {
			t.Errorf("%s: cut off after %v s (0: never), want cut off: %v", name, got, c.cutAfter)
		}
	}
}

func TestTimeThatTheServerTookIsForgiven(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &clocked{}
		d := &door{Options: Options{Limits: Limits{}.withDefaults()}}
		b := d.newBody(&exchange{ResponseWriter: w}, &http.Request{Body: io.NopCloser(bytes.NewReader(nil)), ContentLength: 10}, 100)
		before := w.deadline
		since := time.Now()
		time.Sleep(3 * time.Second)
		b.pause(since)
		if got := w.deadline.Sub(before); got != 3*time.Second {
			t.Errorf("the deadline moved by %v while the server waited 3s for the budget", got)
		}
	})
}

func TestALargeBodyMustBeginSoon(t *testing.T) {
	for declared, want := range map[int64]time.Duration{1e4: 10 * time.Second, -1: 10 * time.Second, 1e8: 3 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			w := &clocked{}
			d := &door{Options: Options{Limits: Limits{}.withDefaults()}}
			b := d.newBody(&exchange{ResponseWriter: w}, &http.Request{Body: &drip{1, 2}, ContentLength: declared}, 1<<40)
			began := time.Now()
			if got := w.deadline.Sub(began); got != want {
				t.Errorf("%d bytes declared: cut off after %v of silence, want %v", declared, got, want)
			}
			if _, err := b.Read(make([]byte, 1)); err != nil {
				t.Fatal(err)
			}
			if got := w.deadline.Sub(began); got < 10*time.Second {
				t.Errorf("%d bytes declared: cut off after %v although it has begun", declared, got)
			}
		})
	}
}

func TestAnAnswerMustBeTakenAtALeastRate(t *testing.T) {
	limits := Limits{}.withDefaults()
	for size, want := range map[int]time.Duration{0: 10 * time.Second, 16_000: 11 * time.Second, 1_600_000: 110 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			w := &clocked{}
			(&exchange{ResponseWriter: w, limits: &limits}).hold(size)
			if got := time.Until(w.deadline); got != want {
				t.Errorf("%d bytes may take %v, want %v", size, got, want)
			}
		})
	}
}
