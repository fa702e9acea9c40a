// Package orttest opens ONNX Runtime for tests: the library that
// GOSHAWK_ONNXRUNTIME_LIBRARY names, else the one in the repository's lib/,
// where 'make lib' puts it. A process has one backend, so all tests of a
// package share it.
package orttest

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/goshawk-ai/goshawk/internal/infer/ort"
	"github.com/goshawk-ai/goshawk/test/checkout"
)

// Cap is the memory cap of the shared backend, in bytes.
const Cap = 1 << 30

var open = sync.OnceValues(func() (*ort.Backend, error) {
	path, err := Library()
	if err != nil {
		return nil, err
	}
	return ort.Open(ort.LibraryOptions{Path: path, MemoryCap: Cap})
})

// Open gives the process's backend; the test fails when there is no library.
func Open(tb testing.TB) *ort.Backend {
	tb.Helper()
	b, err := open()
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// Library is the path of the library that tests use.
func Library() (string, error) {
	if path := os.Getenv(ort.Variable); path != "" {
		return ort.Find(path)
	}
	dir, err := checkout.Find()
	if err != nil {
		return "", err
	}
	path, err := ort.Find(filepath.Join(dir, "lib", "libonnxruntime.so."+ort.Release))
	if err != nil {
		return "", fmt.Errorf("%w ('make lib' fetches it)", err)
	}
	return path, nil
}
