package fleet_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/goshawk-ai/goshawk/internal/fleet/fleettest"
	"github.com/goshawk-ai/goshawk/internal/infer/backendtest/onnxgen"
	"github.com/goshawk-ai/goshawk/internal/model"
	"github.com/goshawk-ai/goshawk/internal/tensor"
)

// then appends nodes to the tiny classifier: the last one makes "logits" of
// what the classifier gave ("raw").
func then(batch any, nodes ...onnxgen.Node) onnxgen.Model {
	m := onnxgen.Classifier(batch, 8, 3)
	m.Nodes[len(m.Nodes)-1].Out = []string{"raw"}
	m.Nodes = append(m.Nodes, nodes...)
	return m
}

// plus adds a constant to the classifier's scores.
func plus(values ...float32) []byte {
	m := then("N", onnxgen.Node{Op: "Add", In: []string{"raw", "bias"}, Out: []string{"logits"}})
	m.Initializers = append(m.Initializers, onnxgen.Floats("bias", []int{3}, values...))
	return m.Bytes()
}

// sums is the classifier plus the sum of all pictures' scores: everybody's
// answer depends on everybody's picture.
func sums() []byte {
	m := then("N",
		onnxgen.Node{Op: "ReduceSum", In: []string{"raw", "first"}, Out: []string{"all"}, Attrs: map[string]any{"keepdims": 1}},
		onnxgen.Node{Op: "Add", In: []string{"raw", "all"}, Out: []string{"logits"}},
	)
	m.Initializers = append(m.Initializers, onnxgen.Ints("first", []int{1}, 0))
	return m.Bytes()
}

func TestWhatTheCheckFindsOut(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	softmax := then("N", onnxgen.Node{Op: "Softmax", In: []string{"raw"}, Out: []string{"probs"}, Attrs: map[string]any{"axis": 1}},
		onnxgen.Node{Op: "Identity", In: []string{"probs"}, Out: []string{"logits"}}).Bytes()
	for _, c := range []struct {
		name    string
		pack    fleettest.Package
		refused string // "" is accepted
		rows    int
		applied model.Activation
		warning string
	}{
		{"a good one", fleettest.Package{}, "", 0, model.Softmax, ""},
		{"softmax inside", fleettest.Package{Model: softmax}, "", 0, model.None, "probabilities already"},
		{"no probabilities", fleettest.Package{Output: "activation: none"}, "no probabilities", 0, "", ""},
		{"one picture a run", fleettest.Package{Model: onnxgen.Classifier(1, 8, 3).Bytes()}, "", 1, model.Softmax, ""},
		{"four pictures a run", fleettest.Package{Model: onnxgen.Classifier(4, 8, 3).Bytes()}, "", 4, model.Softmax, ""},
		{"pictures meet", fleettest.Package{Model: sums()}, "", 1, model.Softmax, "one at a time"},
		{"NaN", fleettest.Package{Model: plus(0, nan, 0)}, "the score of class 1 is NaN", 0, "", ""},
		{"+Inf", fleettest.Package{Model: plus(inf, 0, 0)}, "the score of class 0 is +Inf", 0, "", ""},
		{"-Inf", fleettest.Package{Model: plus(-inf, 0, 0)}, "", 0, model.Softmax, ""},
		{"two labels", fleettest.Package{Labels: []string{"a", "b"}}, "3", 0, "", ""},
		{"in a process of its own", fleettest.Package{Rest: "serving: {isolation: process}\n"}, "", 0, model.Softmax, "a process of its own: goshawk.yaml asks for it"},
		{"a division that could kill", fleettest.Package{Model: division(1)}, "", 0, model.Softmax, "a process of its own: it could kill the process that runs it"},
		{"the same, asked to be here", fleettest.Package{Model: division(1), Rest: "serving: {isolation: none}\n"}, "", 0, model.Softmax, "a process of its own: it could kill"},
		{"a division that kills", fleettest.Package{Model: division(0)}, "division by zero", 0, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r, err := fleettest.Checker(t).Check(t.Context(), c.pack.Write(t))
			if err != nil {
				t.Fatal(err)
			}
			if c.refused != "" {
				if r.Accepted || !strings.Contains(r.Problem, c.refused) {
					t.Errorf("accepted %v, %q; want a refusal that says %q", r.Accepted, r.Problem, c.refused)
				}
				return
			}
			if !r.Accepted || r.Rows != c.rows || r.Activation != c.applied || r.Classes != 3 {
				t.Errorf("got %+v; want it accepted with %d rows, %s and 3 classes", r, c.rows, c.applied)
			}
			if !strings.Contains(strings.Join(r.Warnings, "\n"), c.warning) || c.warning == "" && len(r.Warnings) > 0 {
				t.Errorf("warnings %q; want %q", r.Warnings, c.warning)
			}
			if r.LoadMS <= 0 || r.RunMS <= 0 || !strings.HasPrefix(r.Runtime, "onnxruntime ") || r.Decoder != "go" {
				t.Errorf("got %+v; want times, runtime and decoder: the result is kept by them", r)
			}
		})
	}
}

