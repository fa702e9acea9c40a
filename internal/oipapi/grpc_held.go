package oipapi

import (
	"context"
	"net"
	"sync"
	"time"

	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"

	"github.com/goshawk-ai/goshawk/internal/problem"
	"github.com/goshawk-ai/goshawk/internal/schedule"
	"github.com/goshawk-ai/goshawk/internal/units"
)

// hold is what one request has of the budget: its message's bytes at first, its
// answer's from then on, until the caller's connection has taken them.
type hold struct {
	budget *schedule.Budget // nil: nothing is counted
	n      int64
	by     *caller
	timer  *time.Timer
	once   sync.Once
}

// take waits a while for room for a request's message.
func take(ctx context.Context, budget *schedule.Budget, wait time.Duration, n int64) (*hold, error) {
	h := &hold{budget: budget, n: n, by: callerFrom(ctx)}
	if budget == nil {
		return h, nil
	}
	waiting, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	err := budget.Acquire(waiting, n)
	if err != nil && ctx.Err() == nil && waiting.Err() != nil {
		return nil, problem.Overloaded.New("other requests hold all the memory that there is; try again in a moment").
			With("retry_after_seconds", 1).Because(err)
	}
	if err != nil {
		return nil, err
	}
	return h, nil
}

// more takes n bytes for what is made of the message.
func (h *hold) more(ctx context.Context, wait time.Duration, n int64) error {
	if h.budget == nil || n <= 0 {
		return nil
	}
	if all := h.n + n; all > h.budget.Size() {
		return h.budget.Acquire(ctx, all) // says so
	}
	more, err := take(ctx, h.budget, wait, n)
	if err == nil {
		h.n += more.n
	}
	return err
}

// keep exchanges the message for n bytes of answer, which are there already: at
// once or not at all.
func (h *hold) keep(n int64) error {
	switch {
	case h.budget == nil:
		return nil
	case n <= h.n:
		h.budget.Release(h.n - n)
	case n > h.budget.Size():
		return problem.PictureTooLarge.New("the answer takes %s of memory, and the server gives %s to all requests together; ask for fewer outputs or rows",
			units.Bytes(n), units.Bytes(h.budget.Size())).With("limit_bytes", h.budget.Size())
	case !h.budget.TryAcquire(n - h.n):
		return problem.Overloaded.New("other requests hold all the memory that there is for answers; try again in a moment").With("retry_after_seconds", 1)
	}
	h.n = n
	return nil
}

// release gives it back. A second call does nothing.
func (h *hold) release() {
	h.once.Do(func() {
		if h.timer != nil {
			h.timer.Stop()
		}
		if h.by != nil {
			h.by.forget(h)
		}
		if h.budget != nil {
			h.budget.Release(h.n)
		}
	})
}

// caller is a connection, with what is held for the answers that it has not taken
// yet. When it closes, that is given back.
type caller struct {
	net.Conn
	mu     sync.Mutex
	holds  map[*hold]struct{}
	closed bool
	keyed  bool // some call of it came with a key, where one is asked for
	intake intake
}

// known notes that the caller is somebody whose requests are served.
func (c *caller) known() {
	if c != nil {
		c.mu.Lock()
		c.keyed = true
		c.mu.Unlock()
	}
}

// owes notes an answer that is on its way. One that is not taken in time closes
// the connection: there is no other end for a stream whose caller reads nothing.
func (c *caller) owes(h *hold, within time.Duration) {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		h.release()
		return
	}
	c.holds[h] = struct{}{}
	h.timer = time.AfterFunc(within, func() { _ = c.Close() })
	c.mu.Unlock()
}

func (c *caller) forget(h *hold) {
	c.mu.Lock()
	delete(c.holds, h)
	c.mu.Unlock()
}

// Close gives back what the connection held.
func (c *caller) Close() error {
	c.mu.Lock()
	c.closed = true
	all := c.holds
	c.holds = nil
	c.intake.sum = 0
	clear(c.intake.open)
	c.intake.settle()
	c.mu.Unlock()
	for h := range all {
		h.release()
	}
	return c.Conn.Close()
}

// RemoteAddr leads from a call's context to its connection; grpc has no other way.
func (c *caller) RemoteAddr() net.Addr { return callerAddr{c.Conn.RemoteAddr(), c} }

type callerAddr struct {
	net.Addr
	caller *caller
}

type callerKey struct{}

func withCaller(ctx context.Context, addr net.Addr) context.Context {
	if a, ok := addr.(callerAddr); ok {
		return context.WithValue(ctx, callerKey{}, a.caller)
	}
	return ctx
}

func callerFrom(ctx context.Context) *caller {
	c, _ := ctx.Value(callerKey{}).(*caller)
	return c
}

// callers accepts connections as callers, whose bytes are counted.
type callers struct {
	net.Listener
	intake intake // what each begins with
}

func (l callers) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	counted := &caller{Conn: c, holds: map[*hold]struct{}{}, intake: l.intake}
	counted.intake.open = map[uint32]*arriving{}
	counted.intake.in.skip = prefaceLength
	return counted, nil
}

// answers are the holds of messages that are about to be sent.
type answers struct {
	byMessage sync.Map // proto.Message → *hold
	grace     time.Duration
	rate      int64 // bytes a second
}

// small answers are not worth to be counted, though a stream may have as many of them
// as it has requests under way.
const smallAnswer = smallMessage

// hand ties a hold to the message in which the answer goes.
func (a *answers) hand(m proto.Message, h *hold) {
	if h.budget == nil || h.by == nil || h.n < smallAnswer {
		h.release()
		return
	}
	a.byMessage.Store(m, h)
}

// taken is the hold that is tied to a message, which is then nobody's but the caller's.
func (a *answers) taken(m proto.Message) *hold {
	found, _ := a.byMessage.LoadAndDelete(m)
	h, _ := found.(*hold)
	return h
}

// drop gives back what is tied to a message that nobody will send.
func (a *answers) drop(m proto.Message) {
	if h := a.taken(m); h != nil {
		h.release()
	}
}

// marshal encodes a message whose hold ends when its bytes have been written, or
// never will be. Without a hold it gives nil: it is none of these.
func (a *answers) marshal(v any) (mem.BufferSlice, error) {
	m, ok := v.(proto.Message)
	if !ok {
		return nil, nil
	}
	h := a.taken(m)
	if h == nil {
		return nil, nil
	}
	pool := mem.DefaultBufferPool()
	buffer := pool.Get(proto.Size(m))
	data, err := proto.MarshalOptions{UseCachedSize: true}.MarshalAppend((*buffer)[:0], m)
	if err != nil {
		pool.Put(buffer)
		h.release()
		return nil, err
	}
	*buffer = data
	h.by.owes(h, a.grace+time.Duration(float64(h.n)/float64(a.rate)*float64(time.Second)))
	return mem.BufferSlice{mem.NewBuffer(buffer, written{pool, h})}, nil
}

// written is the pool that a sent message's bytes go back to.
type written struct {
	mem.BufferPool
	hold *hold
}

func (w written) Put(b *[]byte) {
	w.BufferPool.Put(b)
	w.hold.release()
}
