// Package infer is the seam to whatever computes: a Backend loads a model, a
// Session runs it on named tensors of every type and rank. Nothing here knows
// what a picture is.
package infer

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/goshawk-ai/goshawk/internal/tensor"
)

// Backend loads models.
type Backend interface {
	// Name and Version say who computes: "onnxruntime", "1.30.0". They are part
	// of an answer's lineage.
	Name() string
	Version() string
	// Load makes a session of a model's bytes, which it does not keep.
	// Errors are *Error where the runtime said something.
	Load(ctx context.Context, model []byte, o Options) (Session, error)
}

// Options of a session. The zero value is what serving wants: one thread a run.
type Options struct {
	IntraThreads int  // threads inside one run; 0 means 1
	Raw          bool // no graph optimization (for a check that must be quick)
	// Again reads the model's bytes once more, for a backend that must load a
	// model anew while its session lives. Without it such a backend keeps them.
	Again func() ([]byte, error)
}

// Session is a loaded model. Run may be called from many goroutines at a time.
type Session interface {
	Inputs() []tensor.Spec
	Outputs() []tensor.Spec
	// Run computes the outputs that out names, from inputs that the caller goes
	// on owning. An out tensor with Data (and Type and Shape) is written in
	// place and fails when the result has another shape or type; one without is
	// filled with memory of its own. When ctx ends the run is terminated and
	// its cause returned.
	Run(ctx context.Context, in []*tensor.Tensor, out []*tensor.Tensor) error
	// Close waits for running calls and gives the memory back.
	Close() error
}

// Monitored is a Session whose model is computed elsewhere, by somebody who may
// be gone for a while.
type Monitored interface {
	Session
	// Health is nil, or an *Error of the code Unavailable that says why a run
	// would fail now.
	Health() error
	// Await is Health that waits, a few seconds at most, where that promises an
	// answer: the work that stands behind it need not fail for a short absence.
	Await(ctx context.Context) error
	// Broken is closed when Health will not be nil again. It may be nil.
	Broken() <-chan struct{}
}

// Scale is a Backend whose models lie in this process.
type Scale interface {
	Backend
	// Used is what all the process has allocated outside of Go's memory now: the
	// difference over a load is what that took, where nothing else goes on beside
	// it. It is 0 where it cannot be known.
	Used() int64
}

// Reader is a Backend that reads large files on a thread that yields, into memory
// that is not Go's.
type Reader interface {
	Backend
	// ReadAside reads a file from its start on. It fails with io.ErrUnexpectedEOF where
	// there are fewer bytes than size. Nobody may use data after free.
	ReadAside(ctx context.Context, f *os.File, size int64) (data []byte, free func(), err error)
}

// Weighed is a Session whose model lies in another process of ours.
type Weighed interface {
	Session
	// Weight is the memory that the process has for itself now, in bytes; 0 where
	// it cannot be known.
	Weight() int64
}

type asideKey struct{}

// Aside marks what is done with a context as work for which nobody's request
// should wait: loading and warming a model. A backend may do it on threads that
// get only the time that nobody else wants.
func Aside(ctx context.Context) context.Context { return context.WithValue(ctx, asideKey{}, true) }

// IsAside tells a context that Aside has marked.
func IsAside(ctx context.Context) bool { return ctx.Value(asideKey{}) != nil }

// Code is the class of a runtime's failure.
type Code int

// The classes that callers tell apart.
const (
	Failed      Code = iota // anything else
	InvalidFile             // no model, or a damaged one
	Unsupported             // an operator, version or type that the runtime lacks
	BadInput                // the tensors do not fit the model
	OutOfMemory             // the memory cap was reached
	Unavailable             // whoever computes is gone, for now or for good; the request is not at fault
)

// Error is a failure that the runtime reported.
type Error struct {
	Code    Code
	Native  int    // the runtime's own code
	Message string // the runtime's words, cut to a bearable length, control characters removed
	// Retry is when another try is worth while, for Unavailable; 0 says nothing.
	Retry time.Duration
	// Unsent says, for Unavailable, that the request surely reached nobody.
	Unsent bool
}

func (e *Error) Error() string { return e.Message }

// ErrClosed is returned by Run after Close.
var ErrClosed = errors.New("the model was unloaded")
