package schedule

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime/debug"
	"sync"
	"time"

	"github.com/goshawk-ai/goshawk/internal/problem"
)

// Options of a Scheduler. Zero values take the defaults in the comments.
type Options struct {
	Lanes   int           // Cores
	MaxWait time.Duration // 2s
	Fair    time.Duration // 250ms
	Places  int           // 4096, of each model's queue
	Run     time.Duration // how long one run may hold a lane; 0 is no bound
	// Crowded tells that threads are under way which take only the time that is left.
	// Lanes then stay on a core each: the kernel otherwise counts such a core as taken,
	// and lets two lanes wait for each other on another one. nil is never.
	Crowded func() bool
}

// Scheduler hands out lanes. Make it with New, end it with Close.
type Scheduler struct {
	run    time.Duration
	lanes  int
	places places
	active sync.WaitGroup // calls of Do that got in, and runs that some share; Close waits for them

	mu     sync.Mutex
	core   *core // guarded by mu
	closed bool  // guarded by mu
}

// Request says what there is to be done, for the decision when.
type Request struct {
	Key      Key
	Rows     int // 0 is 1
	Priority int // 1 is served first; 0 is the model's default
	// Form lets requests share a run: those of one model whose form is equal,
	// and not empty, up to Policy.MaxBatch rows. Join alone looks at it.
	Form string
	// Session is what computes: a run is of one, which the requests in it keep
	// loaded. It is compared with ==.
	Session any
}

// Work is what is done for a request, on its caller's goroutine, which holds a
// lane meanwhile. The lane's number, below Lanes, lets the caller keep buffers a
// lane without any lock.
type Work func(ctx context.Context, lane int) error

// Joint is the work of a request that may share a run with others.
type Joint interface {
	// Together does the receiver's work and that of the others, which may be
	// none, on one lane. What became of each it leaves with each; the error is
	// the whole run's and is given to all. ctx ends when nobody waits for the run
	// any more, or when its time is over.
	Together(ctx context.Context, lane int, others []Joint) error
	// Leave says that the caller's context has ended and that it will not wait for
	// the run, which goes on for the others. From its return on Together touches
	// nothing that is the caller's. It may be called before Together, beside it and
	// after it, once, and waits no longer than that takes.
	Leave()
}

// ErrClosed is returned by Do after Close.
var ErrClosed = errors.New("the scheduler is closed")

// ErrOverrun is the cause with which the context of a run ends that holds its
// lane for too long.
var ErrOverrun = problem.DeadlineExceeded.New("the model did not answer within the time that one run may take")

// New makes a scheduler whose lanes are all free.
func New(o Options) *Scheduler {
	set := settings{lanes: o.Lanes, maxWait: o.MaxWait, fair: o.Fair, places: o.Places}
	if set.lanes <= 0 {
		set.lanes = Cores()
	}
	if set.maxWait <= 0 {
		set.maxWait = 2 * time.Second
	}
	if set.fair <= 0 {
		set.fair = 250 * time.Millisecond
	}
	if set.places <= 0 {
		set.places = 4096
	}
	return &Scheduler{run: o.Run, lanes: set.lanes, places: newPlaces(o.Crowded, set.lanes), core: newCore(set)}
}

// Lanes is how many runs there are at a time.
func (s *Scheduler) Lanes() int { return s.lanes }

// Configure sets how the requests of a model (Key.Model) are served, from the
// next decision on. What waits keeps its place.
func (s *Scheduler) Configure(model string, p Policy) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.core.configure(model, p)
	s.dispatch(nil, time.Now())
}

// Policy gives what Configure set, zero where nobody has.
func (s *Scheduler) Policy(model string) Policy {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l := s.core.lines[model]; l != nil {
		return l.policy
	}
	return Policy{}
}

// Forget drops what is known of an unloaded model: what Configure set, what its
// rows cost, its counts.
func (s *Scheduler) Forget(model string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.core.forget(model)
}

// Wait predicts how long a request for a model would queue that came now.
func (s *Scheduler) Wait(model string) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.core.of(model)
	return s.core.wait(l, l.policy.level(0), time.Now())
}

// Queued is the number of waiting requests.
func (s *Scheduler) Queued() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.core.length
}

// Do runs work on a lane and returns its error, and how long it queued. It
// fails with problem.Overloaded when the wait would be, or has become, too long
// and with ctx's cause when ctx ends first: then the work never began. Work that
// has begun is waited for: it sees ctx and must end soon after it.
func (s *Scheduler) Do(ctx context.Context, r Request, work Work) (queued time.Duration, err error) {
	r.Form = ""
	return s.do(ctx, r, work, nil)
}

// Join is Do for work that may share a run with others'. Where it returns an
// error nothing was left with the Joint, or nothing of worth. When ctx ends while
// a run is under way that others share, Join leaves it with ctx's cause.
func (s *Scheduler) Join(ctx context.Context, r Request, work Joint) (queued time.Duration, err error) {
	return s.do(ctx, r, nil, work)
}

func (s *Scheduler) do(ctx context.Context, r Request, work Work, joint Joint) (queued time.Duration, err error) {
	t := tickets.Get().(*ticket)
	t.ctx, t.work, t.joint, t.item.owner = ctx, work, joint, t
	t.item.key, t.item.rows, t.item.priority, t.item.form, t.item.session = r.Key, r.Rows, r.Priority, r.Form, r.Session
	t.item.deadline, _ = ctx.Deadline()
	began, err := s.enter(t)
	if err != nil {
		t.release()
		return 0, err
	}
	defer s.active.Done()
	left, err := s.attend(ctx, t, began)
	if left {
		return 0, err // the ticket is its run's
	}
	if err == nil {
		queued, err = t.wait, t.err
	}
	t.release()
	return queued, err
}

