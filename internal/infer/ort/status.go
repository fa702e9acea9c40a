//go:build cgo && (linux || darwin)

package ort

/*
#include "shim.h"
*/
import "C"

import (
	"unsafe"

	"github.com/goshawk-ai/goshawk/internal/infer"
)

// statusError turns a status into an error and releases it.
func statusError(rt *C.gh_runtime, status unsafe.Pointer, misfit infer.Code) *infer.Error {
	defer C.gh_release_status(rt, status)
	return newError(int(C.gh_error_code(rt, status)), C.GoString(C.gh_error_message(rt, status)), misfit)
}
