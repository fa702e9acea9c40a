package model

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/goshawk-ai/goshawk/internal/wording"
)

// Field numbers are those of onnx.proto (onnx/onnx, version 1.23).

// A walker reads one file. Its recursion is bounded by maxGraphs, maxTypes and
// maxFunctions, its work by the file's length: no message is walked twice but
// for a function's, whose count is kept.
type walker struct {
	info      ONNXInfo
	versioned bool
	graph     *part
	functions map[string]*function
	written   int64 // nodes that were walked
	divides   bool  // there is a Div or Mod
}

type function struct {
	body  part
	name  string
	nodes int64 // with calls written out; 0 until counted
	busy  bool  // being counted: a call to it is a cycle
}

// operator is what a node does: domain, name, overload.
type operator struct{ domain, name, overload string }

func (o operator) key() string { return o.domain + "\x00" + o.name + "\x00" + o.overload }

func (w *walker) model(data []byte) error {
	w.functions = map[string]*function{}
	var training []part
	err := each(data, 0, func(p part) error {
		switch p.num {
		case 1:
			w.info.IRVersion, w.versioned = int64(p.value), true
		case 2:
			w.info.Producer = wording.Cut(string(p.bytes[:min(len(p.bytes), bearable)]))
		case 7:
			if w.graph != nil {
				return &damageError{p.at, false, "a second graph begins here"}
			}
			w.graph = &p
		case 8:
			w.versioned = true
			return w.opset(p)
		case 20:
			training = append(training, p)
		case 25:
			return w.function(p)
		}
		return nil
	})
	if err != nil {
		return err
	}
	switch {
	case w.graph == nil && !w.versioned:
		return refuse("the model file is not an ONNX model")
	case w.graph == nil:
		return refuse("the model has no graph")
	case w.info.IRVersion > newestIR:
		return refuse("the model has IR version %d, newer than %d, the newest that %s knows; export it with an older onnx package", w.info.IRVersion, newestIR, runtimeName)
	case len(training) > 0:
		return refuse("the model holds training graphs; export it for inference")
	}
	return w.top()
}

// opset reads an OperatorSetIdProto.
func (w *walker) opset(p part) error {
	var domain string
	var version int64
	err := each(p.bytes, p.at, func(f part) error {
		switch f.num {
		case 1:
			domain = string(f.bytes)
		case 2:
			version = int64(f.value)
		}
		return nil
	})
	if err != nil {
		return err
	}
	newest, known := newestDomains[domain]
	if domain == "" || domain == "ai.onnx" {
		newest, known = newestOpset, true
		w.info.Opset = max(w.info.Opset, version)
		domain = "the standard operators"
	} else {
		domain = "the operators " + wording.Quote(domain)
	}
	if known && version > newest {
		return refuse("the model wants opset %d of %s, newer than %d, the newest that %s knows; export it with opset_version=%d or less", version, domain, newest, runtimeName, newest)
	}
	return nil
}

