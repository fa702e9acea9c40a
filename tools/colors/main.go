// Command colors writes the smallest model that answers something true about a
// picture: which of red, green and blue it has most of. The tutorial adds it as
// a model of one's own, so that nobody needs to have one already.
//
//	go run ./tools/colors DIR
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/goshawk-ai/goshawk/internal/infer/backendtest/onnxgen"
	"github.com/goshawk-ai/goshawk/internal/tensor"
)

// side is what the preset `unit` prepares.
const side = 224

// sharpness turns a difference of a tenth in mean color into a clear answer.
const sharpness = 30

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "colors: name the directory to write colors.onnx and labels.txt into")
		os.Exit(2)
	}
	if err := write(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "colors:", err)
		os.Exit(1)
	}
}

func write(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for name, content := range map[string][]byte{
		"colors.onnx": classifier().Bytes(),
		"labels.txt":  []byte("red\ngreen\nblue\n"),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
			return err
		}
	}
	_, err := fmt.Printf("wrote colors.onnx and labels.txt into %s\n", dir)
	return err
}

// classifier takes [N,3,224,224] float32, values from 0 to 1, and gives
// [N,3] float32: the mean of each color.
func classifier() onnxgen.Model {
	return onnxgen.Model{Graph: onnxgen.Graph{
		Inputs:       []onnxgen.Value{{Name: "input", Type: tensor.Float32, Shape: []any{"N", 3, side, side}}},
		Outputs:      []onnxgen.Value{{Name: "logits", Type: tensor.Float32, Shape: []any{"N", 3}}},
		Initializers: []onnxgen.Constant{onnxgen.Floats("sharpness", []int{1}, sharpness)},
		Nodes: []onnxgen.Node{
			{Op: "GlobalAveragePool", In: []string{"input"}, Out: []string{"mean"}},
			{Op: "Flatten", In: []string{"mean"}, Out: []string{"flat"}},
			{Op: "Mul", In: []string{"flat", "sharpness"}, Out: []string{"logits"}},
		},
	}}
}
