package app

import (
	"context"
	"sync"
	"time"

	"github.com/goshawk-ai/goshawk/internal/predict"
)

// activity is an engine that knows when it was last used, for whoever wants the
// cores for himself.
type activity struct {
	predict.Engine

	mu    sync.Mutex
	under int               // guarded by mu; requests that are being computed
	last  time.Time         // guarded by mu; the end of the last one
	alarm func(cause error) // guarded by mu; told when one begins; nil where nobody wants to know
}

// Classify implements predict.Engine.
func (a *activity) Classify(ctx context.Context, version string, encoded []byte, raw *predict.Raw) error {
	a.begin()
	defer a.end()
	return a.Engine.Classify(ctx, version, encoded, raw)
}

// Infer implements predict.Engine.
func (a *activity) Infer(ctx context.Context, version string, call *predict.TensorCall) error {
	a.begin()
	defer a.end()
	return a.Engine.Infer(ctx, version, call)
}

func (a *activity) begin() {
	a.mu.Lock()
	a.under++
	a.mu.Unlock()
	a.interrupt(errInterrupted)
}

func (a *activity) end() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.under--
	a.last = time.Now()
}

// quiet says since when there was no request; ok is false while there is one.
func (a *activity) quiet(now time.Time) (since time.Duration, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return now.Sub(a.last), a.under == 0
}

// interrupt tells whoever heeds requests to stop for another reason.
func (a *activity) interrupt(cause error) {
	a.mu.Lock()
	alarm := a.alarm
	a.mu.Unlock()
	if alarm != nil {
		alarm(cause)
	}
}

// heed has alarm told of the next requests, until it is called with nil.
func (a *activity) heed(alarm func(cause error)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.alarm = alarm
}
