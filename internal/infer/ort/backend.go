//go:build cgo && (linux || darwin)

package ort

/*
#cgo linux LDFLAGS: -ldl
#cgo CFLAGS: -O2 -Wall
#include <stdlib.h>
#include "shim.h"
*/
import "C"

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/goshawk-ai/goshawk/internal/infer"
)

// Backend is ONNX Runtime, opened. There can be one at a time in a process,
// because the runtime keeps one environment, and with it one memory cap, a
// process.
type Backend struct {
	version string
	library string
	rt      *C.gh_runtime // made by Open, freed by Close
	limit   int64         // the memory cap, or negative for none

	provider C.int // GH_CPU, …

	mu      sync.Mutex
	open    int // sessions, and loads that are under way
	closed  bool
	janitor *janitor // used under mu

	aside atomic.Int32 // see yielding
}

// Yielding tells whether work is under way on threads that take what time is left,
// if they find any.
func (b *Backend) Yielding() bool { return b.aside.Load() > 0 }

// yielding does work that goes to such a thread, and waits for it.
func (b *Backend) yielding(work func()) {
	b.aside.Add(1)
	defer b.aside.Add(-1)
	work()
}

var _ infer.Scale = (*Backend)(nil)

// Open finds the library, loads it and makes its environment, with telemetry
// off and memory capped.
func Open(o LibraryOptions) (*Backend, error) {
	path, forget, err := locate(o)
	if err != nil {
		return nil, err
	}
	defer forget()
	rt, err := open(path)
	if err != nil {
		return nil, err
	}
	b := &Backend{version: C.GoString(rt.version), library: path, rt: rt}
	if err := b.start(cmp.Or(o.MemoryCap, DefaultMemoryCap)); err != nil {
		C.gh_close(rt)
		return nil, fmt.Errorf("start ONNX Runtime: %w", err)
	}
	if err := b.choose(o.Provider); err != nil {
		return nil, errors.Join(err, b.Close())
	}
	return b, nil
}

func (b *Backend) start(memoryCap int64) error {
	b.limit = memoryCap
	if C.gh_claim(b.rt) == 0 {
		return errors.New("it is open already in this process, which can have one environment and one memory cap")
	}
	if err := b.check(C.gh_start(b.rt, C.int64_t(memoryCap))); err != nil {
		return err
	}
	var err error
	b.janitor, err = newJanitor(b)
	return err
}

// check turns a status of something other than a load or a run into an error.
func (b *Backend) check(status unsafe.Pointer) error {
	if status == nil {
		return nil
	}
	return statusError(b.rt, status, infer.Failed)
}

// open loads the library and reads its function table.
func open(path string) (*C.gh_runtime, error) {
	name := C.CString(path)
	defer C.free(unsafe.Pointer(name))
	var why [512]C.char
	rt := C.gh_open(name, &why[0], C.size_t(len(why)))
	if rt == nil {
		return nil, fmt.Errorf("open ONNX Runtime from %q: %s", path, clean(C.GoString(&why[0])))
	}
	return rt, nil
}

// Name is "onnxruntime".
func (b *Backend) Name() string { return "onnxruntime" }

// Version is the library's own: "1.30.0".
func (b *Backend) Version() string { return b.version }

// Library is the path that the library was opened from.
func (b *Backend) Library() string { return b.library }

// enter counts a user of the runtime, so that Close cannot pull it away.
func (b *Backend) enter() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return errClosed
	}
	b.open++
	return nil
}

func (b *Backend) leave() {
	b.mu.Lock()
	b.open--
	b.mu.Unlock()
}

var errClosed = errors.New("ONNX Runtime was closed")

// Close ends the environment. It fails while a session is open.
func (b *Backend) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.closed:
		return nil
	case b.open > 0:
		return fmt.Errorf("close ONNX Runtime: %d models are still loaded", b.open)
	}
	b.closed = true
	b.janitor.unload()
	b.janitor = nil
	C.gh_close(b.rt)
	b.rt = nil
	return nil
}

