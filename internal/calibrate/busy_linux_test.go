package calibrate

import (
	"context"
	"errors"
	"testing"
)

func TestBusyIsAPart(t *testing.T) {
	t.Parallel()
	if busy, err := Busy(t.Context()); err != nil || busy < 0 || busy > 1 {
		t.Errorf("Busy = %v, %v; want 0 to 1", busy, err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	gone := errors.New("gone")
	cancel(gone)
	if _, err := Busy(ctx); !errors.Is(err, gone) {
		t.Errorf("Busy for somebody who has gone = %v", err)
	}
}

func TestTheKernelsTimesAreRead(t *testing.T) {
	t.Parallel()
	got, err := readStat("cpu  100 20 30 400 50 6 7 8 90 10\ncpu0 1 2 3 4\n")
	if err != nil || got != (spent{idle: 450, all: 621}) {
		t.Errorf("readStat = %+v, %v; want 450 of 621: guests are in user already", got, err)
	}
	for _, bad := range []string{"", "cpu", "intr 1 2 3 4 5", "cpu 1 2 x 4 5"} {
		if _, err := readStat(bad); err == nil {
			t.Errorf("readStat(%q) finds no fault", bad)
		}
	}
}
