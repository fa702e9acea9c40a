package schedule

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
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
	Places  int           // 4096
}

// Scheduler runs work on its lanes. Make it with New, end it with Close.
type Scheduler struct {
	mu     sync.Mutex
	core   *core   // guarded by mu
	idle   []*lane // guarded by mu; the one that was busy last is on top: its caches are warm
	closed bool    // guarded by mu
	lanes  []*lane
	done   sync.WaitGroup // the lanes' goroutines; Close waits for them
}

type lane struct {
	id   int
	work chan *ticket // closed by Close, when the lane is idle or after its last work
}

// ticket is one request's way through the scheduler.
type ticket struct {
	item  item
	ctx   context.Context //nolint:containedctx // lives exactly as long as the call of Do that owns it
	work  Work
	wait  time.Duration
	err   error
	ready chan struct{} // sent one value by the lane, or by whoever turned the ticket away
	late  *time.Timer   // runs while the ticket is queued; kept with it
}

// Work is what a lane does for a request. The lane's number, below Lanes, lets
// the caller keep buffers a lane without any lock.
type Work func(ctx context.Context, lane int) error

// ErrClosed is returned by Do after Close.
var ErrClosed = errors.New("the scheduler is closed")

// New starts the lanes.
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
	s := &Scheduler{core: newCore(set)}
	for id := range set.lanes {
		l := &lane{id: id, work: make(chan *ticket, 1)}
		s.lanes = append(s.lanes, l)
		s.idle = append(s.idle, l)
		s.done.Go(func() { s.serve(l) })
	}
	return s
}

// Lanes is how many requests are computed at a time.
func (s *Scheduler) Lanes() int { return len(s.lanes) }

// Wait predicts how long a request that came now would queue.
func (s *Scheduler) Wait() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.core.wait(time.Now())
}

// Queued is the number of waiting requests.
func (s *Scheduler) Queued() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.core.length
}

// Configure sets how the requests of a model (Key.Model) are served, from the
// next decision on. What waits keeps its place.
func (s *Scheduler) Configure(model string, p Policy) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.core.policies[model] = p
}

// Policy gives what Configure set, zero where nobody has.
func (s *Scheduler) Policy(model string) Policy {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.core.policies[model]
}

// Forget drops what was learnt of an unloaded model's costs.
func (s *Scheduler) Forget(model string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.core.forget(model)
}

// Do runs work on a lane and returns its error, and how long it queued. It
// fails with problem.Overloaded when the wait would be, or has become, too long
// and with ctx's cause when ctx ends first. Work that has begun is waited for:
// it sees ctx and must end soon after it.
func (s *Scheduler) Do(ctx context.Context, key Key, work Work) (queued time.Duration, err error) {
	if ctx.Err() != nil {
		return 0, context.Cause(ctx)
	}
	t := tickets.Get().(*ticket)
	t.ctx, t.work, t.item.key, t.item.owner = ctx, work, key, t
	began, err := s.enter(t)
	if err != nil {
		t.release()
		return 0, err
	}
	if err := s.await(ctx, t, began); err != nil {
		t.release()
		return 0, err
	}
	queued, err = t.wait, t.err
	t.release()
	return queued, err
}

// await returns nil once the ticket is done or turned away, and ctx's cause when
// it was withdrawn. Lanes turn away who waited too long whenever they end
// something; the timer is for when none of them does.
func (s *Scheduler) await(ctx context.Context, t *ticket, began bool) error {
	var late <-chan time.Time
	if !began {
		t.late.Reset(s.core.maxWait)
		defer t.late.Stop()
		late = t.late.C
	}
	for {
		select {
		case <-t.ready:
			return nil
		case <-late:
			late = nil
			s.expire(t)
		case <-ctx.Done():
			if s.withdraw(t) {
				return context.Cause(ctx)
			}
			<-t.ready
			return nil
		}
	}
}

