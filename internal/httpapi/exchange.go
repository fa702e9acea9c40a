package httpapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/goshawk-ai/goshawk/internal/principal"
	"github.com/goshawk-ai/goshawk/internal/problem"
)

// statusGone is logged for a caller that hung up before its answer; nothing is
// sent. The number is nginx's.
const statusGone = 499

// errGone says that the caller hung up.
var errGone = errors.New("the caller hung up")

// handler answers a request or says why not. It writes nothing when it fails.
type handler func(x *exchange, r *http.Request) error

// exchange is one request and its answer: the writer, and what is known of it
// for the log.
type exchange struct {
	http.ResponseWriter
	id     string // request id
	route  string // pattern
	method string
	began  time.Time
	trace  Trace
	who    principal.Principal
	drawer Drawer  // nil unless problems are to be drawn for a person
	refuse Refusal // nil unless the route has a form of its own for problems
	body   *body   // nil while nobody has read it
	limits *Limits
	bodied bool // the request has a body
	left   bool // the answer is out before the body is in
	whole  bool // the headers go out with the one write that follows them

	model, version string // that was asked for, and that answered, where it is known

	status int   // 0 while nothing is written
	sent   int64 // bytes
	lost   bool  // the caller did not take the answer
	err    error // what the handler failed with
}

// WriteHeader notes the status.
func (x *exchange) WriteHeader(status int) {
	if x.status == 0 && status >= 200 {
		x.status = status
	}
	if x.bodied && x.body == nil {
		// A body that nobody wanted: the server reads on before it answers, and a
		// sender that stalls must not hold it there.
		_ = http.NewResponseController(x.ResponseWriter).SetReadDeadline(time.Now().Add(min(x.limits.Grace, time.Second/2)))
	}
	if !x.whole {
		x.hold(0)
	}
	x.ResponseWriter.WriteHeader(status)
}

// Write counts.
func (x *exchange) Write(p []byte) (int, error) {
	if x.status == 0 {
		x.status = http.StatusOK
	}
	x.hold(len(p))
	n, err := x.ResponseWriter.Write(p)
	x.sent += int64(n)
	x.lost = x.lost || err != nil
	return n, err
}

// Unwrap lets http.ResponseController reach the connection.
func (x *exchange) Unwrap() http.ResponseWriter { return x.ResponseWriter }

// hold bounds the time in which the caller must take the next n bytes: who does
// not read must not hold a goroutine and a connection for ever. It is per write
// and not per answer, because a profile trickles for as long as it was asked to.
// The server takes the deadline away after the answer. A second is the least:
// it also passes for who reads at once, while this machine is busy.
func (x *exchange) hold(n int) {
	taking := time.Duration(float64(n) / float64(x.limits.LeastRate) * float64(time.Second))
	// What cannot set deadlines (a recorder in a test) has no slow reader.
	_ = http.NewResponseController(x.ResponseWriter).SetWriteDeadline(time.Now().Add(max(x.limits.Grace, time.Second) + taking))
}

// send writes a whole answer.
func (x *exchange) send(r *http.Request, status int, contentType string, content []byte) {
	h := x.Header()
	h.Set("Content-Type", contentType)
	h.Set("Content-Length", strconv.Itoa(len(content)))
	x.whole = r.Method != http.MethodHead // then the deadline of what follows is enough
	x.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = x.Write(content) // a failure is the caller's hanging up; the server sees it too
	}
}

// serve is the one place where a request is named, checked, answered, logged
// and counted.
func (d *door) serve(at route, h handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x := &exchange{ResponseWriter: w, route: at.path, refuse: at.refuse, method: knownMethod(r.Method), began: time.Now(), limits: &d.Limits, bodied: r.ContentLength != 0}
		d.metrics.inFlight.Inc()
		defer d.metrics.inFlight.Dec()
		r = x.begin(r)
		ctx, span := d.Tracer.Start(r.Context(), "http "+x.method+" "+at.path)
		span.Set("request_id", x.id)
		r = r.WithContext(ctx)
		aborted := d.answer(x, r, at.guarded, h)
		span.Set("http.response.status_code", strconv.Itoa(x.status))
		span.End(x.err)
		d.metrics.observe(x)
		d.log(r, x, at.quiet)
		if aborted {
			panic(http.ErrAbortHandler) //nolint:forbidigo // half an answer is out: net/http then cuts the connection, so that nobody takes it for a whole
		}
		if x.left {
			x.linger(r)
		}
	})
}

