package fleet_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/goshawk-ai/goshawk/internal/fleet"
	"github.com/goshawk-ai/goshawk/internal/fleet/fleettest"
	"github.com/goshawk-ai/goshawk/internal/problem"
)

func TestAModelThatOverrunsAgainAndAgainIsMarkedUntilItIsLoadedAgain(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	v := s.put(fleettest.Package{Name: "tiny"}, fleet.DefaultAlias)
	f := s.start(fleet.Options{Default: "tiny"})
	m, release, err := f.AcquireContext(t.Context(), "tiny")
	if err != nil {
		t.Fatal(err)
	}
	const long = time.Hour
	for range 2 {
		m.Overran(long, 1)
	}
	m.Answered(time.Millisecond, 1)
	for range 2 {
		m.Overran(long, 1)
	}
	if m.Marked() != nil || m.Ill() != nil {
		t.Error("two overruns in a row, and two more after an answer, mark the model; want three in a row")
	}
	m.Overran(long, 1)
	// At once, for those who have the model already.
	if !errors.Is(m.Marked(), problem.ModelUnhealthy) || !errors.Is(m.Ill(), problem.ModelUnhealthy) {
		t.Errorf("after three overruns in a row: %v, want model-unhealthy", m.Marked())
	}
	release()
	settled(t, "the version is listed as failed", func() bool { return stateOf(f, v) == fleet.Failed })
	if _, _, err := f.AcquireContext(t.Context(), "tiny"); !errors.Is(err, problem.ModelUnhealthy) || !strings.Contains(err.Error(), "did not end 3 times in a row") {
		t.Errorf("a request gets %v, want the reason", err)
	}
	if err := f.Ready(); !errors.Is(err, problem.ModelUnhealthy) {
		t.Errorf("readiness says %v, though the default model does not answer", err)
	}
	if err := f.Load(t.Context(), "tiny"); err != nil {
		t.Fatalf("loaded again: %v", err)
	}
	if _, release, err := f.AcquireContext(t.Context(), "tiny"); err != nil {
		t.Errorf("after it was loaded again: %v", err)
	} else {
		release()
	}
}

func TestImpatientCallersMarkNobody(t *testing.T) {
	t.Parallel()
	m := serving(t, fleettest.Package{Name: "tiny"})
	m.Answered(time.Second, 1)
	for range 10 {
		m.Overran(100*time.Millisecond, 1) // less than any run must have taken
		m.Overran(2*time.Second, 1)        // an answer has taken half as long
	}
	if err := m.Marked(); err != nil {
		t.Errorf("callers who waited 0.1 s, or for twice what an answer takes, had the model marked: %v", err)
	}
}

// TestLargeRequestsOfImpatientCallersMarkNobody: whoever sends sixty times as much
// as anybody before, and leaves, has shown nothing but that it takes longer.
func TestLargeRequestsOfImpatientCallersMarkNobody(t *testing.T) {
	t.Parallel()
	m := serving(t, fleettest.Package{Name: "tiny"})
	size := int64(m.Binding.Recipe.RowBytes())
	m.Answered(100*time.Millisecond, size)
	for range 10 {
		m.Overran(20*time.Second, 60*size)
	}
	if err := m.Marked(); err != nil {
		t.Errorf("callers of sixty rows, where one takes 0.1 s, had the model marked: %v", err)
	}
	m.Answered(6*time.Second, 60*size)
	for range fleet.Overruns {
		m.Overran(30*time.Second, 60*size)
	}
	if m.Marked() == nil {
		t.Error("runs on as much as was answered before, five times as long, do not mark the model")
	}
}

func TestTheNumberOfOverrunsIsTheOperators(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	s.put(fleettest.Package{Name: "tiny"}, fleet.DefaultAlias)
	told := make(chan string, 1)
	f := s.start(fleet.Options{Default: "tiny", Overruns: 1, Loaded: func(m *fleet.Model) { told <- m.Version.Name }})
	m, release, err := f.AcquireContext(context.Background(), "tiny")
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	if got := <-told; got != "tiny" {
		t.Errorf("told that %q is loaded", got)
	}
	m.Overran(time.Hour, 1)
	if m.Marked() == nil {
		t.Error("one overrun does not mark the model, as the operator asked")
	}
}
