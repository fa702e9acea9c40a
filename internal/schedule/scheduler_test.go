package schedule_test

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/goshawk-ai/goshawk/internal/problem"
	"github.com/goshawk-ai/goshawk/internal/schedule"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// hold occupies every lane until the returned function is called.
func hold(t *testing.T, s *schedule.Scheduler) (release func()) {
	t.Helper()
	var began, done sync.WaitGroup
	stop := make(chan struct{})
	began.Add(s.Lanes())
	for range s.Lanes() {
		done.Go(func() {
			_, err := s.Do(context.Background(), schedule.Request{Key: schedule.Key{Model: "hold"}}, func(context.Context, int) error {
				began.Done()
				<-stop
				return nil
			})
			if err != nil {
				t.Errorf("hold: %v", err)
			}
		})
	}
	began.Wait()
	return func() { close(stop); done.Wait() }
}

func TestNoMoreThanTheLanesAtATimeAndNoLaneTwice(t *testing.T) {
	s := schedule.New(schedule.Options{Lanes: 3})
	defer s.Close()
	var busy [3]atomic.Int32
	var ran atomic.Int32
	var all sync.WaitGroup
	for range 200 {
		all.Go(func() {
			_, err := s.Do(context.Background(), schedule.Request{}, func(_ context.Context, lane int) error {
				if busy[lane].Add(1) != 1 {
					t.Errorf("lane %d has two requests at a time: its buffers would be mixed", lane)
				}
				ran.Add(1)
				busy[lane].Add(-1)
				return nil
			})
			if err != nil {
				t.Errorf("Do: %v", err)
			}
		})
	}
	all.Wait()
	if ran.Load() != 200 {
		t.Fatalf("%d of 200 requests ran", ran.Load())
	}
}

func TestACallerWhoHungUpCostsNothing(t *testing.T) {
	s := schedule.New(schedule.Options{Lanes: 1})
	defer s.Close()
	release := hold(t, s)
	gone := errors.New("client gone")
	ctx, cancel := context.WithCancelCause(context.Background())
	result := make(chan error, 1)
	go func() {
		_, err := s.Do(ctx, schedule.Request{}, func(context.Context, int) error {
			t.Error("the work of a caller who hung up was done all the same")
			return nil
		})
		result <- err
	}()
	for s.Queued() == 0 {
		select {
		case err := <-result:
			t.Fatalf("Do ended before it was queued: %v", err)
		default:
		}
	}
	cancel(gone)
	if err := <-result; !errors.Is(err, gone) {
		t.Fatalf("err = %v, want the cause", err)
	}
	release()
	if n := s.Queued(); n != 0 {
		t.Fatalf("%d requests are left in the queue", n)
	}
}

func TestMoreThanCanBeDoneInTimeIsRefusedAtOnce(t *testing.T) {
	s := schedule.New(schedule.Options{Lanes: 1, MaxWait: time.Millisecond})
	defer s.Close()
	release := hold(t, s) // an unmeasured key counts 10 ms
	_, err := s.Do(context.Background(), schedule.Request{}, func(context.Context, int) error { return nil })
	p := problem.Of(err)
	if p.Kind != problem.Overloaded || p.Extensions["retry_after_seconds"] != 1 {
		t.Fatalf("err = %v, want overloaded with retry_after_seconds", err)
	}
	release()
	if _, err := s.Do(context.Background(), schedule.Request{}, func(context.Context, int) error { return nil }); err != nil {
		t.Fatalf("an idle scheduler refused: %v", err)
	}
}