// enter queues the ticket, and says whether a lane was free for it.
func (s *Scheduler) enter(t *ticket) (began bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false, ErrClosed
	}
	l, now := s.core.of(t.item.key.Model), time.Now()
	if t.ctx.Err() != nil {
		l.dropped[t.why()]++
		return false, context.Cause(t.ctx)
	}
	for full, wait := s.core.refuses(l, &t.item, now); full; full, wait = s.core.refuses(l, &t.item, now) {
		old := s.core.ruin(l, now)
		if old == nil {
			l.dropped[overfull]++
			return false, overloaded(wait)
		}
		s.core.drop(old, stale)
		old.owner.turnAway(now)
	}
	s.core.arrive(l, &t.item, now)
	s.active.Add(1)
	t.patience, t.delay, t.run = s.core.patience(l), l.policy.MaxDelay, l.policy.Run
	s.dispatch(t, now)
	return t.leads, nil
}

// dispatch gives free lanes to those who are to have them and tells all of them
// but self, who asks. s.mu is held.
func (s *Scheduler) dispatch(self *ticket, now time.Time) {
	for {
		lead, out := s.core.begin(now)
		for out != nil {
			next := out.along
			out.owner.turnAway(now)
			out = next
		}
		if lead == nil {
			return
		}
		for it := lead; it != nil; it = it.along {
			it.owner.wait, it.owner.shared = now.Sub(it.arrived), it != lead
		}
		lead.owner.leads = true
		if lead.owner != self {
			lead.owner.ready <- struct{}{}
		}
	}
}

// attend waits until the ticket's work is done, or does it. It fails with ctx's
// cause where the ticket was withdrawn or, which left says, leaves its run.
func (s *Scheduler) attend(ctx context.Context, t *ticket, began bool) (left bool, err error) {
	if !began {
		if left, err = s.await(ctx, t); left || err != nil {
			return left, err
		}
	}
	switch {
	case !t.leads:
		return false, nil
	case t.item.along == nil:
		s.lead(t)
		return false, nil
	}
	// On a goroutine of its own, so that the leader may go as well.
	s.mu.Lock()
	t.shared = true
	s.mu.Unlock()
	s.active.Go(func() { s.lead(t) })
	select {
	case <-t.ready:
		return false, nil
	case <-ctx.Done():
		return s.leave(ctx, t)
	}
}

// await waits until the ticket leads a run, or is done or turned away; then it
// returns nil. It returns ctx's cause when the ticket was withdrawn, or has left
// the run that another leads. Who waits too long is turned away whenever a lane
// ends something; the timer is for when none does, and for who waits until a run
// is worth while.
func (s *Scheduler) await(ctx context.Context, t *ticket) (left bool, err error) {
	first := t.patience
	if t.delay > 0 {
		first = min(first, t.delay)
	}
	t.late.Reset(first)
	for {
		select {
		case <-t.ready:
			t.late.Stop()
			return false, nil
		case <-t.late.C:
			s.look(t)
		case <-ctx.Done():
			t.late.Stop()
			if s.withdraw(t) {
				return false, context.Cause(ctx)
			}
			return s.leave(ctx, t)
		}
	}
}

// leave lets a ticket's caller go out of a run that others share. There is nothing
// to leave where the run has ended, or is yet to be led by the caller.
func (s *Scheduler) leave(ctx context.Context, t *ticket) (left bool, err error) {
	s.mu.Lock()
	joint, shared := t.joint, t.shared
	if shared {
		t.left = true
	}
	s.mu.Unlock()
	if !shared {
		<-t.ready
		return false, nil
	}
	joint.Leave()
	return true, context.Cause(ctx)
}

// look turns a ticket away that has waited for too long, or sees whether its time
// has come.
func (s *Scheduler) look(t *ticket) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !t.item.queued {
		return
	}
	now := time.Now()
	waited := now.Sub(t.item.arrived)
	if waited >= t.patience {
		s.core.drop(&t.item, stale)
		t.turnAway(now)
		return
	}
	t.late.Reset(t.patience - waited)
	s.dispatch(nil, now)
}

// withdraw takes a ticket out of the queue; false when it is there no more.
func (s *Scheduler) withdraw(t *ticket) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !t.item.queued {
		return false
	}
	s.core.drop(&t.item, t.why())
	return true
}

// lead does the work of a ticket and of those along with it, hands the lane on,
// and lets all of them go.
func (s *Scheduler) lead(t *ticket) {
	alone := t.item.along == nil
	err := s.work(t)
	s.mu.Lock()
	now := time.Now()
	s.core.end(&t.item, now, err != nil)
	s.dispatch(nil, now)
	for it := &t.item; it != nil; it = it.along {
		it.owner.shared = false
	}
	s.mu.Unlock()
	if alone {
		return
	}
	for it := &t.item; it != nil; {
		next := it.along // it goes, with its owner
		if it.owner.left {
			it.owner.release()
		} else {
			it.owner.ready <- struct{}{}
		}
		it = next
	}
}

// Close refuses new work, and waits for what is queued and what runs.
func (s *Scheduler) Close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.active.Wait()
}

// crashed makes an error of a panic: it ends the request and not the lane.
func crashed(p any) error {
	return problem.Internal.New("something went wrong here; the request id finds it in the log").
		Because(fmt.Errorf("panic: %v\n%s", p, debug.Stack()))
}

func overloaded(wait time.Duration) error {
	return problem.Overloaded.New("more work is waiting than can be done in time (about %v); try again later", wait.Round(time.Millisecond)).
		With("retry_after_seconds", retryAfter(wait))
}

func retryAfter(wait time.Duration) int { return int(math.Ceil(max(wait.Seconds(), 1))) }
