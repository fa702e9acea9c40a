package fleet_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/goshawk-ai/goshawk/internal/fleet"
	"github.com/goshawk-ai/goshawk/internal/infer"
	"github.com/goshawk-ai/goshawk/internal/infer/ort/orttest"
	"github.com/goshawk-ai/goshawk/internal/tensor"
)

// clock stands still but for what the parts of a load are said to take.
type clock struct {
	mu  sync.Mutex
	now time.Time // guarded by mu
}

func newClock() *clock { return &clock{now: time.Unix(1e9, 0)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	c.now = c.now.Add(d)
	c.mu.Unlock()
}

// slow is a backend on which loads take 11 s and runs 13 s of the clock.
type slow struct {
	infer.Backend
	clock *clock
}

func (s slow) Load(ctx context.Context, model []byte, o infer.Options) (infer.Session, error) {
	session, err := s.Backend.Load(ctx, model, o)
	s.clock.pass(11 * time.Second)
	return slowSession{session, s.clock}, err
}

type slowSession struct {
	infer.Session
	clock *clock
}

func (s slowSession) Run(ctx context.Context, in, out []*tensor.Tensor) error {
	s.clock.pass(13 * time.Second)
	return s.Session.Run(ctx, in, out)
}

// TestTheColdStartAddsUp: from the moment in which somebody asked to the end of
// his answer, each second belongs to one part.
func TestTheColdStartAddsUp(t *testing.T) {
	c := newClock()
	s := newShelf(t)
	s.opening = func() { c.pass(7 * time.Second) }
	s.put(tiny("cats", "one"), "default")
	quiet := s.put(tiny("cats", "two"))
	registry := prometheus.NewRegistry()
	f := s.start(fleet.Options{Default: "cats", Backend: slow{orttest.Open(t), c}, Now: c.Now, Registerer: registry})
	ready(t, f)
	began := c.Now()
	m, release, err := f.AcquireContext(minute(t), "cats@"+quiet.Digest)
	if err != nil {
		t.Fatal(err)
	}
	slot, err := m.Slot()
	if err != nil {
		t.Fatal(err)
	}
	c.pass(3 * time.Second)
	if err := m.Infer(t.Context(), slot); err != nil {
		t.Fatal(err)
	}
	m.Return(slot)
	release()
	ended := c.Now()
	c.pass(time.Hour)
	if err := answer(f, "cats@"+quiet.Digest); err != nil { // which is no first answer any more
		t.Fatal(err)
	}
	got, err := f.Status("cats@" + quiet.Digest)
	if err != nil || got.Cold == nil {
		t.Fatalf("no cold start is known: %+v, %v", got, err)
	}
	want := map[fleet.Part]time.Duration{
		fleet.Wait: 0, fleet.Fetch: 7 * time.Second, fleet.Verify: 0, fleet.Session: 11 * time.Second,
		fleet.WarmUp: 26 * time.Second, fleet.FirstAnswer: 16 * time.Second, // two runs before it is ready; 3 s and a run for the caller
	}
	for p := range fleet.Parts {
		if got.Cold.Laps[p] != want[p] {
			t.Errorf("%s took %v, want %v", p, got.Cold.Laps[p], want[p])
		}
	}
	if wall := ended.Sub(began); got.Cold.Total() != wall || !got.Cold.Began.Equal(began) || !got.Cold.Asked {
		t.Errorf("the parts add up to %v from %v on (asked for: %v), and the caller waited %v from %v on", got.Cold.Total(), got.Cold.Began, got.Cold.Asked, wall, began)
	}
	if n, err := testutil.GatherAndCount(registry, "goshawk_model_cold_start_seconds"); err != nil || n != 2*int(fleet.Parts) {
		t.Errorf("%d series of cold starts, %v; want one for each part of both versions", n, err)
	}
}

// TestNobodysTimeIsNoColdStart: what a model lay about before its first request
// belongs to no part.
func TestNobodysTimeIsNoColdStart(t *testing.T) {
	c := newClock()
	s := newShelf(t)
	v := s.put(tiny("cats", "one"), "default")
	f := s.start(fleet.Options{Default: "cats", Backend: slow{orttest.Open(t), c}, Now: c.Now})
	ready(t, f)
	c.pass(time.Hour)
	if _, release, err := f.Look(t.Context(), "cats"); err != nil {
		t.Fatal(err)
	} else {
		release() // who only looks is no request
	}
	c.pass(time.Hour)
	if err := answer(f, "cats"); err != nil {
		t.Fatal(err)
	}
	for _, m := range f.Models() {
		if m.Digest == v.Digest && (m.Cold == nil || m.Cold.Asked || m.Cold.Laps[fleet.FirstAnswer] != 13*time.Second || m.Cold.Total() != 50*time.Second) {
			t.Errorf("the cold start is %+v; want 11 s of session, 26 of warm-up and 13 of the first request", m.Cold)
		}
	}
}

// TestReadinessInEveryState goes through the states of the default model and of
// a required one.
func TestReadinessInEveryState(t *testing.T) {
	s := newShelf(t)
	gate := make(chan struct{})
	var once sync.Once
	s.opening = func() { <-gate }
	defer once.Do(func() { close(gate) })
	s.put(tiny("standard", "one"), "default")
	s.put(tiny("needed", "one"), "default")
	extra := s.put(tiny("extra", "one"), "default")
	f := s.start(fleet.Options{Default: "standard", Required: []string{"needed"}})
	says := func(want string) {
		t.Helper()
		settled(t, "readiness says "+want, func() bool {
			err := f.Ready()
			return err == nil && want == "" || err != nil && want != "" && strings.Contains(err.Error(), want)
		})
	}
	says(`"standard" is being loaded`)
	once.Do(func() { close(gate) })
	says("")
	for _, name := range []string{"standard", "needed"} {
		if err := f.Unload(minute(t), name); err != nil {
			t.Fatal(err)
		}
		says(`"` + name + `" is unloaded`)
		if err := f.Load(minute(t), name); err != nil {
			t.Fatal(err)
		}
		says("")
	}
	if err := f.Unload(minute(t), "extra"); err != nil {
		t.Fatal(err)
	}
	says("") // nobody said that it must serve
	settled(t, "it is unloaded", func() bool { return stateOf(f, extra) == fleet.Unloaded })
	all := s.Versions()
	s.edit(func(v []fleet.Version) []fleet.Version { return append(v[:1:1], v[2]) })
	says(`no model "needed"`)
	s.edit(func([]fleet.Version) []fleet.Version { return all[1:] })
	says(`no model "standard"`)
	s.edit(func([]fleet.Version) []fleet.Version { return all })
	says("")
}

// TestADefaultByItsDigestIsKept: no alias leads to it, and yet it does not sleep.
func TestADefaultByItsDigestIsKept(t *testing.T) {
	s := newShelf(t)
	v := s.put(tiny("cats", "one"))
	s.put(tiny("cats", "two"), "default")
	f := s.start(fleet.Options{Default: "cats@" + v.Digest[:19]})
	ready(t, f)
	if got := stateOf(f, v); got != fleet.Ready {
		t.Errorf("the default is %s when the server is ready", got)
	}
}
