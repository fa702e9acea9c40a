package house

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/goshawk-ai/goshawk/test/checkout"
)

func text(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(checkout.Root(t), name))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestNoticeNamesWhatIsLinked: whoever passes the program on passes these on too.
func TestNoticeNamesWhatIsLinked(t *testing.T) {
	cmd := exec.Command("go", "list", "-deps", "-f", "{{with .Module}}{{.Path}}{{end}}", "./cmd/goshawk")
	cmd.Dir = checkout.Root(t)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	modules := strings.Fields(string(out))
	slices.Sort(modules)
	modules = slices.Compact(modules)
	if len(modules) < 3 {
		t.Fatalf("the program links %v; that cannot be all", modules)
	}
	notice := text(t, "NOTICE")
	for _, m := range append(modules, "ONNX Runtime", "libjpeg-turbo", "The Go") {
		if m != module && !strings.Contains(notice, m) {
			t.Errorf("NOTICE does not name %s, which is linked or opened", m)
		}
	}
}

// TestDirectModulesAreExplained: each dependency that we chose has a line that says why.
func TestDirectModulesAreExplained(t *testing.T) {
	explained := text(t, "docs/dependencies.md")
	n := 0
	for line := range strings.Lines(text(t, "go.mod")) {
		fields := strings.Fields(line)
		if len(fields) < 2 || strings.Contains(line, "// indirect") || !strings.HasPrefix(line, "\t") {
			continue
		}
		n++
		if !strings.Contains(explained, "`"+fields[0]+"`") {
			t.Errorf("docs/dependencies.md says nothing about %s", fields[0])
		}
	}
	if n < 5 {
		t.Fatalf("found %d direct modules in go.mod; the reading goes wrong", n)
	}
}

func TestLicense(t *testing.T) {
	if l := text(t, "LICENSE"); !strings.Contains(l, "Apache License") || !strings.Contains(l, "Version 2.0, January 2004") || len(l) < 11_000 {
		t.Errorf("LICENSE has %d bytes; it must be the whole Apache License 2.0", len(l))
	}
}
