package tensor

// Widen reads the first len(dst) elements as floating-point numbers, whatever
// their type is. Of a String tensor there is nothing to read.
func Widen[F float32 | float64](dst []F, t *Tensor) {
	switch t.Type {
	case Float16:
		for i, v := range View[uint16](t.Data)[:len(dst)] {
			dst[i] = F(FromFloat16(v))
		}
	case BFloat16:
		for i, v := range View[uint16](t.Data)[:len(dst)] {
			dst[i] = F(FromBFloat16(v))
		}
	case Float32:
		widen[float32](dst, t)
	case Float64:
		widen[float64](dst, t)
	case Uint8, Bool:
		widen[uint8](dst, t)
	case Int8:
		widen[int8](dst, t)
	case Uint16:
		widen[uint16](dst, t)
	case Int16:
		widen[int16](dst, t)
	case Uint32:
		widen[uint32](dst, t)
	case Int32:
		widen[int32](dst, t)
	case Uint64:
		widen[uint64](dst, t)
	case Int64:
		widen[int64](dst, t)
	}
}

func widen[T Number, F float32 | float64](dst []F, t *Tensor) {
	for i, v := range View[T](t.Data)[:len(dst)] {
		dst[i] = F(v)
	}
}
