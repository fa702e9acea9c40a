//go:build cgo && linux

package turbo

/*
#cgo LDFLAGS: -ldl
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

// The part of the TurboJPEG API 2.x (turbojpeg.h of libjpeg-turbo 2.0.0 and
// later; 3.x still exports it) that is called here, from its published names,
// numbers and order of arguments.
typedef void *handle;
typedef struct {
	handle (*init)(void);                                                    // tjInitDecompress
	int (*decompress)(handle, const unsigned char *, unsigned long,          // tjDecompress2
	                  unsigned char *, int, int, int, int, int);
	int (*destroy)(handle);                                                  // tjDestroy
	char *(*message)(handle);                                                // tjGetErrorStr2
	int (*code)(handle);                                                     // tjGetErrorCode
} api;

static const char *const names[] = {
	"tjInitDecompress", "tjDecompress2", "tjDestroy", "tjGetErrorStr2", "tjGetErrorCode",
};

// open_library fills a; it returns 0, or -1 without a library, or the number
// of the first function that it lacks (counted from 1). The library stays open
// for the life of the process: handles and code addresses point into it.
static int open_library(const char *file, api *a) {
	void *lib = dlopen(file, RTLD_NOW | RTLD_LOCAL);
	if (!lib) return -1;
	void **slots[] = {(void **)&a->init, (void **)&a->decompress, (void **)&a->destroy,
	                  (void **)&a->message, (void **)&a->code};
	for (int i = 0; i < 5; i++) {
		*slots[i] = dlsym(lib, names[i]);
		if (!*slots[i]) { dlclose(lib); return i + 1; }
	}
	return 0;
}

static const char *name_of(int i) { return names[i]; }

static const char *path_of(const api *a) {
	Dl_info info;
	return dladdr((void *)a->init, &info) ? info.dli_fname : NULL;
}

static handle call_init(const api *a) { return a->init(); }
static void call_destroy(const api *a, handle h) { a->destroy(h); }

// What the library said of a picture: result is 0 where it had nothing to say.
typedef struct {
	int result, code;
	char message[256]; // the library's longest has 200
} verdict;

// TJFLAG_ACCURATEDCT | TJFLAG_LIMITSCANS
enum { flags = 4096 | 32768 };

// call_decompress asks for the message before it returns: the library keeps it
// for each thread, and the next call from Go may come on another one.
static verdict call_decompress(const api *a, handle h, const unsigned char *src, unsigned long size,
                               unsigned char *dst, int width, int pitch, int height, int format) {
	verdict v = {0};
	v.result = a->decompress(h, src, size, dst, width, pitch, height, format, flags);
	if (v.result) {
		const char *message = a->message(h);
		snprintf(v.message, sizeof v.message, "%s", message ? message : "");
		v.code = a->code(h);
	}
	return v;
}
*/
import "C"

import (
	"bytes"
	"fmt"
	"os"
	"regexp"
	"unsafe"
)

// sonames are tried in order: what Debian's and Ubuntu's libturbojpeg0 (and
// Fedora's turbojpeg) install, then the link of the development package.
func sonames() []string { return []string{"libturbojpeg.so.0", "libturbojpeg.so"} }

// Library is an opened libturbojpeg. Its methods may be called by many
// goroutines at a time.
type Library struct {
	api     *C.api // C memory, never freed
	version string
}

// Open finds the library of the machine.
func Open() (*Library, error) {
	err := ErrUnavailable
	for _, name := range sonames() {
		var l *Library
		if l, err = openFile(name); err == nil {
			return l, nil
		}
	}
	return nil, err
}

func openFile(file string) (*Library, error) {
	name := C.CString(file)
	defer C.free(unsafe.Pointer(name))
	l := &Library{api: (*C.api)(C.calloc(1, C.sizeof_api))}
	if missing := C.open_library(name, l.api); missing != 0 {
		C.free(unsafe.Pointer(l.api))
		if missing > 0 {
			return nil, fmt.Errorf("%w: %s lacks %s (it is older than 2.0)", ErrUnavailable, file, C.GoString(C.name_of(missing-1)))
		}
		return nil, ErrUnavailable
	}
	l.version = versionOf(C.GoString(C.path_of(l.api)))
	return l, nil
}

// versionOf reads the library's own banner out of its file, since API 2.x has
// no call for it.
func versionOf(path string) string {
	info, err := os.Stat(path)
	if err != nil || info.Size() > 64<<20 {
		return ""
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	m := regexp.MustCompile(`libjpeg-turbo version ([0-9][0-9.]{0,20})`).FindSubmatch(data)
	if m == nil {
		return ""
	}
	return string(m[1])
}

// Version is like "2.1.5"; "" where the library does not tell.
func (l *Library) Version() string { return l.version }

// Decode writes the picture, width x height pixels without gaps between rows,
// into dst. Width and height are ceil(stored/scale) for a scale of 1, 2, 4 or
// 8: the library chooses its scaled inverse DCT by them. Data and dst are used
// by the library during the call only. The error is an *Error. Unless that is
// none or a warning, dst still holds what it held before, in part or all of it.
func (l *Library) Decode(dst, data []byte, width, height int, f Format) error {
	if width < 1 || height < 1 || len(data) == 0 || len(dst)/f.Channels()/width < height {
		return &Error{Message: "the buffer does not fit the picture"}
	}
	dst = dst[:width*height*f.Channels()]
	// Rows are written downwards and from the left, so the last pixel tells
	// whether all were. A picture may end in one mark by chance, not in both.
	last := dst[len(dst)-f.Channels():]
	for _, mark := range [...]byte{0x5b, 0xa4} {
		for i := range last {
			last[i] = mark
		}
		err := l.decode(dst, data, width, height, f)
		if err != nil && !err.Warning {
			return err
		}
		if !filledWith(last, mark) {
			if err != nil {
				return err
			}
			return nil
		}
	}
	return &Error{Message: "the decoder ended before the picture was whole"}
}

func filledWith(b []byte, v byte) bool { return bytes.Count(b, []byte{v}) == len(b) }

func (l *Library) decode(dst, data []byte, width, height int, f Format) *Error {
	// A handle of its own for every picture (they cost 0.3 µs): an old one would
	// lend its Huffman and quantization tables to a picture that lacks them, and
	// the answer would depend on who came before.
	h := C.call_init(l.api)
	if h == nil {
		return &Error{Message: "libturbojpeg could not allocate a decoder"}
	}
	defer C.call_destroy(l.api, h)
	// Go memory that holds no pointers, pinned for the call by cgo's rules.
	said := C.call_decompress(l.api, h, (*C.uchar)(unsafe.Pointer(&data[0])), C.ulong(len(data)),
		(*C.uchar)(unsafe.Pointer(&dst[0])), C.int(width), C.int(width*f.Channels()), C.int(height), C.int(f))
	if said.result == 0 {
		return nil
	}
	message := C.GoString(&said.message[0])
	return &Error{Message: message, Warning: said.code == 0 && isWarning(message)}
}
