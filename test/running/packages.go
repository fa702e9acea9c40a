package running

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
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
// directory: resnet20, squeezenet, mobilenetv2, mobilenetv2-int8. ImageNet's
// label list holds "crane" twice, so its lines are numbered.
func Package(t testing.TB, name string) string {
	t.Helper()
	r, ok := recipes[name]
	if !ok {
		t.Fatalf("no recipe for %q", name)
	}
	dir := filepath.Join(t.TempDir(), name)
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
	labels := readFile(t, Shared(t, "models", r.labels))
	if r.labels == "imagenet-labels.txt" {
		labels = number(labels)
	}
	write(t, filepath.Join(dir, "goshawk.yaml"), []byte(manifest))
	write(t, filepath.Join(dir, "labels.txt"), labels)
	write(t, filepath.Join(dir, "model.onnx"), readFile(t, Shared(t, "models", r.model)))
	return dir
}

// Add runs goshawk models add for a package beside this running server.
func (s *Server) Add(t testing.TB, dir string, args ...string) {
	t.Helper()
	all := append([]string{"models", "add", dir, "--data", s.Data}, args...)
	if out, err := exec.Command(Binary(t), all...).CombinedOutput(); err != nil {
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

func readFile(t testing.TB, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func write(t testing.TB, path string, data []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
}