// TestAModelOfTensorsIsTaken as it is: nothing is known of what goes in.
func TestAModelOfTensorsIsTaken(t *testing.T) {
	manifest := "apiVersion: goshawk/v1\nkind: Tensor\nname: t\nmodel: model.onnx\n"
	for name, c := range map[string]struct {
		model   onnxgen.Model
		refused string
	}{
		"any size":      {onnxgen.Identity(tensor.Int64, "n", "m"), ""},
		"strings":       {onnxgen.Identity(tensor.String, "n"), ""},
		"a scalar":      {onnxgen.Identity(tensor.Bool), ""},
		"without end":   {onnxgen.Endless(), "did not end"},
		"no model":      {onnxgen.Model{}, "model"},
		"a killing one": {divide(), ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			checker := fleettest.Checker(t)
			checker.Limits.Wall = 3 * time.Second
			r, err := checker.Check(t.Context(), fleettest.Package{Files: map[string]string{"goshawk.yaml": manifest, "model.onnx": string(c.model.Bytes())}}.Write(t))
			if err != nil {
				t.Fatal(err)
			}
			if r.Accepted != (c.refused == "") || !strings.Contains(r.Problem, c.refused) {
				t.Errorf("accepted %v, %q; want %q", r.Accepted, r.Problem, c.refused)
			}
		})
	}
}

// division divides integers by a number that a picture decides: a score, which
// is 0 or more, and what is added to it.
func division(more int64) []byte {
	m := then("N",
		onnxgen.Node{Op: "Cast", In: []string{"raw"}, Out: []string{"whole"}, Attrs: map[string]any{"to": onnxgen.DataType(tensor.Int64)}},
		onnxgen.Node{Op: "Add", In: []string{"whole", "more"}, Out: []string{"divisor"}},
		onnxgen.Node{Op: "Div", In: []string{"whole", "divisor"}, Out: []string{"one"}},
		onnxgen.Node{Op: "Cast", In: []string{"one"}, Out: []string{"logits"}, Attrs: map[string]any{"to": onnxgen.DataType(tensor.Float32)}},
	)
	m.Initializers = append(m.Initializers, onnxgen.Ints("more", nil, more))
	return m.Bytes()
}

// endless adds a loop that goes on while the picture's mean is above a level.
func endless(level float32) []byte {
	body := onnxgen.Graph{
		Name:    "body",
		Inputs:  []onnxgen.Value{{Name: "i", Type: tensor.Int64}, {Name: "go", Type: tensor.Bool}, {Name: "x", Type: tensor.Float32, Shape: []any{"N", 3}}},
		Outputs: []onnxgen.Value{{Name: "still", Type: tensor.Bool}, {Name: "y", Type: tensor.Float32, Shape: []any{"N", 3}}},
		Nodes: []onnxgen.Node{
			{Op: "Identity", In: []string{"go"}, Out: []string{"still"}},
			{Op: "Cos", In: []string{"x"}, Out: []string{"y"}},
		},
	}
	m := then("N",
		onnxgen.Node{Op: "ReduceMin", In: []string{"mean"}, Out: []string{"low"}, Attrs: map[string]any{"keepdims": 0}},
		onnxgen.Node{Op: "Greater", In: []string{"low", "level"}, Out: []string{"begin"}},
		onnxgen.Node{Op: "Loop", In: []string{"", "begin", "raw"}, Out: []string{"logits"}, Attrs: map[string]any{"body": body}},
	)
	m.Initializers = append(m.Initializers, onnxgen.Floats("level", nil, level))
	return m.Bytes()
}

func TestAModelThatNeverEndsIsRefused(t *testing.T) {
	t.Parallel()
	checker := fleettest.Checker(t)
	checker.Limits.Wall = 10 * time.Second // time for all that comes before on a busy machine
	r, err := checker.Check(t.Context(), fleettest.Package{Model: endless(-1)}.Write(t))
	if err != nil {
		t.Fatal(err)
	}
	if want := "running the model on a first picture did not end within 10s"; r.Problem != want {
		t.Errorf("got %q, want %q", r.Problem, want)
	}
}

// A white picture alone is no reason to refuse a model: a request has a deadline.
func TestAModelThatHangsOnWhiteIsAcceptedWithAWarning(t *testing.T) {
	t.Parallel()
	r, err := fleettest.Checker(t).Check(t.Context(), fleettest.Package{Model: endless(0.99)}.Write(t))
	if err != nil {
		t.Fatal(err)
	}
	if !r.Accepted || !strings.Contains(strings.Join(r.Warnings, ""), "white picture did not end") {
		t.Errorf("got %+v; want it accepted, with a warning of the white picture", r)
	}
}

// grows makes a tensor of n by n floats at run time.
func grows(n int64) []byte {
	m := then("N",
		onnxgen.Node{Op: "ConstantOfShape", In: []string{"size"}, Out: []string{"big"}},
		onnxgen.Node{Op: "Cos", In: []string{"big"}, Out: []string{"wave"}},
		onnxgen.Node{Op: "ReduceSum", In: []string{"wave"}, Out: []string{"sum"}, Attrs: map[string]any{"keepdims": 0}},
		onnxgen.Node{Op: "Add", In: []string{"raw", "sum"}, Out: []string{"logits"}},
	)
	m.Initializers = append(m.Initializers, onnxgen.Ints("size", []int{2}, n, n))
	return m.Bytes()
}

func TestAModelThatEatsMemoryIsRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		side    int64
		refused bool
	}{{1000, false}, {60_000, true}} {
		checker := fleettest.Checker(t)
		checker.Limits.Memory = 200e6
		r, err := checker.Check(t.Context(), fleettest.Package{Model: grows(c.side)}.Write(t))
		if err != nil {
			t.Fatal(err)
		}
		if r.Accepted == c.refused || c.refused && !strings.Contains(r.Problem, "memory") {
			t.Errorf("a tensor of %d x %d floats under 200 MB: accepted %v, %q", c.side, c.side, r.Accepted, r.Problem)
		}
	}
}
