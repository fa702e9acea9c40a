//go:build cgo && (linux || darwin)

package ort_test

import (
	"context"
	"testing"

	"github.com/goshawk-ai/goshawk/internal/infer"
	"github.com/goshawk-ai/goshawk/internal/infer/backendtest/onnxgen"
	"github.com/goshawk-ai/goshawk/internal/infer/ort/orttest"
	"github.com/goshawk-ai/goshawk/internal/tensor"
)

// BenchmarkRun is what a run costs beside the computation: the model is so
// small that it hardly computes, and has as many outputs as ImageNet has classes.
func BenchmarkRun(b *testing.B) {
	s, err := orttest.Open(b).Load(b.Context(), onnxgen.Classifier(1, 2, 1000).Bytes(), infer.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { s.Close() })
	in, err := tensor.New("input", tensor.Float32, []int64{1, 3, 2, 2}, 1<<20)
	if err != nil {
		b.Fatal(err)
	}
	given, err := tensor.New("logits", tensor.Float32, []int64{1, 1000}, 1<<20)
	if err != nil {
		b.Fatal(err)
	}
	live, cancel := context.WithCancel(b.Context())
	b.Cleanup(cancel)
	bench := func(name string, ctx context.Context, out func() *tensor.Tensor) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			ins, outs := []*tensor.Tensor{in}, []*tensor.Tensor{nil}
			for b.Loop() {
				outs[0] = out()
				if err := s.Run(ctx, ins, outs); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	bench("given", context.Background(), func() *tensor.Tensor { return given })
	bench("given, cancellable", live, func() *tensor.Tensor { return given })
	bench("allocated", context.Background(), func() *tensor.Tensor { return &tensor.Tensor{Name: "logits"} })
}
