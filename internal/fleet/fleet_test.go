package fleet_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/goshawk-ai/goshawk/internal/fleet"
	"github.com/goshawk-ai/goshawk/internal/fleet/fleettest"
	"github.com/goshawk-ai/goshawk/internal/problem"
)

func ready(t *testing.T, f *fleet.Fleet) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := f.WaitReady(ctx); err != nil {
		t.Fatalf("the fleet is not ready: %v", err)
	}
}

func TestAModelServesUnderAllItsNames(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	v := s.put(tiny("cats", "one"), "default", "stable")
	f := s.start(fleet.Options{Default: "cats"})
	ready(t, f)
	for _, ref := range []string{"", "cats", "cats@default", "cats@stable", "cats@" + v.Digest, "cats@" + v.Digest[:19]} {
		m, release, err := f.Acquire(ref)
		if err != nil {
			t.Errorf("Acquire(%q) = %v", ref, err)
			continue
		}
		if m.Version.Digest != v.Digest || m.Classes != 3 {
			t.Errorf("Acquire(%q) gave %+v with %d classes", ref, m.Version, m.Classes)
		}
		release()
	}
	if _, _, err := f.Acquire("dogs"); !errors.Is(err, problem.ModelNotFound) {
		t.Errorf("Acquire(dogs) = %v, want model-not-found", err)
	}
}

func TestReadinessNamesTheModelThatFailed(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	s.put(fleettest.Package{Name: "broken", Labels: []string{"a", "b"}}, "default")
	good := s.put(tiny("good", "one"), "default")
	f := s.start(fleet.Options{Default: "broken"})
	err := f.WaitReady(t.Context())
	if !errors.Is(err, problem.ModelUnhealthy) || !strings.Contains(err.Error(), `"broken"`) || !strings.Contains(err.Error(), "2") {
		t.Errorf("WaitReady = %v; want it to name the model and say that the labels do not fit", err)
	}
	settled(t, "the good model beside it is served", func() bool { return stateOf(f, good) == fleet.Ready })
	for _, m := range f.Models() {
		if m.Name == "broken" && (m.State != fleet.Failed || m.Reason == "") {
			t.Errorf("the list shows %+v; want it failed, with the reason", m)
		}
	}
}

func TestRequiredModelsHoldReadinessBack(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	s.put(tiny("first", "one"), "default")
	needed := s.put(fleettest.Package{Name: "needed", Labels: []string{"a", "b"}}, "default")
	s.edit(func(v []fleet.Version) []fleet.Version { v[1].Required = true; return v })
	f := s.start(fleet.Options{Default: "first"})
	if err := f.WaitReady(t.Context()); err == nil || !strings.Contains(err.Error(), needed.Name) {
		t.Errorf("WaitReady = %v; want it to wait for the required model and name it", err)
	}
}

// TestAnUpdateMissesNoAnswer moves an alias to and fro while requests go on.
func TestAnUpdateMissesNoAnswer(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	one := s.put(tiny("cats", "one"), "default")
	f := s.start(fleet.Options{Default: "cats"})
	ready(t, f)
	ctx, stop := context.WithCancel(t.Context())
	var clients sync.WaitGroup
	for range 4 {
		clients.Go(func() {
			for ctx.Err() == nil {
				if err := answer(f, "cats"); err != nil {
					t.Errorf("a request during an update failed: %v", err)
					return
				}
			}
		})
	}
	two := s.put(tiny("cats", "two"), "default")
	serves := func(v fleet.Version) func() bool {
		return func() bool {
			m, release, err := f.Acquire("cats")
			if err != nil {
				t.Error(err)
				return true
			}
			defer release()
			return m.Version.Digest == v.Digest
		}
	}
	for _, v := range []fleet.Version{two, one, two} {
		s.edit(func(all []fleet.Version) []fleet.Version {
			for i := range all {
				all[i].Aliases = nil
				if all[i].Digest == v.Digest {
					all[i].Aliases = []string{"default"}
				}
			}
			return all
		})
		settled(t, "the alias has moved", serves(v))
	}
	stop()
	clients.Wait()
	settled(t, "the old version is unloaded", func() bool { return stateOf(f, one) == fleet.Sleeping })
}

// answer runs the model once.
func answer(f *fleet.Fleet, ref string) error {
	m, release, err := f.Acquire(ref)
	if err != nil {
		return err
	}
	defer release()
	slot, err := m.Slot()
	if err != nil {
		return err
	}
	defer m.Return(slot)
	return m.Infer(context.Background(), slot)
}

