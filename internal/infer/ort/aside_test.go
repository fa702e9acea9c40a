//go:build cgo && linux

package ort_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/goshawk-ai/goshawk/internal/infer"
	"github.com/goshawk-ai/goshawk/internal/infer/backendtest/onnxgen"
	"github.com/goshawk-ai/goshawk/internal/infer/ort/orttest"
	"github.com/goshawk-ai/goshawk/internal/tensor"
)

// matrix is a model of 4 MB, large enough for a thread that yields.
func matrix() []byte {
	const side = 1024
	value := func(name string) onnxgen.Value {
		return onnxgen.Value{Name: name, Type: tensor.Float32, Shape: []any{1, side}}
	}
	w := tensor.Aligned(4 * side * side)
	for i := range side {
		tensor.View[float32](w)[i*side+i] = 2
	}
	return onnxgen.Model{Graph: onnxgen.Graph{
		Inputs: []onnxgen.Value{value("in")}, Outputs: []onnxgen.Value{value("out")},
		Initializers: []onnxgen.Constant{{Name: "w", Type: tensor.Float32, Shape: []int{side, side}, Data: w}},
		Nodes:        []onnxgen.Node{{Op: "MatMul", In: []string{"in", "w"}, Out: []string{"out"}}},
	}}.Bytes()
}

// TestWhatIsDoneAsideIsTheSame: a load and its runs on threads that yield give
// what others give, fail as others do, and end when their caller goes.
func TestWhatIsDoneAsideIsTheSame(t *testing.T) {
	b := orttest.Open(t)
	aside, leave := context.WithCancelCause(infer.Aside(t.Context()))
	before := b.Used()
	s, err := b.Load(aside, matrix(), infer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if took := b.Used() - before; took < 4<<20 {
		t.Errorf("a model with 4 MB of weights took %d bytes of the C library", took)
	}
	in := &tensor.Tensor{Name: "in", Type: tensor.Float32, Shape: []int64{1, 1024}, Data: tensor.Aligned(4096)}
	tensor.View[float32](in.Data)[7] = 21
	for _, ctx := range []context.Context{aside, t.Context()} {
		out := &tensor.Tensor{Name: "out"}
		if err := s.Run(ctx, []*tensor.Tensor{in}, []*tensor.Tensor{out}); err != nil || tensor.View[float32](out.Data)[7] != 42 {
			t.Errorf("a run, aside %v: %v, %v", infer.IsAside(ctx), out, err)
		}
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if left := b.Used() - before; left > 1<<20 {
		t.Errorf("%d bytes of the C library are still in use after the model is closed", left)
	}
	if _, err := b.Load(aside, make([]byte, 2<<20), infer.Options{}); err == nil {
		t.Error("two megabytes of zeros are loaded as a model")
	}
	hangs, err := b.Load(aside, onnxgen.Endless().Bytes(), infer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer hangs.Close()
	gone := errors.New("gone")
	timer := time.AfterFunc(20*time.Millisecond, func() { leave(gone) })
	defer timer.Stop()
	x := &tensor.Tensor{Name: "in", Type: tensor.Float32, Shape: []int64{}, Data: tensor.Aligned(4)}
	if err := hangs.Run(aside, []*tensor.Tensor{x}, []*tensor.Tensor{{Name: "out"}}); !errors.Is(err, gone) {
		t.Errorf("a run without an end, whose caller goes: %v, want the caller's reason", err)
	}
}
