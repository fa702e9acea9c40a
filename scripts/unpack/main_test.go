package main

import (
	"archive/zip"
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func archive(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "a.zip")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w := zip.NewWriter(f)
	entry, err := w.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := entry.Write([]byte(content)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestRunWritesTheEntry(t *testing.T) {
	var out bytes.Buffer
	if err := run([]string{archive(t, "a/b.so", "the library"), "a/b.so"}, &out); err != nil || out.String() != "the library" {
		t.Fatalf("run wrote %q, %v; want the entry's bytes", out.String(), err)
	}
}

func TestRunNamesWhatIsMissing(t *testing.T) {
	for want, args := range map[string][]string{
		"name an archive": {"one"},
		"find nowhere":    {archive(t, "a", "x"), "nowhere"},
		"open none.zip":   {"none.zip", "a"},
	} {
		var out bytes.Buffer
		if err := run(args, &out); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("run(%q) = %v, want a sentence with %q", args, err, want)
		}
	}
}
