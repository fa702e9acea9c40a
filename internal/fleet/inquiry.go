package fleet

import "context"

// inquiry is the check of a package that was not checked before. It goes on beside
// the loop, since it may take as long as a check may: others are loaded meanwhile,
// and woken.
type inquiry struct {
	done   chan struct{}
	report *Report
	err    error
}

func (q *inquiry) over() bool {
	select {
	case <-q.done:
		return true
	default:
		return false
	}
}

// inquires tells whether an entry waits for its check, which it begins; there is
// one at a time. Only the loop calls it.
func (f *Fleet) inquires(ctx context.Context, e *entry) bool {
	if q := e.inquiry; q != nil {
		if !q.over() {
			return true
		}
		e.lap(Verify)
		e.begin() // it may have slept since
		return false
	}
	e.begin()
	e.mu.Lock()
	v := e.version
	e.mu.Unlock()
	switch {
	case !f.unchecked(v):
		return false
	case f.inquiry != nil && !f.inquiry.over():
		return true
	}
	q := &inquiry{done: make(chan struct{})}
	e.inquiry, f.inquiry = q, q
	f.drains.Go(func() {
		defer f.kick()
		defer close(q.done)
		q.report, q.err = f.checked(ctx, v)
	})
	return true
}

// verdict is what the check of an entry's package came to.
func (f *Fleet) verdict(ctx context.Context, e *entry, v Version) (*Report, error) {
	q := e.inquiry
	if q == nil {
		return f.checked(ctx, v)
	}
	e.inquiry = nil
	return q.report, q.err
}

func (e *entry) lap(p Part) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.watch.lap(p)
}