var tickets = sync.Pool{New: func() any {
	t := &ticket{ready: make(chan struct{}, 1), late: time.NewTimer(time.Hour)}
	t.late.Stop()
	return t
}}

func (t *ticket) release() {
	t.ctx, t.work, t.err, t.item = nil, nil, nil, item{}
	tickets.Put(t)
}

// enter queues the ticket and wakes a lane when one is idle. It says whether
// the lane has taken this ticket.
func (s *Scheduler) enter(t *ticket) (began bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false, ErrClosed
	}
	now := time.Now()
	for full, wait := s.core.full(now); full; full, wait = s.core.full(now) {
		old := s.core.ruin(now)
		if old == nil {
			return false, overloaded(wait)
		}
		s.turnAway(old, now.Sub(old.arrived))
	}
	s.core.arrive(&t.item, now)
	if n := len(s.idle); n > 0 {
		l := s.idle[n-1]
		s.idle = s.idle[:n-1]
		next := s.core.begin(l.id, now).owner
		next.wait = now.Sub(next.item.arrived)
		l.work <- next // never blocks: an idle lane's channel is empty
	}
	return !t.item.queued, nil
}

// turnAway ends a queued request without having done it. s.mu is held.
func (s *Scheduler) turnAway(it *item, waited time.Duration) {
	s.core.leave(it)
	it.owner.err = problem.Overloaded.New("after %.1f s in the queue there was still no free core for this; try again later", waited.Seconds()).
		With("retry_after_seconds", retryAfter(waited))
	it.owner.ready <- struct{}{}
}

// expire turns a ticket away that is still queued.
func (s *Scheduler) expire(t *ticket) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t.item.queued {
		s.turnAway(&t.item, time.Since(t.item.arrived))
	}
}

// withdraw takes a ticket out of the queue; false when a lane has it already.
func (s *Scheduler) withdraw(t *ticket) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !t.item.queued {
		return false
	}
	s.core.leave(&t.item)
	return true
}

func (s *Scheduler) serve(l *lane) {
	// A thread of its own: a goroutine that is moved between threads during
	// cgo calls costs a wake-up and a cold cache each time.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for t := range l.work {
		for t != nil {
			t.err = run(t, l.id)
			next := s.turn(l, t.err != nil)
			t.ready <- struct{}{}
			t = next
		}
	}
}

// run calls the work; a panic in it ends the request and not the lane.
func run(t *ticket, lane int) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = problem.Internal.New("something went wrong here; the request id finds it in the log").
				Because(fmt.Errorf("panic: %v\n%s", p, debug.Stack()))
		}
	}()
	if t.ctx.Err() != nil {
		return context.Cause(t.ctx)
	}
	return t.work(t.ctx, lane)
}

// turn ends what the lane did and gives it the next ticket, or nil and makes it idle.
func (s *Scheduler) turn(l *lane, failed bool) *ticket {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	s.core.end(l.id, now, failed)
	for it := s.core.stale(now); it != nil; it = s.core.stale(now) {
		s.turnAway(it, now.Sub(it.arrived))
	}
	if it := s.core.begin(l.id, now); it != nil {
		it.owner.wait = now.Sub(it.arrived)
		return it.owner
	}
	if s.closed {
		close(l.work)
		return nil
	}
	s.idle = append(s.idle, l)
	return nil
}

// Close refuses new work, finishes what is queued and waits for the lanes.
func (s *Scheduler) Close() {
	s.mu.Lock()
	if !s.closed {
		s.closed = true
		for _, l := range s.idle {
			close(l.work)
		}
		s.idle = nil
	}
	s.mu.Unlock()
	s.done.Wait()
}

func overloaded(wait time.Duration) error {
	return problem.Overloaded.New("more work is waiting than can be done in time (about %.1f s); try again later", wait.Seconds()).
		With("retry_after_seconds", retryAfter(wait))
}

func retryAfter(wait time.Duration) int { return int(math.Ceil(max(wait.Seconds(), 1))) }
