package schedule_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/goshawk-ai/goshawk/internal/schedule"
)

// soon gives what a call gave, and fails where it does not return: the run that it
// waits for is held until the test lets it go.
func soon(t *testing.T, what string, result <-chan error) error {
	t.Helper()
	select {
	case err := <-result:
		return err
	case <-time.After(20 * time.Second):
		t.Fatalf("%s did not return while the run went on: its own time was over, and it waits for the others'", what)
		return nil
	}
}

// join sends a row off, and waits until it is in the queue.
func join(ctx context.Context, s *schedule.Scheduler, r *rower, place int) <-chan error {
	result := make(chan error, 1)
	go func() { _, err := s.Join(ctx, rows, r); result <- err }()
	queued(s, place)
	return result
}

func TestWhoLeavesASharedRunHearsSoAtOnceAndItGoesOn(t *testing.T) {
	for name, leads := range map[string]bool{"the one who leads": true, "one who goes along": false} {
		t.Run(name, func(t *testing.T) {
			s := schedule.New(schedule.Options{Lanes: 1})
			s.Configure("m", schedule.Policy{MaxBatch: 4})
			release := hold(t, s)
			late := errors.New("its time is over")
			ctx, leave := context.WithCancelCause(t.Context())
			began, finish := make(chan struct{}), make(chan struct{})
			run := func(ctx context.Context) error {
				close(began)
				<-finish
				return context.Cause(ctx)
			}
			leaver, stayer := &rower{number: 1, run: run}, &rower{number: 2, run: run}
			var left, stayed <-chan error
			if leads {
				left = join(ctx, s, leaver, 1)
				stayed = join(t.Context(), s, stayer, 2)
			} else {
				stayed = join(t.Context(), s, stayer, 1)
				left = join(ctx, s, leaver, 2)
			}
			release()
			<-began
			leave(late)
			if err := soon(t, name, left); !errors.Is(err, late) {
				t.Errorf("it got %v, want the cause with which its context ended", err)
			}
			if !leaver.left {
				t.Error("its work was not told that the caller goes, and may write into memory that is another's by now")
			}
			close(finish)
			if err := <-stayed; err != nil || stayer.result != 20 {
				t.Errorf("who stayed got %d, %v", stayer.result, err)
			}
			if _, err := s.Join(t.Context(), rows, &rower{}); err != nil {
				t.Errorf("the next request: %v; the lane must be free again", err)
			}
			s.Close()
		})
	}
}

func TestAllWhoShareARunMayLeaveAndCloseWaitsForIt(t *testing.T) {
	s := schedule.New(schedule.Options{Lanes: 1})
	s.Configure("m", schedule.Policy{MaxBatch: 4})
	release := hold(t, s)
	ctx, leave := context.WithCancel(t.Context())
	began, finish := make(chan struct{}), make(chan struct{})
	over := false
	run := func(ctx context.Context) error {
		close(began)
		<-finish
		over = true
		return context.Cause(ctx)
	}
	one := join(ctx, s, &rower{run: run}, 1)
	two := join(ctx, s, &rower{run: run}, 2)
	release()
	<-began
	leave()
	for _, result := range []<-chan error{one, two} {
		if err := soon(t, "a request", result); !errors.Is(err, context.Canceled) {
			t.Errorf("err = %v, want the cause", err)
		}
	}
	go close(finish)
	s.Close()
	if !over {
		t.Error("Close returned while a run held its lane: what it computes on would be unloaded beneath it")
	}
}

func TestOnlyRowsOfOneSessionShareARun(t *testing.T) {
	s := schedule.New(schedule.Options{Lanes: 1})
	defer s.Close()
	s.Configure("m", schedule.Policy{MaxBatch: 4})
	release := hold(t, s)
	results := make(chan error, 4)
	list := make([]rower, 4)
	for i := range list {
		r := rows
		r.Session = i / 3
		go func() { _, err := s.Join(t.Context(), r, &list[i]); results <- err }()
		queued(s, i+1)
	}
	release()
	for range list {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
	if list[0].company != 3 || list[3].company != 1 {
		t.Errorf("three rows of one session and one of another ran in company of %d and %d: who holds one loaded does not hold the other", list[0].company, list[3].company)
	}
}