// begin reads and writes the headers that every exchange has.
func (x *exchange) begin(r *http.Request) *http.Request {
	x.id = principal.NewRequestID(r.Header.Get("X-Request-Id"))
	h := x.Header()
	h.Set("X-Request-Id", x.id)
	secure(h)
	ctx := principal.WithRequestID(r.Context(), x.id)
	ctx, x.trace = WithTrace(ctx, r.Header)
	return r.WithContext(ctx)
}

// answer runs the handler and writes its problem, if it has one.
func (d *door) answer(x *exchange, r *http.Request, guarded bool, h handler) (aborted bool) {
	defer func() {
		if v := recover(); v != nil {
			if v == http.ErrAbortHandler { //nolint:errorlint // the very value, and v is no error yet
				x.err, aborted = errGone, true
				return
			}
			d.metrics.panics.Inc()
			x.err = fmt.Errorf("panic: %v\n%s", v, debug.Stack())
			if aborted = x.status != 0; !aborted {
				d.refuse(x, r, problem.Of(x.err))
			}
		}
	}()
	x.err = d.admitted(x, r, guarded, h)
	if x.err == nil {
		return false
	}
	if x.status != 0 {
		return true
	}
	if gone(r, x.err) {
		x.status = statusGone
		return true
	}
	d.refuse(x, r, reason(r, x.err))
	return false
}

func (d *door) admitted(x *exchange, r *http.Request, guarded bool, h handler) error {
	if guarded {
		if err := d.Access.Origin(r); err != nil {
			return err
		}
		who, err := d.Access.Who(r.Header.Values("Authorization"))
		if err != nil {
			return err
		}
		x.who = who
		r = r.WithContext(principal.With(r.Context(), who))
	}
	return h(x, r)
}

// gone tells whether nobody waits for an answer any more.
func gone(r *http.Request, err error) bool {
	if errors.Is(err, errGone) {
		return true
	}
	if _, named := errors.AsType[*problem.Problem](err); named {
		return false
	}
	cause := context.Cause(r.Context())
	return errors.Is(cause, context.Canceled) && errors.Is(err, context.Canceled)
}

// reason is the problem of err, or that of the context's end: a shutdown, say,
// cancels requests with a problem as the cause.
func reason(r *http.Request, err error) *problem.Problem {
	if errors.Is(err, context.Canceled) {
		if p, ok := errors.AsType[*problem.Problem](context.Cause(r.Context())); ok {
			return p
		}
	}
	return problem.Of(err)
}

// refuse sends the problem document.
func (d *door) refuse(x *exchange, r *http.Request, p *problem.Problem) {
	x.leaveBody(r)
	x.problemHeaders(p)
	if x.drawer != nil {
		x.drawer.Problem(x, r, p.With("request_id", x.id))
		return
	}
	if x.refuse != nil {
		contentType, content := x.refuse(p)
		x.send(r, p.Kind.Status, contentType, content)
		return
	}
	x.send(r, p.Kind.Status, "application/problem+json", encode(p.With("request_id", x.id)))
}

func (x *exchange) problemHeaders(p *problem.Problem) {
	switch p.Kind.Status {
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		seconds, _ := p.Extensions["retry_after_seconds"].(int)
		x.Header().Set("Retry-After", strconv.Itoa(max(seconds, 1)))
	case http.StatusUnauthorized:
		x.Header().Set("WWW-Authenticate", `Bearer realm="goshawk"`)
	}
}
