package oipapi

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"time"

	"google.golang.org/grpc/credentials"

	"github.com/goshawk-ai/goshawk/internal/schedule"
)

// intake counts the messages of a connection that are not whole yet: grpc hands a
// message over when all of it is here, and says nothing before. So the bytes are
// counted where they come in, by HTTP/2's frames and gRPC's lengths. A message that is
// whole leaves the count: whoever takes it counts it then. Its fields are guarded by
// the caller's mutex.
type intake struct {
	budget *schedule.Budget // nil: nothing is counted
	wait   time.Duration    // for the budget
	grace  time.Duration
	rate   int64 // bytes a second

	in, out frames
	open    map[uint32]*arriving // the streams that have not ended
	newest  uint32               // stream
	sum     int64                // memory of all that arrives
	held    int64                // of the budget
	arrived int64                // bytes ever
	full    int                  // streams whose caller waits for us, and not we for it
}

// arriving is the message of a stream that is on its way.
type arriving struct {
	header [messageHeader]byte
	have   int   // bytes of it
	left   int64 // bytes of the message that are to come
	here   int64 // memory of those that have
}

// uncounted is what a connection may send without a part in the budget: the
// transport's own buffers are as large, and most requests are smaller.
const uncounted = 64 << 10

// messageHeader stands before each message: whether it is compressed, and its length.
const messageHeader = 5

// errCrowded ends a connection that sends what there is no memory for, and errStranger
// one of which nobody knows whose it is and that sends more than a probe has.
var (
	errCrowded  = errors.New("there is no memory for what the caller sends")
	errStranger = errors.New("the caller has shown no key, and sends more than a probe has")
)

// wanted is what the connection should hold of the budget.
func (i *intake) wanted() int64 { return max(0, i.sum-uncounted) }

func (i *intake) received(f frame) {
	switch {
	case f.kind == frameHeaders && f.stream > i.newest: // else trailers of an old one
		i.newest = f.stream
		i.open[f.stream] = &arriving{}
	case f.kind == frameReset:
		i.end(f.stream)
	case f.kind == frameData && f.length > 0:
		if a := i.open[f.stream]; a != nil {
			more := frameSpace(f.length) - int64(f.length)
			a.here += more
			i.sum += more
		}
	}
}

// frameSpace is about the memory in which the transport keeps the bytes of a DATA
// frame: a place in a list, and a buffer, from a pool of few sizes unless it is small.
func frameSpace(n int) int64 {
	const place = 64
	switch {
	case n <= 1<<10:
		return int64(n) + place
	case n <= 4<<10:
		return 4<<10 + place
	}
	return max(int64(n), 16<<10) + place
}

func (i *intake) data(stream uint32, p []byte) {
	a := i.open[stream]
	if a == nil { // nobody keeps what comes for a stream that has ended
		return
	}
	i.arrived += int64(len(p))
	for len(p) > 0 {
		if a.have < messageHeader {
			n := copy(a.header[a.have:], p)
			a.have += n
			if p = p[n:]; a.have == messageHeader {
				a.left = int64(binary.BigEndian.Uint32(a.header[1:]))
			}
		} else {
			n := min(a.left, int64(len(p)))
			a.left -= n
			a.here += n
			i.sum += n
			p = p[n:]
		}
		if a.have == messageHeader && a.left == 0 {
			i.sum -= a.here
			*a = arriving{}
		}
	}
}

func (i *intake) sent(f frame) {
	if f.kind == frameReset || f.kind == frameHeaders && f.flags&endStream != 0 {
		i.end(f.stream)
	}
}

func (i *intake) end(stream uint32) {
	if a := i.open[stream]; a != nil {
		i.sum -= a.here
		delete(i.open, stream)
	}
}

// settle gives back what the connection need not hold any more.
func (i *intake) settle() {
	if more := i.held - i.wanted(); more > 0 && i.budget != nil {
		i.budget.Release(more)
		i.held -= more
	}
}

// admit counts bytes that have come in, and waits for their part in the budget. A
// connection that does not get it in time is ended: others hold parts of messages
// too, and somebody has to give way.
func (c *caller) admit(p []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := &c.intake
	i.in.feed(p, i.received, i.data)
	if i.wanted() > 0 && !c.keyed {
		return errStranger
	}
	if i.budget == nil {
		return nil
	}
	var late time.Time
	for {
		short := i.wanted() - i.held
		switch {
		case c.closed:
			return net.ErrClosed
		case short <= 0:
			i.settle()
			return nil
		case i.budget.TryAcquire(short):
			i.held += short
			return nil
		case late.IsZero():
			late = time.Now().Add(i.wait)
		case !time.Now().Before(late):
			return errCrowded
		}
		// A little at a time, since meanwhile a message may be whole, or a stream end.
		c.mu.Unlock()
		ctx, cancel := context.WithTimeout(context.Background(), min(i.wait, 50*time.Millisecond))
		err := i.budget.Acquire(ctx, short)
		cancel()
		c.mu.Lock()
		if err == nil {
			i.held += short
		} else if short > i.budget.Size() {
			return errCrowded
		}
	}
}

// metered is a connection whose bytes are counted, inside TLS.
type metered struct {
	net.Conn
	caller *caller
}

func (m metered) Read(p []byte) (int, error) {
	n, err := m.Conn.Read(p)
	if n > 0 {
		if err := m.caller.admit(p[:n]); err != nil {
			return 0, err
		}
	}
	return n, err
}

func (m metered) Write(p []byte) (int, error) {
	n, err := m.Conn.Write(p)
	m.caller.mu.Lock()
	defer m.caller.mu.Unlock()
	m.caller.intake.out.feed(p[:n], m.caller.intake.sent, nil)
	m.caller.intake.settle()
	return n, err
}

// metering makes the connections of a server metered ones.
type metering struct {
	credentials.TransportCredentials
}

// ServerHandshake implements credentials.TransportCredentials.
func (m metering) ServerHandshake(raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	conn, info, err := m.TransportCredentials.ServerHandshake(raw)
	if c, ok := raw.(*caller); ok && err == nil {
		conn = metered{conn, c}
	}
	return conn, info, err
}

// Clone implements credentials.TransportCredentials.
func (m metering) Clone() credentials.TransportCredentials {
	return metering{m.TransportCredentials.Clone()}
}

// reading watches a caller while a message of its is waited for, until done: one
// that has sent a part which others have to wait for, and then sends nothing more, is
// cut off, as one is that takes no answer.
func (c *caller) reading() (done func()) {
	if c == nil || c.intake.budget == nil {
		return func() {}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	before := c.intake.arrived
	var timer *time.Timer
	timer = time.AfterFunc(c.intake.grace, func() {
		c.mu.Lock()
		i := &c.intake
		slow := i.wanted() > 0 && i.full == 0 && float64(i.arrived-before) < float64(i.rate)*i.grace.Seconds()
		before = i.arrived
		if !slow && !c.closed {
			timer.Reset(i.grace)
		}
		c.mu.Unlock()
		if slow {
			_ = c.Close()
		}
	})
	return func() { timer.Stop() }
}

// busy notes that a stream's caller has to wait until we take its next message.
func (c *caller) busy(n int) {
	if c != nil {
		c.mu.Lock()
		c.intake.full += n
		c.mu.Unlock()
	}
}
