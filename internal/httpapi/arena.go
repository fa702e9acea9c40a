package httpapi

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/goshawk-ai/goshawk/internal/problem"
	"github.com/goshawk-ai/goshawk/internal/units"
)

// step is what is taken from the budget at first, whatever length was declared.
const step = 1 << 20

// errTooLong says that a part has more bytes than its limit. What was read of
// it is forgotten, the rest is unread.
var errTooLong = errors.New("longer than its limit")

// arena is the memory of one request's body: slabs, taken from the budget, in
// which the pictures lie one after the other. Whoever makes it closes it.
type arena struct {
	budget Budget
	pools  *pools
	wait   time.Duration // for the budget

	slabs []*slab // the last one is being filled
	used  int     // bytes of the last one
	ahead int64   // bytes that were read from the body and are in no slab yet, at most
	done  bool    // nobody reads the bytes any more, so that they may be used again
	one   [1]byte // where a byte is read to see whether there is another
	body  *body   // what is being read; nil before that

	// The body is compressed: its length says nothing of how many bytes it has.
	inflates bool
}

func (d *door) newArena() *arena {
	return &arena{budget: d.Budget, pools: &d.pools, wait: d.Limits.BudgetWait}
}

// reserve makes room for n bytes. Of their place in the budget the first taken
// bytes are the caller's already.
func (a *arena) reserve(ctx context.Context, n, taken int64) error {
	_, size := classOf(n)
	if a.body != nil {
		defer a.body.pause(time.Now())
	}
	if whole, ok := a.budget.(interface{ Size() int64 }); ok && a.held()+size-taken > whole.Size() {
		return problem.PictureTooLarge.New("the request needs more memory than the server gives to all requests together, %s; send its pictures in several requests", units.Bytes(whole.Size())).
			With("limit_bytes", whole.Size())
	}
	if err := acquire(ctx, a.budget, a.wait, size-taken); err != nil {
		return err
	}
	a.slabs = append(a.slabs, a.pools.get(n))
	a.used = 0
	return nil
}

// acquire takes n bytes of the budget. Waiting longer than that for them is overload.
func acquire(ctx context.Context, from Budget, wait time.Duration, n int64) error {
	waiting, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	err := from.Acquire(waiting, n)
	if err != nil && ctx.Err() == nil && waiting.Err() != nil {
		return problem.Overloaded.New("other requests hold all the memory that there is for pictures; try again in a moment").
			With("retry_after_seconds", 1).Because(err)
	}
	return err
}

// read reads src to its end and returns its bytes, which are good until close.
// More than limit is errTooLong.
func (a *arena) read(ctx context.Context, src io.Reader, limit int64) ([]byte, error) {
	start, stalled := a.used, 0
	for {
		buf := a.last()
		room := buf[a.used:min(int64(len(buf)), int64(start)+limit+1)]
		full := len(room) == 0
		if full {
			room = a.one[:]
		}
		n, err := src.Read(room)
		if full && n > 0 {
			if err := a.grow(ctx, start); err != nil {
				return nil, err
			}
			start = 0
			a.last()[a.used] = a.one[0]
		}
		a.used += n
		switch {
		case int64(a.used-start) > limit:
			a.used = start
			return nil, errTooLong
		case errors.Is(err, io.EOF):
			return a.last()[start:a.used:a.used], nil
		case err != nil:
			return nil, err
		case n > 0:
			stalled = 0
		default:
			if stalled++; stalled > 100 {
				return nil, io.ErrNoProgress
			}
		}
	}
}

// held is what the request has of the budget. To wait for more than the rest
// would be to wait for itself.
func (a *arena) held() (n int64) {
	for _, s := range a.slabs {
		n += int64(len(s.bytes))
	}
	return n
}

func (a *arena) last() []byte { return a.slabs[len(a.slabs)-1].bytes }

// grow moves the part that begins at start into a larger slab.
func (a *arena) grow(ctx context.Context, start int) error {
	old := a.slabs[len(a.slabs)-1]
	part := old.bytes[start:a.used]
	taken := int64(0)
	if start == 0 {
		// Nothing else is in the old one. It is let go within a copy's time, and
		// if both were counted, a body as large as the budget would wait for itself.
		taken = int64(len(old.bytes))
	}
	// One byte more: it is here, in a.one, and no longer due.
	if err := a.reserve(ctx, int64(len(part))+1+a.more(int64(len(part))), taken); err != nil {
		return err
	}
	a.used = copy(a.last(), part)
	if start == 0 {
		a.slabs = append(a.slabs[:len(a.slabs)-2], a.slabs[len(a.slabs)-1])
		a.pools.put(old)
	}
	return nil
}

// more is for how many bytes a part of n bytes should get room. A sender gets
// it for all that it declared when an eighth is here, and before that for three
// times what it sent: most pictures are then moved once, and who declares much
// and sends little holds little.
func (a *arena) more(n int64) int64 {
	due, read := a.body.due()
	if due < 0 || a.inflates {
		return max(step, n/4)
	}
	if due > 7*read {
		due = 3 * read
	}
	return max(due+a.ahead, smallest)
}

// fits refuses at once what waiting would not make fit: the declared length, of
// which the first step alone would be asked for.
func (a *arena) fits(ctx context.Context, declared int64) error {
	_, size := classOf(declared)
	if whole, ok := a.budget.(interface{ Size() int64 }); ok && size > whole.Size() {
		return a.budget.Acquire(ctx, size) // says so
	}
	return nil
}

// close gives everything back: to the pools only what surely nobody reads.
func (a *arena) close() {
	for _, s := range a.slabs {
		a.release(s, a.done)
	}
	a.slabs = nil
}

// leave is close without the budget's part, which is the caller's from then on:
// so many bytes. The memory is the collector's.
func (a *arena) leave() (n int64) {
	n = a.held()
	a.slabs = nil
	return n
}

func (a *arena) release(s *slab, reusable bool) {
	size := int64(len(s.bytes))
	if reusable {
		a.pools.put(s)
	}
	a.budget.Release(size)
}
