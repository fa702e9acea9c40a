package ort_test

import (
	"testing"

	"github.com/goshawk-ai/goshawk/internal/infer"
	"github.com/goshawk-ai/goshawk/internal/infer/backendtest/onnxgen"
	"github.com/goshawk-ai/goshawk/internal/infer/ort/orttest"
	"github.com/goshawk-ai/goshawk/internal/tensor"
)

func TestClassifierRuns(t *testing.T) {
	b := orttest.Open(t)
	s, err := b.Load(t.Context(), onnxgen.Classifier("N", 4, 5).Bytes(), infer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Log(b.Version(), s.Inputs(), s.Outputs())
	in, _ := tensor.New("input", tensor.Float32, []int64{2, 3, 4, 4}, 1<<20)
	for i := range tensor.View[float32](in.Data) {
		tensor.View[float32](in.Data)[i] = float32(i/16) * 0.25
	}
	out := &tensor.Tensor{Name: "logits"}
	if err := s.Run(t.Context(), []*tensor.Tensor{in}, []*tensor.Tensor{out}); err != nil {
		t.Fatal(err)
	}
	t.Log(out.Shape, tensor.View[float32](out.Data))
	given, _ := tensor.New("logits", tensor.Float32, []int64{2, 5}, 1<<20)
	if err := s.Run(t.Context(), []*tensor.Tensor{in}, []*tensor.Tensor{given}); err != nil {
		t.Fatal(err)
	}
	t.Log(given.Shape, tensor.View[float32](given.Data))
	given, _ = tensor.New("logits", tensor.Float32, []int64{5, 2}, 1<<20)
	if err := s.Run(t.Context(), []*tensor.Tensor{in}, []*tensor.Tensor{given}); err != nil {
		t.Log(err)
	}
	l, err := b.Load(t.Context(), onnxgen.Endless().Bytes(), infer.Options{})
	t.Log(l.Inputs(), err)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}
