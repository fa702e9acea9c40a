package predict_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/goshawk-ai/goshawk/internal/predict"
	"github.com/goshawk-ai/goshawk/internal/problem"
	"github.com/goshawk-ai/goshawk/internal/tensor"
)

func TestTensorsNameTheVersionThatAnswered(t *testing.T) {
	p, _ := setup(t, 0)
	in := &tensor.Tensor{Name: "x", Type: tensor.Uint8, Shape: []int64{2}, Data: []byte{1, 2}}
	a, err := p.Tensors(t.Context(), &predict.TensorRequest{Model: "pets", Inputs: []*tensor.Tensor{in}, Outputs: []string{"y"}})
	if err != nil {
		t.Fatal(err)
	}
	if a.Version.Digest != digest || len(a.Outputs) != 1 || a.Outputs[0].Name != "y" || a.Stages.Infer != time.Millisecond {
		t.Errorf("got %+v, want the output y of %s with its times", a, digest)
	}
	if len(a.Labels) != 3 {
		t.Errorf("got %d labels, want the model's 3: a door that classifies needs them", len(a.Labels))
	}
	if _, err := p.Tensors(t.Context(), &predict.TensorRequest{Model: "birds"}); !errors.Is(err, problem.ModelNotFound) {
		t.Errorf("an unknown model: %v, want model-not-found", err)
	}
}

func TestTensorsHaveADeadline(t *testing.T) {
	p, _ := setup(t, 10*time.Millisecond)
	_, err := p.Tensors(context.Background(), &predict.TensorRequest{Model: "pets", Inputs: []*tensor.Tensor{{Name: "wait"}}})
	if !errors.Is(err, problem.DeadlineExceeded) {
		t.Errorf("a request that hangs ended with %v, want deadline-exceeded", err)
	}
}
