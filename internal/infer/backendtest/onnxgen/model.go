package onnxgen

import (
	"fmt"

	"github.com/goshawk-ai/goshawk/internal/tensor"
)

// Model is a whole file. Zero IR and Opset mean 8 and 17.
type Model struct {
	IR, Opset int64
	Domains   map[string]int64 // further operator sets
	Metadata  map[string]string
	Graph
}

// Graph is a model's, or the body of a Loop or If.
type Graph struct {
	Name         string
	Inputs       []Value
	Outputs      []Value
	Nodes        []Node
	Initializers []Constant
}

// Value is an input or output.
type Value struct {
	Name     string
	Type     tensor.Type
	Shape    []any  // int or string (a symbol); "" is a size without a name
	Unranked bool   // no shape at all
	Kind     string // "" or "tensor", "sequence", "optional", "map" (from int64)
}

// Node is one operation.
type Node struct {
	Op, Name, Domain string
	In, Out          []string
	Attrs            map[string]any // int, []int, float64, string, Constant, Graph
}

// Constant is an initializer. With External its bytes are said to lie in that file.
type Constant struct {
	Name     string
	Type     tensor.Type
	Shape    []int
	Data     []byte   // as in tensor.Tensor
	Strings  [][]byte // only for tensor.String
	External string
}

// numbers are onnx.proto's TensorProto.DataType.
var numbers = map[tensor.Type]int64{
	tensor.Float32: 1, tensor.Uint8: 2, tensor.Int8: 3, tensor.Uint16: 4, tensor.Int16: 5, tensor.Int32: 6,
	tensor.Int64: 7, tensor.String: 8, tensor.Bool: 9, tensor.Float16: 10, tensor.Float64: 11,
	tensor.Uint32: 12, tensor.Uint64: 13, tensor.BFloat16: 16,
}

// DataType is the number of an element type in ONNX files (what the attribute
// "to" of a Cast wants).
func DataType(t tensor.Type) int { return int(numbers[t]) }

// Bytes is the file.
func (m Model) Bytes() []byte {
	var b message
	b.integer(1, or(m.IR, 8))
	b.text(2, "goshawk onnxgen")
	b.bytes(7, m.message())
	b.bytes(8, opset("", or(m.Opset, 17)))
	for _, domain := range sorted(m.Domains) {
		b.bytes(8, opset(domain, m.Domains[domain]))
	}
	for _, key := range sorted(m.Metadata) {
		b.bytes(14, entry(key, m.Metadata[key]))
	}
	return b
}

func opset(domain string, version int64) []byte {
	var b message
	b.text(1, domain)
	b.integer(2, version)
	return b
}

func entry(key, value string) []byte {
	var b message
	b.text(1, key)
	b.text(2, value)
	return b
}

func (g Graph) message() []byte {
	var b message
	for _, n := range g.Nodes {
		b.bytes(1, n.message())
	}
	name := g.Name
	if name == "" {
		name = "g"
	}
	b.text(2, name)
	for _, c := range g.Initializers {
		b.bytes(5, c.message())
	}
	for _, v := range g.Inputs {
		b.bytes(11, v.message())
	}
	for _, v := range g.Outputs {
		b.bytes(12, v.message())
	}
	return b
}

func (v Value) message() []byte {
	var b message
	b.text(1, v.Name)
	b.bytes(2, v.typeOf())
	return b
}

func (v Value) typeOf() []byte {
	var plain, b, wrapped message
	plain.integer(1, numbers[v.Type])
	if !v.Unranked {
		plain.bytes(2, shape(v.Shape))
	}
	b.bytes(1, plain)
	switch v.Kind {
	case "sequence":
		return nest(4, 1, b)
	case "optional":
		return nest(9, 1, b)
	case "map":
		wrapped.integer(1, numbers[tensor.Int64])
		wrapped.bytes(2, b)
		var m message
		m.bytes(5, wrapped)
		return m
	}
	return b
}

func nest(outer, inner int, b []byte) []byte {
	var in, out message
	in.bytes(inner, b)
	out.bytes(outer, in)
	return out
}

func shape(sizes []any) []byte {
	var b message
	for _, size := range sizes {
		var d message
		switch size := size.(type) {
		case int:
			d.integer(1, int64(size))
		case string:
			if size != "" {
				d.text(2, size)
			}
		}
		b.bytes(1, d)
	}
	return b
}

func (n Node) message() []byte {
	var b message
	for _, in := range n.In {
		b.text(1, in)
	}
	for _, out := range n.Out {
		b.text(2, out)
	}
	b.text(3, n.Name)
	b.text(4, n.Op)
	for _, name := range sorted(n.Attrs) {
		b.bytes(5, attribute(name, n.Attrs[name]))
	}
	b.text(7, n.Domain)
	return b
}

func attribute(name string, value any) []byte {
	var b message
	b.text(1, name)
	switch v := value.(type) {
	case float64:
		b.float(2, float32(v))
		b.integer(20, 1)
	case int:
		b.integer(3, int64(v))
		b.integer(20, 2)
	case string:
		b.text(4, v)
		b.integer(20, 3)
	case Constant:
		b.bytes(5, v.message())
		b.integer(20, 4)
	case Graph:
		b.bytes(6, v.message())
		b.integer(20, 5)
	case []int:
		for _, i := range v {
			b.integer(8, int64(i))
		}
		b.integer(20, 7)
	default:
		panic(fmt.Sprintf("onnxgen: attribute %q of type %T", name, value)) //nolint:forbidigo // a mistake in the test that calls
	}
	return b
}

func (c Constant) message() []byte {
	var b message
	for _, d := range c.Shape {
		b.integer(1, int64(d))
	}
	b.integer(2, numbers[c.Type])
	for _, s := range c.Strings {
		b.bytes(6, s)
	}
	b.text(8, c.Name)
	switch {
	case c.External != "":
		b.bytes(13, entry("location", c.External))
		b.integer(14, 1)
	case c.Type != tensor.String:
		b.bytes(9, c.Data)
	}
	return b
}
