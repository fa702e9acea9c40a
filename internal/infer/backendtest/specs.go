package backendtest

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/goshawk-ai/goshawk/internal/infer"
	"github.com/goshawk-ai/goshawk/internal/infer/backendtest/onnxgen"
	"github.com/goshawk-ai/goshawk/internal/tensor"
)

func testSpecs(t *testing.T, b infer.Backend) {
	m := onnxgen.Model{Graph: onnxgen.Graph{
		Inputs: []onnxgen.Value{
			{Name: "picture", Type: tensor.Float32, Shape: []any{"batch", 3, "", 8}},
			{Name: "scalar", Type: tensor.Int64, Shape: []any{}},
			{Name: "anything", Type: tensor.String, Unranked: true},
			{Name: "half", Type: tensor.BFloat16, Shape: []any{2}},
		},
	}}
	for _, in := range m.Inputs {
		out := in
		out.Name += "-out"
		m.Outputs = append(m.Outputs, out)
		m.Nodes = append(m.Nodes, onnxgen.Node{Op: "Identity", In: []string{in.Name}, Out: []string{out.Name}})
	}
	s := load(t, b, m)
	want := []tensor.Spec{
		{Name: "picture", Type: tensor.Float32, Kind: "tensor", Shape: []int64{-1, 3, -1, 8}, Symbols: []string{"batch", "", "", ""}, Ranked: true},
		{Name: "scalar", Type: tensor.Int64, Kind: "tensor", Ranked: true},
		{Name: "anything", Type: tensor.String, Kind: "tensor"},
		{Name: "half", Type: tensor.BFloat16, Kind: "tensor", Shape: []int64{2}, Symbols: []string{""}, Ranked: true},
	}
	if diff := cmp.Diff(want, s.Inputs()); diff != "" {
		t.Errorf("the inputs are described otherwise than declared (-want +got):\n%s", diff)
	}
	for i := range want {
		want[i].Name += "-out"
	}
	if diff := cmp.Diff(want, s.Outputs()); diff != "" {
		t.Errorf("the outputs are described otherwise than declared (-want +got):\n%s", diff)
	}
}

// testPlainSpecs looks at what every protocol can say: names, types, sizes.
func testPlainSpecs(t *testing.T, b infer.Backend) {
	for typ := tensor.Bool; typ <= tensor.String; typ++ {
		s := load(t, b, onnxgen.Identity(typ, "batch", 3, 8))
		for _, specs := range [][]tensor.Spec{s.Inputs(), s.Outputs()} {
			if len(specs) != 1 || specs[0].Type != typ || specs[0].Kind != "tensor" || !specs[0].Ranked ||
				!cmp.Equal(specs[0].Shape, []int64{-1, 3, 8}) || len(specs[0].Symbols) != 3 {
				t.Errorf("a tensor of %s [-1 3 8] is described as %+v", typ, specs)
			}
		}
	}
}

// testSpecsOfNoTensor: such a model loads and says what its values are; only
// asking for them fails.
func testSpecsOfNoTensor(t *testing.T, b infer.Backend) {
	m := onnxgen.Identity(tensor.Float32, 2)
	m.Nodes = append(m.Nodes,
		onnxgen.Node{Op: "SequenceConstruct", In: []string{"in"}, Out: []string{"list"}},
		onnxgen.Node{Op: "Optional", In: []string{"in"}, Out: []string{"maybe"}})
	m.Outputs = append(m.Outputs,
		onnxgen.Value{Name: "list", Kind: "sequence", Type: tensor.Float32, Shape: []any{2}},
		onnxgen.Value{Name: "maybe", Kind: "optional", Type: tensor.Float32, Shape: []any{2}})
	s := load(t, b, m)
	for i, want := range []string{"tensor", "sequence", "optional"} {
		if got := s.Outputs()[i].Kind; got != want {
			t.Errorf("output %d is a %q, want %q", i, got, want)
		}
	}
	in, out := floats("in", []int64{2}, 1, 2), &tensor.Tensor{Name: "out"}
	run(t, s, list(in), list(out))
	for _, name := range []string{"list", "maybe"} {
		wantCode(t, name, s.Run(t.Context(), list(in), list(&tensor.Tensor{Name: name})), infer.Unsupported)
	}
}

func testLongNames(t *testing.T, b infer.Backend) {
	long := strings.Repeat("n", 120_000)
	m := onnxgen.Identity(tensor.Float32, 1)
	m.Inputs[0].Name, m.Outputs[0].Name = "in"+long, "out"+long
	m.Nodes[0].In[0], m.Nodes[0].Out[0] = "in"+long, "out"+long
	s := load(t, b, m)
	out := &tensor.Tensor{Name: "out" + long}
	run(t, s, list(floats("in"+long, []int64{1}, 7)), list(out))
	if got := tensor.View[float32](out.Data)[0]; got != 7 {
		t.Errorf("got %v, want 7", got)
	}
	wantCode(t, "a long unknown name", s.Run(t.Context(), list(floats(long, []int64{1}, 7)), list(out)), infer.BadInput)
}
