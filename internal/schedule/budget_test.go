package schedule_test

import (
	"testing"

	"github.com/goshawk-ai/goshawk/internal/schedule"
)

func TestTryAcquireNeverWaits(t *testing.T) {
	b := schedule.NewBudget(10)
	if !b.TryAcquire(7) || b.Used() != 7 {
		t.Errorf("7 of 10 were not given: %d are used", b.Used())
	}
	if b.TryAcquire(4) || b.Used() != 7 {
		t.Errorf("4 of the last 3 were given: %d are used", b.Used())
	}
	b.Release(7)
	if !b.TryAcquire(10) {
		t.Error("what was given back is not there")
	}
}
