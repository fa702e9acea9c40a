//go:build cgo && linux

package ort

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goshawk-ai/goshawk/internal/infer"
)

// TestOneBackendAtATime: a second environment would share the first one's
// memory cap without saying so.
func TestOneBackendAtATime(t *testing.T) {
	if childOf() == "" {
		if out, err := inChild(t, "alone"); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	first := openForTest(t, LibraryOptions{})
	if second, err := Open(LibraryOptions{Path: first.Library()}); err == nil || !strings.Contains(err.Error(), "open already") {
		t.Fatalf("a second Open gave %v, %v; want an error that says that it is open already", second, err)
	}
	s := loadRaw(t, first, []byte(smallest))
	if err := first.Close(); err == nil || !strings.Contains(err.Error(), "1 models are still loaded") {
		t.Errorf("closing under a loaded model gave %v, want a refusal", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	for range 2 {
		if err := first.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	}
	if _, err := first.Load(t.Context(), []byte(smallest), infer.Options{}); err == nil {
		t.Error("a closed backend loaded a model")
	}
	again := openForTest(t, LibraryOptions{})
	if again.Version() == "" || again.Close() != nil {
		t.Error("after Close the library must open again")
	}
}

// TestWhatIsNotTheLibrary: each wrong file gets a sentence with its path.
func TestWhatIsNotTheLibrary(t *testing.T) {
	dir := t.TempDir()
	text := filepath.Join(dir, "text.so")
	if err := os.WriteFile(text, []byte("not a library"), 0o644); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		text:                          "open ONNX Runtime from",
		filepath.Join(dir, "none.so"): "no such file",
		dir:                           "it is a directory",
		anotherLibrary(t):             "it is not ONNX Runtime",
	} {
		if _, err := Open(LibraryOptions{Path: path}); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), filepath.Base(path)) {
			t.Errorf("Open(%q) = %v, want a sentence with the path and %q", path, err, want)
		}
	}
}

// anotherLibrary is one that every process with cgo has loaded.
func anotherLibrary(t *testing.T) string {
	t.Helper()
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(string(maps), "\n") {
		if fields := strings.Fields(line); len(fields) == 6 && strings.Contains(fields[5], "libc.so") {
			return fields[5]
		}
	}
	t.Fatal("the process has no libc")
	return ""
}
