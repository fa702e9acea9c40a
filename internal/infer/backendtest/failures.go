package backendtest

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/goshawk-ai/goshawk/internal/infer"
	"github.com/goshawk-ai/goshawk/internal/infer/backendtest/onnxgen"
	"github.com/goshawk-ai/goshawk/internal/tensor"
)

func testBadInput(t *testing.T, b infer.Backend) {
	s := load(t, b, minus("n", 2))
	good := func(name string) *tensor.Tensor { return floats(name, []int64{1, 2}, 1, 2) }
	long := floats("b", []int64{1, 2}, 1, 2)
	long.Shape = []int64{9, 2}
	negative := floats("b", []int64{-1, -2}, 1, 2)
	integers := &tensor.Tensor{Name: "b", Type: tensor.Int32, Shape: []int64{1, 2}, Data: tensor.Aligned(8)}
	for what, in := range map[string][]*tensor.Tensor{
		"no inputs":                     nil,
		"one input of two":              list(good("a")),
		"an unknown input":              list(good("a"), good("c")),
		"one input twice":               list(good("a"), good("a")),
		"too many":                      list(good("a"), good("b"), good("c")),
		"another type":                  list(good("a"), integers),
		"less memory than the shape":    list(good("a"), long),
		"a negative size":               list(good("a"), negative),
		"another fixed size":            list(floats("a", []int64{1, 3}, 1, 2, 3), floats("b", []int64{1, 3}, 1, 2, 3)),
		"another rank":                  list(floats("a", []int64{2}, 1, 2), floats("b", []int64{2}, 1, 2)),
		"a size that multiplies past 0": list(good("a"), &tensor.Tensor{Name: "b", Type: tensor.Float32, Shape: []int64{1 << 62, 4}, Data: []byte{}}),
	} {
		wantCode(t, what, s.Run(t.Context(), in, list(&tensor.Tensor{Name: "difference"})), infer.BadInput)
	}
	truth := load(t, b, onnxgen.Identity(tensor.Bool, 1))
	maybe := &tensor.Tensor{Name: "in", Type: tensor.Bool, Shape: []int64{1}, Data: []byte{2}}
	wantCode(t, "a truth that is neither 0 nor 1", truth.Run(t.Context(), list(maybe), list(&tensor.Tensor{Name: "out"})), infer.BadInput)
	odd := &tensor.Tensor{Name: "a", Type: tensor.Float32, Shape: []int64{1, 2}, Data: tensor.Aligned(16)[1:9]}
	wantCode(t, "memory at an odd address", s.Run(t.Context(), list(odd, good("b")), list(&tensor.Tensor{Name: "difference"})), infer.BadInput)
}

func testBadOutput(t *testing.T, b infer.Backend) {
	s := load(t, b, minus(1))
	in := list(floats("a", []int64{1}, 1), floats("b", []int64{1}, 1))
	for what, out := range map[string][]*tensor.Tensor{
		"none":    nil,
		"unknown": list(&tensor.Tensor{Name: "sum"}),
		"twice":   list(&tensor.Tensor{Name: "negative"}, &tensor.Tensor{Name: "negative"}),
	} {
		wantCode(t, what, s.Run(t.Context(), in, out), infer.BadInput)
	}
}

// testFailingNode: a run that fails leaves the session as it was.
func testFailingNode(t *testing.T, b infer.Backend) {
	m := onnxgen.Identity(tensor.Float32, "n")
	m.Outputs[0].Shape = []any{"m"}
	m.Initializers = []onnxgen.Constant{onnxgen.Ints("two", []int{1}, 2)}
	m.Nodes = []onnxgen.Node{{Op: "Reshape", Name: "bad\nname\x1b[31m", In: []string{"in", "two"}, Out: []string{"out"}}}
	s := load(t, b, m)
	out := &tensor.Tensor{Name: "out"}
	wantCode(t, "three into two", s.Run(t.Context(), list(floats("in", []int64{3}, 1, 2, 3)), list(out)), infer.Failed)
	run(t, s, list(floats("in", []int64{2}, 1, 2)), list(out))
	wantFloats(t, out, 1, 2)
}

func testDamagedModels(t *testing.T, b infer.Backend) {
	good := onnxgen.Classifier("n", 4, 3).Bytes()
	loose := onnxgen.Identity(tensor.Float32, 1)
	loose.Nodes[0].In[0] = "nowhere"
	cyclic := onnxgen.Identity(tensor.Float32, 1)
	cyclic.Nodes = []onnxgen.Node{
		{Op: "Add", In: []string{"in", "y"}, Out: []string{"x"}},
		{Op: "Add", In: []string{"in", "x"}, Out: []string{"y"}},
		{Op: "Identity", In: []string{"y"}, Out: []string{"out"}},
	}
	for what, data := range map[string][]byte{
		"nothing":            nil,
		"text":               []byte("not a model at all"),
		"half a file":        good[:len(good)/2],
		"garbage at the end": append(bytes.Clone(good), bytes.Repeat([]byte{0xff}, 64)...),
		"a loose input":      loose.Bytes(),
		"a cycle":            cyclic.Bytes(),
	} {
		s, err := b.Load(t.Context(), data, infer.Options{})
		wantCode(t, what, err, infer.InvalidFile)
		if s != nil {
			t.Errorf("%s: a session came with the error", what)
		}
	}
}

func testUnsupportedModels(t *testing.T, b infer.Backend) {
	unknown := onnxgen.Identity(tensor.Float32, 1)
	unknown.Nodes[0].Op = "FluxCapacitor"
	custom := onnxgen.Identity(tensor.Float32, 1)
	custom.Nodes[0].Domain, custom.Domains = "com.example", map[string]int64{"com.example": 1}
	newer := onnxgen.Identity(tensor.Float32, 1)
	newer.Opset = 9999
	later := onnxgen.Identity(tensor.Float32, 1)
	later.IR = 9999
	for what, m := range map[string]onnxgen.Model{
		"an unknown operator": unknown, "a custom domain": custom, "opset 9999": newer, "IR version 9999": later,
	} {
		_, err := b.Load(t.Context(), m.Bytes(), infer.Options{})
		wantCode(t, what, err, infer.Unsupported)
	}
}

// testNothingOutside: weights in another file are refused even where that file
// is there to be read.
func testNothingOutside(t *testing.T, b infer.Backend) {
	dir := t.TempDir()
	t.Chdir(dir)
	if err := os.WriteFile("weights.bin", make([]byte, 36), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, location := range []string{"weights.bin", "./weights.bin", filepath.Join(dir, "weights.bin"), "../" + filepath.Base(dir) + "/weights.bin", "/dev/zero", "*/_ORT_MEM_ADDR_/*"} {
		outside := onnxgen.Constant{Name: "w", Type: tensor.Float32, Shape: []int{3, 3}, External: location}
		weight := onnxgen.Classifier("n", 4, 3)
		weight.Initializers[0] = outside
		constant := onnxgen.Classifier("n", 4, 3)
		constant.Initializers = nil
		constant.Nodes = append([]onnxgen.Node{{Op: "Constant", Out: []string{"w"}, Attrs: map[string]any{"value": outside}}}, constant.Nodes...)
		for _, m := range []onnxgen.Model{weight, constant} {
			_, err := b.Load(t.Context(), m.Bytes(), infer.Options{})
			wantCode(t, "weights in "+location, err, infer.InvalidFile)
		}
	}
}
