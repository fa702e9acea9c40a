//go:build cgo && (linux || darwin)

package ort

/*
#include "shim.h"
*/
import "C"

import (
	"context"
	"fmt"
	"unsafe"

	"github.com/goshawk-ai/goshawk/internal/infer"
	"github.com/goshawk-ai/goshawk/internal/tensor"
)

// smallest is a model that hands floats through ("x" to "y"). The runtime
// shrinks its arena only at the end of a run, so giving memory back when a
// model has gone needs a run of something that stays.
const smallest = "\x08\x08" + // ir_version 8
	"\x3a\x2b" + // graph, 43 bytes
	"\x0a\x10\x0a\x01x\x12\x01y\x22\x08Identity" + // node: x -> Identity -> y
	"\x12\x01g" + // name
	"\x5a\x09\x0a\x01x\x12\x04\x0a\x02\x08\x01" + // input x, float, of any shape
	"\x62\x09\x0a\x01y\x12\x04\x0a\x02\x08\x01" + // output y, the same
	"\x42\x02\x10\x11" // opset_import 17

// janitor is the session whose runs make the arena give back what no model uses.
type janitor struct {
	*session
	x, y *tensor.Tensor
}

// newJanitor is not counted among the backend's users: it lives as long as it.
func newJanitor(b *Backend) (*janitor, error) {
	native, err := b.load(context.Background(), []byte(smallest), infer.Options{})
	if err != nil {
		return nil, fmt.Errorf("load the model that shrinks the arena: %w", err)
	}
	s, err := newSession(b, native)
	if err != nil {
		unload(b, native)
		return nil, err
	}
	c, err := newCall(s)
	if err == nil {
		s.free = []*call{c} // the only one: runs are made one at a time
		err = b.check(C.gh_shrink(b.rt, c.c))
	}
	if err != nil {
		s.unload()
		return nil, err
	}
	// Nothing goes through: an output of a few bytes would lie in the arena while
	// it shrinks, and a region that is in use is not given back.
	nothing := func(name string) *tensor.Tensor {
		return &tensor.Tensor{Name: name, Type: tensor.Float32, Shape: []int64{0}, Data: []byte{}}
	}
	return &janitor{session: s, x: nothing("x"), y: nothing("y")}, nil
}

// giveBack returns the arena's unused regions to the C library, and the C
// library's free memory to the system. One without the other leaves hundreds of
// megabytes behind (docs/adr/0002-memory-cap.md has the figures).
func (b *Backend) giveBack() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.shrink()
	trim()
}

// shrink needs b.mu. A failure costs memory, not answers, and the next one
// makes up for it.
func (b *Backend) shrink() {
	if b.janitor != nil {
		_ = b.janitor.Run(context.Background(), []*tensor.Tensor{b.janitor.x}, []*tensor.Tensor{b.janitor.y})
	}
}

func trim() { C.gh_trim() }

// Used is what the C library has given out and not got back, in this whole
// process: weights, graphs, the arena's regions and whatever others allocate.
func (b *Backend) Used() int64 { return int64(C.gh_used()) }

// unload ends a native session that got no further.
func unload(b *Backend, native unsafe.Pointer) { C.gh_unload(b.rt, native) }
