package httpapi

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/goshawk-ai/goshawk/internal/problem"
	"github.com/goshawk-ai/goshawk/internal/units"
)

// Route is an address that another room serves behind this door: what this door
// does for its own addresses it does for that one, from the headers' checks to
// the line in the log.
type Route struct {
	// Path is a pattern of http.ServeMux, without a method. It is also the
	// route's label in metrics and in the log.
	Path string
	// Methods answer. HEAD is GET without its content. A route without any is a
	// place where nothing is: 404.
	Methods map[string]Handler
	Open    bool    // no key is asked for, and any host is answered for: probes
	Quiet   bool    // probes come every second: their lines are for debugging
	Refuse  Refusal // nil: problem documents
}

// Handler answers a request or says why not. It sends nothing when it fails.
type Handler func(x *Exchange, r *http.Request) error

// Refusal writes a problem in a route's own form. The status is the problem's.
type Refusal func(p *problem.Problem) (contentType string, content []byte)

// Exchange is one request of a Route and its answer.
type Exchange struct {
	x     *exchange
	door  *door
	arena *arena // nil before Body
	more  int64  // what Reserve took of the budget
}

// mount puts the other rooms' routes behind the door.
func (d *door) mount(mux *http.ServeMux) {
	for _, r := range d.Routes {
		own := route{path: r.Path, guarded: !r.Open, quiet: r.Quiet, refuse: r.Refuse, methods: make(map[string]handler, len(r.Methods))}
		for method, h := range r.Methods {
			own.methods[method] = d.foreign(h)
		}
		mux.Handle(r.Path, d.serve(own, own.dispatch()))
	}
}

// foreign gives the other room's handler what it needs, and takes back what it
// held of the budget.
func (d *door) foreign(h Handler) handler {
	return func(x *exchange, r *http.Request) error {
		out := &Exchange{x: x, door: d}
		defer out.Release()
		err := h(out, r)
		out.done() // not reached in a panic: a thread may still be reading the body then
		return err
	}
}

// Answered tells the log which version it was.
func (x *Exchange) Answered(version string) { x.x.version = version }

// Header is the answer's.
func (x *Exchange) Header() http.Header { return x.x.Header() }

// Began is when the request's headers were here.
func (x *Exchange) Began() time.Time { return x.x.began }

// Limits are the door's.
func (x *Exchange) Limits() Limits { return x.door.Limits }

// Reserve takes n more bytes of the budget, for what a request's body becomes.
// They are given back with the body.
func (x *Exchange) Reserve(ctx context.Context, n int64) error {
	if n <= 0 {
		return nil
	}
	if err := acquire(ctx, x.door.Budget, x.door.Limits.BudgetWait, n); err != nil {
		return err
	}
	x.more += n
	return nil
}

// Keep exchanges the body and what was reserved for n bytes of answer, which are
// there already, and holds them until the answer is sent. Nobody may look at the
// body's bytes after it. What it needs beyond the body's it takes at once or not
// at all: an answer that waited would be memory that nobody has counted.
func (x *Exchange) Keep(n int64) error {
	if x.arena != nil {
		x.more += x.arena.leave()
		x.arena = nil
	}
	budget, counts := x.door.Budget.(interface {
		TryAcquire(n int64) bool
		Size() int64
	})
	switch {
	case n <= x.more:
		x.door.Budget.Release(x.more - n)
	case !counts:
		return nil
	case n > budget.Size():
		return problem.PictureTooLarge.New("the answer takes %s of memory, and the server gives %s to all requests together; ask for fewer outputs or rows",
			units.Bytes(n), units.Bytes(budget.Size())).With("limit_bytes", budget.Size())
	case !budget.TryAcquire(n - x.more):
		return problem.Overloaded.New("other requests hold all the memory that there is for answers; try again in a moment").With("retry_after_seconds", 1)
	}
	x.more = n
	return nil
}

// Release gives back the body and what was reserved or kept. Nobody may look at
// the body's bytes after it.
func (x *Exchange) Release() {
	if x.arena != nil {
		x.arena.close()
		x.arena = nil
	}
	if x.more > 0 {
		x.door.Budget.Release(x.more)
		x.more = 0
	}
}

func (x *Exchange) done() {
	if x.arena != nil {
		x.arena.done = true
	}
}

// Answer is what Send sends.
type Answer struct {
	Type     string // Content-Type; "" for none
	Parts    [][]byte
	Compress bool // as the request's Accept-Encoding likes it
}

// Send sends a whole answer with status 200.
func (x *Exchange) Send(r *http.Request, a Answer) {
	h := x.Header()
	if a.Type != "" {
		h.Set("Content-Type", a.Type)
	}
	coding := ""
	if a.Compress {
		h.Add("Vary", "Accept-Encoding")
		coding = acceptedCoding(r.Header)
	}
	if coding != "" {
		x.compressed(r, coding, a.Parts)
		return
	}
	n := 0
	for _, p := range a.Parts {
		n += len(p)
	}
	h.Set("Content-Length", strconv.Itoa(n))
	x.x.WriteHeader(http.StatusOK)
	if r.Method == http.MethodHead {
		return
	}
	for _, p := range a.Parts {
		if len(p) == 0 {
			continue
		}
		if _, err := x.x.Write(p); err != nil {
			return // the caller hung up; the server sees it too
		}
	}
}
