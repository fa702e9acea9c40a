package model_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/goshawk-ai/goshawk/internal/infer/backendtest/onnxgen"
	"github.com/goshawk-ai/goshawk/internal/model"
	"github.com/goshawk-ai/goshawk/internal/problem"
	"github.com/goshawk-ai/goshawk/internal/tensor"
)

// field writes one length-delimited protobuf field; number one varint. What
// onnxgen does not write (functions, training graphs) is put together of them.
func field(num int, body ...string) string {
	b := binary.AppendUvarint(nil, uint64(num)<<3|2)
	all := strings.Join(body, "")
	return string(binary.AppendUvarint(b, uint64(len(all)))) + all
}

func number(num int, v uint64) string {
	return string(binary.AppendUvarint(binary.AppendUvarint(nil, uint64(num)<<3), v))
}

// call is a node; function is a FunctionProto of such nodes.
func call(domain, op string) string {
	return field(4, op) + field(7, domain) + field(1, "x") + field(2, "y")
}

func function(name string, nodes ...string) string {
	b := []string{field(1, name), field(10, "f"), field(4, "x"), field(5, "y")}
	for _, n := range nodes {
		b = append(b, field(7, n))
	}
	return field(25, strings.Join(b, ""))
}

// around is a model with a node and more fields.
func around(node string, more ...string) []byte {
	value := func(name string) string {
		return field(1, name) + field(2, field(1, number(1, 1), field(2, field(1, number(1, 1)))))
	}
	graph := field(1, node) + field(11, value("x")) + field(12, value("y"))
	return []byte(number(1, 8) + field(8, number(2, 17)) + field(7, graph) + strings.Join(more, ""))
}

