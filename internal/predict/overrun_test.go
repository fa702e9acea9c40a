package predict_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/goshawk-ai/goshawk/internal/fleet"
	"github.com/goshawk-ai/goshawk/internal/fleet/fleettest"
	"github.com/goshawk-ai/goshawk/internal/infer/backendtest/onnxgen"
	"github.com/goshawk-ai/goshawk/internal/predict"
	"github.com/goshawk-ai/goshawk/internal/problem"
	"github.com/goshawk-ai/goshawk/internal/schedule"
	"github.com/goshawk-ai/goshawk/internal/tensor"
)

// trap is a model of tensors that never ends when all its numbers are above 0.9.
func trap() fleettest.Package {
	return fleettest.Package{Model: onnxgen.EndlessAbove(0.9).Bytes(), Files: map[string]string{
		"goshawk.yaml": "apiVersion: goshawk/v1\nkind: Tensor\nname: trap\nmodel: model.onnx\n",
	}}
}

func number(v float32) []*tensor.Tensor {
	t := &tensor.Tensor{Name: "in", Type: tensor.Float32, Shape: []int64{1}, Data: tensor.Aligned(4)}
	tensor.View[float32](t.Data)[0] = v
	return []*tensor.Tensor{t}
}

// TestAModelThatNeverEndsIsStoppedAndMarkedWhileOthersServe: its requests have no
// deadline, so nothing but the bound on a run frees the lane that they hold.
func TestAModelThatNeverEndsIsStoppedAndMarkedWhileOthersServe(t *testing.T) {
	models := &folders{}
	bad, good := models.add(t, trap().Write(t)), models.add(t, fleettest.Package{Name: "tiny"}.Write(t))
	f, decoder := newFleet(t, models, fleet.Options{Default: good.Name})
	e := engineOver(f, decoder, 2)
	defer e.scheduler.Close()
	e.scheduler.Configure(bad.Digest, schedule.Policy{Run: 300 * time.Millisecond, Instances: 1})
	ask := func(v float32) error {
		return e.Infer(context.Background(), bad.Name+"@"+bad.Digest, &predict.TensorCall{In: number(v)})
	}
	if err := ask(0); err != nil {
		t.Fatalf("a number that it ends on: %v", err)
	}
	for i := range fleet.Overruns {
		stopped := make(chan error, 1)
		go func() { stopped <- ask(1) }()
		for range 5 {
			var raw predict.Raw
			if err := e.Classify(context.Background(), good.Name+"@"+good.Digest, photo(1, 9, 9), &raw); err != nil {
				t.Errorf("another model, beside the one that never ends: %v", err)
			}
		}
		if err := <-stopped; !errors.Is(err, problem.DeadlineExceeded) {
			t.Fatalf("run %d: %v, want it stopped when its time was over", i+1, err)
		}
	}
	if err := ask(0); !errors.Is(err, problem.ModelUnhealthy) || !strings.Contains(err.Error(), "did not end 3 times in a row") {
		t.Errorf("after %d runs that were stopped: %v, want model-unhealthy with the reason", fleet.Overruns, err)
	}
	for _, l := range e.scheduler.Loads() {
		if l.Lanes != 0 || l.Queued != 0 {
			t.Errorf("%s still has %d lanes and %d waiting", l.Model, l.Lanes, l.Queued)
		}
	}
	if err := f.Load(t.Context(), bad.Name); err != nil {
		t.Fatalf("loaded again: %v", err)
	}
	if err := ask(0); err != nil {
		t.Errorf("after it was loaded again: %v", err)
	}
}

// TestADeadlineStopsARunThatHasBegun: what is left of it must not hold the lane.
func TestADeadlineStopsARunThatHasBegun(t *testing.T) {
	models := &folders{}
	bad := models.add(t, trap().Write(t))
	f, decoder := newFleet(t, models, fleet.Options{Default: bad.Name})
	e := engineOver(f, decoder, 1)
	defer e.scheduler.Close()
	late := problem.DeadlineExceeded.New("the request was not done within its timeout")
	ctx, cancel := context.WithTimeoutCause(t.Context(), 20*time.Millisecond, late)
	defer cancel()
	ref := bad.Name + "@" + bad.Digest
	if err := e.Infer(ctx, ref, &predict.TensorCall{In: number(1)}); !errors.Is(err, late) {
		t.Errorf("a run beyond its caller's deadline ended with %v, want the deadline's own words", err)
	}
	if err := e.Infer(t.Context(), ref, &predict.TensorCall{In: number(0)}); err != nil {
		t.Errorf("the next request: %v; the lane must be free again", err)
	}
}
