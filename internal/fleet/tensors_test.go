package fleet_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/goshawk-ai/goshawk/internal/fleet/fleettest"
	"github.com/goshawk-ai/goshawk/internal/infer/backendtest/onnxgen"
	"github.com/goshawk-ai/goshawk/internal/problem"
	"github.com/goshawk-ai/goshawk/internal/tensor"
)

// adding adds x [n] and y [n].
func adding() fleettest.Package {
	m := onnxgen.Model{Graph: onnxgen.Graph{
		Inputs:  []onnxgen.Value{{Name: "x", Type: tensor.Float32, Shape: []any{"n"}}, {Name: "y", Type: tensor.Float32, Shape: []any{"n"}}},
		Outputs: []onnxgen.Value{{Name: "sum", Type: tensor.Float32, Shape: []any{"n"}}},
		Nodes:   []onnxgen.Node{{Op: "Add", In: []string{"x", "y"}, Out: []string{"sum"}}},
	}}
	manifest := "apiVersion: goshawk/v1\nkind: Tensor\nname: sums\nmodel: model.onnx\n"
	return fleettest.Package{Name: "sums", Model: m.Bytes(), Files: map[string]string{"goshawk.yaml": manifest}}
}

// ones is a float32 tensor [n].
func ones(name string, n int) *tensor.Tensor {
	t := &tensor.Tensor{Name: name, Type: tensor.Float32, Shape: []int64{int64(n)}, Data: tensor.Aligned(4 * n)}
	for i := range n {
		tensor.View[float32](t.Data)[i] = 1
	}
	return t
}

func TestSizesOfOneNameThatDifferAreTheCallersFault(t *testing.T) {
	t.Parallel()
	m := serving(t, adding())
	out, err := m.Wanted(nil)
	if err != nil {
		t.Fatal(err)
	}
	err = m.RunTensors(t.Context(), []*tensor.Tensor{ones("y", 2), ones("x", 3)}, out)
	if !errors.Is(err, problem.InvalidRequest) || !strings.Contains(err.Error(), `"n"`) {
		t.Errorf("3 and 2 elements: %v; want an invalid request that names the size, it is nobody's fault here", err)
	}
	if err := m.RunTensors(t.Context(), []*tensor.Tensor{ones("x", 3), ones("y", 3)}, out); err != nil || tensor.View[float32](out[0].Data)[2] != 2 {
		t.Errorf("the next request: %v, %v", err, out)
	}
	// The same name for two sizes is no mistake where the run succeeds.
	if err := m.RunTensors(t.Context(), []*tensor.Tensor{ones("x", 1), ones("y", 3)}, out); err != nil || out[0].Shape[0] != 3 {
		t.Errorf("one element for all: %v, %v", err, out)
	}
}

func TestPicturesOfAWrongRankHearHowTheyAreTaken(t *testing.T) {
	t.Parallel()
	m := serving(t, fleettest.Package{Name: "tiny"})
	in := &tensor.Tensor{Name: m.Inputs[0].Name, Type: tensor.String, Shape: []int64{1, 1, 1}, Strings: [][]byte{{1}}}
	if err := m.Fit([]*tensor.Tensor{in}); !errors.Is(err, problem.InvalidRequest) || !strings.Contains(err.Error(), "[N] or [N,1]") {
		t.Errorf("got %v, want how pictures are sent", err)
	}
}

// TestAModelIsABatchUnlessItsPackageSaysOtherwise: what looks like a batch may be
// a sequence, whose rows must stay together.
func TestAModelIsABatchUnlessItsPackageSaysOtherwise(t *testing.T) {
	t.Parallel()
	whole := adding()
	whole.Files["goshawk.yaml"] += "serving: {max_batch_size: 0}\n"
	for rows, p := range map[int]fleettest.Package{3: adding(), 1: whole} {
		m := serving(t, p)
		if got := m.BatchOf([]*tensor.Tensor{ones("x", 3), ones("y", 3)}); got != rows || m.Batched() != (rows == 3) {
			t.Errorf("%s\n3 elements are %d rows, batched %v; want %d", p.Files["goshawk.yaml"], got, m.Batched(), rows)
		}
	}
}
