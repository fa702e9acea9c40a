package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/goshawk-ai/goshawk/internal/model"
)

// TestABareModelIsMadeOfIt: what is written is what `models add` wants of a bare
// model. That it answers rightly is what the tutorial shows, and its test.
func TestABareModelIsMadeOfIt(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "colors")
	if err := write(dir); err != nil {
		t.Fatal(err)
	}
	labels, err := os.ReadFile(filepath.Join(dir, "labels.txt"))
	if err != nil || string(labels) != "red\ngreen\nblue\n" {
		t.Errorf("labels %q, %v; want three", labels, err)
	}
	pkg, err := model.Import(t.Context(), filepath.Join(dir, "colors.onnx"), filepath.Join(t.TempDir(), "package"), model.ImportOptions{
		Name: "colors", Labels: filepath.Join(dir, "labels.txt"), Preset: "unit",
	})
	if err != nil {
		t.Fatalf("the model cannot be added: %v", err)
	}
	if len(pkg.Labels) != 3 {
		t.Errorf("%d labels; want 3", len(pkg.Labels))
	}
}
