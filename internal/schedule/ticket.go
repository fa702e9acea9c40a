package schedule

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/goshawk-ai/goshawk/internal/problem"
)

// ticket is one request's way through the scheduler.
type ticket struct {
	item  item
	ctx   context.Context //nolint:containedctx // lives exactly as long as the call of Do that owns it
	work  Work            // one of these two
	joint Joint

	leads    bool // it has a lane; else somebody else did its work, or nobody
	shared   bool // a run with others' work is under way; guarded by Scheduler.mu
	left     bool // its caller has not waited for that; guarded by Scheduler.mu
	wait     time.Duration
	err      error
	ready    chan struct{} // sent one value when the ticket leads, is done, or was turned away
	late     *time.Timer   // runs while the ticket is queued; kept with it
	patience time.Duration // these three are the model's when it came
	delay    time.Duration
	run      time.Duration
}

var tickets = sync.Pool{New: func() any {
	t := &ticket{ready: make(chan struct{}, 1), late: time.NewTimer(time.Hour)}
	t.late.Stop()
	return t
}}

func (t *ticket) release() {
	t.ctx, t.work, t.joint, t.err, t.wait, t.item = nil, nil, nil, nil, 0, item{}
	t.leads, t.shared, t.left = false, false, false
	tickets.Put(t)
}

// why is the reason for which a ticket goes whose context has ended.
func (t *ticket) why() reason {
	if errors.Is(t.ctx.Err(), context.DeadlineExceeded) {
		return expired
	}
	return gone
}

// turnAway ends a request that was dropped.
func (t *ticket) turnAway(now time.Time) {
	waited := now.Sub(t.item.arrived)
	switch {
	case t.ctx.Err() != nil:
		t.err = context.Cause(t.ctx)
	case t.item.late(now):
		t.err = problem.DeadlineExceeded.New("the request's time was over after %.3f s, before it was its turn", waited.Seconds())
	default:
		t.err = problem.Overloaded.New("after %.1f s in the queue there was still no free core for this; try again later", waited.Seconds()).
			With("retry_after_seconds", retryAfter(waited))
	}
	t.ready <- struct{}{}
}

// work does what the run of a leading ticket is for, and leaves with each ticket
// what became of it. It returns the run's own error.
func (s *Scheduler) work(t *ticket) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = crashed(p)
			t.tell(err)
		}
	}()
	if s.places.crowded() {
		defer s.places.stay(t.item.lane)()
	}
	if t.item.along != nil {
		err = s.together(t)
	} else if err = s.begun(t); err == nil {
		err = s.alone(t)
	}
	t.tell(err)
	return err
}

// tell leaves the run's error with those who took part in it. Whose own time was
// over before hears of that.
func (t *ticket) tell(err error) {
	for it := &t.item; it != nil && err != nil; it = it.along {
		switch o := it.owner; {
		case o.err != nil:
		case o.ctx.Err() != nil:
			o.err = context.Cause(o.ctx)
		default:
			o.err = err
		}
	}
}

// begun is the last look at a caller before the work for it begins.
func (s *Scheduler) begun(t *ticket) error {
	if t.ctx.Err() == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	t.item.line.dropped[t.why()]++
	t.err = context.Cause(t.ctx)
	return t.err
}

func (s *Scheduler) alone(t *ticket) error {
	ctx, cancel := s.bounded(t.ctx, t)
	defer cancel()
	if t.joint != nil {
		return t.joint.Together(ctx, t.item.lane, nil)
	}
	return t.work(ctx, t.item.lane)
}

// together does the work of several. A context of theirs that ends is no reason
// to stop; the last one's is.
func (s *Scheduler) together(t *ticket) error {
	ctx, stop := context.WithCancelCause(context.WithoutCancel(t.ctx))
	defer stop(nil)
	ctx, cancel := s.bounded(ctx, t)
	defer cancel()
	var (
		all  []Joint
		left atomic.Int32
		err  error
	)
	left.Store(1) // until all are counted
	leave := func(member context.Context) {
		if left.Add(-1) == 0 {
			stop(context.Cause(member))
		}
	}
	for it := &t.item; it != nil; it = it.along {
		if over := s.begun(it.owner); over != nil {
			err = over
			continue
		}
		member := it.owner.ctx
		left.Add(1)
		defer context.AfterFunc(member, func() { leave(member) })()
		all = append(all, it.owner.joint)
	}
	if len(all) == 0 {
		return err
	}
	leave(t.ctx)
	return all[0].Together(ctx, t.item.lane, all[1:])
}

// bounded is ctx with the time that one run may take, where ctx has no less.
func (s *Scheduler) bounded(ctx context.Context, t *ticket) (context.Context, context.CancelFunc) {
	limit := t.run
	if limit <= 0 {
		limit = s.run
	}
	if limit <= 0 {
		return ctx, func() {}
	}
	end := t.item.started.Add(limit)
	if deadline, ok := ctx.Deadline(); ok && !deadline.After(end) {
		return ctx, func() {}
	}
	return context.WithDeadlineCause(ctx, end, ErrOverrun)
}
