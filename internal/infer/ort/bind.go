//go:build cgo && (linux || darwin)

package ort

/*
#include "shim.h"
*/
import "C"

import (
	"fmt"
	"unsafe"

	"github.com/goshawk-ai/goshawk/internal/infer"
	"github.com/goshawk-ai/goshawk/internal/tensor"
	"github.com/goshawk-ai/goshawk/internal/wording"
)

func badInput(format string, args ...any) error {
	return &infer.Error{Code: infer.BadInput, Message: fmt.Sprintf(format, args...)}
}

func indexOf(specs []tensor.Spec, name string) int {
	for i := range specs {
		if specs[i].Name == name {
			return i
		}
	}
	return -1
}

// bind checks the tensors against the model and lets c point to their memory,
// which is pinned until Run's end.
func (s *session) bind(c *call, in, out []*tensor.Tensor) error {
	if len(in) != len(s.ins) {
		return badInput("the model has %d inputs and %d were given", len(s.ins), len(in))
	}
	if len(out) == 0 || len(out) > len(s.outs) {
		return badInput("the model has %d outputs and %d were asked for", len(s.outs), len(out))
	}
	c.c.ins, c.c.outs = C.size_t(len(in)), C.size_t(len(out))
	for i, t := range in {
		if err := s.bindInput(c, in, i, t); err != nil {
			return err
		}
	}
	for i, t := range out {
		if err := s.bindOutput(c, out, i, t); err != nil {
			return err
		}
	}
	return nil
}

func (s *session) bindInput(c *call, in []*tensor.Tensor, i int, t *tensor.Tensor) error {
	k := indexOf(s.ins, t.Name)
	if k < 0 || repeated(in[:i], t.Name) {
		return badInput("the model has no input %s, or it was given twice", wording.Quote(t.Name))
	}
	if s.ins[k].Kind != "tensor" {
		return badInput("the model's input %s is no tensor (%s)", wording.Quote(t.Name), s.ins[k].Kind)
	}
	c.in[i] = C.gh_tensor{name: s.inNames[k], _type: C.int(toNative(t.Type))}
	if err := fits(t, s.ins[k].Type); err != nil {
		return err
	}
	switch t.Type {
	case tensor.String:
		c.strings(&c.in[i], t)
		return nil
	case tensor.Bool:
		if err := truths(t); err != nil {
			return err
		}
	}
	return c.data(&c.in[i], t)
}

func (s *session) bindOutput(c *call, out []*tensor.Tensor, i int, t *tensor.Tensor) error {
	k := indexOf(s.outs, t.Name)
	if k < 0 || repeated(out[:i], t.Name) {
		return badInput("the model has no output %s, or it was asked for twice", wording.Quote(t.Name))
	}
	if s.outs[k].Kind != "tensor" {
		return &infer.Error{Code: infer.Unsupported, Message: fmt.Sprintf("the model's output %s is no tensor (%s)", wording.Quote(t.Name), s.outs[k].Kind)}
	}
	c.out[i] = C.gh_tensor{name: s.outNames[k]}
	if t.Data == nil {
		return nil
	}
	if err := fits(t, s.outs[k].Type); err != nil {
		return err
	}
	c.out[i]._type, c.out[i].given = C.int(toNative(t.Type)), 1
	return c.data(&c.out[i], t)
}

func repeated(before []*tensor.Tensor, name string) bool {
	for _, t := range before {
		if t.Name == name {
			return true
		}
	}
	return false
}

// fits compares a tensor's type with the declared one, and its memory with its shape.
func fits(t *tensor.Tensor, declared tensor.Type) error {
	if t.Type != declared {
		return badInput("tensor %s is %s, the model has %s there", wording.Quote(t.Name), t.Type, declared)
	}
	n, err := tensor.Elements(t.Shape)
	if err != nil {
		return badInput("tensor %s: %v", wording.Quote(t.Name), err)
	}
	have, want, unit := int64(len(t.Data)), n*int64(t.Type.Size()), "bytes"
	if t.Type == tensor.String {
		have, want, unit = int64(len(t.Strings)), n, "strings"
	}
	// n > have: where n times the element's size passes the largest integer.
	if have != want || t.Type.Size() > 0 && n > have {
		return badInput("tensor %s of shape %v needs %d %s and has %d", wording.Quote(t.Name), t.Shape, want, unit, have)
	}
	return nil
}

// truths checks that a bool tensor holds nothing but 0 and 1: C++ may do
// anything with another value.
func truths(t *tensor.Tensor) error {
	for _, v := range t.Data {
		if v > 1 {
			return badInput("tensor %s is bool and holds %d, which is neither 0 nor 1", wording.Quote(t.Name), v)
		}
	}
	return nil
}

// data lets to point to the tensor's own memory.
func (c *call) data(to *C.gh_tensor, t *tensor.Tensor) error {
	memory := unsafe.Pointer(unsafe.SliceData(t.Data))
	if size := uintptr(t.Type.Size()); uintptr(memory)%size != 0 {
		return badInput("tensor %s lies at an address that does not suit %s", wording.Quote(t.Name), t.Type)
	}
	c.shape(to, t.Shape)
	to.bytes = C.size_t(len(t.Data))
	if len(t.Data) > 0 {
		c.pins.Pin(memory)
		to.data = memory
	}
	return nil
}

func (c *call) shape(to *C.gh_tensor, shape []int64) {
	to.rank = C.size_t(len(shape))
	if len(shape) > 0 {
		c.pins.Pin(&shape[0])
		to.shape = (*C.int64_t)(&shape[0])
	}
}

// strings packs the elements into one block, since C may not follow pointers
// from Go memory to Go memory.
func (c *call) strings(to *C.gh_tensor, t *tensor.Tensor) {
	c.shape(to, t.Shape)
	offsets := make([]C.size_t, len(t.Strings)+1)
	total := 0
	for i, s := range t.Strings {
		total += len(s)
		offsets[i+1] = C.size_t(total)
	}
	block := make([]byte, 0, total+1) // + 1: has an address when empty
	for _, s := range t.Strings {
		block = append(block, s...)
	}
	c.pins.Pin(unsafe.SliceData(block))
	c.pins.Pin(&offsets[0])
	to.data, to.bytes = unsafe.Pointer(unsafe.SliceData(block)), C.size_t(total)
	to.offsets, to.count = &offsets[0], C.size_t(len(t.Strings))
}
