package ort

import "github.com/goshawk-ai/goshawk/internal/tensor"

// nativeTypes are the runtime's numbers (enum ONNXTensorElementDataType). What
// is missing, complex numbers and those below 8 bits, is tensor.Invalid here.
var nativeTypes = [...]int{
	tensor.Float32:  1,
	tensor.Uint8:    2,
	tensor.Int8:     3,
	tensor.Uint16:   4,
	tensor.Int16:    5,
	tensor.Int32:    6,
	tensor.Int64:    7,
	tensor.String:   8,
	tensor.Bool:     9,
	tensor.Float16:  10,
	tensor.Float64:  11,
	tensor.Uint32:   12,
	tensor.Uint64:   13,
	tensor.BFloat16: 16,
}

func toNative(t tensor.Type) int {
	if int(t) >= len(nativeTypes) {
		return 0
	}
	return nativeTypes[t]
}

func fromNative(n int) tensor.Type {
	for t, native := range nativeTypes {
		if native == n && n != 0 {
			return tensor.Type(t)
		}
	}
	return tensor.Invalid
}

// kinds are what a value can be (enum ONNXType).
var kinds = [...]string{"unknown", "tensor", "sequence", "map", "opaque", "sparse tensor", "optional"}

func kindOf(n int) string {
	if n < 0 || n >= len(kinds) {
		n = 0
	}
	return kinds[n]
}
