package onnxgen

import (
	"cmp"
	"encoding/binary"
	"maps"
	"math"
	"slices"

	"github.com/goshawk-ai/goshawk/internal/tensor"
)

func or(v, otherwise int64) int64 { return cmp.Or(v, otherwise) }

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// Floats makes a float32 constant.
func Floats(name string, shape []int, values ...float32) Constant {
	data := make([]byte, 0, 4*len(values))
	for _, v := range values {
		data = binary.LittleEndian.AppendUint32(data, math.Float32bits(v))
	}
	return Constant{Name: name, Type: tensor.Float32, Shape: shape, Data: data}
}

// Ints makes an int64 constant.
func Ints(name string, shape []int, values ...int64) Constant {
	data := make([]byte, 0, 8*len(values))
	for _, v := range values {
		data = binary.LittleEndian.AppendUint64(data, uint64(v))
	}
	return Constant{Name: name, Type: tensor.Int64, Shape: shape, Data: data}
}

// Identity gives its input "in" back as "out".
func Identity(typ tensor.Type, shape ...any) Model {
	return Model{Graph: Graph{
		Inputs:  []Value{{Name: "in", Type: typ, Shape: shape}},
		Outputs: []Value{{Name: "out", Type: typ, Shape: shape}},
		Nodes:   []Node{{Op: "Identity", In: []string{"in"}, Out: []string{"out"}}},
	}}
}

// Classifier is a tiny picture model: "input" [batch,3,size,size] float32 to
// "logits" [batch,classes]. Class c scores c times the mean red, plus the mean
// green where c is 1, plus the mean blue where c is 2, so that a test can work
// out what it must answer. batch is an int or a symbol.
func Classifier(batch any, size, classes int) Model {
	weights := make([]float32, 3*classes)
	for c := range classes {
		weights[c] = float32(c)
		if c == 1 || c == 2 {
			weights[c*classes+c] = 1
		}
	}
	return Model{Graph: Graph{
		Inputs:       []Value{{Name: "input", Type: tensor.Float32, Shape: []any{batch, 3, size, size}}},
		Outputs:      []Value{{Name: "logits", Type: tensor.Float32, Shape: []any{batch, classes}}},
		Initializers: []Constant{Floats("w", []int{3, classes}, weights...)},
		Nodes: []Node{
			{Op: "GlobalAveragePool", In: []string{"input"}, Out: []string{"mean"}},
			{Op: "Flatten", In: []string{"mean"}, Out: []string{"flat"}},
			{Op: "MatMul", In: []string{"flat", "w"}, Out: []string{"logits"}},
		},
	}}
}

// Endless is a Loop that goes round and round until the run is terminated;
// "in" and "out" are float32 scalars.
func Endless() Model {
	body := Graph{
		Name:    "body",
		Inputs:  []Value{{Name: "i", Type: tensor.Int64}, {Name: "go", Type: tensor.Bool}, {Name: "x", Type: tensor.Float32}},
		Outputs: []Value{{Name: "still", Type: tensor.Bool}, {Name: "y", Type: tensor.Float32}},
		Nodes: []Node{
			{Op: "Identity", In: []string{"go"}, Out: []string{"still"}},
			{Op: "Cos", In: []string{"x"}, Out: []string{"y"}},
		},
	}
	return Model{Graph: Graph{
		Inputs:       []Value{{Name: "in", Type: tensor.Float32}},
		Outputs:      []Value{{Name: "out", Type: tensor.Float32}},
		Initializers: []Constant{{Name: "true", Type: tensor.Bool, Data: []byte{1}}},
		Nodes:        []Node{{Op: "Loop", In: []string{"", "true", "in"}, Out: []string{"out"}, Attrs: map[string]any{"body": body}}},
	}}
}

// EndlessAbove takes numbers [n] and never ends when all of them are above one.
func EndlessAbove(high float32) Model {
	body := Graph{
		Name:    "body",
		Inputs:  []Value{{Name: "i", Type: tensor.Int64}, {Name: "go", Type: tensor.Bool}, {Name: "x", Type: tensor.Float32}},
		Outputs: []Value{{Name: "still", Type: tensor.Bool}, {Name: "y", Type: tensor.Float32}},
		Nodes:   []Node{{Op: "Identity", In: []string{"go"}, Out: []string{"still"}}, {Op: "Cos", In: []string{"x"}, Out: []string{"y"}}},
	}
	return Model{Graph: Graph{
		Inputs:       []Value{{Name: "in", Type: tensor.Float32, Shape: []any{"n"}}},
		Outputs:      []Value{{Name: "out", Type: tensor.Float32}},
		Initializers: []Constant{Floats("high", nil, high)},
		Nodes: []Node{
			{Op: "ReduceMin", In: []string{"in"}, Out: []string{"least"}, Attrs: map[string]any{"keepdims": 0}},
			{Op: "Greater", In: []string{"least", "high"}, Out: []string{"all"}},
			{Op: "Loop", In: []string{"", "all", "least"}, Out: []string{"out"}, Attrs: map[string]any{"body": body}},
		},
	}}
}

// Plus adds a number to its input: "in" to "out", float32. A test can tell by an
// answer which of several such models gave it.
func Plus(add float32, shape ...any) Model {
	m := Identity(tensor.Float32, shape...)
	m.Initializers = []Constant{Floats("add", nil, add)}
	m.Nodes = []Node{{Op: "Add", In: []string{"in", "add"}, Out: []string{"out"}}}
	return m
}
