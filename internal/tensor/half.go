package tensor

import "math"

// ToFloat16 rounds to the nearest IEEE 754 binary16, ties to even, as its bits.
func ToFloat16(f float32) uint16 {
	b := math.Float32bits(f)
	sign := uint16(b>>16) & 0x8000
	exp := int32(b>>23&0xff) - 127
	man := b & 0x7fffff
	switch {
	case exp == 128: // infinity, or NaN kept quiet
		if man != 0 {
			return sign | 0x7e00
		}
		return sign | 0x7c00
	case exp > 15:
		return sign | 0x7c00
	case exp >= -14:
		half := uint32(exp+15)<<10 | man>>13
		if rest := man & 0x1fff; rest > 0x1000 || rest == 0x1000 && half&1 == 1 {
			half++ // may carry into the exponent, up to infinity: that is right
		}
		return sign | uint16(half)
	case exp >= -25: // denormal
		man |= 0x800000
		shift := uint32(-exp - 1) // 14..24
		half := man >> shift
		rest, middle := man&(1<<shift-1), uint32(1)<<(shift-1)
		if rest > middle || rest == middle && half&1 == 1 {
			half++
		}
		return sign | uint16(half)
	}
	return sign
}

// FromFloat16 widens binary16 bits; every value is exact.
func FromFloat16(h uint16) float32 {
	sign := uint32(h&0x8000) << 16
	exp, man := uint32(h>>10&0x1f), uint32(h&0x3ff)
	switch {
	case exp == 0x1f:
		return math.Float32frombits(sign | 0x7f800000 | man<<13)
	case exp != 0:
		return math.Float32frombits(sign | (exp+112)<<23 | man<<13)
	case man == 0:
		return math.Float32frombits(sign)
	}
	f := float32(man) / (1 << 24)
	if sign != 0 {
		f = -f
	}
	return f
}

// ToBFloat16 rounds to the nearest bfloat16, ties to even, as its bits.
func ToBFloat16(f float32) uint16 {
	b := math.Float32bits(f)
	if b&0x7fffffff > 0x7f800000 {
		return uint16(b>>16) | 0x40
	}
	return uint16((b + 0x7fff + b>>16&1) >> 16)
}

// FromBFloat16 widens bfloat16 bits; every value is exact.
func FromBFloat16(h uint16) float32 { return math.Float32frombits(uint32(h) << 16) }
