//go:build cgo && linux

package ort_test

import (
	"errors"
	"testing"

	"github.com/goshawk-ai/goshawk/internal/infer"
	"github.com/goshawk-ai/goshawk/internal/infer/backendtest/onnxgen"
	"github.com/goshawk-ai/goshawk/internal/infer/ort/orttest"
	"github.com/goshawk-ai/goshawk/internal/tensor"
)

// greedy fills as many floats as its input says, and adds them up.
func greedy() onnxgen.Model {
	return onnxgen.Model{Graph: onnxgen.Graph{
		Inputs:  []onnxgen.Value{{Name: "n", Type: tensor.Int64, Shape: []any{1}}},
		Outputs: []onnxgen.Value{{Name: "sum", Type: tensor.Float32, Shape: []any{}}},
		Nodes: []onnxgen.Node{
			{Op: "ConstantOfShape", In: []string{"n"}, Out: []string{"ones"}, Attrs: map[string]any{"value": onnxgen.Floats("v", []int{1}, 1)}},
			{Op: "ReduceSum", In: []string{"ones"}, Out: []string{"sum"}, Attrs: map[string]any{"keepdims": 0}},
		},
	}}
}

// TestMemoryIsCapped: a model that asks for more than the cap is refused, and
// nothing else suffers.
func TestMemoryIsCapped(t *testing.T) {
	s, err := orttest.Open(t).Load(t.Context(), greedy().Bytes(), infer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ask := func(n int64) (float32, error) {
		in := &tensor.Tensor{Name: "n", Type: tensor.Int64, Shape: []int64{1}, Data: tensor.Aligned(8)}
		tensor.View[int64](in.Data)[0] = n
		out := &tensor.Tensor{Name: "sum"}
		if err := s.Run(t.Context(), []*tensor.Tensor{in}, []*tensor.Tensor{out}); err != nil {
			return 0, err
		}
		return tensor.View[float32](out.Data)[0], nil
	}
	for _, floats := range []int64{orttest.Cap / 4, 3_600_000_000, 10_000_000_000, 1 << 60} {
		_, err := ask(floats)
		if e, ok := errors.AsType[*infer.Error](err); !ok || e.Code != infer.OutOfMemory && floats < 1<<60 {
			t.Errorf("%d floats under a cap of %d bytes: %v, want out of memory", floats, int64(orttest.Cap), err)
		}
		if sum, err := ask(1_000_000); err != nil || sum != 1_000_000 {
			t.Errorf("after the refusal a small run gave %v, %v", sum, err)
		}
	}
}

// TestAFullArenaKeepsItsCap: weights are reserved beside the cap and counted in
// it, and a total above the cap makes the runtime refuse nothing any more.
func TestAFullArenaKeepsItsCap(t *testing.T) {
	b := orttest.Open(t)
	load := func() infer.Session {
		s, err := b.Load(t.Context(), greedy().Bytes(), infer.Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		return s
	}
	ask := func(s infer.Session, n int64) error {
		in := &tensor.Tensor{Name: "n", Type: tensor.Int64, Shape: []int64{1}, Data: tensor.Aligned(8)}
		tensor.View[int64](in.Data)[0] = n
		return s.Run(t.Context(), []*tensor.Tensor{in}, []*tensor.Tensor{{Name: "sum"}})
	}
	first := load()
	if err := ask(first, orttest.Cap/4); err == nil {
		t.Fatal("the arena was to be filled to the brim")
	}
	weights := onnxgen.Classifier("N", 8, 3)
	heavy, err := b.Load(t.Context(), weights.Bytes(), infer.Options{})
	if err != nil {
		t.Fatalf("a small model is refused although the arena's memory is free: %v", err)
	}
	defer heavy.Close()
	for _, s := range []infer.Session{first, load()} {
		if err := ask(s, orttest.Cap); err == nil {
			t.Fatalf("four times the cap was given after a model was loaded into a full arena")
		}
	}
}
