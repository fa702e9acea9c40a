//go:build !cgo || !(linux || darwin)

package ort

import (
	"context"
	"errors"

	"github.com/goshawk-ai/goshawk/internal/infer"
)

// Backend cannot be had in a program that was built without cgo.
type Backend struct{}

var _ infer.Scale = (*Backend)(nil)

var errNoCgo = errors.New("this program was built without cgo and has no ONNX Runtime: build it with CGO_ENABLED=1 and a C compiler, on Linux or macOS")

// Open always fails here.
func Open(LibraryOptions) (*Backend, error) { return nil, errNoCgo }

// Name is "onnxruntime".
func (*Backend) Name() string { return "onnxruntime" }

// Version is unknown.
func (*Backend) Version() string { return "" }

// Library is unknown.
func (*Backend) Library() string { return "" }

// Load always fails here.
func (*Backend) Load(context.Context, []byte, infer.Options) (infer.Session, error) {
	return nil, errNoCgo
}

// Used is not known.
func (*Backend) Used() int64 { return 0 }

// Yielding is never true here.
func (*Backend) Yielding() bool { return false }

// Close does nothing here.
func (*Backend) Close() error { return nil }
