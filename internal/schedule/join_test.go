package schedule_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/goshawk-ai/goshawk/internal/problem"
	"github.com/goshawk-ai/goshawk/internal/schedule"
)

// rower is a row of a run; its run gives it ten times its number.
type rower struct {
	number, result int
	company        int // in its run, itself included
	run            func(ctx context.Context) error
	left           bool
}

func (r *rower) Leave() { r.left = true }

func (r *rower) Together(ctx context.Context, _ int, others []schedule.Joint) error {
	all := append([]schedule.Joint{r}, others...)
	for _, o := range all {
		o := o.(*rower)
		o.result, o.company = 10*o.number, len(all)
	}
	if r.run != nil {
		return r.run(ctx)
	}
	return nil
}

var rows = schedule.Request{Key: schedule.Key{Model: "m"}, Form: "row"}

// queued waits until so many requests are in the queue.
func queued(s *schedule.Scheduler, n int) {
	for s.Queued() < n {
		runtime.Gosched()
	}
}

func TestThoseWhoWaitShareRuns(t *testing.T) {
	s := schedule.New(schedule.Options{Lanes: 1})
	defer s.Close()
	s.Configure("m", schedule.Policy{Name: "pets", MaxBatch: 4})
	release := hold(t, s)
	var all sync.WaitGroup
	list := make([]rower, 9)
	for i := range list {
		list[i].number = i
		all.Go(func() {
			if _, err := s.Join(t.Context(), rows, &list[i]); err != nil {
				t.Errorf("row %d: %v", i, err)
			}
		})
	}
	queued(s, len(list))
	release()
	all.Wait()
	company := map[int]int{}
	for i, r := range list {
		company[r.company]++
		if r.result != 10*i {
			t.Errorf("row %d got the answer %d, which is another's", i, r.result)
		}
	}
	if company[4] != 8 || company[1] != 1 {
		t.Errorf("9 rows that waited ran in runs of %v; want 4, 4 and 1", company)
	}
	for _, l := range s.Loads() {
		if l.Model == "pets" && (l.Runs != 3 || l.Rows != 9) {
			t.Errorf("%d rows in %d runs are counted, want 9 in 3", l.Rows, l.Runs)
		}
	}
}

func TestALoneRequestWaitsForCompanyOnlyAsLongAsIsSaid(t *testing.T) {
	s := schedule.New(schedule.Options{Lanes: 1})
	defer s.Close()
	s.Configure("m", schedule.Policy{MaxBatch: 4, MaxDelay: time.Millisecond})
	var r rower
	if wait, err := s.Join(t.Context(), rows, &r); err != nil || r.company != 1 || wait < time.Millisecond {
		t.Errorf("alone: %v after %v, in company of %d; want it run by itself after a millisecond", err, wait, r.company)
	}
}

func TestWhoHangsUpInABatchCostsTheOthersNothing(t *testing.T) {
	s := schedule.New(schedule.Options{Lanes: 1})
	defer s.Close()
	s.Configure("m", schedule.Policy{MaxBatch: 4})
	release := hold(t, s)
	gone := errors.New("client gone")
	leaving, leave := context.WithCancelCause(t.Context())
	began := make(chan struct{})
	results := make(chan error, 2)
	// Whoever leads, the run goes on after one of two has left.
	run := func(ctx context.Context) error {
		close(began)
		<-leaving.Done()
		return context.Cause(ctx)
	}
	leaver := &rower{run: run}
	go func() { _, err := s.Join(leaving, rows, leaver); results <- err }()
	queued(s, 1)
	stayer := &rower{number: 1}
	stayed := make(chan error, 1)
	go func() { _, err := s.Join(t.Context(), rows, stayer); stayed <- err }()
	queued(s, 2)
	release()
	<-began
	leave(gone)
	if err := <-stayed; err != nil || stayer.result != 10 {
		t.Errorf("who stayed got %d, %v: another's leaving ended its run", stayer.result, err)
	}
	if err := <-results; err != nil && !errors.Is(err, gone) {
		t.Errorf("who left got %v", err)
	}
}

func TestARunEndsWhenNobodyWaitsForIt(t *testing.T) {
	s := schedule.New(schedule.Options{Lanes: 1})
	defer s.Close()
	s.Configure("m", schedule.Policy{MaxBatch: 4})
	release := hold(t, s)
	gone := errors.New("client gone")
	ctx, leave := context.WithCancelCause(t.Context())
	began := make(chan struct{})
	results := make(chan error, 2)
	for i := range 2 {
		r := &rower{run: func(ctx context.Context) error {
			close(began)
			<-ctx.Done()
			return context.Cause(ctx)
		}}
		go func() { _, err := s.Join(ctx, rows, r); results <- err }()
		queued(s, i+1)
	}
	release()
	<-began
	leave(gone)
	for range 2 {
		if err := <-results; !errors.Is(err, gone) {
			t.Errorf("err = %v, want the cause: an endless run must not outlive all its callers", err)
		}
	}
}

