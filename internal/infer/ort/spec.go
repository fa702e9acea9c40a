//go:build cgo && (linux || darwin)

package ort

/*
#include "shim.h"
*/
import "C"

import (
	"unsafe"

	"github.com/goshawk-ai/goshawk/internal/infer"
	"github.com/goshawk-ai/goshawk/internal/tensor"
)

// describe reads what the model declares of its inputs or outputs.
func describe(rt *C.gh_runtime, native unsafe.Pointer, output bool, count int) ([]tensor.Spec, error) {
	side := C.int(0)
	if output {
		side = 1
	}
	specs := make([]tensor.Spec, count)
	for i := range specs {
		spec, err := describeOne(rt, native, side, i)
		if err != nil {
			return nil, err
		}
		specs[i] = spec
	}
	return specs, nil
}

func describeOne(rt *C.gh_runtime, native unsafe.Pointer, side C.int, i int) (tensor.Spec, error) {
	var name *C.char // the runtime's, until gh_name_free
	if status := C.gh_name(rt, native, side, C.size_t(i), &name); status != nil {
		return tensor.Spec{}, statusError(rt, status, infer.InvalidFile)
	}
	spec := tensor.Spec{Name: C.GoString(name)}
	C.gh_name_free(rt, name)

	var found C.gh_spec
	var info unsafe.Pointer // the runtime's, until gh_describe_free
	status := C.gh_describe(rt, native, side, C.size_t(i), &found, &info)
	defer func() { C.gh_describe_free(rt, info) }()
	if status != nil {
		return spec, statusError(rt, status, infer.InvalidFile)
	}
	spec.Kind = kindOf(int(found.kind))
	if spec.Kind == "tensor" {
		spec.Type = fromNative(int(found._type))
	}
	spec.Ranked = found.ranked != 0
	return spec, dimensions(rt, info, &spec, int(found.rank))
}

func dimensions(rt *C.gh_runtime, info unsafe.Pointer, spec *tensor.Spec, rank int) error {
	if rank == 0 {
		return nil
	}
	spec.Shape = make([]int64, rank)
	spec.Symbols = make([]string, rank)
	symbols := make([]*C.char, rank) // C memory that is part of info
	status := C.gh_dimensions(rt, info, (*C.int64_t)(&spec.Shape[0]), &symbols[0], C.size_t(rank))
	if status != nil {
		return statusError(rt, status, infer.InvalidFile)
	}
	for i, symbol := range symbols {
		spec.Symbols[i] = C.GoString(symbol)
	}
	return nil
}
