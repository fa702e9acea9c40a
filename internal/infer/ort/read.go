//go:build cgo && (linux || darwin)

package ort

/*
#include "shim.h"
*/
import "C"

import (
	"io"
	"os"
	"runtime"
	"syscall"
	"unsafe"

	"github.com/goshawk-ai/goshawk/internal/infer"
)

var _ infer.Reader = (*Backend)(nil)

// ReadAside implements infer.Reader.
func (b *Backend) ReadAside(f *os.File, size int64) (data []byte, free func(), err error) {
	if size <= 0 {
		return nil, func() {}, nil
	}
	b.aside.Add(1)
	defer b.aside.Add(-1)
	r := C.gh_reading{file: C.int(f.Fd()), bytes: C.size_t(size)}
	C.gh_read_aside(&r)
	runtime.KeepAlive(f)
	free = func() {
		if r.data != nil {
			C.gh_free_read(&r)
			r.data = nil
		}
	}
	switch {
	case r.err != 0:
		err = &os.PathError{Op: "read", Path: f.Name(), Err: syscall.Errno(r.err)}
	case r.come < r.bytes:
		err = io.ErrUnexpectedEOF
	default:
		return unsafe.Slice((*byte)(r.data), size), free, nil
	}
	free()
	return nil, nil, err
}
