//go:build cgo && (linux || darwin)

package ort

/*
#include "shim.h"
*/
import "C"

import (
	"cmp"
	"fmt"
	"unsafe"

	"github.com/goshawk-ai/goshawk/internal/infer"
)

var providers = map[Provider]C.int{CPU: C.GH_CPU, CUDA: C.GH_CUDA, TensorRT: C.GH_TENSORRT}

// choose takes the provider that models are to be computed with, or says why this
// library cannot.
func (b *Backend) choose(p Provider) error {
	p = cmp.Or(p, CPU)
	number, known := providers[p]
	if !known {
		return fmt.Errorf("there is no provider %q; cpu, cuda and tensorrt are known", p)
	}
	b.provider = number
	if p == CPU {
		return nil
	}
	var options unsafe.Pointer
	if err := b.check(C.gh_options_new(b.rt, 1, 0, &options)); err != nil {
		return err
	}
	defer C.gh_options_free(b.rt, options)
	if err := b.provide(options); err != nil {
		return fmt.Errorf("backends.provider is %s, and ONNX Runtime at %q cannot compute with it: %w; name a build that has it, with its libraries and those of NVIDIA beside it, by %s, or say cpu",
			p, b.library, err, Variable)
	}
	return nil
}

// provide sets the provider of a session that is to be.
func (b *Backend) provide(options unsafe.Pointer) error {
	if status := C.gh_provider(b.rt, options, b.provider); status != nil {
		return statusError(b.rt, status, infer.Unsupported)
	}
	return nil
}
