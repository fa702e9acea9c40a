package fleet_test

import (
	"errors"
	"testing"

	"github.com/goshawk-ai/goshawk/internal/fleet/fleettest"
	"github.com/goshawk-ai/goshawk/internal/infer/backendtest/onnxgen"
	"github.com/goshawk-ai/goshawk/internal/problem"
	"github.com/goshawk-ai/goshawk/internal/tensor"
)

// nodePackage is a package of kind Tensor around one node from x to y.
func nodePackage(typ tensor.Type, shape []any, node onnxgen.Node) fleettest.Package {
	node.In, node.Out = []string{"x"}, []string{"y"}
	m := onnxgen.Model{Graph: onnxgen.Graph{
		Inputs:  []onnxgen.Value{{Name: "x", Type: typ, Shape: shape}},
		Outputs: []onnxgen.Value{{Name: "y", Type: typ, Shape: shape}},
		Nodes:   []onnxgen.Node{node},
	}}
	return fleettest.Package{Name: "one", Model: m.Bytes(), Files: map[string]string{
		"goshawk.yaml": "apiVersion: goshawk/v1\nkind: Tensor\nname: one\nmodel: model.onnx\n",
	}}
}

// TestRowsThatDependOnEachOtherShareNoRun: nobody's answer may depend on
// somebody else's rows.
func TestRowsThatDependOnEachOtherShareNoRun(t *testing.T) {
	t.Parallel()
	n3 := []any{"n", 3}
	for name, c := range map[string]struct {
		p    fleettest.Package
		want bool
	}{
		"each for itself":         {nodePackage(tensor.Float32, n3, onnxgen.Node{Op: "Softmax", Attrs: map[string]any{"axis": 1}}), true},
		"half precision":          {nodePackage(tensor.Float16, n3, onnxgen.Node{Op: "Neg"}), true},
		"double precision":        {nodePackage(tensor.Float64, n3, onnxgen.Node{Op: "Neg"}), true},
		"integers":                {nodePackage(tensor.Int64, n3, onnxgen.Node{Op: "Neg"}), true},
		"truths":                  {nodePackage(tensor.Bool, n3, onnxgen.Node{Op: "Not"}), true},
		"texts":                   {nodePackage(tensor.String, n3, onnxgen.Node{Op: "Identity"}), true},
		"over the rows":           {nodePackage(tensor.Float32, n3, onnxgen.Node{Op: "Softmax", Attrs: map[string]any{"axis": 0}}), false},
		"no first size":           {nodePackage(tensor.Float32, []any{2, 3}, onnxgen.Node{Op: "Neg"}), false},
		"pictures":                {fleettest.Package{Name: "tiny"}, true},
		"pictures one at a time":  {fleettest.Package{Name: "tiny", Model: onnxgen.Classifier(1, 8, 3).Bytes()}, false},
		"pictures in fixed eight": {fleettest.Package{Name: "tiny", Model: onnxgen.Classifier(8, 8, 3).Bytes()}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := serving(t, c.p)
			if m.Joins() {
				t.Error("rows may share a run before anybody has looked whether they depend on each other")
			}
			if got, err := m.Independent(t.Context()); got != c.want || err != nil || m.Joins() != c.want {
				t.Errorf("rows may share a run: %v (%v), want %v", got, err, c.want)
			}
		})
	}
}

func TestABatchGivesEachRowItsOwn(t *testing.T) {
	t.Parallel()
	m := serving(t, fleettest.Package{Name: "tiny"})
	b, err := m.Batch(3)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		for k := range tensor.View[float32](b.Row(i)) {
			tensor.View[float32](b.Row(i))[k] = float32(i + 1)
		}
	}
	check := func(from, to int) {
		t.Helper()
		if err := b.Infer(t.Context(), from, to); err != nil {
			t.Fatal(err)
		}
		for i := from; i < to; i++ {
			// class c scores c times the red, and once more the green or blue
			if logits, embedding := b.Scores(i); logits[1] != 2*float32(i+1) || logits[2] != 3*float32(i+1) || len(embedding) != 0 {
				t.Errorf("rows %d to %d: row %d of all %d gives %v", from, to, i, i+1, logits)
			}
		}
	}
	check(0, 3)
	check(1, 2)
	check(0, 2)
	parts, err := b.InferRows(t.Context(), 1, 3, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, part := range parts {
		if got := tensor.View[float32](part[0].Data); part[0].Shape[0] != 1 || got[1] != 2*float32(i+2) {
			t.Errorf("outputs of row %d: %v %v", i+1, part[0].Shape, got)
		}
	}
	m.ReturnBatch(b)
	if again, err := m.Batch(2); err != nil || again != b {
		t.Errorf("a batch of 2 after one of 3 was given back is another (%v): memory must be used again", err)
	}
	larger, err := m.Batch(5)
	if err != nil {
		t.Fatal(err)
	}
	m.ReturnBatch(larger)
	m.ReturnBatch(b)
	if again, err := m.Batch(1); err != nil || again != larger {
		t.Errorf("of batches of 5 and 3 the smaller was kept (%v)", err)
	}
}

func TestAnOutputWithoutARowForEachIsRefused(t *testing.T) {
	t.Parallel()
	m := serving(t, fleettest.Package{Name: "tiny"})
	_, err := m.Split([]*tensor.Tensor{{Name: "mean", Type: tensor.Float32, Shape: []int64{1, 4}, Data: make([]byte, 16)}}, []int{1, 1})
	if !errors.Is(err, problem.InvalidRequest) {
		t.Errorf("one row for two: %v, want invalid-request", err)
	}
}
