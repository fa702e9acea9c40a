package backendtest

import (
	"slices"
	"testing"

	"github.com/goshawk-ai/goshawk/internal/infer"
	"github.com/goshawk-ai/goshawk/internal/infer/backendtest/onnxgen"
	"github.com/goshawk-ai/goshawk/internal/tensor"
)

// minus makes a model with two inputs and two outputs: "difference" a-b, "negative" -a.
func minus(shape ...any) onnxgen.Model {
	value := func(name string) onnxgen.Value {
		return onnxgen.Value{Name: name, Type: tensor.Float32, Shape: shape}
	}
	return onnxgen.Model{Graph: onnxgen.Graph{
		Inputs:  []onnxgen.Value{value("a"), value("b")},
		Outputs: []onnxgen.Value{value("difference"), value("negative")},
		Nodes: []onnxgen.Node{
			{Op: "Sub", In: []string{"a", "b"}, Out: []string{"difference"}},
			{Op: "Neg", In: []string{"a"}, Out: []string{"negative"}},
		},
	}}
}

func wantFloats(t *testing.T, x *tensor.Tensor, want ...float32) {
	t.Helper()
	if got := tensor.View[float32](x.Data); !slices.Equal(got, want) {
		t.Errorf("%s is %v, want %v", x.Name, got, want)
	}
}

func testNamesDecide(t *testing.T, b infer.Backend) {
	s := load(t, b, minus(2))
	first, second := floats("a", []int64{2}, 5, 6), floats("b", []int64{2}, 1, 3)
	difference, negative := &tensor.Tensor{Name: "difference"}, &tensor.Tensor{Name: "negative"}
	run(t, s, list(second, first), list(negative, difference))
	wantFloats(t, difference, 4, 3)
	wantFloats(t, negative, -5, -6)
	alone := &tensor.Tensor{Name: "negative"}
	run(t, s, list(first, second), list(alone))
	wantFloats(t, alone, -5, -6)
}

// testGivenMemory also mixes: one output in given memory, the other not.
func testGivenMemory(t *testing.T, b infer.Backend) {
	s := load(t, b, minus("n"))
	backing := floats("", nil, make([]float32, 6)...)
	difference := &tensor.Tensor{Name: "difference", Type: tensor.Float32, Shape: []int64{2}, Data: backing.Data[8:16]}
	negative := &tensor.Tensor{Name: "negative"}
	for _, i := range []float32{0, 1, 2} {
		negative.Data = nil
		run(t, s, list(floats("a", []int64{2}, i, 5), floats("b", []int64{2}, 1, 1)), list(difference, negative))
		wantFloats(t, backing, 0, 0, i-1, 4, 0, 0)
		wantFloats(t, negative, -i, -5)
	}
}

func testGivenMemoryMisfit(t *testing.T, b infer.Backend) {
	s := load(t, b, minus("n"))
	in := list(floats("a", []int64{2}, 1, 2), floats("b", []int64{2}, 1, 1))
	for _, n := range []int64{1, 3, 0} {
		given := floats("difference", []int64{n}, make([]float32, n)...)
		wantCode(t, "memory of another length", s.Run(t.Context(), in, list(given)), infer.BadInput)
	}
	given := floats("difference", []int64{1, 2}, 0, 0)
	wantCode(t, "memory of another rank", s.Run(t.Context(), in, list(given)), infer.BadInput)
	given = &tensor.Tensor{Name: "difference", Type: tensor.Float64, Shape: []int64{2}, Data: tensor.Aligned(16)}
	wantCode(t, "memory of another type", s.Run(t.Context(), in, list(given)), infer.BadInput)
	given = &tensor.Tensor{Name: "difference", Type: tensor.Float32, Shape: []int64{2}, Data: tensor.Aligned(4)}
	wantCode(t, "memory too short for its shape", s.Run(t.Context(), in, list(given)), infer.BadInput)
}

// testOutputThatIsNoResult: outputs that no node computes take another way
// through a runtime, and must respect given memory all the same.
func testOutputThatIsNoResult(t *testing.T, b infer.Backend) {
	m := onnxgen.Identity(tensor.Float32, "n")
	m.Initializers = []onnxgen.Constant{onnxgen.Floats("constant", []int{3}, 1, 2, 3)}
	m.Outputs = append(m.Outputs, onnxgen.Value{Name: "constant", Type: tensor.Float32, Shape: []any{3}},
		onnxgen.Value{Name: "in", Type: tensor.Float32, Shape: []any{"n"}})
	s := load(t, b, m)
	in := list(floats("in", []int64{2}, 8, 9))
	for _, out := range [][]*tensor.Tensor{
		list(&tensor.Tensor{Name: "constant"}, &tensor.Tensor{Name: "in"}),
		list(floats("constant", []int64{3}, 0, 0, 0), floats("in", []int64{2}, 0, 0)),
	} {
		run(t, s, in, out)
		wantFloats(t, out[0], 1, 2, 3)
		wantFloats(t, out[1], 8, 9)
	}
	backing := floats("", nil, 0, 0, 0, 0)
	for _, name := range []string{"constant", "in"} {
		short := &tensor.Tensor{Name: name, Type: tensor.Float32, Shape: []int64{1}, Data: backing.Data[4:8]}
		wantCode(t, "short memory for "+name, s.Run(t.Context(), in, list(short)), infer.BadInput)
		if got := tensor.View[float32](backing.Data); got[0] != 0 || got[2] != 0 || got[3] != 0 {
			t.Fatalf("the backend wrote %v beyond the given memory of one float", got)
		}
	}
}

func testInputsStay(t *testing.T, b infer.Backend) {
	s := load(t, b, minus("n"))
	x, y := floats("a", []int64{2}, 1, 2), floats("b", []int64{2}, 3, 4)
	first, second := &tensor.Tensor{Name: "negative"}, &tensor.Tensor{Name: "negative"}
	run(t, s, list(x, y), list(first))
	wantFloats(t, x, 1, 2)
	wantFloats(t, y, 3, 4)
	tensor.View[float32](x.Data)[0] = 50
	wantFloats(t, first, -1, -2)
	run(t, s, list(x, y), list(second))
	wantFloats(t, first, -1, -2)
	wantFloats(t, second, -50, -2)
}
