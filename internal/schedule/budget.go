package schedule

import (
	"context"
	"sync/atomic"

	"golang.org/x/sync/semaphore"

	"github.com/goshawk-ai/goshawk/internal/problem"
)

// Budget bounds the bytes, encoded and decoded, that all requests together hold.
// It serves its waiters in the order they came, so that many small requests do
// not starve a large one.
type Budget struct {
	size int64
	used atomic.Int64
	sem  *semaphore.Weighted
}

// NewBudget makes a budget of size bytes.
func NewBudget(size int64) *Budget {
	return &Budget{size: size, sem: semaphore.NewWeighted(size)}
}

// Acquire takes n bytes and waits for them as long as ctx lasts. More than the
// whole budget is refused at once. Whoever takes gives back with Release.
func (b *Budget) Acquire(ctx context.Context, n int64) error {
	if n > b.size {
		return problem.PictureTooLarge.New("this needs %d bytes of memory, and the server gives %d to all requests together", n, b.size).
			With("limit_bytes", b.size)
	}
	if err := b.sem.Acquire(ctx, n); err != nil {
		if cause := context.Cause(ctx); cause != nil {
			return cause
		}
		return err
	}
	b.used.Add(n)
	return nil
}

// TryAcquire takes n bytes if they are free now and nobody waits for them.
func (b *Budget) TryAcquire(n int64) bool {
	if !b.sem.TryAcquire(n) {
		return false
	}
	b.used.Add(n)
	return true
}

// Release gives n bytes back.
func (b *Budget) Release(n int64) {
	b.used.Add(-n)
	b.sem.Release(n)
}

// Used is how many bytes are taken now.
func (b *Budget) Used() int64 { return b.used.Load() }

// Size is the whole budget in bytes.
func (b *Budget) Size() int64 { return b.size }
