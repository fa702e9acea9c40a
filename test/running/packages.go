package running

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/goshawk-ai/goshawk/test/checkout"
)

// recipes are the preprocessing of the shared models, as their authors publish it.
var recipes = map[string]struct{ model, labels, preprocess string }{
	"resnet20": {"cifar10-resnet20.onnx", "cifar10-labels.txt", `
  resize: {mode: short-side, size: 32, filter: bilinear, antialias: true}
  crop: {size: [32, 32]}
  rescale: 1/255
  mean: [0.485, 0.456, 0.406]
  std: [0.229, 0.224, 0.225]`},
	"squeezenet":       {"squeezenet1.1.onnx", "imagenet-labels.txt", caffe},
	"mobilenetv2":      {"mobilenetv2.onnx", "imagenet-labels.txt", halves},
	"mobilenetv2-int8": {"mobilenetv2-int8.onnx", "imagenet-labels.txt", halves},
}

const (
	caffe = `
  resize: {mode: short-side, size: 256, filter: bilinear, antialias: true}
  crop: {size: [224, 224]}
  rescale: 1
  mean: [104, 117, 123]
  std: [1, 1, 1]`
	halves = `
  resize: {mode: short-side, size: 256, filter: bilinear, antialias: true}
  crop: {size: [224, 224]}
  rescale: 1/255
  mean: [0.5, 0.5, 0.5]
  std: [0.5, 0.5, 0.5]`
)

// Package writes the package of one of the shared models into a fresh
// directory: resnet20, squeezenet, mobilenetv2, mobilenetv2-int8.
func Package(t testing.TB, name string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), name)
	if err := WritePackage(checkout.Shared(t), name, dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

// WritePackage writes the package of one of the models in the folder shared
// into dir. ImageNet's label list holds "crane" twice, so its lines are numbered.
func WritePackage(shared, name, dir string) error {
	r, ok := recipes[name]
	if !ok {
		return fmt.Errorf("no recipe for the model %q", name)
	}
	color := "RGB"
	if name == "squeezenet" {
		color = "BGR"
	}
	manifest := fmt.Sprintf(`apiVersion: goshawk/v1
kind: Model
name: %s
description: %s of the shared test data
license: see its README
model: model.onnx
input:
  color: %s
preprocess:%s
output:
  tensor: logits
  activation: softmax
  labels: labels.txt
  top_k: 5
`, name, r.model, color, r.preprocess)
	labels, err := os.ReadFile(filepath.Join(shared, "models", r.labels))
	if err != nil {
		return err
	}
	if r.labels == "imagenet-labels.txt" {
		labels = number(labels)
	}
	onnx, err := os.ReadFile(filepath.Join(shared, "models", r.model))
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for file, data := range map[string][]byte{"goshawk.yaml": []byte(manifest), "labels.txt": labels, "model.onnx": onnx} {
		if err := os.WriteFile(filepath.Join(dir, file), data, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// Add runs goshawk models add for a package beside this running server.
func (s *Server) Add(t testing.TB, dir string, args ...string) {
	t.Helper()
	all := append([]string{"models", "add", dir, "--data", s.Data, "--calibrate", "off"}, args...)
	if out, err := exec.CommandContext(t.Context(), Binary(t), all...).CombinedOutput(); err != nil {
		t.Fatalf("goshawk models add: %v\n%s", err, out)
	}
}

func number(labels []byte) []byte {
	var out []byte
	line := 0
	start := true
	for _, b := range labels {
		if start {
			out = fmt.Appendf(out, "%03d ", line)
			line++
		}
		out = append(out, b)
		start = b == '\n'
	}
	return out
}
