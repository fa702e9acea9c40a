//go:build cgo && linux

package ort_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/goshawk-ai/goshawk/internal/infer"
	"github.com/goshawk-ai/goshawk/internal/infer/ort/orttest"
)

// TestWhatIsReadAsideIsTheFile, or an error where there is less of it or it cannot
// be read.
func TestWhatIsReadAsideIsTheFile(t *testing.T) {
	b := orttest.Open(t)
	want := bytes.Repeat([]byte("0123456789abcdef"), 600_000) // more than is read at a time
	path := filepath.Join(t.TempDir(), "model.onnx")
	if err := os.WriteFile(path, want, 0o644); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // from the start on each time
		data, free, err := b.ReadAside(t.Context(), f, int64(len(want)))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(data, want) {
			t.Error("what was read is not what the file holds")
		}
		free()
		free() // a second time does nothing
	}
	if _, _, err := b.ReadAside(t.Context(), f, int64(len(want))+1); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a file that is a byte shorter than wanted: %v", err)
	}
	if data, free, err := b.ReadAside(t.Context(), f, 0); err != nil || len(data) != 0 {
		t.Errorf("nothing of a file: %d bytes, %v", len(data), err)
	} else {
		free()
	}
	cancelled, cancel := context.WithCancelCause(t.Context())
	why := errors.New("the server stops")
	cancel(why)
	if _, _, err := b.ReadAside(cancelled, f, int64(len(want))); !errors.Is(err, why) {
		t.Errorf("whoever asked has gone: %v, want the cause", err)
	}
	var native *infer.Error
	if _, _, err := b.ReadAside(t.Context(), f, 1<<50); !errors.As(err, &native) || native.Code != infer.OutOfMemory {
		t.Errorf("more than there is memory for: %v, want %v", err, infer.OutOfMemory)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	dir, err := os.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	if _, _, err := b.ReadAside(t.Context(), dir, 1<<20); err == nil {
		t.Error("a directory was read")
	}
}
