//go:build ci

package predict_test

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"testing"

	"github.com/goshawk-ai/goshawk/internal/fleet"
	"github.com/goshawk-ai/goshawk/internal/fleet/fleettest"
	"github.com/goshawk-ai/goshawk/internal/predict"
	"github.com/goshawk-ai/goshawk/internal/schedule"
	"github.com/goshawk-ai/goshawk/test/checkout"
)

// TestTheSharedModelsAnswerTheSameInBatches: quantized models round, so that the
// smallest difference may become a large one.
func TestTheSharedModelsAnswerTheSameInBatches(t *testing.T) {
	dir := checkout.Shared(t, "models")
	var photos [][]byte
	for seed := range uint64(6) {
		photos = append(photos, photo(seed, 300, 260))
	}
	real, err := filepath.Glob(filepath.Join(checkout.Shared(t, "images"), "photos", "*.jpg"))
	if err != nil || len(real) < 10 {
		t.Fatalf("%d photos are there (%v), want 10", len(real), err)
	}
	for _, path := range real[:10] {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		photos = append(photos, data)
	}
	labels, err := os.ReadFile(filepath.Join("..", "registry", "builtin", "imagenet", "labels.txt"))
	if err != nil {
		t.Fatal(err)
	}
	for file, preset := range map[string]string{
		"squeezenet1.1": "caffe", "mobilenetv2": "mobilenet", "mobilenetv2-int8": "mobilenet", "mobilenetv2-w8": "mobilenet",
	} {
		data, err := os.ReadFile(filepath.Join(dir, file+".onnx"))
		if err != nil {
			t.Fatal(err)
		}
		to := fleettest.Package{Model: data, Files: map[string]string{"labels.txt": string(labels), "goshawk.yaml": "apiVersion: goshawk/v1\nkind: Model\nname: m\n" +
			"model: model.onnx\npreprocess: {preset: " + preset + "}\noutput: {tensor: logits, labels: labels.txt}\n"}}.Write(t)
		models := &folders{}
		v := models.add(t, to)
		f, decoder := newFleet(t, models, fleet.Options{Default: v.Name})
		joinable(t, f, v.Name)
		ref := v.Name + "@" + v.Digest
		alone := &truth{engineOver(f, decoder, 1), map[string][]float32{}}
		for _, rows := range []int{2, 3, 8} {
			e := engineOver(f, decoder, 1)
			e.scheduler.Configure(v.Digest, schedule.Policy{MaxBatch: rows})
			release := waiting(e)
			var all sync.WaitGroup
			for i, encoded := range photos {
				want := alone.scores(t, ref, encoded)
				all.Go(func() {
					var raw predict.Raw
					if err := e.Classify(context.Background(), ref, encoded, &raw); err != nil || !near(raw.Scores, want) {
						t.Errorf("%s: photo %d in a run of %d: %v; its scores differ from those alone (best %v, alone %v)",
							file, i, rows, err, slices.Max(raw.Scores), slices.Max(want))
					}
				})
			}
			for e.scheduler.Queued() < len(photos) {
				runtime.Gosched()
			}
			release()
			all.Wait()
			e.scheduler.Close()
		}
		alone.alone.scheduler.Close()
	}
}
