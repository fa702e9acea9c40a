package fleet_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/goshawk-ai/goshawk/internal/fleet"
	"github.com/goshawk-ai/goshawk/internal/fleet/fleettest"
	"github.com/goshawk-ai/goshawk/internal/infer/backendtest/onnxgen"
	"github.com/goshawk-ai/goshawk/internal/problem"
)

func TestNumbersNameVersions(t *testing.T) {
	s := newShelf(t)
	old := s.put(fleettest.Package{Name: "pets"}, "default")
	s.put(fleettest.Package{Name: "pets", Model: onnxgen.Classifier(1, 8, 3).Bytes()}, "default")
	f := s.start(fleet.Options{Default: "pets"})
	m, release, err := f.AcquireContext(t.Context(), "pets/1")
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	if m.Version.Digest != old.Digest {
		t.Errorf("pets/1 is %s, want the first version that was added, %s", m.Version.Digest, old.Digest)
	}
	for _, ref := range []string{"pets/3", "pets/0", "pets/x", "pets/"} {
		if _, _, err := f.Acquire(ref); !errors.Is(err, problem.ModelNotFound) {
			t.Errorf("%s: %v, want model-not-found", ref, err)
		}
	}
}

func TestUnloadedStaysSoUntilLoaded(t *testing.T) {
	s := newShelf(t)
	s.put(fleettest.Package{Name: "pets"}, "default")
	s.put(fleettest.Package{Name: "birds"}, "default")
	f := s.start(fleet.Options{Default: "pets"})
	if _, release, err := f.AcquireContext(t.Context(), "birds"); err != nil {
		t.Fatal(err)
	} else {
		release()
	}
	if err := f.Unload(t.Context(), "birds"); err != nil {
		t.Fatal(err)
	}
	s.edit(func(v []fleet.Version) []fleet.Version { return v }) // the source tells of a change
	if _, _, err := f.AcquireContext(t.Context(), "birds"); !errors.Is(err, problem.ModelUnhealthy) || !strings.Contains(err.Error(), "unloaded") {
		t.Errorf("a request for an unloaded model: %v, want model-unhealthy that says so", err)
	}
	if _, release, err := f.Acquire("pets"); err != nil {
		t.Errorf("the other model: %v, want it to go on", err)
	} else {
		release()
	}
	if err := f.Load(t.Context(), "birds"); err != nil {
		t.Fatal(err)
	}
	if _, release, err := f.Acquire("birds"); err != nil {
		t.Errorf("after Load: %v, want it ready at once", err)
	} else {
		release()
	}
	for _, do := range []func(context.Context, string) error{f.Load, f.Unload} {
		if err := do(t.Context(), "fish"); !errors.Is(err, problem.ModelNotFound) {
			t.Errorf("a model that is not here: %v, want model-not-found", err)
		}
	}
}

// TestUnloadWaitsForRequests: the memory is given back when Unload returns.
func TestUnloadWaitsForRequests(t *testing.T) {
	s := newShelf(t)
	s.put(fleettest.Package{Name: "pets"}, "default")
	f := s.start(fleet.Options{})
	_, release, err := f.AcquireContext(t.Context(), "pets")
	if err != nil {
		t.Fatal(err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if err := f.Unload(gone, "pets"); !errors.Is(err, context.Canceled) {
		t.Errorf("Unload with a request under way ended with %v, want it to wait as long as its caller does", err)
	}
	release()
	if err := f.Unload(t.Context(), "pets"); err != nil {
		t.Errorf("Unload again: %v, want nil", err)
	}
}

func TestLoadTriesOnceMoreAndSaysWhy(t *testing.T) {
	s := newShelf(t)
	s.put(fleettest.Package{Name: "pets", Labels: []string{"a", "b"}}, "default")
	f := s.start(fleet.Options{})
	for range 2 {
		if err := f.Load(t.Context(), "pets"); !errors.Is(err, problem.ModelInvalid) || !strings.Contains(err.Error(), "labels") {
			t.Errorf("Load of a broken model: %v, want the reason", err)
		}
	}
}

func TestExplicitLoadsWhatIsAskedFor(t *testing.T) {
	s := newShelf(t)
	s.put(fleettest.Package{Name: "pets"}, "default")
	s.put(fleettest.Package{Name: "birds"}, "default")
	f := s.start(fleet.Options{Default: "pets", Explicit: true})
	if err := f.WaitReady(t.Context()); err != nil {
		t.Fatal(err)
	}
	if st, err := f.Status("birds"); err != nil || st.State != fleet.Unloaded {
		t.Errorf("birds is %s, %v; want it unloaded: nobody asked for it", st.State, err)
	}
	if err := f.Load(t.Context(), "birds"); err != nil {
		t.Error(err)
	}
}

// TestExplicitLoadsARequiredNameOfSeveralVersions, of which the oldest is not
// what the name means.
func TestExplicitLoadsARequiredNameOfSeveralVersions(t *testing.T) {
	s := newShelf(t)
	s.put(tiny("pets", "old"), "default")
	fresh := s.put(tiny("pets", "new"), "default")
	s.edit(func(v []fleet.Version) []fleet.Version { v[1].Required = true; return v })
	f := s.start(fleet.Options{Explicit: true})
	ready(t, f)
	if got := stateOf(f, fresh); got != fleet.Ready {
		t.Errorf("the required version is %s when the server is ready", got)
	}
}
