package httpapi

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/goshawk-ai/goshawk/internal/problem"
	"github.com/goshawk-ai/goshawk/internal/units"
)

// body reads a request's body and holds the sender to a least rate: the
// connection's read deadline is moved on while bytes flow. Time that the server
// itself took (see pause) does not count.
type body struct {
	src         io.Reader
	setDeadline func(time.Time) error
	limits      Limits
	rate        int64     // bytes a second that are asked for
	began       time.Time // moved on by pauses
	moved       time.Time // when the deadline was set last
	read        int64
	length      int64 // declared; -1 is unknown
	ended       bool  // EOF was seen
	silent      bool  // a large body of which nothing has come
	failed      error // why no more of it can be read; nil also at its end
}

// silence is how long a large body may keep us waiting for its first bytes.
const silence = 3 * time.Second

// newBody begins to read. limit bounds the whole body.
func (d *door) newBody(x *exchange, r *http.Request, limit int64) *body {
	b := &body{
		// The reader needs the server's own writer, which learns from it to
		// close the connection.
		src:         http.MaxBytesReader(x.ResponseWriter, r.Body, limit),
		setDeadline: http.NewResponseController(x.ResponseWriter).SetReadDeadline,
		limits:      d.Limits,
		rate:        d.Limits.LeastRate,
		length:      r.ContentLength,
	}
	// A declared length is reserved, so it must come in BodyTime as a whole.
	b.rate = max(b.rate, int64(float64(b.length)/d.Limits.BodyTime.Seconds()))
	b.silent = b.length > step
	b.began = time.Now()
	b.move(b.began)
	x.body = b
	return b
}

// Read is an io.Reader's.
func (b *body) Read(p []byte) (int, error) {
	n, err := b.src.Read(p)
	b.read += int64(n)
	if err != nil {
		if errors.Is(err, io.EOF) {
			b.end()
		} else {
			b.failed = err
		}
		return n, err
	}
	// Moving a deadline costs more than a small read: once a second is enough.
	if now := time.Now(); now.Sub(b.moved) >= time.Second || b.silent {
		b.silent = false
		b.move(now)
	}
	return n, nil
}

func (b *body) move(now time.Time) {
	earned := time.Duration(float64(b.read) / float64(b.rate) * float64(time.Second))
	b.moved = now
	grace := b.limits.Grace
	if b.silent {
		grace = min(grace, silence)
	}
	// What cannot set deadlines (a recorder in a test) has no slow sender.
	_ = b.setDeadline(b.began.Add(grace + min(earned, b.limits.BodyTime)))
}

// pause forgives the sender the time since then.
func (b *body) pause(since time.Time) {
	now := time.Now()
	if waited := now.Sub(since); waited > time.Millisecond {
		b.began = b.began.Add(waited)
		b.move(now)
	}
}

// end takes the deadline away: the server goes on reading the connection in the
// background, to see the caller hang up, and must not take a deadline for that.
func (b *body) end() {
	if !b.ended {
		b.ended = true
		_ = b.setDeadline(time.Time{})
	}
}

// due is how many declared bytes are still to come, -1 when that is unknown,
// and how many have come.
func (b *body) due() (due, read int64) {
	if b.length < 0 {
		return -1, b.read
	}
	return max(b.length-b.read, 0), b.read
}

// problem says why reading failed.
func (b *body) problem(err error) error {
	if p, ok := errors.AsType[*problem.Problem](err); ok {
		return p
	}
	if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return tooManyBytes(tooLarge.Limit)
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return problem.DeadlineExceeded.New("the request's body came too slowly: %d bytes in %.0f s, and at least %s a second are asked for",
			b.read, time.Since(b.began).Seconds(), units.Bytes(b.rate)).With("least_bytes_per_second", b.rate)
	}
	if _, lost := errors.AsType[*net.OpError](err); lost {
		return fmt.Errorf("%w: %w", errGone, err)
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		if b.length >= 0 {
			return problem.InvalidRequest.New("the request's body ended after %d of the %d bytes that Content-Length declares", b.read, b.length)
		}
		return problem.InvalidRequest.New("the request's body ended after %d bytes, in the middle", b.read)
	}
	return problem.InvalidRequest.New("the request's body could not be read after %d bytes: its transfer encoding is broken", b.read).Because(err)
}

func tooManyBytes(limit int64) *problem.Problem {
	return problem.PictureTooLarge.New("the request has more than %s, the limit", units.Bytes(limit)).With("limit_bytes", limit)
}
