package tensor

import "fmt"

// Float64s gives a tensor's numbers, rounded to float64 where they have more
// digits. Strings are no numbers.
func Float64s(t *Tensor) ([]float64, error) {
	switch t.Type {
	case Float16:
		return widened(View[uint16](t.Data), FromFloat16), nil
	case BFloat16:
		return widened(View[uint16](t.Data), FromBFloat16), nil
	case Float32:
		return numbers(View[float32](t.Data)), nil
	case Float64:
		return numbers(View[float64](t.Data)), nil
	case Bool, Uint8:
		return numbers(View[uint8](t.Data)), nil
	case Uint16:
		return numbers(View[uint16](t.Data)), nil
	case Uint32:
		return numbers(View[uint32](t.Data)), nil
	case Uint64:
		return numbers(View[uint64](t.Data)), nil
	case Int8:
		return numbers(View[int8](t.Data)), nil
	case Int16:
		return numbers(View[int16](t.Data)), nil
	case Int32:
		return numbers(View[int32](t.Data)), nil
	case Int64:
		return numbers(View[int64](t.Data)), nil
	}
	return nil, fmt.Errorf("a tensor of %s holds no numbers", t.Type)
}

func numbers[T Number](src []T) []float64 {
	dst := make([]float64, len(src))
	for i, v := range src {
		dst[i] = float64(v)
	}
	return dst
}

func widened(src []uint16, widen func(uint16) float32) []float64 {
	dst := make([]float64, len(src))
	for i, v := range src {
		dst[i] = float64(widen(v))
	}
	return dst
}
