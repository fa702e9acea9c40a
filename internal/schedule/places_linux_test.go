package schedule

import (
	"context"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"
)

// TestLanesStayOnACoreEachWhileItIsCrowded, and their threads go anywhere before
// and after. With a core more than lanes nobody has to stay.
func TestLanesStayOnACoreEachWhileItIsCrowded(t *testing.T) {
	var all unix.CPUSet
	if err := unix.SchedGetaffinity(0, &all); err != nil {
		t.Fatal(err)
	}
	var crowded atomic.Bool
	s := New(Options{Lanes: all.Count(), Crowded: crowded.Load})
	defer s.Close()
	allowed := func() unix.CPUSet { return allowedBy(t, s) }
	if got := allowed(); got != all {
		t.Errorf("without a crowd a lane is held to %d of %d cores", got.Count(), all.Count())
	}
	crowded.Store(true)
	if got := allowed(); got.Count() != 1 {
		t.Errorf("in a crowd a lane may be on %d cores, want 1", got.Count())
	}
	if all.Count() > 1 {
		few := New(Options{Lanes: all.Count() - 1, Crowded: crowded.Load})
		defer few.Close()
		if got := allowedBy(t, few); got != all {
			t.Errorf("with a core more than lanes, one is held to %d of %d cores", got.Count(), all.Count())
		}
	}
	_, err := s.Do(t.Context(), Request{Key: Key{Model: "m"}, Rows: 1}, func(context.Context, int) error { panic("over") })
	if err == nil {
		t.Error("a panic is no error")
	}
	crowded.Store(false)
	for range 20 { // whichever threads they are
		if got := allowed(); got != all {
			t.Fatalf("after the crowd a lane is still held to %d of %d cores", got.Count(), all.Count())
		}
	}
}

// allowedBy are the cores on which a lane's work may be.
func allowedBy(t *testing.T, s *Scheduler) (set unix.CPUSet) {
	t.Helper()
	_, err := s.Do(t.Context(), Request{Key: Key{Model: "m"}, Rows: 1}, func(context.Context, int) error {
		return unix.SchedGetaffinity(0, &set)
	})
	if err != nil {
		t.Fatal(err)
	}
	return set
}