func TestAHeldModelOutlivesItsUpdate(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	one := s.put(tiny("cats", "one"), "default")
	unloaded := make(chan string, 2)
	f := s.start(fleet.Options{Default: "cats", Unloaded: func(v fleet.Version) { unloaded <- v.Digest }})
	ready(t, f)
	held, release, err := f.Acquire("cats")
	if err != nil {
		t.Fatal(err)
	}
	two := s.put(tiny("cats", "two"), "default")
	settled(t, "the new version serves", func() bool { return stateOf(f, two) == fleet.Ready })
	slot, err := held.Slot()
	if err != nil {
		t.Fatal(err)
	}
	if err := held.Infer(t.Context(), slot); err != nil {
		t.Errorf("a request that began before the update failed: %v", err)
	}
	held.Return(slot)
	select {
	case d := <-unloaded:
		t.Errorf("%s was unloaded while a request used it", d)
	default:
	}
	release()
	if got := <-unloaded; got != one.Digest {
		t.Errorf("%s was unloaded, want the old version %s", got, one.Digest)
	}
}

func TestAFailedUpdateLeavesTheOldVersionServing(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	one := s.put(tiny("cats", "one"), "default")
	f := s.start(fleet.Options{Default: "cats"})
	ready(t, f)
	bad := s.put(fleettest.Package{Name: "cats", Labels: []string{"a", "b"}}, "default")
	settled(t, "the update has failed", func() bool { return stateOf(f, bad) == fleet.Failed })
	m, release, err := f.Acquire("cats")
	if err != nil {
		t.Fatalf("Acquire = %v; the version that worked must go on", err)
	}
	defer release()
	if m.Version.Digest != one.Digest {
		t.Errorf("%s serves, want the old version %s", m.Version.Digest, one.Digest)
	}
}

func TestAVersionWithoutAliasSleepsUntilAskedFor(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	s.put(tiny("cats", "one"), "default")
	quiet := s.put(tiny("cats", "two"))
	f := s.start(fleet.Options{Default: "cats"})
	ready(t, f)
	settled(t, "it is listed", func() bool { return stateOf(f, quiet) == fleet.Sleeping })
	ref := "cats@" + quiet.Digest
	if _, _, err := f.Acquire(ref); !errors.Is(err, problem.ModelUnhealthy) || !strings.Contains(err.Error(), "is being loaded") {
		t.Errorf("Acquire = %v; want it to say that it is being loaded", err)
	}
	m, release, err := f.AcquireContext(t.Context(), ref)
	if err != nil {
		t.Fatalf("AcquireContext = %v; want it to wait until the version is awake", err)
	}
	defer release()
	if m.Version.Digest != quiet.Digest {
		t.Errorf("got %s, want %s", m.Version.Digest, quiet.Digest)
	}
}

func TestARemovedModelIsGone(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	s.put(tiny("cats", "one"), "default")
	s.put(tiny("dogs", "one"), "default")
	f := s.start(fleet.Options{Default: "cats"})
	ready(t, f)
	settled(t, "both serve", func() bool { return answer(f, "dogs") == nil })
	s.edit(func(v []fleet.Version) []fleet.Version { return v[:1] })
	settled(t, "dogs is not found any more", func() bool { return errors.Is(answer(f, "dogs"), problem.ModelNotFound) })
	if len(f.Models()) != 1 {
		t.Errorf("%d models are listed, want 1", len(f.Models()))
	}
}

func TestNothingServesAfterClose(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	s.put(tiny("cats", "one"), "default")
	f := s.start(fleet.Options{Default: "cats"})
	ready(t, f)
	f.Close()
	if err := answer(f, "cats"); !errors.Is(err, problem.ModelUnhealthy) {
		t.Errorf("Acquire after Close = %v, want model-unhealthy", err)
	}
	f.Close() // and a second one does nothing
}

func TestStatusAndMetricsTellTheSameStory(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	v := s.put(tiny("cats", "one"), "default")
	s.put(fleettest.Package{Name: "broken", Labels: []string{"a", "b"}}, "default")
	registry := prometheus.NewRegistry()
	f := s.start(fleet.Options{Default: "cats", Registerer: registry})
	ready(t, f)
	settled(t, "all were tried", func() bool {
		return stateOf(f, v) == fleet.Ready && len(f.Models()) == 2 && f.Models()[0].State == fleet.Failed
	})
	got := f.Models()[1]
	if !got.Default || got.Classes != 3 || got.Input == nil || got.Recipe.Width != 8 || got.Activation != "softmax" || got.Package.Manifest.License != "Apache-2.0" {
		t.Errorf("the status is %+v; want default, 3 classes, input, recipe and what the package says", got)
	}
	want := `
# HELP goshawk_model_ready 1 where the version is loaded and answered its probe; 0 while it is being loaded, sleeps or failed.
# TYPE goshawk_model_ready gauge
goshawk_model_ready{model="broken",state="failed",version="` + f.Models()[0].Digest[:19] + `"} 0
goshawk_model_ready{model="cats",state="ready",version="` + v.Digest[:19] + `"} 1
`
	if err := testutil.GatherAndCompare(registry, strings.NewReader(want), "goshawk_model_ready"); err != nil {
		t.Error(err)
	}
}
