package tensor_test

import (
	"bytes"
	"testing"

	"github.com/goshawk-ai/goshawk/internal/tensor"
)

func TestAlignCopiesOnlyWhatLiesBadly(t *testing.T) {
	memory := tensor.Aligned(24)
	for i := range memory {
		memory[i] = byte(i)
	}
	for offset := range 8 {
		for _, typ := range []tensor.Type{tensor.Uint8, tensor.Float16, tensor.Float32, tensor.Float64} {
			data := memory[offset : offset+16]
			got := tensor.Align(data, typ)
			if !bytes.Equal(got, data) {
				t.Fatalf("%s at %d: got % x, want % x", typ, offset, got, data)
			}
			if suits := offset%typ.Size() == 0; suits != (&got[0] == &data[0]) {
				t.Errorf("%s at %d: copied although its address suits: %v", typ, offset, suits)
			}
			if typ == tensor.Float64 {
				tensor.View[float64](got) // panics where it is not aligned
			}
		}
	}
	if got := tensor.Align(nil, tensor.Float64); len(got) != 0 {
		t.Errorf("nothing became %v", got)
	}
}
