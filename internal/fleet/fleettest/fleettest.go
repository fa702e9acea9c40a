// Package fleettest makes tiny model packages, and a Checker whose child process
// is the test binary itself, for the tests of whatever stands on the fleet.
package fleettest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/goshawk-ai/goshawk/internal/fleet"
	"github.com/goshawk-ai/goshawk/internal/infer/backendtest/onnxgen"
	"github.com/goshawk-ai/goshawk/internal/infer/child"
	"github.com/goshawk-ai/goshawk/internal/infer/ort/orttest"
)

// Main runs a package's tests and fails when they leave goroutines behind. As
// the child process of a Checker it runs the check instead.
func Main(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == fleet.Command {
		os.Exit(fleet.CheckMain(os.Stdin, os.Stdout)) //nolint:forbidigo // here it is main: of the child
	}
	if len(os.Args) > 1 && os.Args[1] == child.Command {
		os.Exit(child.WorkerMain(os.Stdin, os.Exit)) //nolint:forbidigo // the same
	}
	goleak.VerifyTestMain(m)
}

// Checker checks in a child process that Main serves. It keeps nothing.
func Checker(tb testing.TB) *fleet.Checker {
	tb.Helper()
	library, err := orttest.Library()
	if err != nil {
		tb.Fatal(err)
	}
	return &fleet.Checker{Library: library, Decoder: "go"}
}

// Package is a package to be written. Zero values make a model of three classes,
// a, b and c, that takes pictures of 8 x 8.
type Package struct {
	Name   string // "tiny"
	Model  []byte
	Labels []string
	Input  string            // goshawk.yaml below input:
	Output string            // further lines below output:
	Rest   string            // further lines at the end
	Files  map[string]string // further files
}

// Write makes the package in a new folder of its own.
func (p Package) Write(tb testing.TB) string {
	tb.Helper()
	dir := filepath.Join(tb.TempDir(), "package")
	if err := os.Mkdir(dir, 0o755); err != nil {
		tb.Fatal(err)
	}
	for name, text := range p.Contents() {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			tb.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			tb.Fatal(err)
		}
	}
	return dir
}

// Contents are the package's files.
func (p Package) Contents() map[string]string {
	if p.Name == "" {
		p.Name = "tiny"
	}
	if p.Model == nil {
		p.Model = onnxgen.Classifier("N", 8, 3).Bytes()
	}
	if p.Labels == nil {
		p.Labels = []string{"a", "b", "c"}
	}
	files := map[string]string{"model.onnx": string(p.Model), "labels.txt": strings.Join(p.Labels, "\n") + "\n"}
	var b strings.Builder
	fmt.Fprintf(&b, "apiVersion: goshawk/v1\nkind: Model\nname: %s\nlicense: Apache-2.0\nmodel: model.onnx\n", p.Name)
	if p.Input != "" {
		fmt.Fprintf(&b, "input: %s\n", p.Input)
	}
	b.WriteString("preprocess:\n  resize: {mode: exact, size: [8, 8], filter: bilinear, antialias: true}\n  rescale: 1/255\n")
	b.WriteString("output:\n  labels: labels.txt\n")
	for line := range strings.Lines(p.Output) {
		b.WriteString("  " + strings.TrimSpace(line) + "\n")
	}
	b.WriteString(p.Rest)
	files["goshawk.yaml"] = b.String()
	for name, text := range p.Files {
		files[name] = text
	}
	return files
}
