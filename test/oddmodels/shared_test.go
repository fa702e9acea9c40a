//go:build ci

package oddmodels_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/goshawk-ai/goshawk/internal/model"
	"github.com/goshawk-ai/goshawk/test/checkout"
)

// TestTheSharedModelsAreAccepted adds each real model as its README says a
// stranger would: the file, its labels, a preset.
func TestTheSharedModelsAreAccepted(t *testing.T) {
	dir := checkout.Shared(t, "models")
	for _, c := range []struct {
		file, labels, preset string
		classes, notes       int
	}{
		{"cifar10-resnet20.onnx", "cifar10-labels.txt", "cifar10", 10, 0},
		{"squeezenet1.1.onnx", "imagenet-labels.txt", "caffe", 1000, 1}, // the two cranes
		{"mobilenetv2.onnx", "imagenet-labels.txt", "mobilenet", 1000, 1},
		{"mobilenetv2-int8.onnx", "imagenet-labels.txt", "mobilenet", 1000, 1},
	} {
		p, err := model.Import(t.Context(), filepath.Join(dir, c.file), filepath.Join(t.TempDir(), "p"),
			model.ImportOptions{Labels: filepath.Join(dir, c.labels), Preset: c.preset})
		if err != nil {
			t.Errorf("%s: %v", c.file, err)
			continue
		}
		data, err := os.ReadFile(filepath.Join(dir, c.file))
		if err != nil {
			t.Fatal(err)
		}
		info, err := model.InspectONNX(data)
		if err != nil || len(info.Hazards) > 0 || info.Loops {
			t.Errorf("%s: %+v, %v; want it served in process", c.file, info, err)
		}
		b, err := model.Bind(p, info.Inputs, info.Outputs)
		if err != nil || b.Classes != c.classes || len(p.Notes) != c.notes {
			t.Errorf("%s: %+v, %v, notes %q", c.file, b, err, p.Notes)
		}
	}
}
