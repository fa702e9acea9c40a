package model_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/goshawk-ai/goshawk/internal/model"
)

// TestExamplesOfTheLatencyPage reads the serving blocks of the howto as parts of a package.
func TestExamplesOfTheLatencyPage(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "howto", "latency.md"))
	if err != nil {
		t.Fatal(err)
	}
	blocks := strings.Split(string(text), "```yaml\n")[1:]
	if len(blocks) < 2 {
		t.Fatalf("the page has %d blocks of yaml; it has more", len(blocks))
	}
	for _, block := range blocks {
		block, _, _ = strings.Cut(block, "```")
		m, _, err := model.ParseManifest("goshawk.yaml", []byte("apiVersion: goshawk/v1\nkind: Tensor\nname: flowers\nmodel: model.onnx\n"+block))
		if err != nil || m.Serving.LatencyObjective != 50*time.Millisecond {
			t.Errorf("%s: %+v, %v; want the objective that the page speaks of", block, m.Serving, err)
		}
	}
}
