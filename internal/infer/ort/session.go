//go:build cgo && (linux || darwin)

package ort

/*
#include <stdlib.h>
#include "shim.h"
*/
import "C"

import (
	"slices"
	"sync"
	"unsafe"

	"github.com/goshawk-ai/goshawk/internal/infer"
	"github.com/goshawk-ai/goshawk/internal/tensor"
)

// session is a loaded model.
type session struct {
	backend  *Backend
	native   unsafe.Pointer // the runtime's session; released by Close when no run is left
	ins      []tensor.Spec
	outs     []tensor.Spec
	inNames  []*C.char // C memory, freed by Close
	outNames []*C.char
	aside    bool // it was loaded so, and is unloaded so

	mu      sync.Mutex
	free    []*call       // calls that no run is using
	running int           // runs under way
	closed  bool          // no new run may begin
	idle    chan struct{} // closed by the last run after Close was called
}

var _ infer.Session = (*session)(nil)

// newSession reads the model's inputs and outputs. On failure native is still the caller's.
func newSession(b *Backend, native unsafe.Pointer) (*session, error) {
	var ins, outs C.size_t
	if status := C.gh_counts(b.rt, native, &ins, &outs); status != nil {
		return nil, statusError(b.rt, status, infer.InvalidFile)
	}
	s := &session{backend: b, native: native, idle: make(chan struct{})}
	var err error
	if s.ins, err = describe(b.rt, native, false, int(ins)); err != nil {
		return nil, err
	}
	if s.outs, err = describe(b.rt, native, true, int(outs)); err != nil {
		return nil, err
	}
	s.inNames, s.outNames = cNames(s.ins), cNames(s.outs)
	return s, nil
}

func cNames(specs []tensor.Spec) []*C.char {
	names := make([]*C.char, len(specs))
	for i := range specs {
		names[i] = C.CString(specs[i].Name)
	}
	return names
}

func (s *session) Inputs() []tensor.Spec  { return slices.Clone(s.ins) }
func (s *session) Outputs() []tensor.Spec { return slices.Clone(s.outs) }

// take begins a run: it gives a call that nobody else uses until put.
func (s *session) take() (*call, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, infer.ErrClosed
	}
	if n := len(s.free); n > 0 {
		c := s.free[n-1]
		s.free = s.free[:n-1]
		s.running++
		return c, nil
	}
	c, err := newCall(s)
	if err == nil {
		s.running++
	}
	return c, err
}

// put ends a run.
func (s *session) put(c *call) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.free = append(s.free, c)
	s.running--
	if s.closed && s.running == 0 {
		close(s.idle)
	}
}

// shut lets no new run begin; it reports false when that was so already.
func (s *session) shut() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.closed = true
	if s.running == 0 {
		close(s.idle)
	}
	return true
}

// Close waits for running calls, unloads the model and gives its memory back.
// A second Close waits for the first one's runs and does nothing.
func (s *session) Close() error {
	first := s.shut()
	<-s.idle
	if !first {
		return nil
	}
	s.unload()
	s.backend.giveBack()
	s.backend.leave()
	return nil
}

// unload releases everything that the session holds outside of Go.
func (s *session) unload() {
	for _, c := range s.free {
		C.gh_call_free(s.backend.rt, c.c)
	}
	if s.aside {
		s.backend.yielding(func() { C.gh_unload_aside(s.backend.rt, s.native) })
	} else {
		C.gh_unload(s.backend.rt, s.native)
	}
	for _, name := range slices.Concat(s.inNames, s.outNames) {
		C.free(unsafe.Pointer(name))
	}
}