// function notes a FunctionProto; its body is counted when it is called.
func (w *walker) function(p part) error {
	var op operator
	err := each(p.bytes, p.at, func(f part) error {
		switch f.num {
		case 1:
			op.name = string(f.bytes)
		case 9:
			return w.opset(f)
		case 10:
			op.domain = string(f.bytes)
		case 13:
			op.overload = string(f.bytes)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if len(w.functions) >= maxEnds {
		return refuse("the model has more than %d functions", maxEnds)
	}
	if w.functions[op.key()] != nil {
		return refuse("the model has two functions %s", wording.Quote(op.name))
	}
	w.functions[op.key()] = &function{body: p, name: op.name}
	return nil
}

// top walks the graph and, so that nothing hides there, functions that nobody
// calls.
func (w *walker) top() error {
	nodes, err := w.nodes(*w.graph, 1, 0)
	if err != nil {
		return err
	}
	w.info.Nodes = nodes
	for _, key := range slices.Sorted(maps.Keys(w.functions)) {
		if _, err := w.expand(w.functions[key], 0); err != nil {
			return err
		}
	}
	if err := w.ends(*w.graph); err != nil {
		return err
	}
	return w.hazards()
}

// expand counts a function's nodes with all calls written out.
func (w *walker) expand(f *function, calls int) (int64, error) {
	switch {
	case f.busy:
		return 0, refuse("the model's function %s calls itself", wording.Quote(f.name))
	case f.nodes > 0:
		return f.nodes, nil
	case calls >= maxFunctions:
		return 0, refuse("the model's functions call each other more than %d deep", maxFunctions)
	}
	f.busy = true
	defer func() { f.busy = false }()
	var total int64
	err := each(f.body.bytes, f.body.at, func(p part) error {
		switch p.num {
		case 7:
			n, err := w.node(p, 1, calls+1)
			total = saturate(total, n)
			return err
		case 11:
			n, err := w.attribute(p, 1, calls+1)
			total = saturate(total, n)
			return err
		}
		return nil
	})
	f.nodes = max(1, total)
	return f.nodes, err
}

// saturate adds without overflow: 2^40 calls of calls are a few hundred bytes.
func saturate(a, b int64) int64 {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}

// nodes walks a GraphProto and counts its nodes.
func (w *walker) nodes(graph part, depth, calls int) (int64, error) {
	if depth > maxGraphs {
		return 0, refuse("the model's graphs are nested more than %d deep", maxGraphs)
	}
	var total int64
	err := each(graph.bytes, graph.at, func(p part) error {
		switch p.num {
		case 1:
			n, err := w.node(p, depth, calls)
			if total = saturate(total, n); err == nil && total > maxNodes {
				return refuse("the model has more than %d nodes once its functions are written out", maxNodes)
			}
			return err
		case 5:
			return w.tensor(p)
		case 15:
			return w.sparse(p)
		}
		return nil
	})
	return total, err
}

// node walks a NodeProto and counts what it stands for.
func (w *walker) node(node part, depth, calls int) (int64, error) {
	if w.written++; w.written > maxNodes {
		return 0, refuse("the model has more than %d nodes", maxNodes)
	}
	var op operator
	total := int64(1)
	err := each(node.bytes, node.at, func(p part) error {
		switch p.num {
		case 4:
			op.name = string(p.bytes)
		case 7:
			op.domain = string(p.bytes)
		case 8:
			op.overload = string(p.bytes)
		case 5:
			n, err := w.attribute(p, depth, calls)
			total = saturate(total, n)
			return err
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	if f := w.functions[op.key()]; f != nil {
		n, err := w.expand(f, calls)
		return saturate(total, n), err
	}
	return total, w.operator(op)
}

// operator refuses what no runtime of ours has.
func (w *walker) operator(op operator) error {
	switch op.name {
	case "EPContext":
		return refuse("the model is compiled for one device (operator EPContext); give the one that it was made from")
	case "Loop", "Scan":
		w.info.Loops = true
	case "Div", "Mod":
		w.divides = true
	}
	if _, known := newestDomains[op.domain]; known || op.domain == "" || op.domain == "ai.onnx" ||
		strings.HasPrefix(op.domain, "com.microsoft.") || strings.HasPrefix(op.domain, "com.ms.internal.") {
		return nil
	}
	return refuse("the model uses the operator %s of the domain %s; custom operators are not supported", wording.Quote(op.name), wording.Quote(op.domain))
}

// attribute walks an AttributeProto: tensors and graphs may hide in it.
func (w *walker) attribute(attribute part, depth, calls int) (int64, error) {
	var total int64
	err := each(attribute.bytes, attribute.at, func(p part) error {
		switch p.num {
		case 5, 10:
			return w.tensor(p)
		case 22, 23:
			return w.sparse(p)
		case 6, 11:
			n, err := w.nodes(p, depth+1, calls)
			total = saturate(total, n)
			return err
		}
		return nil
	})
	return total, err
}

func (w *walker) sparse(p part) error {
	return each(p.bytes, p.at, func(f part) error {
		if f.num == 1 || f.num == 2 {
			return w.tensor(f)
		}
		return nil
	})
}

// tensor refuses weights outside the file, wherever they stand: the runtime
// would open what the location names (and one special name means an address in
// memory).
func (w *walker) tensor(p part) error {
	var name, location string
	external := false
	err := each(p.bytes, p.at, func(f part) error {
		switch f.num {
		case 8:
			name = string(f.bytes[:min(len(f.bytes), bearable)])
		case 13:
			external = true
			var key, value []byte
			if err := each(f.bytes, f.at, func(e part) error {
				switch e.num {
				case 1:
					key = e.bytes
				case 2:
					value = e.bytes
				}
				return nil
			}); err != nil {
				return err
			}
			if string(key) == "location" {
				location = string(value[:min(len(value), bearable)])
			}
		case 14:
			external = external || f.value != 0
		}
		return nil
	})
	if err != nil {
		return err
	}
	if external {
		return refuse("the weights %s lie outside the model file, in %s; export the model as one file, with the weights inside", wording.Quote(name), wording.Quote(location))
	}
	return nil
}

// ends reads the graph's inputs, without those that have an initializer, its
// outputs, and who makes them.
func (w *walker) ends(graph part) error {
	var ins, outs []part
	given, names := map[string]bool{}, map[string]bool{}
	err := each(graph.bytes, graph.at, func(p part) error {
		switch p.num {
		case 11:
			ins = append(ins, p)
			names[fieldText(p, 1)] = true
		case 12:
			outs = append(outs, p)
		}
		if len(ins)+len(outs) > maxEnds {
			return refuse("the model has more than %d inputs and outputs", maxEnds)
		}
		return nil
	})
	if err != nil {
		return err
	}
	err = each(graph.bytes, graph.at, func(p part) error {
		name := ""
		switch p.num {
		case 5:
			name = fieldText(p, 8)
		case 15: // the values carry the name
			_ = each(p.bytes, p.at, func(f part) error {
				if f.num == 1 {
					name = fieldText(f, 8)
				}
				return nil
			})
		}
		if names[name] {
			given[name] = true
		}
		return nil
	})
	if err != nil {
		return err
	}
	ins = slices.DeleteFunc(ins, func(p part) bool { return given[fieldText(p, 1)] })
	for _, p := range ins {
		spec, err := valueSpec(p)
		if err != nil {
			return err
		}
		w.info.Inputs = append(w.info.Inputs, spec)
	}
	for _, p := range outs {
		spec, err := valueSpec(p)
		if err != nil {
			return err
		}
		w.info.Outputs = append(w.info.Outputs, spec)
	}
	switch {
	case len(w.info.Inputs) == 0:
		return refuse("the model has no input%s", also(len(w.info.Outputs) == 0, " and no output"))
	case len(w.info.Outputs) == 0:
		return refuse("the model has no output")
	}
	return w.makers(graph)
}

func also(yes bool, words string) string {
	if yes {
		return words
	}
	return ""
}

// makers finds the operator behind each output.
func (w *walker) makers(graph part) error {
	wanted := map[string]bool{}
	for _, o := range w.info.Outputs {
		wanted[o.Name] = true
	}
	return each(graph.bytes, graph.at, func(p part) error {
		if p.num != 1 {
			return nil
		}
		return each(p.bytes, p.at, func(f part) error {
			if f.num == 2 && wanted[string(f.bytes)] {
				w.info.Makers[string(f.bytes)] = wording.Cut(fieldText(p, 4))
			}
			return nil
		})
	})
}

// fieldText is a string field of a message, "" where there is none. Damage was
// found before.
func fieldText(message part, num int) string {
	text := ""
	_ = each(message.bytes, message.at, func(f part) error {
		if f.num == num {
			text = string(f.bytes)
		}
		return nil
	})
	return text
}

// hazard adds a node to the list.
func (w *walker) hazard(op, name string) {
	if len(w.info.Hazards) < maxHazards {
		w.info.Hazards = append(w.info.Hazards, fmt.Sprintf("%s %s", op, wording.Quote(name)))
	}
}
