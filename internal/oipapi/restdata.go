package oipapi

import (
	"encoding/base64"
	"unsafe"

	"github.com/goshawk-ai/goshawk/internal/jsonscan"
	"github.com/goshawk-ai/goshawk/internal/problem"
	"github.com/goshawk-ai/goshawk/internal/tensor"
)

// finish reads the data of an input whose JSON is read to its end, unless they
// are read already, or binary.
func (r *reading) finish(in *input) error {
	switch {
	case in.name == "":
		return problem.InvalidRequest.New("an input has no name")
	case in.typ == tensor.Invalid:
		return problem.InvalidRequest.New("the input %.60q has no datatype", in.name)
	case !in.shaped:
		return problem.InvalidRequest.New("the input %.60q has no shape", in.name)
	case in.data >= 0 && in.size >= 0:
		return problem.InvalidRequest.New("the input %.60q has both data and binary_data_size; it can have one of them", in.name)
	case in.data < 0 && in.size < 0:
		return problem.InvalidRequest.New("the input %.60q has no data, and no parameter binary_data_size that says how many bytes of it are binary", in.name)
	case in.size >= 0 || in.tensor != nil:
		return nil
	}
	r.At = in.data
	return r.data(in)
}

// elements is how many the shape says that there are.
func (in *input) elements() (int64, error) {
	n, err := tensor.Elements(in.shape)
	if err != nil {
		return 0, problem.InvalidRequest.New("the shape of the input %.60q cannot be: %v", in.name, err)
	}
	return n, nil
}

// data reads the elements of an input from JSON straight into its tensor.
func (r *reading) data(in *input) error {
	if in.typ == tensor.Float16 || in.typ == tensor.BFloat16 {
		return problem.InvalidRequest.New("the input %.60q is %s, which JSON cannot carry: send it as binary data, with the parameter binary_data_size", in.name, in.typ.Protocol())
	}
	n, err := in.elements()
	if err != nil {
		return err
	}
	least := int64(2) // bytes of text that an element takes, with its comma
	if in.typ == tensor.String {
		least = 3
	}
	if n > int64(len(r.Text)-r.At)/least {
		return problem.InvalidRequest.New("the input %.60q has the shape %v, %d elements, and its data are shorter than that", in.name, in.shape, n)
	}
	size := int64(in.typ.Size())
	if in.typ == tensor.String {
		size = tensor.StringSpace
	}
	if err := r.reserve(n * size); err != nil {
		return err
	}
	t, err := tensor.New(in.name, in.typ, in.shape, n*size)
	if err != nil {
		return problem.InvalidRequest.New("the input %.60q cannot be: %v", in.name, err)
	}
	in.tensor = t
	return r.fill(in, t)
}

func (r *reading) fill(in *input, t *tensor.Tensor) error {
	s := &r.Scanner
	switch t.Type {
	case tensor.Bool:
		return fill(s, in, t.Data, s.Bit)
	case tensor.Uint8:
		return fill(s, in, t.Data, upTo[uint8](s, 1<<8-1))
	case tensor.Uint16:
		return fill(s, in, tensor.View[uint16](t.Data), upTo[uint16](s, 1<<16-1))
	case tensor.Uint32:
		return fill(s, in, tensor.View[uint32](t.Data), upTo[uint32](s, 1<<32-1))
	case tensor.Uint64:
		return fill(s, in, tensor.View[uint64](t.Data), upTo[uint64](s, 1<<64-1))
	case tensor.Int8:
		return fill(s, in, tensor.View[int8](t.Data), within[int8](s, -1<<7, 1<<7-1))
	case tensor.Int16:
		return fill(s, in, tensor.View[int16](t.Data), within[int16](s, -1<<15, 1<<15-1))
	case tensor.Int32:
		return fill(s, in, tensor.View[int32](t.Data), within[int32](s, -1<<31, 1<<31-1))
	case tensor.Int64:
		return fill(s, in, tensor.View[int64](t.Data), within[int64](s, -1<<63, 1<<63-1))
	case tensor.Float32:
		return fill(s, in, tensor.View[float32](t.Data), s.Float32)
	case tensor.Float64:
		return fill(s, in, tensor.View[float64](t.Data), s.Float64)
	default:
		r.shared = true
		return fill(s, in, t.Strings, func() ([]byte, error) { return r.element(in) })
	}
}

func upTo[T uint8 | uint16 | uint32 | uint64](s *jsonscan.Scanner, most uint64) func() (T, error) {
	return func() (T, error) {
		n, err := s.Unsigned(most)
		return T(n), err
	}
}

func within[T int8 | int16 | int32 | int64](s *jsonscan.Scanner, least, most int64) func() (T, error) {
	return func() (T, error) {
		n, err := s.Signed(least, most)
		return T(n), err
	}
}