// Load makes a session. When ctx ends the runtime is asked to give up, which it
// does between steps of its own: a graph that keeps it in one step goes on.
func (b *Backend) Load(ctx context.Context, model []byte, o infer.Options) (infer.Session, error) {
	if len(model) == 0 {
		return nil, &infer.Error{Code: infer.InvalidFile, Message: "the model file is empty"}
	}
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	if err := b.enter(); err != nil {
		return nil, err
	}
	native, err := b.load(ctx, model, o)
	if err != nil {
		b.leave()
		return nil, err
	}
	s, err := newSession(b, native)
	if err != nil {
		unload(b, native)
		b.leave()
		return nil, err
	}
	s.aside = yields(ctx, len(model), o)
	if err := b.fits(native); err != nil {
		s.unload()
		b.giveBack()
		b.leave()
		return nil, err
	}
	return s, nil
}

// fits refuses a session that is loaded and whose weights put the arena above
// the cap. The runtime reserves weights without asking for the cap, and once the
// total is above it, it subtracts unsigned numbers the wrong way round and
// refuses nothing any more (docs/adr/0002-memory-cap.md). What is only held and
// not used is given back first.
func (b *Backend) fits(native unsafe.Pointer) error {
	if b.limit < 0 {
		return nil
	}
	total, err := b.total(native)
	if err == nil && total > b.limit {
		b.giveBack()
		total, err = b.total(native)
	}
	if err == nil && total > b.limit {
		err = &infer.Error{Code: infer.OutOfMemory, Message: fmt.Sprintf(
			"with this model all models hold %d bytes, and %d are allowed (memory.budget and memory.runtime)", total, b.limit)}
	}
	return err
}

// total is what the arena has taken from the system.
func (b *Backend) total(native unsafe.Pointer) (int64, error) {
	var bytes C.int64_t
	err := b.check(C.gh_arena_total(b.rt, native, &bytes))
	return int64(bytes), err
}

// yields tells whether a load goes to a thread that takes only what time is
// left: not a small one, which is over before that thread begins, and not one
// that makes threads of its own, which would yield for ever as their maker does.
func yields(ctx context.Context, bytes int, o infer.Options) bool {
	const small = 1 << 20
	return infer.IsAside(ctx) && bytes >= small && o.IntraThreads <= 1
}

func (b *Backend) load(ctx context.Context, model []byte, o infer.Options) (unsafe.Pointer, error) {
	var options unsafe.Pointer
	raw := C.int(0)
	if o.Raw {
		raw = 1
	}
	if status := C.gh_options_new(b.rt, C.int(max(1, o.IntraThreads)), raw, &options); status != nil {
		return nil, statusError(b.rt, status, infer.Failed)
	}
	defer C.gh_options_free(b.rt, options)
	if err := b.provide(options); err != nil {
		return nil, err
	}

	var mu sync.Mutex
	loading := true
	stop := context.AfterFunc(ctx, func() {
		mu.Lock()
		defer mu.Unlock()
		if loading { // else options may be gone
			C.gh_options_cancel(b.rt, options)
		}
	})
	var native unsafe.Pointer
	// model is read during the call only: the runtime parses it into its own memory.
	data, size := unsafe.Pointer(unsafe.SliceData(model)), C.size_t(len(model))
	var status unsafe.Pointer
	if yields(ctx, len(model), o) {
		b.yielding(func() { status = C.gh_load_aside(b.rt, data, size, options, &native) })
	} else {
		status = C.gh_load(b.rt, data, size, options, &native)
	}
	stop()
	mu.Lock()
	loading = false
	mu.Unlock()
	if status != nil {
		err := statusError(b.rt, status, infer.InvalidFile)
		if cause := context.Cause(ctx); cause != nil {
			return nil, cause
		}
		return nil, err
	}
	return native, nil
}
