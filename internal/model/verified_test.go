//go:build linux

package model

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestWhatIsUntouchedIsNotReadAgain, and whatever was touched is.
func TestWhatIsUntouchedIsNotReadAgain(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("goshawk.yaml", "apiVersion: goshawk/v1\nkind: Tensor\nname: one\nmodel: model.onnx\n")
	write("model.onnx", "aaaa")
	fsys := os.DirFS(dir)
	first, err := Open(fsys)
	if err != nil {
		t.Fatal(err)
	}
	soon := &Verified{}
	later := &Verified{now: func() time.Time { return time.Now().Add(time.Hour) }} // the files are old for it
	for _, v := range []*Verified{soon, later} {
		for range 2 {
			if p, err := v.Open(fsys, first.Digest); err != nil || p.Digest != first.Digest || p.Manifest.Name != "one" {
				t.Fatalf("%+v, %v; want the package", p, err)
			}
		}
	}
	if len(soon.by) != 0 {
		t.Error("files that were written a moment ago are remembered: a change within the clock's tick would be missed")
	}
	if len(later.by) != 1 {
		t.Fatal("files that were left alone are not remembered: they are hashed at every load")
	}
	info, err := os.Stat(filepath.Join(dir, "model.onnx"))
	if err != nil {
		t.Fatal(err)
	}
	write("model.onnx", "bbbb") // of the same size, and with the old time
	if err := os.Chtimes(filepath.Join(dir, "model.onnx"), info.ModTime(), info.ModTime()); err != nil {
		t.Fatal(err)
	}
	if p, err := later.Open(fsys, first.Digest); err != nil || p.Digest == first.Digest {
		t.Errorf("%v: a file was changed in place, and the package still counts as what it was", err)
	}
	write("model.onnx", "aaaa")
	write("more.txt", "x")
	if p, err := later.Open(fsys, first.Digest); err != nil || p.Digest == first.Digest {
		t.Errorf("%v: a file was added, and the package still counts as what it was", err)
	}
	if err := os.Remove(filepath.Join(dir, "goshawk.yaml")); err != nil {
		t.Fatal(err)
	}
	if _, err := later.Open(fsys, first.Digest); err == nil {
		t.Error("a package without its manifest is opened")
	}
}
