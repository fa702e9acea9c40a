package oipapi

import (
	"github.com/goshawk-ai/goshawk/api/oip"
	"github.com/goshawk-ai/goshawk/internal/problem"
	"github.com/goshawk-ai/goshawk/internal/tensor"
)

// field is what the typed contents have in one of their fields.
type field struct {
	name  string
	count int
	fill  func(t *tensor.Tensor) (bad int) // index of an element that t's type cannot hold, or -1
}

// fieldsOf lists the fields in the order of their numbers.
func fieldsOf(c *oip.InferTensorContents) []field {
	return []field{
		{"bool_contents", len(c.GetBoolContents()), func(t *tensor.Tensor) int { return bools(t, c.GetBoolContents()) }},
		{"int_contents", len(c.GetIntContents()), func(t *tensor.Tensor) int { return ints(t, c.GetIntContents()) }},
		{"int64_contents", len(c.GetInt64Contents()), func(t *tensor.Tensor) int { return put(t, c.GetInt64Contents()) }},
		{"uint_contents", len(c.GetUintContents()), func(t *tensor.Tensor) int { return uints(t, c.GetUintContents()) }},
		{"uint64_contents", len(c.GetUint64Contents()), func(t *tensor.Tensor) int { return put(t, c.GetUint64Contents()) }},
		{"fp32_contents", len(c.GetFp32Contents()), func(t *tensor.Tensor) int { return put(t, c.GetFp32Contents()) }},
		{"fp64_contents", len(c.GetFp64Contents()), func(t *tensor.Tensor) int { return put(t, c.GetFp64Contents()) }},
		{"bytes_contents", len(c.GetBytesContents()), func(t *tensor.Tensor) int { t.Strings = c.GetBytesContents(); return -1 }},
	}
}

// fieldFor is the field that a type's elements come in; "" where there is none.
func fieldFor(t tensor.Type) string {
	switch t {
	case tensor.Bool:
		return "bool_contents"
	case tensor.Int8, tensor.Int16, tensor.Int32:
		return "int_contents"
	case tensor.Int64:
		return "int64_contents"
	case tensor.Uint8, tensor.Uint16, tensor.Uint32:
		return "uint_contents"
	case tensor.Uint64:
		return "uint64_contents"
	case tensor.Float32:
		return "fp32_contents"
	case tensor.Float64:
		return "fp64_contents"
	case tensor.String:
		return "bytes_contents"
	}
	return ""
}

// fillTyped reads typed contents; none at all are those of an empty tensor.
func fillTyped(t *tensor.Tensor, n int64, contents *oip.InferTensorContents, reserve func(n int64) error) error {
	want := fieldFor(t.Type)
	if want == "" {
		return problem.InvalidRequest.New("the input %s is %s, which has no typed contents; send raw_input_contents", quoted(t.Name), t.Type.Protocol())
	}
	for _, f := range fieldsOf(contents) {
		if f.name != want {
			if f.count > 0 {
				return problem.InvalidRequest.New("the input %s is %s and has %s; its elements come in %s", quoted(t.Name), t.Type.Protocol(), f.name, want)
			}
			continue
		}
		if int64(f.count) != n {
			return problem.InvalidRequest.New("the input %s is %s %v, %d elements, and its %s have %d", quoted(t.Name), t.Type.Protocol(), t.Shape, n, want, f.count)
		}
		if err := reserve(n * max(int64(t.Type.Size()), t.Type.Space())); err != nil {
			return err
		}
		t.Data = tensor.Aligned(f.count * t.Type.Size())
		if bad := f.fill(t); bad >= 0 {
			return problem.InvalidRequest.New("element %d of the input %s is beyond what %s holds", bad, quoted(t.Name), t.Type.Protocol())
		}
	}
	return nil
}

func put[T tensor.Number](t *tensor.Tensor, values []T) int {
	copy(tensor.View[T](t.Data), values)
	return -1
}

func bools(t *tensor.Tensor, values []bool) int {
	for i, v := range values {
		if v {
			t.Data[i] = 1
		}
	}
	return -1
}

func ints(t *tensor.Tensor, values []int32) int {
	switch t.Type {
	case tensor.Int8:
		return narrow(tensor.View[int8](t.Data), values)
	case tensor.Int16:
		return narrow(tensor.View[int16](t.Data), values)
	}
	return put(t, values)
}

func uints(t *tensor.Tensor, values []uint32) int {
	switch t.Type {
	case tensor.Uint8:
		return narrow(tensor.View[uint8](t.Data), values)
	case tensor.Uint16:
		return narrow(tensor.View[uint16](t.Data), values)
	}
	return put(t, values)
}

func narrow[D, S tensor.Number](dst []D, src []S) int {
	for i, v := range src {
		if dst[i] = D(v); S(dst[i]) != v {
			return i
		}
	}
	return -1
}
