package model

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"github.com/goshawk-ai/goshawk/internal/tensor"
	"github.com/goshawk-ai/goshawk/internal/wording"
)

// npyHeader bounds an array's header; NumPy writes 64 to 128 bytes.
const npyHeader = 4096

// header is what stands before an array's elements.
type header struct {
	typ    tensor.Type
	size   int // bytes of an element
	shape  []int64
	length int64 // of the header itself
}

// readHeader reads the header of NumPy's format 1, 2 or 3 (numpy.lib.format).
func readHeader(r io.Reader) (header, error) {
	var start [8]byte
	if _, err := io.ReadFull(r, start[:]); err != nil || string(start[:6]) != "\x93NUMPY" {
		return header{}, errors.New("it is no NumPy array")
	}
	length := int64(8)
	var n uint32
	var err error
	switch start[6] {
	case 1:
		var short uint16
		err = binary.Read(r, binary.LittleEndian, &short)
		n, length = uint32(short), length+2
	case 2, 3:
		err = binary.Read(r, binary.LittleEndian, &n)
		length += 4
	default:
		return header{}, fmt.Errorf("it has version %d of NumPy's format; 1, 2 and 3 are read", start[6])
	}
	if err != nil {
		return header{}, errors.New("the array's header is cut off")
	}
	if n > npyHeader-16 {
		return header{}, fmt.Errorf("the array's header has %d bytes; %d are allowed", n, npyHeader-16)
	}
	words := make([]byte, n)
	if _, err := io.ReadFull(r, words); err != nil {
		return header{}, errors.New("the array's header is cut off")
	}
	h, err := parseHeader(string(words))
	h.length = length + int64(n)
	return h, err
}

// The header is a Python dictionary that NumPy writes in one form, sorted by
// name; other writers leave out spaces or sort differently.
var (
	descrKey   = regexp.MustCompile(`['"]descr['"]\s*:\s*['"]([^'"]*)['"]`)
	fortranKey = regexp.MustCompile(`['"]fortran_order['"]\s*:\s*(True|False)`)
	shapeKey   = regexp.MustCompile(`['"]shape['"]\s*:\s*\(([0-9,\s]*)\)`)
)

func parseHeader(s string) (header, error) {
	d, f, sh := descrKey.FindStringSubmatch(s), fortranKey.FindStringSubmatch(s), shapeKey.FindStringSubmatch(s)
	if d == nil || f == nil || sh == nil {
		return header{}, errors.New("the array's header is not understood; only plain arrays of numbers are read")
	}
	if f[1] == "True" {
		return header{}, errors.New("the array is stored by columns (Fortran order); save numpy.ascontiguousarray of it")
	}
	h := header{}
	var err error
	if h.typ, h.size, err = element(d[1]); err != nil {
		return header{}, err
	}
	for word := range strings.SplitSeq(sh[1], ",") {
		if word = strings.TrimSpace(word); word == "" {
			continue
		}
		n, err := strconv.ParseInt(word, 10, 64)
		if err != nil || len(h.shape) == 16 {
			return header{}, errors.New("the array's shape is not understood")
		}
		h.shape = append(h.shape, n)
	}
	return h, nil
}

// element finds what NumPy's name of a type means.
func element(name string) (tensor.Type, int, error) {
	switch name {
	case "<f2":
		return tensor.Float16, 2, nil
	case "<f4":
		return tensor.Float32, 4, nil
	case "<f8":
		return tensor.Float64, 8, nil
	case "|u1":
		return tensor.Uint8, 1, nil
	case "|i1":
		return tensor.Int8, 1, nil
	case "<i4":
		return tensor.Int32, 4, nil
	case "<i8":
		return tensor.Int64, 8, nil
	}
	if n, ok := strings.CutPrefix(name, "<U"); ok {
		if chars, err := strconv.ParseUint(n, 10, 16); err == nil && chars > 0 {
			return tensor.String, int(chars) * 4, nil
		}
	}
	return tensor.Invalid, 0, fmt.Errorf("the array's type is %s; <f2, <f4, <f8, |u1, |i1, <i4 and <i8 are read", wording.Quote(name))
}
