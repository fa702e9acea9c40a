//go:build cgo && (linux || darwin)

package ort

/*
#include <stdlib.h>
#include "shim.h"
*/
import "C"

import (
	"context"
	"runtime"
	"sync"
	"unsafe"

	"github.com/goshawk-ai/goshawk/internal/infer"
	"github.com/goshawk-ai/goshawk/internal/tensor"
)

// call is the memory of one run, used again by the session's later runs.
type call struct {
	c       *C.gh_call // C memory, freed by the session's Close
	in, out []C.gh_tensor
	pins    runtime.Pinner // of the Go memory that c points to, for the length of a run

	mu  sync.Mutex // guards the terminate flag in c against a late cancellation
	run uint64     // which run c serves
}

func newCall(s *session) (*call, error) {
	var status unsafe.Pointer
	c := C.gh_call_new(s.backend.rt, C.size_t(len(s.ins)), C.size_t(len(s.outs)), &status)
	if status != nil {
		return nil, statusError(s.backend.rt, status, infer.Failed)
	}
	if c == nil {
		return nil, &infer.Error{Code: infer.OutOfMemory, Message: "no memory for a run"}
	}
	return &call{c: c, in: unsafe.Slice(c.in, len(s.ins)), out: unsafe.Slice(c.out, len(s.outs))}, nil
}

// Run computes the outputs that out names.
func (s *session) Run(ctx context.Context, in, out []*tensor.Tensor) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	c, err := s.take()
	if err != nil {
		return err
	}
	defer s.put(c)
	defer c.pins.Unpin()
	if err := s.bind(c, in, out); err != nil {
		return err
	}
	status := s.compute(ctx, c)
	if status != nil {
		err := statusError(s.backend.rt, status, infer.BadInput)
		if cause := context.Cause(ctx); cause != nil {
			return cause
		}
		return err
	}
	return s.collect(c, out)
}

// compute runs the call; when ctx ends meanwhile it is terminated.
func (s *session) compute(ctx context.Context, c *call) unsafe.Pointer {
	rt := s.backend.rt
	if ctx.Done() == nil {
		return C.gh_run(rt, s.native, c.c)
	}
	aside := infer.IsAside(ctx)
	run := c.run
	stop := context.AfterFunc(ctx, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		// Else this run is over: c may serve another, or be freed.
		if c.run == run {
			C.gh_terminate(rt, c.c)
		}
	})
	var status unsafe.Pointer
	if aside {
		s.backend.yielding(func() { status = C.gh_run_aside(rt, s.native, c.c) })
	} else {
		status = C.gh_run(rt, s.native, c.c)
	}
	if !stop() {
		c.mu.Lock()
		c.run++
		C.gh_unterminate(rt, c.c)
		c.mu.Unlock()
	}
	return status
}
