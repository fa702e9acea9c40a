package model_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/goshawk-ai/goshawk/internal/model"
)

var block = regexp.MustCompile("(?ms)^```yaml( refused)?\n(.*?)^```$")

// TestTheReferenceIsTrue reads every example of docs/reference/package.md.
func TestTheReferenceIsTrue(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "reference", "package.md"))
	if err != nil {
		t.Fatal(err)
	}
	blocks := block.FindAllStringSubmatch(string(text), -1)
	if len(blocks) < 5 {
		t.Fatalf("%d examples were found; the reference has more", len(blocks))
	}
	for _, b := range blocks {
		_, _, err := model.ParseManifest(model.ManifestName, []byte(b[2]))
		if b[1] == "" {
			if err != nil {
				t.Errorf("%v in the example\n%s", err, b[2])
			}
			continue
		}
		_, want, _ := strings.Cut(b[2], "\n# ")
		if err == nil || err.Error() != strings.TrimSpace(want) {
			t.Errorf("got %v, want %s as the reference says", err, want)
		}
	}
	for _, p := range model.Presets() {
		if row := "| `" + p[0] + "` | " + p[1] + " |"; !strings.Contains(string(text), row) {
			t.Errorf("the reference lacks the preset's line %q", row)
		}
	}
	for _, path := range model.Fields() {
		name := path[strings.LastIndex(path, ".")+1:]
		if !strings.Contains(string(text), "`"+path+"`") && !strings.Contains(string(text), "`"+name) {
			t.Errorf("the reference does not mention the field %s", path)
		}
	}
}
