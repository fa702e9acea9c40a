//go:build cgo && (linux || darwin)

package ort

/*
#include "shim.h"
*/
import "C"

import (
	"context"
	"fmt"
	"io"
	"os"
	"runtime"
	"sync/atomic"
	"syscall"
	"unsafe"

	"github.com/goshawk-ai/goshawk/internal/infer"
)

var _ infer.Reader = (*Backend)(nil)

// ReadAside implements infer.Reader.
func (b *Backend) ReadAside(ctx context.Context, f *os.File, size int64) (data []byte, free func(), err error) {
	if size <= 0 {
		return nil, func() {}, nil
	}
	r := &C.gh_reading{file: C.int(f.Fd()), bytes: C.size_t(size)}
	stop := context.AfterFunc(ctx, func() { atomic.StoreInt32((*int32)(unsafe.Pointer(&r.stop)), 1) })
	b.yielding(func() { C.gh_read_aside(r) })
	stop()
	runtime.KeepAlive(f)
	free = func() {
		if r.data != nil {
			b.yielding(func() { C.gh_free_read(r) })
			r.data = nil
		}
	}
	switch {
	case ctx.Err() != nil:
		err = context.Cause(ctx)
	case syscall.Errno(r.err) == syscall.ENOMEM:
		err = &infer.Error{Code: infer.OutOfMemory, Message: fmt.Sprintf("there is no memory for a model of %d bytes", size)}
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
