//go:build ci

package clients

import (
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

var built struct {
	once sync.Once
	path string
	out  []byte
	err  error
}

// grpcurl builds it, once, from the module beside this file.
func grpcurl(t *testing.T) string {
	t.Helper()
	built.once.Do(func() {
		if built.path, built.err = filepath.Abs(filepath.Join("..", "..", ".cache", "grpcurl", "grpcurl")); built.err != nil {
			return
		}
		cmd := exec.Command("go", "build", "-C", "grpcurl", "-o", built.path, "github.com/fullstorydev/grpcurl/cmd/grpcurl")
		built.out, built.err = cmd.CombinedOutput()
	})
	if built.err != nil {
		t.Fatalf("grpcurl cannot be built: %v\n%s", built.err, built.out)
	}
	return built.path
}

// reflection asks as a stranger does who knows nothing but the address.
func reflection(t *testing.T, page *proofs, address string, header ...string) {
	t.Helper()
	tool := grpcurl(t)
	var table strings.Builder
	for _, c := range []struct {
		data string
		args []string
		want string
	}{
		{"", []string{"list"}, "inference.GRPCInferenceService"},
		{"", []string{"list"}, "grpc.health.v1.Health"},
		{"", []string{"list", "inference.GRPCInferenceService"}, "inference.GRPCInferenceService.ModelStreamInfer"},
		{"", []string{"describe", "inference.GRPCInferenceService"}, "rpc ModelInfer ( .inference.ModelInferRequest ) returns ( .inference.ModelInferResponse );"},
		{"", []string{"describe", "inference.ModelInferRequest"}, "repeated bytes raw_input_contents = 7;"},
		{"", []string{"describe", "inference.ModelConfig"}, "message ModelConfig"},
		{"", []string{"grpc.health.v1.Health/Check"}, `"status": "SERVING"`},
		{"", []string{"inference.GRPCInferenceService/ServerLive"}, `"live": true`},
		{"", []string{"inference.GRPCInferenceService/ServerReady"}, `"ready": true`},
		{"", []string{"inference.GRPCInferenceService/ServerMetadata"}, `"classification"`},
		{`{"name": "int64-2"}`, []string{"inference.GRPCInferenceService/ModelMetadata"}, `"datatype": "INT64"`},
		{`{}`, []string{"inference.GRPCInferenceService/ModelMetadata"}, "Code: InvalidArgument"},
		{`{"model_name": "nobody"}`, []string{"inference.GRPCInferenceService/ModelInfer"}, "Code: NotFound"},
		{
			`{"id": "7", "model_name": "int64-2", "inputs": [{"name": "in", "datatype": "INT64", "shape": [1, 2], "contents": {"int64_contents": [1, 2]}}]}`,
			[]string{"inference.GRPCInferenceService/ModelInfer"},
			`"AQAAAAAAAAACAAAAAAAAAA=="`,
		},
		{
			`{"model_name": "bool-1", "inputs": [{"name": "in", "datatype": "BOOL", "shape": [2]}], "raw_input_contents": ["AAE="]}
			 {"model_name": "nobody", "inputs": []}`,
			[]string{"inference.GRPCInferenceService/ModelStreamInfer"},
			`"errorMessage"`,
		},
	} {
		args := []string{"-plaintext"}
		for _, h := range header {
			args = append(args, "-H", h)
		}
		if c.data != "" {
			args = append(args, "-d", c.data)
		}
		args = append(append(args, address), c.args...)
		out, err := exec.CommandContext(t.Context(), tool, args...).CombinedOutput()
		page.note("", strings.Join(append(slices.Clone(c.args), strings.Fields(c.data)...), " "), "grpcurl", c.want)
		table.WriteString("grpcurl " + strings.Join(c.args, " ") + " -> " + c.want + "\n")
		if !strings.Contains(string(out), c.want) {
			t.Errorf("grpcurl %s said (%v)\n%s\nwant %s in it", strings.Join(args[1:], " "), err, out, c.want)
		}
	}
	t.Logf("\n%s", &table)
}
