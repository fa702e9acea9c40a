//go:build cgo && (linux || darwin)

package ort

/*
#include "shim.h"
*/
import "C"

import (
	"slices"
	"unsafe"

	"github.com/goshawk-ai/goshawk/internal/infer"
	"github.com/goshawk-ai/goshawk/internal/tensor"
	"github.com/goshawk-ai/goshawk/internal/wording"
)

// collect copies the outputs that the runtime allocated into Go memory. Where
// there are none gh_run has released everything already.
func (s *session) collect(c *call, out []*tensor.Tensor) error {
	given := 0
	for i := range out {
		given += int(c.out[i].given)
	}
	if given != len(out) {
		defer C.gh_release(s.backend.rt, c.c)
	}
	if c.c.misfit != 0 {
		return badInput("an output has another type or shape than the memory that was given for it")
	}
	for i, t := range out {
		if c.out[i].given != 0 {
			continue
		}
		if err := s.copyOut(&c.out[i], t); err != nil {
			return err
		}
	}
	return nil
}

// copyOut: from's data and shape are the runtime's until gh_release.
func (s *session) copyOut(from *C.gh_tensor, t *tensor.Tensor) error {
	typ := fromNative(int(from._type))
	if typ == tensor.Invalid {
		return &infer.Error{Code: infer.Unsupported, Message: "the output " + wording.Quote(t.Name) + " is of a kind or type that is not served here"}
	}
	t.Type = typ
	t.Shape = slices.Clone(unsafe.Slice((*int64)(from.shape), int(from.rank)))
	n, err := tensor.Elements(t.Shape)
	if err != nil {
		return err
	}
	if typ == tensor.String {
		return s.copyStrings(from, t, int(n))
	}
	t.Data = tensor.Aligned(int(n) * typ.Size())
	copy(t.Data, unsafe.Slice((*byte)(from.data), len(t.Data)))
	return nil
}

func (s *session) copyStrings(from *C.gh_tensor, t *tensor.Tensor, n int) error {
	t.Strings = make([][]byte, n)
	if n == 0 {
		return nil
	}
	block := make([]byte, int(from.bytes)+1) // + 1: has an address when empty
	offsets := make([]C.size_t, n+1)
	status := C.gh_strings(s.backend.rt, from.value, unsafe.Pointer(&block[0]), from.bytes, &offsets[0], C.size_t(n))
	if status != nil {
		return statusError(s.backend.rt, status, infer.Failed)
	}
	offsets[n] = from.bytes
	for i := range t.Strings {
		t.Strings[i] = block[offsets[i]:offsets[i+1]:offsets[i+1]]
	}
	return nil
}
