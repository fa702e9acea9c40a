//go:build ci

package clients

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goshawk-ai/goshawk/internal/infer/backendtest/onnxgen"
	"github.com/goshawk-ai/goshawk/internal/tensor"
	"github.com/goshawk-ai/goshawk/test/running"
)

// protocolTypes are all that the protocol names.
var protocolTypes = []tensor.Type{
	tensor.Bool, tensor.Uint8, tensor.Uint16, tensor.Uint32, tensor.Uint64, tensor.Int8, tensor.Int16, tensor.Int32,
	tensor.Int64, tensor.Float16, tensor.BFloat16, tensor.Float32, tensor.Float64, tensor.String,
}

// models are what the clients meet: for each type and rank from 0 to 4 one that
// gives its input back (fp32-2 is FP32 of rank 2), one with two inputs and two
// outputs, and one that never ends.
func models() map[string]onnxgen.Model {
	all := map[string]onnxgen.Model{}
	for _, t := range protocolTypes {
		for rank := range 5 {
			shape := []any{"a", "b", "c", "d"}[:rank]
			all[fmt.Sprintf("%s-%d", strings.ToLower(t.Protocol()), rank)] = onnxgen.Identity(t, shape...)
		}
	}
	all["two"] = onnxgen.Model{Graph: onnxgen.Graph{
		Inputs:  []onnxgen.Value{{Name: "x", Type: tensor.Float32, Shape: []any{"n"}}, {Name: "y", Type: tensor.Float32, Shape: []any{"n"}}},
		Outputs: []onnxgen.Value{{Name: "sum", Type: tensor.Float32, Shape: []any{"n"}}, {Name: "product", Type: tensor.Float32, Shape: []any{"n"}}},
		Nodes: []onnxgen.Node{
			{Op: "Add", In: []string{"x", "y"}, Out: []string{"sum"}},
			{Op: "Mul", In: []string{"x", "y"}, Out: []string{"product"}},
		},
	}}
	return all
}

// addModels puts them where a server finds them when it starts.
func addModels(t *testing.T, data string) {
	t.Helper()
	dir := t.TempDir()
	for name, m := range models() {
		file := filepath.Join(dir, name+".onnx")
		if err := os.WriteFile(file, m.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		add(t, data, file, name)
	}
}

func add(t *testing.T, data, file, name string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), running.Binary(t), "models", "add", file, "--kind", "tensor", "--name", name, "--data", data, "--calibrate", "off")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("goshawk models add %s: %v\n%s", name, err, out)
	}
}
