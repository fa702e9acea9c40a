package model_test

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/goshawk-ai/goshawk/internal/model"
)

// TestTheBuiltInImagenetIsWhole: it is what a new user's first picture meets.
func TestTheBuiltInImagenetIsWhole(t *testing.T) {
	dir := filepath.Join("..", "registry", "builtin", "imagenet")
	p, err := model.Import(t.Context(), dir, filepath.Join(t.TempDir(), "p"), model.ImportOptions{})
	if err != nil {
		t.Fatal(err)
	}
	direct, err := model.Open(os.DirFS(dir))
	if err != nil || direct.Digest != p.Digest {
		t.Errorf("opened: %v, imported: %s; want one digest", direct, p.Digest)
	}
	data, err := p.Model()
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(data)
	if got := hex.EncodeToString(sum[:]); got != "397f3a69dd6610fff0e2473f9ed894e27d87cc37178cab5ec2b9b14e6e009815" {
		t.Errorf("model.onnx is %s, not the file whose accuracy the card states", got)
	}
	info, err := model.InspectONNX(data)
	if err != nil || len(info.Hazards) != 0 || info.Loops {
		t.Fatalf("%+v, %v", info, err)
	}
	b, err := model.Bind(p, info.Inputs, info.Outputs)
	if err != nil || b.Classes != 1000 || b.Embedding == nil || b.Embedding.Shape[1] != 1280 || b.Batch != 0 {
		t.Errorf("%+v, %v; want 1000 classes and 1280 features", b, err)
	}
	seen := map[string]bool{}
	for _, l := range p.Labels {
		if low := strings.ToLower(l.Name); seen[low] {
			t.Errorf("two labels read %q to a person", l.Name)
		} else {
			seen[low] = true
		}
		if strings.Contains(l.Name, ", ") {
			t.Errorf("label %q still holds several names", l.Name)
		}
	}
	for i, want := range map[int]string{0: "tench", 134: "crane (bird)", 264: "Cardigan Welsh corgi", 285: "Egyptian cat", 474: "cardigan", 517: "crane (machine)", 998: "ear", 999: "toilet tissue"} {
		if p.Labels[i].Name != want {
			t.Errorf("class %d is %q, want %q", i, p.Labels[i].Name, want)
		}
	}
	for _, name := range []string{"README.md", "LICENSE", "NOTICE"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Errorf("%v: a shipped model carries card, licence and source", err)
		}
	}
	if !slices.ContainsFunc(p.Labels, func(l model.Label) bool { return l.Description != "" }) {
		t.Error("no label has a description")
	}
}
