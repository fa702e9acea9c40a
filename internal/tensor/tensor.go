package tensor

import (
	"errors"
	"fmt"
	"math"
	"unsafe"
)

// Tensor is a value with a name. Data holds the elements of every type but
// String, whose elements are in Strings. The zero rank is a scalar.
type Tensor struct {
	Name    string
	Type    Type
	Shape   []int64
	Data    []byte   // 8-byte aligned when made by New
	Strings [][]byte // only for String; not necessarily UTF-8
}

// Spec is what a model declares of an input or output.
type Spec struct {
	Name    string
	Type    Type     // Invalid where the value is no tensor (a sequence, a map, an optional) or of a type unknown here
	Kind    string   // "tensor", else what it is: "sequence", "map", "optional", "sparse tensor"
	Shape   []int64  // -1 where the size is open
	Symbols []string // the names of open sizes, "" where there is none; as long as Shape
	Ranked  bool     // false where the model says nothing about the shape
}

// ErrTooLarge says that a shape's elements do not fit into memory addresses.
var ErrTooLarge = errors.New("the tensor is too large")

// Elements multiplies a shape's sizes, checking for negative ones and overflow.
func Elements(shape []int64) (int64, error) {
	n, empty := int64(1), false
	for _, d := range shape {
		switch {
		case d < 0:
			return 0, fmt.Errorf("negative size %d in shape %v", d, shape)
		case d == 0:
			empty = true
		case n > math.MaxInt64/d:
			return 0, ErrTooLarge
		default:
			n *= d
		}
	}
	if empty {
		return 0, nil
	}
	return n, nil
}

// New makes a zeroed tensor with aligned memory. A String tensor gets its
// Strings, all nil. It fails when the shape is negative or needs more than
// limit bytes (String elements count as 24 bytes each).
func New(name string, typ Type, shape []int64, limit int64) (*Tensor, error) {
	n, err := Elements(shape)
	if err != nil {
		return nil, err
	}
	size := int64(typ.Size())
	if typ == String {
		size = 24
	}
	if size == 0 {
		return nil, fmt.Errorf("tensor %q has no element type", name)
	}
	if n > limit/size {
		return nil, ErrTooLarge
	}
	t := &Tensor{Name: name, Type: typ, Shape: shape}
	if typ == String {
		t.Strings = make([][]byte, n)
	} else {
		t.Data = Aligned(int(n * size))
	}
	return t, nil
}

// Aligned allocates n zeroed bytes at an address that suits every element type.
func Aligned(n int) []byte {
	if n == 0 {
		return []byte{}
	}
	words := make([]uint64, (n+7)/8)
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(words))), n)
}

// Number is a Go type that an element type corresponds to.
type Number interface {
	~uint8 | ~uint16 | ~uint32 | ~uint64 | ~int8 | ~int16 | ~int32 | ~int64 | ~float32 | ~float64
}

// View looks at Data as elements of T, without a copy. Data must be aligned for
// T, as Aligned makes it, else View panics; the view lives as long as Data.
// float16 and bfloat16 are viewed as uint16.
func View[T Number](data []byte) []T {
	var zero T
	size := int(unsafe.Sizeof(zero))
	if len(data) == 0 {
		return nil
	}
	if uintptr(unsafe.Pointer(unsafe.SliceData(data)))%uintptr(size) != 0 {
		panic("tensor: view of unaligned memory") //nolint:forbidigo // a mistake in this program, which no input can bring about
	}
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(data))), len(data)/size)
}