func TestInspectReadsWhatAModelSays(t *testing.T) {
	m := onnxgen.Model{Opset: 13, Graph: onnxgen.Graph{
		Inputs: []onnxgen.Value{
			{Name: "input", Type: tensor.Float16, Shape: []any{"N", 3, -1, "W"}},
			{Name: "w", Type: tensor.Float32, Shape: []any{2}},
			{Name: "any", Type: tensor.String, Unranked: true},
		},
		Outputs: []onnxgen.Value{
			{Name: "logits", Type: tensor.BFloat16, Shape: []any{"N", 10}},
			{Name: "maps", Type: tensor.Float32, Kind: "map"},
			{Name: "seq", Type: tensor.Float32, Kind: "sequence"},
			{Name: "opt", Kind: "optional"},
		},
		Initializers: []onnxgen.Constant{onnxgen.Floats("w", []int{2}, 1, 2)},
		Nodes:        []onnxgen.Node{{Op: "Softmax", In: []string{"input"}, Out: []string{"logits"}}, {Op: "Loop", Out: []string{"seq"}}},
	}}
	info, err := model.InspectONNX(m.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	want := model.ONNXInfo{
		IRVersion: 8, Opset: 13, Producer: "goshawk onnxgen", Nodes: 2, Loops: true,
		Inputs: []tensor.Spec{
			{Name: "input", Type: tensor.Float16, Kind: "tensor", Ranked: true, Shape: []int64{-1, 3, -1, -1}, Symbols: []string{"N", "", "", "W"}},
			{Name: "any", Type: tensor.String, Kind: "tensor"},
		},
		Outputs: []tensor.Spec{
			{Name: "logits", Type: tensor.BFloat16, Kind: "tensor", Ranked: true, Shape: []int64{-1, 10}, Symbols: []string{"N", ""}},
			{Name: "maps", Kind: "map"},
			{Name: "seq", Kind: "sequence"},
			{Name: "opt", Kind: "optional"},
		},
		Makers: map[string]string{"logits": "Softmax", "seq": "Loop"},
	}
	if diff := cmp.Diff(want, info); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestWhatIsNoModelIsCalledByItsName(t *testing.T) {
	good := onnxgen.Classifier("N", 8, 3).Bytes()
	for _, c := range []struct{ data, want string }{
		{"", "the model file is empty"},
		{"version https://git-lfs.github.com/spec/v1\noid sha256:0", "Git LFS pointer"},
		{"<!DOCTYPE html><html>", "HTML page"},
		{"  \n<HTML><body>", "HTML page"},
		{"<?xml version=\"1.0\"?><net>", "OpenVINO"},
		{"PK\x03\x04rest", "PyTorch's or Keras's"},
		{"\x80\x02}q\x00X\x05\x00", "Python pickle"},
		{"\x89HDF\r\n\x1a\n", "HDF5"},
		{"\x1c\x00\x00\x00TFL3\x14\x00", "TensorFlow Lite"},
		{"\x1c\x00\x00\x00ORTM\x14\x00", ".ort form"},
		{"GGUF\x03\x00\x00\x00", "GGUF"},
		{"\x40\x00\x00\x00\x00\x00\x00\x00{\"w\":1}", "safetensors"},
		{"\x1f\x8b\x08\x00", "gzip"},
		{"\x7fELF\x02\x01", "a program"},
		{"this is not a model\n", "looks like text"},
		{"\xfd7zXZ\x00\x00\x04", "a package comes as a folder, .tar, .tar.gz or .zip"},
		{"\x28\xb5\x2f\xfd\x04\x00", "a package comes as a folder, .tar, .tar.gz or .zip"},
		{"BZh91AY&SY\x00", "a package comes as a folder, .tar, .tar.gz or .zip"},
		{"dies ist auch keines: ä\n", "looks like text"},
		{string(good[:len(good)/2]), "damaged: it is cut off"},
		{string(good[:6]), "has no whole graph"},
		{string(good) + strings.Repeat("\xff", 64), fmt.Sprintf("damaged at byte %d of %d", len(good), len(good)+64)},
		{string(good) + string(good), "damaged"},
		{number(1, 8), "the model has no graph"},
		{number(1, 8) + field(7), "the model has no input and no output"},
		{number(1, 8) + field(8, number(2, 17)), "the model has no graph"},
		{"\x0b\x0c", "not an ONNX model"},
		{"\x07\x00\x00", "not an ONNX model"},
	} {
		_, err := model.InspectONNX([]byte(c.data))
		if err == nil || !strings.Contains(err.Error(), c.want) || !errors.Is(err, problem.ModelInvalid) {
			t.Errorf("%.30q: got %v, want it to say %q", c.data, err, c.want)
		}
	}
}

func TestVersionsBeyondTheRuntimeAreRefusedWithBothNumbers(t *testing.T) {
	for _, c := range []struct {
		m    onnxgen.Model
		want string
	}{
		{onnxgen.Model{IR: 14}, "the model has IR version 14, newer than 13, the newest that ONNX Runtime 1.30.0 knows; export it with an older onnx package"},
		{onnxgen.Model{Opset: 27}, "the model wants opset 27 of the standard operators, newer than 26, the newest that ONNX Runtime 1.30.0 knows; export it with opset_version=26 or less"},
		{onnxgen.Model{Domains: map[string]int64{"ai.onnx.ml": 6}}, `the model wants opset 6 of the operators "ai.onnx.ml", newer than 5, the newest that ONNX Runtime 1.30.0 knows; export it with opset_version=5 or less`},
		{onnxgen.Model{IR: 13, Opset: 26, Domains: map[string]int64{"ai.onnx.ml": 5, "com.acme": 99}}, ""},
		{onnxgen.Model{IR: 3, Opset: 7}, ""},
	} {
		c.m.Graph = onnxgen.Classifier(1, 8, 3).Graph
		_, err := model.InspectONNX(c.m.Bytes())
		if c.want == "" && err != nil || c.want != "" && (err == nil || err.Error() != c.want) {
			t.Errorf("got %v, want %q", err, c.want)
		}
	}
}

func TestOperatorsFromElsewhereAreRefused(t *testing.T) {
	for _, c := range []struct {
		node onnxgen.Node
		want string
	}{
		{onnxgen.Node{Op: "Preprocess", Domain: "com.acme"}, `the model uses the operator "Preprocess" of the domain "com.acme"; custom operators are not supported`},
		{onnxgen.Node{Op: "EPContext", Domain: "com.microsoft"}, "the model is compiled for one device (operator EPContext); give the one that it was made from"},
		{onnxgen.Node{Op: "FusedConv", Domain: "com.microsoft"}, ""},
		{onnxgen.Node{Op: "ZipMap", Domain: "ai.onnx.ml"}, ""},
	} {
		m := onnxgen.Classifier("N", 8, 3)
		m.Nodes = append(m.Nodes, c.node)
		// The same hidden in a body must not pass.
		hidden := onnxgen.Classifier("N", 8, 3)
		hidden.Nodes = append(hidden.Nodes, onnxgen.Node{Op: "If", Attrs: map[string]any{"then_branch": onnxgen.Graph{Nodes: []onnxgen.Node{c.node}}}})
		for _, m := range []onnxgen.Model{m, hidden} {
			_, err := model.InspectONNX(m.Bytes())
			if c.want == "" && err != nil || c.want != "" && (err == nil || err.Error() != c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		}
	}
}

// TestWeightsOutsideAreFoundEverywhere: the runtime would open the file.
func TestWeightsOutsideAreFoundEverywhere(t *testing.T) {
	out := onnxgen.Constant{Name: "w", Type: tensor.Float32, Shape: []int{1}, External: "../../etc/passwd"}
	raw := field(8, "w") + field(13, field(1, "location"), field(2, "../../etc/passwd")) + number(14, 1)
	marked := field(8, "w") + number(14, 1)
	with := func(change func(*onnxgen.Model)) []byte {
		m := onnxgen.Classifier("N", 8, 3)
		change(&m)
		return m.Bytes()
	}
	for name, data := range map[string][]byte{
		"initializer": with(func(m *onnxgen.Model) { m.Initializers = append(m.Initializers, out) }),
		"attribute": with(func(m *onnxgen.Model) {
			m.Nodes = append(m.Nodes, onnxgen.Node{Op: "Constant", Attrs: map[string]any{"value": out}})
		}),
		"body": with(func(m *onnxgen.Model) {
			m.Nodes = append(m.Nodes, onnxgen.Node{Op: "If", Attrs: map[string]any{"then_branch": onnxgen.Graph{Initializers: []onnxgen.Constant{out}}}})
		}),
		"tensors of an attribute":   around(call("", "Relu") + field(5, field(1, "a"), field(10, raw))),
		"sparse attribute":          around(call("", "Relu") + field(5, field(22, field(1, raw)))),
		"indices of a sparse":       around(call("", "Relu") + field(5, field(23, field(2, raw)))),
		"graphs of an attribute":    around(call("", "Relu") + field(5, field(11, field(5, raw)))),
		"sparse initializer":        around(call("", "Relu") + field(5, field(6, field(15, field(1, raw))))),
		"function that is called":   around(call("f", "a"), function("a", call("", "Relu")+field(5, field(5, raw)))),
		"function nobody calls":     around(call("", "Relu"), function("a", call("", "Relu")+field(5, field(5, raw)))),
		"default of a function":     around(call("", "Relu"), field(25, field(1, "a")+field(11, field(1, "v")+field(5, raw)))),
		"a mark without a location": around(call("", "Relu") + field(5, field(5, marked))),
	} {
		_, err := model.InspectONNX(data)
		if err == nil || !strings.HasPrefix(err.Error(), `the weights "w" lie outside the model file, in "`) {
			t.Errorf("%s: got %v; the outside file would be opened", name, err)
		}
	}
	if _, err := model.InspectONNX(around(call("", "Relu"), field(20, field(1, field(5, raw))))); err == nil {
		t.Error("a training graph must be refused")
	}
}

// TestFunctionsAreCountedBeforeTheyExplode: forty functions, each calling the
// next twice, are two kilobytes and 2^40 nodes.
func TestFunctionsAreCountedBeforeTheyExplode(t *testing.T) {
	chain := func(n int) []byte {
		fs := make([]string, 0, n)
		for i := range n {
			next := call("f", fmt.Sprint("f", i+1))
			if i == n-1 {
				next = call("", "Relu")
			}
			fs = append(fs, function(fmt.Sprint("f", i), next, next))
		}
		return around(call("f", "f0"), fs...)
	}
	for n, want := range map[int]string{
		10:  "",
		40:  "the model has more than 500000 nodes once its functions are written out",
		63:  "the model has more than 500000 nodes once its functions are written out",
		200: "the model's functions call each other more than 64 deep",
	} {
		info, err := model.InspectONNX(chain(n))
		if want == "" && (err != nil || info.Nodes < 1024 || info.Nodes > 4096) {
			t.Errorf("%d functions: %v, %d nodes; want about 2^11", n, err, info.Nodes)
		}
		if want != "" && (err == nil || err.Error() != want) {
			t.Errorf("%d functions: got %v, want %s", n, err, want)
		}
	}
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"itself":     {around(call("f", "a"), function("a", call("f", "a"))), `the model's function "a" calls itself`},
		"each other": {around(call("", "Relu"), function("a", call("f", "b")), function("b", call("f", "a"))), `the model's function "a" calls itself`},
		"twice":      {around(call("f", "a"), function("a", call("", "Relu")), function("a")), `the model has two functions "a"`},
	} {
		if _, err := model.InspectONNX(c.data); err == nil || err.Error() != c.want {
			t.Errorf("functions calling %s: got %v, want %s", name, err, c.want)
		}
	}
}

func TestNestingIsBounded(t *testing.T) {
	nest := func(n int) []byte {
		g := onnxgen.Graph{}
		for range n {
			g = onnxgen.Graph{Nodes: []onnxgen.Node{{Op: "If", Attrs: map[string]any{"then_branch": g}}}}
		}
		m := onnxgen.Classifier("N", 8, 3)
		m.Nodes = append(m.Nodes, g.Nodes...)
		return m.Bytes()
	}
	if _, err := model.InspectONNX(nest(30)); err != nil {
		t.Errorf("30 bodies: %v; real models have that", err)
	}
	if _, err := model.InspectONNX(nest(1000)); err == nil || err.Error() != "the model's graphs are nested more than 40 deep" {
		t.Errorf("1000 bodies: %v", err)
	}
	kind := field(1, number(1, 1))
	for range 5000 {
		kind = field(4, field(1, kind))
	}
	value := field(1, "x") + field(2, kind)
	deep := []byte(number(1, 8) + field(7, field(11, value)+field(12, value)))
	if info, err := model.InspectONNX(deep); err != nil || info.Inputs[0].Kind != "sequence" {
		t.Errorf("a sequence of sequences: %v, %v; want a sequence, whatever is in it", info.Inputs, err)
	}
	nodes := strings.Repeat(field(1), 600_000)
	if _, err := model.InspectONNX([]byte(number(1, 8) + field(7, nodes))); err == nil || err.Error() != "the model has more than 500000 nodes" {
		t.Errorf("600,000 empty nodes: %v", err)
	}
}

func TestLongNamesAreCutInSentences(t *testing.T) {
	long := strings.Repeat("x", 100_000)
	m := onnxgen.Classifier("N", 8, 3)
	m.Nodes = append(m.Nodes, onnxgen.Node{Op: long, Domain: "a\x1b[31m\n" + long})
	if _, err := model.InspectONNX(m.Bytes()); err == nil || len(err.Error()) > 500 || strings.ContainsAny(err.Error(), "\x1b\n") {
		t.Errorf("got %.300v; a stranger's text must be cut and escaped", err)
	}
}

// TestIntegerDivisionsAreListed: those that could be by 0 or -1 kill the
// runtime with SIGFPE.
func TestIntegerDivisionsAreListed(t *testing.T) {
	const N, F = tensor.Int64, tensor.Float32
	in := func(typ tensor.Type) onnxgen.Value { return onnxgen.Value{Name: "in", Type: typ, Shape: []any{4}} }
	div := onnxgen.Node{Op: "Div", Name: "d", In: []string{"in", "c"}, Out: []string{"out"}}
	for _, c := range []struct {
		name   string
		typ    tensor.Type
		nodes  []onnxgen.Node
		consts []onnxgen.Constant
		risky  bool
	}{
		{"by a constant", N, []onnxgen.Node{div}, []onnxgen.Constant{onnxgen.Ints("c", []int{2}, 2, -3)}, false},
		{"by zero", N, []onnxgen.Node{div}, []onnxgen.Constant{onnxgen.Ints("c", []int{2}, 2, 0)}, true},
		{"by minus one", N, []onnxgen.Node{div}, []onnxgen.Constant{onnxgen.Ints("c", []int{1}, -1)}, true},
		{"by an empty constant", N, []onnxgen.Node{div}, []onnxgen.Constant{onnxgen.Ints("c", []int{0})}, true},
		{"by itself", N, []onnxgen.Node{{Op: "Div", Name: "d", In: []string{"in", "in"}, Out: []string{"out"}}}, nil, true},
		{"remainder", N, []onnxgen.Node{{Op: "Mod", Name: "d", In: []string{"in", "in"}, Out: []string{"out"}}}, nil, true},
		{"of floats", F, []onnxgen.Node{{Op: "Div", Name: "d", In: []string{"in", "in"}, Out: []string{"out"}}}, nil, false},
		{"of floats by a constant 0", F, []onnxgen.Node{div}, []onnxgen.Constant{onnxgen.Floats("c", []int{1}, 0)}, false},
		{"behind operators that keep floats", F, []onnxgen.Node{
			{Op: "Reshape", In: []string{"in", "s"}, Out: []string{"a"}},
			{Op: "Add", In: []string{"zzz", "a"}, Out: []string{"b"}},
			{Op: "Div", Name: "d", In: []string{"b", "zz"}, Out: []string{"out"}},
		}, nil, false},
		{"of something unknown", F, []onnxgen.Node{{Op: "Div", Name: "d", In: []string{"zz", "zzz"}, Out: []string{"q"}}}, nil, true},
		{"by a Constant node", N, []onnxgen.Node{{Op: "Constant", Out: []string{"c"}, Attrs: map[string]any{"value": onnxgen.Ints("", []int{1}, 7)}}, div}, nil, false},
		{"by value_int 7", N, []onnxgen.Node{{Op: "Constant", Out: []string{"c"}, Attrs: map[string]any{"value_int": 7}}, div}, nil, false},
		{"by value_ints with 0", N, []onnxgen.Node{{Op: "Constant", Out: []string{"c"}, Attrs: map[string]any{"value_ints": []int{7, 0}}}, div}, nil, true},
		{"by a cast constant", N, []onnxgen.Node{{Op: "Cast", In: []string{"k"}, Out: []string{"c"}, Attrs: map[string]any{"to": onnxgen.DataType(N)}}, div}, []onnxgen.Constant{onnxgen.Ints("k", []int{1}, 5)}, false},
		{"by 0.5 cast to 0", N, []onnxgen.Node{{Op: "Cast", In: []string{"k"}, Out: []string{"c"}, Attrs: map[string]any{"to": onnxgen.DataType(N)}}, div}, []onnxgen.Constant{onnxgen.Floats("k", []int{1}, 0.5)}, true},
		{"by a shape", F, []onnxgen.Node{{Op: "Shape", In: []string{"in"}, Out: []string{"s"}}, {Op: "Div", Name: "d", In: []string{"s", "s"}, Out: []string{"q"}}}, nil, true},
		{"in a body", N, []onnxgen.Node{{Op: "If", Attrs: map[string]any{"then_branch": onnxgen.Graph{Nodes: []onnxgen.Node{{Op: "Div", Name: "d", In: []string{"in", "in"}, Out: []string{"q"}}}}}}}, nil, true},
		{"of another domain", N, []onnxgen.Node{{Op: "Div", Domain: "com.microsoft", In: []string{"in", "in"}, Out: []string{"q"}}}, nil, false},
	} {
		m := onnxgen.Model{Graph: onnxgen.Graph{Inputs: []onnxgen.Value{in(c.typ)}, Outputs: []onnxgen.Value{{Name: "out", Type: c.typ, Shape: []any{4}}}, Nodes: c.nodes, Initializers: c.consts}}
		info, err := model.InspectONNX(m.Bytes())
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if (len(info.Hazards) > 0) != c.risky {
			t.Errorf("%s: hazards %q, want some: %v", c.name, info.Hazards, c.risky)
		}
		if c.risky && !strings.HasSuffix(info.Hazards[0], ` "d"`) {
			t.Errorf("%s: %q does not name the node", c.name, info.Hazards)
		}
	}
	inFunction := around(call("f", "a"), function("a", call("", "Div")+field(1, "z")))
	if info, err := model.InspectONNX(inFunction); err != nil || len(info.Hazards) != 1 {
		t.Errorf("in a function: %v, %v; want it listed", info.Hazards, err)
	}
}

// TestNoBytesCrashTheWalk turns and cuts a real model's bytes.
func TestNoBytesCrashTheWalk(t *testing.T) {
	good := onnxgen.Classifier("N", 8, 3).Bytes()
	rapid.Check(t, func(t *rapid.T) {
		data := bytes.Clone(good)
		for range rapid.IntRange(1, 8).Draw(t, "changes") {
			data[rapid.IntRange(0, len(data)-1).Draw(t, "at")] = rapid.Byte().Draw(t, "byte")
		}
		data = data[:rapid.IntRange(0, len(data)).Draw(t, "length")]
		inspect(t, data)
	})
}

type fataler interface{ Fatalf(string, ...any) }

func inspect(t fataler, data []byte) {
	before := bytes.Clone(data)
	info, err := model.InspectONNX(data)
	if !bytes.Equal(before, data) {
		t.Fatalf("the walk changed the file")
	}
	switch {
	case err == nil:
		if len(info.Inputs) == 0 || len(info.Outputs) == 0 || info.Nodes < 0 || info.Nodes == math.MaxInt64 {
			t.Fatalf("accepted with %+v", info)
		}
	case !errors.Is(err, problem.ModelInvalid), len(err.Error()) > 2000, strings.ContainsAny(err.Error(), "\n\x00\x1b"):
		t.Fatalf("%q is no sentence for a person", err)
	}
}

func FuzzInspectONNX(f *testing.F) {
	f.Add(onnxgen.Classifier("N", 8, 3).Bytes())
	f.Add(onnxgen.Endless().Bytes())
	f.Add(around(call("f", "a"), function("a", call("", "Div"))))
	f.Fuzz(func(t *testing.T, data []byte) { inspect(t, data) })
}

// TestTheListsAreSorted: they are searched by halves.
func TestTheListsAreSorted(t *testing.T) {
	source, err := os.ReadFile("onnx_type.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, list := range strings.Split(string(source), "[]string{")[1:] {
		body, _, _ := strings.Cut(list, "}")
		words := strings.FieldsFunc(body, func(r rune) bool { return strings.ContainsRune("\", \n\t", r) })
		if len(words) > 1 && !slices.IsSorted(words) {
			t.Errorf("%.60v… is not sorted", words)
		}
	}
}
