//go:build ci

package oddmodels_test

import (
	"fmt"
	"testing"

	"github.com/goshawk-ai/goshawk/internal/infer"
	"github.com/goshawk-ai/goshawk/internal/infer/backendtest/onnxgen"
	"github.com/goshawk-ai/goshawk/internal/infer/ort/orttest"
	"github.com/goshawk-ai/goshawk/internal/model"
)

// TestVersionsAreTheRuntimes: InspectONNX says which versions the runtime
// knows, and the runtime is asked.
func TestVersionsAreTheRuntimes(t *testing.T) {
	backend := orttest.Open(t)
	models := map[string]onnxgen.Model{}
	for v := int64(20); v <= 30; v++ {
		models[fmt.Sprintf("opset %d", v)] = onnxgen.Model{Opset: v}
	}
	for v := int64(9); v <= 16; v++ {
		models[fmt.Sprintf("IR version %d", v)] = onnxgen.Model{IR: v}
	}
	for _, domain := range []string{"ai.onnx.ml", "com.microsoft", "ai.onnx.training", "ai.onnx.preview.training"} {
		for v := int64(1); v <= 8; v++ {
			models[fmt.Sprintf("%s %d", domain, v)] = onnxgen.Model{Domains: map[string]int64{domain: v}}
		}
	}
	for name, m := range models {
		m.Graph = onnxgen.Classifier("N", 8, 3).Graph
		_, ours := model.InspectONNX(m.Bytes())
		session, theirs := backend.Load(t.Context(), m.Bytes(), infer.Options{})
		if theirs == nil {
			if err := session.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if (ours == nil) != (theirs == nil) {
			t.Errorf("%s: InspectONNX says %v, the runtime %v; they must agree, or a good model is refused", name, ours, theirs)
		}
	}
}
