package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goshawk-ai/goshawk/internal/config"
)

// FuzzFile: any file is read or refused in one line that names it; nothing panics.
func FuzzFile(f *testing.F) {
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range files {
		data, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(t.TempDir(), "c.yaml")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := config.Load(config.Sources{File: path}); err != nil && (!strings.Contains(err.Error(), path) || strings.Contains(err.Error(), "\n")) {
			t.Errorf("the refusal must be one line that names the file: %q", err)
		}
	})
}
