package tensor

import (
	"fmt"
	"slices"
)

// Row is the i-th of n rows, the first axis's parts, as a tensor [1,…] that
// shares t's memory. t has a first axis of size n > i >= 0.
func (t *Tensor) Row(i, n int) *Tensor { return t.rows(i, i+1, n) }

// Rows are the rows from to to, as a tensor [to-from,…] that shares t's memory.
// t has a first axis, of at least to rows.
func (t *Tensor) Rows(from, to int) *Tensor { return t.rows(from, to, int(t.Shape[0])) }

func (t *Tensor) rows(from, to, n int) *Tensor {
	part := &Tensor{Name: t.Name, Type: t.Type, Shape: slices.Clone(t.Shape)}
	part.Shape[0] = int64(to - from)
	if t.Type == String {
		size := len(t.Strings) / n
		part.Strings = t.Strings[from*size : to*size : to*size]
		return part
	}
	size := len(t.Data) / n
	part.Data = t.Data[from*size : to*size : to*size]
	return part
}

// Concat puts tensors together along the first axis, into memory of its own
// unless there is but one. They must agree in type and in all other sizes.
func Concat(parts []*Tensor) (*Tensor, error) {
	if len(parts) == 1 {
		return parts[0], nil
	}
	first := parts[0]
	whole := &Tensor{Name: first.Name, Type: first.Type, Shape: slices.Clone(first.Shape)}
	whole.Shape[0] = 0
	bytes := 0
	for _, p := range parts {
		if p.Type != first.Type || len(p.Shape) != len(first.Shape) || !slices.Equal(p.Shape[1:], first.Shape[1:]) {
			return nil, fmt.Errorf("%q is %s %v in one part and %s %v in another", first.Name, first.Type, first.Shape, p.Type, p.Shape)
		}
		whole.Shape[0] += p.Shape[0]
		bytes += len(p.Data)
	}
	if first.Type == String {
		for _, p := range parts {
			whole.Strings = append(whole.Strings, p.Strings...)
		}
		return whole, nil
	}
	whole.Data = Aligned(bytes)[:0]
	for _, p := range parts {
		whole.Data = append(whole.Data, p.Data...)
	}
	return whole, nil
}

// Size is the bytes that tensors hold.
func Size(list []*Tensor) (bytes int64) {
	for _, t := range list {
		bytes += int64(len(t.Data))
		for _, text := range t.Strings {
			bytes += int64(len(text))
		}
	}
	return bytes
}