func TestTheOldestIsTurnedAwayUnderOverload(t *testing.T) {
	s := schedule.New(schedule.Options{Lanes: 1, MaxWait: time.Millisecond, Fair: time.Nanosecond})
	defer s.Close()
	var began sync.WaitGroup
	began.Add(1)
	stop := make(chan struct{})
	results := make(chan error, 3)
	do := func(key string, work schedule.Work) {
		_, err := s.Do(context.Background(), schedule.Request{Key: schedule.Key{Model: key}}, work)
		results <- err
	}
	teach := func(context.Context, int) error { return nil }
	if _, err := s.Do(context.Background(), schedule.Request{Key: schedule.Key{Model: "quick"}}, teach); err != nil {
		t.Fatal(err)
	}
	go do("quick", func(context.Context, int) error { began.Done(); <-stop; return nil })
	began.Wait()
	go do("slow", func(context.Context, int) error { // unmeasured: counts 10 ms, so the queue is full with it
		t.Error("the oldest was served although it waited in vain")
		return nil
	})
	// Until it waits, or was turned away already: a millisecond is soon over.
	for s.Queued() == 0 && len(results) == 0 {
		runtime.Gosched()
	}
	go do("quick", teach)
	if err := <-results; !errors.Is(err, problem.Overloaded) {
		t.Fatalf("the first to end did so with %v, want the oldest turned away", err)
	}
	close(stop)
	for range 2 { // the newest may have become stale meanwhile: the bound is a millisecond
		if err := <-results; err != nil && !errors.Is(err, problem.Overloaded) {
			t.Fatalf("the running or the newest failed: %v", err)
		}
	}
}

func TestNobodyWaitsBehindHeldLanesForLongerThanTheBound(t *testing.T) {
	s := schedule.New(schedule.Options{Lanes: 2, MaxWait: 20 * time.Millisecond})
	defer s.Close()
	release := hold(t, s)
	defer release()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	// No lane ends anything, so nobody but the ticket itself can notice the time.
	_, err := s.Do(ctx, schedule.Request{}, func(context.Context, int) error { return nil })
	if !errors.Is(err, problem.Overloaded) {
		t.Fatalf("behind lanes that a model holds: %v, want overloaded after the longest wait and not the lanes' end", err)
	}
	if n := s.Queued(); n != 0 {
		t.Errorf("%d are queued after it was turned away", n)
	}
}

func TestAPanicEndsTheRequestAndNotTheLane(t *testing.T) {
	s := schedule.New(schedule.Options{Lanes: 1})
	defer s.Close()
	_, err := s.Do(context.Background(), schedule.Request{}, func(context.Context, int) error { panic("boom") })
	if !errors.Is(err, problem.Internal) {
		t.Fatalf("err = %v, want internal", err)
	}
	if _, err := s.Do(context.Background(), schedule.Request{}, func(context.Context, int) error { return nil }); err != nil {
		t.Fatalf("the lane is gone: %v", err)
	}
}

func TestCloseFinishesWhatIsQueued(t *testing.T) {
	s := schedule.New(schedule.Options{Lanes: 1})
	release := hold(t, s)
	result := make(chan error, 1)
	go func() {
		_, err := s.Do(context.Background(), schedule.Request{}, func(context.Context, int) error { return nil })
		result <- err
	}()
	for s.Queued() == 0 {
		runtime.Gosched()
	}
	closed := make(chan struct{})
	go func() { s.Close(); close(closed) }()
	release()
	if err := <-result; err != nil {
		t.Fatalf("queued work failed at shutdown: %v", err)
	}
	<-closed
	if _, err := s.Do(context.Background(), schedule.Request{}, nil); !errors.Is(err, schedule.ErrClosed) {
		t.Fatalf("err = %v, want ErrClosed", err)
	}
}

func TestBudgetWaitsRefusesAndGivesBack(t *testing.T) {
	b := schedule.NewBudget(100)
	ctx := context.Background()
	if err := b.Acquire(ctx, 101); !errors.Is(err, problem.PictureTooLarge) {
		t.Fatalf("err = %v: what can never fit must be refused at once", err)
	}
	if err := b.Acquire(ctx, 80); err != nil {
		t.Fatal(err)
	}
	gone := errors.New("client gone")
	impatient, cancel := context.WithCancelCause(ctx)
	cancel(gone)
	if err := b.Acquire(impatient, 30); !errors.Is(err, gone) {
		t.Fatalf("err = %v, want the caller's cause", err)
	}
	b.Release(80)
	if err := b.Acquire(ctx, 100); err != nil || b.Used() != 100 {
		t.Fatalf("err = %v, used %d; want all 100 free again", err, b.Used())
	}
	b.Release(100)
}

func BenchmarkDo(b *testing.B) {
	s := schedule.New(schedule.Options{Lanes: 2})
	defer s.Close()
	ctx := context.Background()
	b.ReportAllocs()
	for b.Loop() {
		_, _ = s.Do(ctx, schedule.Request{}, func(context.Context, int) error { return nil })
	}
}