func TestAPanicEndsTheWholeRunAndNotTheLane(t *testing.T) {
	s := schedule.New(schedule.Options{Lanes: 1})
	defer s.Close()
	s.Configure("m", schedule.Policy{MaxBatch: 4})
	release := hold(t, s)
	results := make(chan error, 2)
	for i := range 2 {
		go func() {
			_, err := s.Join(t.Context(), rows, &rower{run: func(context.Context) error { panic("boom") }})
			results <- err
		}()
		queued(s, i+1)
	}
	release()
	for range 2 {
		if err := <-results; !errors.Is(err, problem.Internal) {
			t.Errorf("err = %v, want internal", err)
		}
	}
	if _, err := s.Join(t.Context(), rows, &rower{}); err != nil {
		t.Errorf("the lane is gone: %v", err)
	}
}

func TestARunThatHoldsItsLaneForTooLongIsEnded(t *testing.T) {
	for name, policy := range map[string]schedule.Policy{"of all models": {}, "of the model": {Run: time.Millisecond}} {
		o := schedule.Options{Lanes: 1, Run: time.Millisecond}
		if policy.Run > 0 {
			o.Run = time.Hour
		}
		s := schedule.New(o)
		s.Configure("m", policy)
		_, err := s.Do(context.Background(), rows, func(ctx context.Context, _ int) error {
			<-ctx.Done()
			return context.Cause(ctx)
		})
		if !errors.Is(err, problem.DeadlineExceeded) {
			t.Errorf("the limit %s: a request without a deadline ended with %v, want deadline-exceeded: a lane would be held for ever", name, err)
		}
		s.Close()
	}
}

func TestWhatNeverReachedALaneIsCounted(t *testing.T) {
	s := schedule.New(schedule.Options{Lanes: 1, Places: 2})
	defer s.Close()
	s.Configure("m", schedule.Policy{Name: "pets"})
	metrics := prometheus.NewRegistry()
	metrics.MustRegister(schedule.NewCollector(s))
	never := func(context.Context, int) error {
		t.Error("it was executed all the same")
		return nil
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Do(over, rows, never); !errors.Is(err, context.Canceled) {
		t.Errorf("who had gone before got %v", err)
	}
	release := hold(t, s)
	timed, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if _, err := s.Do(timed, rows, never); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("whose time was over got %v", err)
	}
	waiting, leave := context.WithCancel(t.Context())
	results := make(chan error, 2)
	for i := range 2 {
		go func() { _, err := s.Do(waiting, rows, never); results <- err }()
		queued(s, i+1)
	}
	if _, err := s.Do(t.Context(), rows, never); !errors.Is(err, problem.Overloaded) {
		t.Errorf("the third in a queue of two got %v", err)
	}
	leave()
	for range 2 {
		if err := <-results; !errors.Is(err, context.Canceled) {
			t.Errorf("who left the queue got %v", err)
		}
	}
	release()
	want := `
# HELP goshawk_requests_dropped_total Requests that never reached a lane, by reason: overloaded (refused at once), stale (waited too long), deadline, gone (the caller went away).
# TYPE goshawk_requests_dropped_total counter
goshawk_requests_dropped_total{model="hold",reason="deadline"} 0
goshawk_requests_dropped_total{model="hold",reason="gone"} 0
goshawk_requests_dropped_total{model="hold",reason="overloaded"} 0
goshawk_requests_dropped_total{model="hold",reason="stale"} 0
goshawk_requests_dropped_total{model="pets",reason="deadline"} 1
goshawk_requests_dropped_total{model="pets",reason="gone"} 3
goshawk_requests_dropped_total{model="pets",reason="overloaded"} 1
goshawk_requests_dropped_total{model="pets",reason="stale"} 0
`
	if err := testutil.GatherAndCompare(metrics, strings.NewReader(want), "goshawk_requests_dropped_total"); err != nil {
		t.Error(err)
	}
}

func TestAnObjectiveIsKeptByRefusing(t *testing.T) {
	s := schedule.New(schedule.Options{Lanes: 1})
	defer s.Close()
	s.Configure("m", schedule.Policy{Objective: 15 * time.Millisecond})
	release := hold(t, s) // both cost 10 ms as long as they are unknown
	defer release()
	_, err := s.Do(t.Context(), rows, func(context.Context, int) error { return nil })
	if p := problem.Of(err); p.Kind != problem.Overloaded || p.Extensions["retry_after_seconds"] != 1 || strings.Contains(p.Detail, "about 0") {
		t.Errorf("what would wait 10 ms and take 10 more, with an objective of 15, got %v; want overloaded with retry_after_seconds, at once", err)
	}
}
