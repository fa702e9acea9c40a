package backendtest

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"github.com/goshawk-ai/goshawk/internal/infer"
	"github.com/goshawk-ai/goshawk/internal/infer/backendtest/onnxgen"
	"github.com/goshawk-ai/goshawk/internal/tensor"
)

var shapes = [][]int64{{}, {1}, {0}, {5}, {2, 3}, {2, 0, 3}, {1, 3, 2, 2}, {1, 2, 1, 2, 1, 2, 1, 2, 1}}

// testEveryTypeAndRank hands values through unchanged, into memory of the
// backend's and of the caller's.
func testEveryTypeAndRank(t *testing.T, b infer.Backend) {
	for typ := tensor.Bool; typ < tensor.String; typ++ {
		for _, shape := range shapes {
			t.Run(fmt.Sprint(typ, shape), func(t *testing.T) {
				symbols := make([]any, len(shape))
				for i := range symbols {
					symbols[i] = fmt.Sprintf("d%d", i)
				}
				s := load(t, b, onnxgen.Identity(typ, symbols...))
				in := pattern(t, typ, shape)
				free := &tensor.Tensor{Name: "out"}
				run(t, s, list(in), list(free))
				same(t, in, free)
				given := pattern(t, typ, shape)
				given.Name = "out"
				clear(given.Data)
				at := &given.Data
				run(t, s, list(in), list(given))
				if &given.Data != at {
					t.Error("the given memory was replaced")
				}
				same(t, in, given)
			})
		}
	}
}

// pattern fills a tensor with bytes that are all different, or truths.
func pattern(t *testing.T, typ tensor.Type, shape []int64) *tensor.Tensor {
	t.Helper()
	x, err := tensor.New("in", typ, shape, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	for i := range x.Data {
		x.Data[i] = byte(i*37 + 11)
		if typ == tensor.Bool {
			x.Data[i] = byte(i) & 1
		}
	}
	return x
}

func same(t *testing.T, in, out *tensor.Tensor) {
	t.Helper()
	if out.Type != in.Type || !slices.Equal(out.Shape, in.Shape) || !bytes.Equal(out.Data, in.Data) {
		t.Errorf("%s %v %x came out as %s %v %x", in.Type, in.Shape, in.Data, out.Type, out.Shape, out.Data)
	}
	if out.Data == nil {
		t.Error("Data is nil: an empty tensor has memory too, of length 0")
	}
}

func testStrings(t *testing.T, b infer.Backend) {
	s := load(t, b, onnxgen.Identity(tensor.String, "a", "b"))
	for _, c := range []struct {
		shape []int64
		words []string
	}{
		{[]int64{2, 2}, []string{"plain", "", "nul\x00inside", "\xff not UTF-8 \xfe"}},
		{[]int64{1, 1}, []string{""}},
		{[]int64{0, 3}, nil},
		{[]int64{1, 1}, []string{string(bytes.Repeat([]byte("long "), 100_000))}},
	} {
		in := &tensor.Tensor{Name: "in", Type: tensor.String, Shape: c.shape}
		for _, w := range c.words {
			in.Strings = append(in.Strings, []byte(w))
		}
		out := &tensor.Tensor{Name: "out"}
		run(t, s, list(in), list(out))
		if out.Type != tensor.String || !slices.Equal(out.Shape, c.shape) || !slices.EqualFunc(out.Strings, in.Strings, bytes.Equal) {
			t.Errorf("%.50q of shape %v came out as %.50q of %s %v", in.Strings, c.shape, out.Strings, out.Type, out.Shape)
		}
	}
}

// testNumbers computes, so that a backend that confuses types is found out.
func testNumbers(t *testing.T, b infer.Backend) {
	m := onnxgen.Identity(tensor.Float32, 4)
	m.Outputs = nil
	m.Nodes = nil
	for _, typ := range []tensor.Type{tensor.Int32, tensor.Int64, tensor.Float16, tensor.BFloat16, tensor.Float64, tensor.Uint8} {
		name := typ.String()
		m.Nodes = append(m.Nodes, onnxgen.Node{Op: "Cast", In: []string{"in"}, Out: []string{name}, Attrs: map[string]any{"to": onnxgen.DataType(typ)}})
		m.Outputs = append(m.Outputs, onnxgen.Value{Name: name, Type: typ, Shape: []any{4}})
	}
	s := load(t, b, m)
	outs := make(map[string]*tensor.Tensor)
	var out []*tensor.Tensor
	for _, spec := range s.Outputs() {
		outs[spec.Name] = &tensor.Tensor{Name: spec.Name}
		out = append(out, outs[spec.Name])
	}
	run(t, s, list(floats("in", []int64{4}, 0, 1, 2.5, 200)), out)
	check := func(name string, got, want any) {
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("0, 1, 2.5, 200 as %s are %v, want %v", name, got, want)
		}
	}
	check("int32", tensor.View[int32](outs["int32"].Data), []int32{0, 1, 2, 200})
	check("int64", tensor.View[int64](outs["int64"].Data), []int64{0, 1, 2, 200})
	check("uint8", outs["uint8"].Data, []byte{0, 1, 2, 200})
	check("float64", tensor.View[float64](outs["float64"].Data), []float64{0, 1, 2.5, 200})
	for i, want := range []float32{0, 1, 2.5, 200} {
		check("float16", tensor.FromFloat16(tensor.View[uint16](outs["float16"].Data)[i]), want)
		check("bfloat16", tensor.FromBFloat16(tensor.View[uint16](outs["bfloat16"].Data)[i]), want)
	}
}

// testOptions: threads and optimizations change how fast, not what.
func testOptions(t *testing.T, b infer.Backend) {
	x := floats("input", []int64{1, 3, 2, 2}, 1, 1, 1, 1, 2, 2, 2, 2, 4, 4, 4, 4)
	for _, o := range []infer.Options{{}, {IntraThreads: 2}, {Raw: true}} {
		s, err := b.Load(t.Context(), onnxgen.Classifier("n", 2, 3).Bytes(), o)
		if err != nil {
			t.Fatalf("%+v: %v", o, err)
		}
		out := &tensor.Tensor{Name: "logits"}
		run(t, s, list(x), list(out))
		wantFloats(t, out, 0, 3, 6)
		if err := s.Close(); err != nil {
			t.Errorf("%+v: %v", o, err)
		}
	}
}
