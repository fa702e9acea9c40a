package predict_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

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

// TestTensorsAreNoPictures: who counts pictures must not count /v2's requests.
func TestTensorsAreNoPictures(t *testing.T) {
	p, metrics := setup(t, 10*time.Millisecond)
	for _, in := range []string{"x", "wait"} {
		_, _ = p.Tensors(t.Context(), &predict.TensorRequest{Model: "pets", Inputs: []*tensor.Tensor{{Name: in}}})
	}
	want := `
# HELP goshawk_tensor_requests_total Requests of the Open Inference Protocol by model and outcome (ok, gone, or a problem's type).
# TYPE goshawk_tensor_requests_total counter
goshawk_tensor_requests_total{model="pets",outcome="deadline-exceeded"} 1
goshawk_tensor_requests_total{model="pets",outcome="ok"} 1
# HELP goshawk_tensor_rows_total Rows of tensors, or encoded pictures in their place, that such requests had answered.
# TYPE goshawk_tensor_rows_total counter
goshawk_tensor_rows_total{model="pets"} 3
`
	if err := testutil.GatherAndCompare(metrics, strings.NewReader(want), "goshawk_pictures_total", "goshawk_tensor_requests_total", "goshawk_tensor_rows_total"); err != nil {
		t.Error(err)
	}
	if n, err := testutil.GatherAndCount(metrics, "goshawk_tensor_stage_seconds"); n != 3 || err != nil {
		t.Errorf("%d stages of tensors were measured (%v), want queue, input and infer", n, err)
	}
}

func TestPicturesOfARequestForTensorsAreCounted(t *testing.T) {
	p, _ := setup(t, 0)
	for n, want := range map[int]*problem.Kind{3: nil, 4: problem.InvalidRequest} {
		in := &tensor.Tensor{Type: tensor.String, Shape: []int64{int64(n)}, Strings: make([][]byte, n)} // the model's input has no name
		_, err := p.Tensors(t.Context(), &predict.TensorRequest{Model: "pets", Inputs: []*tensor.Tensor{in}})
		if want == nil && err != nil || want != nil && (!errors.Is(err, want) || !strings.Contains(err.Error(), "at most 3")) {
			t.Errorf("%d pictures: %v, where 3 are taken", n, err)
		}
	}
}

func TestTensorsHaveADeadline(t *testing.T) {
	p, _ := setup(t, 10*time.Millisecond)
	_, err := p.Tensors(context.Background(), &predict.TensorRequest{Model: "pets", Inputs: []*tensor.Tensor{{Name: "wait"}}})
	if !errors.Is(err, problem.DeadlineExceeded) {
		t.Errorf("a request that hangs ended with %v, want deadline-exceeded", err)
	}
}
