package child_test

import (
	"context"
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/goshawk-ai/goshawk/internal/infer"
	"github.com/goshawk-ai/goshawk/internal/infer/backendtest/onnxgen"
	"github.com/goshawk-ai/goshawk/internal/infer/child"
	"github.com/goshawk-ai/goshawk/internal/infer/ort/orttest"
	"github.com/goshawk-ai/goshawk/internal/tensor"
)

// TestMain lets the test binary play the child, and a parent that will be killed.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case child.Command:
			os.Exit(child.WorkerMain(os.Stdin, os.Exit))
		case "parent":
			parent()
		}
	}
	goleak.VerifyTestMain(m)
}

// named is an engine that only says its name: children compute.
type named struct{ infer.Backend }

func (named) Name() string    { return "onnxruntime" }
func (named) Version() string { return "1" }

func options(library string) child.Options {
	return child.Options{Engine: named{}, Library: library, Memory: 256e6}
}

// open gives a backend whose children this test binary plays.
func open(tb testing.TB, change func(*child.Options)) *child.Backend {
	tb.Helper()
	library, err := orttest.Library()
	if err != nil {
		tb.Fatal(err)
	}
	o := options(library)
	if change != nil {
		change(&o)
	}
	return child.New(o)
}

// parent loads a model, says which process has it and waits to be killed.
func parent() {
	library, err := orttest.Library()
	if err == nil {
		var s infer.Session
		if s, err = child.New(options(library)).Load(context.Background(), divide().Bytes(), infer.Options{}); err == nil {
			fmt.Println(child.PID(s))
			select {}
		}
	}
	fmt.Println(err)
	os.Exit(1)
}

// divide makes a model that kills the process that runs it by the smallest number
// over -1. The runtime looks for 0 itself.
func divide() onnxgen.Model {
	value := func(name string) onnxgen.Value {
		return onnxgen.Value{Name: name, Type: tensor.Int64, Shape: []any{"n"}}
	}
	return onnxgen.Model{Graph: onnxgen.Graph{
		Inputs: []onnxgen.Value{value("a"), value("b")}, Outputs: []onnxgen.Value{value("quotient")},
		Nodes: []onnxgen.Node{{Op: "Div", In: []string{"a", "b"}, Out: []string{"quotient"}}},
	}}
}
