//go:build !cgo || !(linux || darwin)

package ort

import (
	"strings"
	"testing"

	"github.com/goshawk-ai/goshawk/internal/infer"
)

func TestWithoutCgoOpenSaysSo(t *testing.T) {
	b, err := Open(LibraryOptions{})
	if b != nil || err == nil || !strings.Contains(err.Error(), "CGO_ENABLED=1") {
		t.Fatalf("Open = %v, %v; want a sentence that says how to build it", b, err)
	}
	if _, err := (&Backend{}).Load(t.Context(), []byte("x"), infer.Options{}); err == nil {
		t.Error("Load without a library succeeded")
	}
}
