package fleet_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/goshawk-ai/goshawk/internal/fleet"
	"github.com/goshawk-ai/goshawk/internal/problem"
)

// served is the digest of what answers for a reference now.
func served(f *fleet.Fleet, ref string) string {
	m, release, err := f.Acquire(ref)
	if err != nil {
		return err.Error()
	}
	defer release()
	return m.Version.Digest
}

// TestWhatTheSourceRefusesTakesNobodysPlace: a version that its source cannot
// open is listed with the reason, and who served before goes on.
func TestWhatTheSourceRefusesTakesNobodysPlace(t *testing.T) {
	s := newShelf(t)
	first := s.put(tiny("pets", "first"), "default")
	good := s.put(tiny("pets", "good"), "default")
	s.edit(func(v []fleet.Version) []fleet.Version { v[0].Eager = true; return v })
	f := s.start(fleet.Options{Default: "pets"})
	if err := f.Load(t.Context(), "pets"); err != nil {
		t.Fatal(err)
	}
	s.edit(func([]fleet.Version) []fleet.Version {
		return []fleet.Version{
			{Name: "pets", Aliases: []string{"default"}, Refused: problem.ModelInvalid.New("its file is text")},
			{Name: "birds", Number: 2, Refused: problem.ModelInvalid.New("its version 2 is missing")},
		}
	})
	settled(t, "both are listed as failed", func() bool {
		failed := 0
		for _, m := range f.Models() {
			if m.State == fleet.Failed && strings.HasPrefix(m.Reason, "its ") {
				failed++
			}
		}
		return failed == 2
	})
	for ref, want := range map[string]fleet.Version{"pets": good, "pets/1": first, "pets/2": good} {
		if got := served(f, ref); got != want.Digest {
			t.Errorf("%s is answered by %s, want the version that served before: %s", ref, got, want.Digest)
		}
	}
	if err := f.Ready(); err != nil {
		t.Errorf("readiness says %v; what must serve does", err)
	}
	if err := f.Load(t.Context(), "pets"); !errors.Is(err, problem.ModelInvalid) || !strings.Contains(err.Error(), "its file is text") {
		t.Errorf("Load: %v, want the reason: what is asked for does not answer", err)
	}
	if _, _, err := f.Acquire("birds/2"); !errors.Is(err, problem.ModelUnhealthy) || !strings.Contains(err.Error(), "missing") {
		t.Errorf("a request for a refused version: %v, want the reason", err)
	}
	if err := f.Unload(t.Context(), "pets"); err != nil {
		t.Fatal(err)
	}
	for _, ref := range []string{"pets", "pets/1"} {
		if got := served(f, ref); strings.HasPrefix(got, "sha256:") {
			t.Errorf("%s after Unload: %s, want nobody to answer", ref, got)
		}
	}
	s.edit(func([]fleet.Version) []fleet.Version { return nil })
	settled(t, "nothing is left", func() bool { return len(f.Models()) == 0 })
}

// TestWhoAnswersUnderANameDoesSoUnderItsNumber: the list of versions has it, and
// its source has not any more.
func TestWhoAnswersUnderANameDoesSoUnderItsNumber(t *testing.T) {
	s := newShelf(t)
	old := s.put(tiny("pets", "old"), "default")
	f := s.start(fleet.Options{Default: "pets"})
	ready(t, f)
	s.edit(func([]fleet.Version) []fleet.Version {
		return []fleet.Version{{Name: "pets", Number: 2, Aliases: []string{"default"}, Refused: problem.ModelInvalid.New("its file is text")}}
	})
	settled(t, "the new version is listed as failed", func() bool { return len(f.Models()) == 2 })
	for _, ref := range []string{"pets", "pets/1"} {
		if got := served(f, ref); got != old.Digest {
			t.Errorf("%s is answered by %s, want the version that served before: %s", ref, got, old.Digest)
		}
	}
	if got := served(f, "pets/2"); !strings.Contains(got, "its file is text") {
		t.Errorf("pets/2 is answered by %s, want the reason for which it is not served", got)
	}
}

// TestReplacedFilesOfANumberTakeOverWhenTheyAnswer: a number's files may be
// replaced in place; it is answered all the while.
func TestReplacedFilesOfANumberTakeOverWhenTheyAnswer(t *testing.T) {
	s := newShelf(t)
	old := s.put(tiny("pets", "old"), "default")
	f := s.start(fleet.Options{Default: "pets"})
	if err := f.WaitReady(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.put(tiny("pets", "new"), "default")
	var fresh fleet.Version
	s.edit(func(v []fleet.Version) []fleet.Version {
		v[1].Number = 1
		fresh = v[1]
		return v[1:]
	})
	settled(t, "the new files answer", func() bool {
		for _, ref := range []string{"pets", "pets/1"} {
			if got := served(f, ref); got != old.Digest && got != fresh.Digest {
				t.Fatalf("%s: %s; want an answer all the while", ref, got)
			}
		}
		return served(f, "pets/1") == fresh.Digest && served(f, "pets") == fresh.Digest
	})
	settled(t, "the old files are let go", func() bool { return len(f.Models()) == 1 })
}

func TestAnEagerVersionIsLoadedWithoutAnAlias(t *testing.T) {
	s := newShelf(t)
	first := s.put(tiny("pets", "first"), "default")
	s.put(tiny("pets", "second"), "default")
	s.edit(func(v []fleet.Version) []fleet.Version {
		v[0].Eager = true
		return v
	})
	f := s.start(fleet.Options{Default: "pets"})
	if err := f.Load(t.Context(), "pets"); err != nil {
		t.Fatal(err)
	}
	if got := stateOf(f, first); got != fleet.Ready {
		t.Errorf("after Load the first version is %s, want it ready without a request", got)
	}
}

// TestAModelThatLeavesIsStillFoundByWhoUsesIt: a request chooses its version and
// then asks for it by its digest. Between the two the version may have gone.
func TestAModelThatLeavesIsStillFoundByWhoUsesIt(t *testing.T) {
	s := newShelf(t)
	old := s.put(tiny("pets", "old"), "default")
	f := s.start(fleet.Options{Default: "pets"})
	m, release, err := f.AcquireContext(t.Context(), "pets")
	if err != nil {
		t.Fatal(err)
	}
	fresh := s.put(tiny("pets", "new"), "default")
	settled(t, "the new version answers", func() bool { return served(f, "pets") == fresh.Digest })
	if got := served(f, "pets@"+old.Digest); got != old.Digest {
		t.Errorf("the version under way is not found: %s", got)
	}
	s.edit(func(v []fleet.Version) []fleet.Version { return v[1:] })
	settled(t, "the old version is gone from the list", func() bool { return len(f.Models()) == 1 })
	again, releaseAgain, err := f.Acquire("pets@" + old.Digest)
	if err != nil || again != m {
		t.Fatalf("the version under way: %p, %v; want the model that is in use, not another load of it", again, err)
	}
	release()
	releaseAgain()
	settled(t, "nobody finds it any more", func() bool { return strings.Contains(served(f, "pets@"+old.Digest), "no model") })
}
