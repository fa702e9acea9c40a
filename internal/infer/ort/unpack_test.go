//go:build cgo && linux

package ort

import (
	"bytes"
	"compress/gzip"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goshawk-ai/goshawk/test/checkout"
)

func gzipped(t *testing.T, data []byte) string {
	t.Helper()
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.NoCompression)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestUnpackedLibraryOpens opens the real library from memory and from the
// cache, each in a process of its own.
func TestUnpackedLibraryOpens(t *testing.T) {
	if way := childOf(); way != "" {
		openUnpacked(t, way)
		return
	}
	for _, way := range []string{"memory", "cache"} {
		if out, err := inChild(t, way); err != nil {
			t.Errorf("from %s: %v\n%s", way, err, out)
		}
	}
}

func openUnpacked(t *testing.T, way string) {
	data, err := os.ReadFile(filepath.Join(checkout.Root(t), "lib", fileName()))
	if err != nil {
		t.Fatalf("%v ('make lib' fetches it)", err)
	}
	zip := gzipped(t, data)
	var path string
	forget := func() {}
	if way == "memory" {
		path, forget, err = inMemory(zip)
	} else {
		path, err = inCache(zip, filepath.Join(t.TempDir(), "private"))
	}
	if err != nil {
		t.Fatal(err)
	}
	b, err := Open(LibraryOptions{Path: path})
	forget()
	if err != nil {
		t.Fatal(err)
	}
	s := loadRaw(t, b, []byte(smallest))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestDamagedLibraryIsNotOpened(t *testing.T) {
	for what, zip := range map[string]string{
		"another file": gzipped(t, []byte("another library")),
		"no archive":   "not gzip",
	} {
		if _, _, err := inMemory(zip); !errors.Is(err, errDamaged) {
			t.Errorf("%s: %v, want %q", what, err, errDamaged)
		}
		dir := t.TempDir()
		if _, err := inCache(zip, dir); !errors.Is(err, errDamaged) {
			t.Errorf("%s: %v, want %q", what, err, errDamaged)
		}
		if left, _ := os.ReadDir(dir); len(left) != 0 {
			t.Errorf("%s: %v is left in the cache", what, left)
		}
	}
}

// TestCacheIsCheckedAndPrivate: a changed file in the cache is not opened but
// unpacked anew, and nobody else can reach it.
func TestCacheIsCheckedAndPrivate(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(checkout.Root(t), "lib", fileName()))
	if err != nil {
		t.Fatalf("%v ('make lib' fetches it)", err)
	}
	zip := gzipped(t, data)
	dir := filepath.Join(t.TempDir(), "private")
	path, err := inCache(zip, dir)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the cache is %v (%v), want a folder of mode 0700", info.Mode(), err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("changed"), 0o600); err != nil {
		t.Fatal(err)
	}
	if again, err := inCache(zip, dir); err != nil || again != path || !intact(path) {
		t.Errorf("after a change the cache gave %q (%v), want the real library again", again, err)
	}
	if again, err := inCache("no archive", dir); err != nil || again != path {
		t.Errorf("an intact file was not used again: %q, %v", again, err)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 1 || strings.HasPrefix(entries[0].Name(), ".") {
		t.Errorf("%v is in the cache, want the library alone", entries)
	}
}