// fill reads as many elements as dst has, in whatever nesting.
func fill[T any](s *jsonscan.Scanner, in *input, dst []T, read func() (T, error)) error {
	n := 0
	err := s.Nested("data", func() error {
		if n == len(dst) {
			return problem.InvalidRequest.New("the input %.60q has the shape %v, %d elements, and its data are more", in.name, in.shape, n)
		}
		from := s.At
		value, err := read()
		if err != nil {
			if _, whole := err.(*problem.Problem); whole { //nolint:errorlint // made right below
				return err
			}
			s.At = from
			text := s.Literal()
			if len(text) == 0 {
				text = s.Text[from:min(from+1, len(s.Text))]
			}
			return problem.InvalidRequest.New("element %d of the input %.60q is %.40q, which %v for %s", n, in.name, text, err, in.typ.Protocol())
		}
		dst[n] = value
		n++
		return nil
	})
	if err == nil && n < len(dst) {
		err = problem.InvalidRequest.New("the input %.60q has the shape %v, %d elements, and its data are %d", in.name, in.shape, len(dst), n)
	}
	return err
}

// element reads one of BYTES: a string, as UTF-8, or as base64 where the input's
// content_type says so. It stays where it stands.
func (r *reading) element(in *input) ([]byte, error) {
	text, err := r.Bytes("an element of BYTES")
	if err != nil || !in.base64 {
		return text, err
	}
	n, err := base64.StdEncoding.Decode(text, text)
	if err != nil {
		return nil, r.Fail("an element of the input %.60q is no base64, which its content_type says", in.name)
	}
	return text[:n:n], nil
}

// binaries takes the inputs that are binary from behind the JSON, in their order.
func (r *reading) binaries(body []byte, header int) error {
	rest := body[header:]
	free := 0 // from here to the next input's data nothing is needed any more
	if r.shared {
		free = header
	}
	for _, in := range r.inputs {
		if in.size < 0 {
			continue
		}
		if in.size > int64(len(rest)) {
			return problem.InvalidRequest.New("the input %.60q has %d bytes of binary data by its binary_data_size, and behind the JSON %d are left", in.name, in.size, len(rest))
		}
		at := len(body) - len(rest)
		n := int(in.size)
		rest = rest[n:]
		data, end, err := r.placed(body, free, at, n, in.typ)
		if err != nil {
			return err
		}
		if in.tensor, err = binaryTensor(in, data, r.reserve); err != nil {
			return err
		}
		free = end
	}
	if len(rest) > 0 {
		return problem.InvalidRequest.New("%d bytes of binary data are left behind the last input's", len(rest))
	}
	return nil
}

// placed gives the n bytes at a place of the body, moved back a little where the
// elements would not be aligned there: into the free bytes before, if they suffice.
// end is where the body is free again.
func (r *reading) placed(body []byte, free, at, n int, typ tensor.Type) (data []byte, end int, err error) {
	data = body[at : at+n : at+n]
	if n == 0 || typ == tensor.String {
		return data, at + n, nil
	}
	const word = 8
	off := int(uintptr(unsafe.Pointer(unsafe.SliceData(data))) % word)
	if off == 0 {
		return data, at + n, nil
	}
	if to := at - off; to >= free {
		copy(body[to:], data)
		return body[to : to+n : to+n], to + n, nil
	}
	if err := r.reserve(int64(n)); err != nil {
		return nil, 0, err
	}
	moved := tensor.Aligned(n)
	copy(moved, data)
	return moved, free, nil
}

// binaryTensor makes a tensor of aligned binary data.
func binaryTensor(in *input, data []byte, reserve func(int64) error) (*tensor.Tensor, error) {
	n, err := in.elements()
	if err != nil {
		return nil, err
	}
	t := &tensor.Tensor{Name: in.name, Type: in.typ, Shape: in.shape}
	if in.typ == tensor.String {
		if n > int64(len(data))/4 {
			return nil, problem.InvalidRequest.New("the input %.60q has the shape %v, %d elements, and its %d bytes are fewer than their lengths alone take", in.name, in.shape, n, len(data))
		}
		if err := reserve(n * tensor.StringSpace); err != nil {
			return nil, err
		}
		if t.Strings, err = tensor.ParseElements(data, n); err != nil {
			return nil, problem.InvalidRequest.New("the binary data of the input %.60q: %v", in.name, err)
		}
		return t, nil
	}
	size := int64(in.typ.Size())
	if n > int64(len(data))/size || n*size != int64(len(data)) {
		return nil, problem.InvalidRequest.New("the input %.60q has the shape %v of %s and %d bytes of data; these are not as many as that takes", in.name, in.shape, in.typ.Protocol(), len(data))
	}
	if in.typ == tensor.Bool {
		for i, b := range data { // what is not 0 is true, in one form, whatever the model makes of a 2
			if b > 1 {
				data[i] = 1
			}
		}
	}
	t.Data = data
	return t, nil
}
