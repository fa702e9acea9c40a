package tensor

import (
	"encoding/binary"
	"math"
	"slices"
	"testing"
)

func TestWidenReadsEveryType(t *testing.T) {
	le := binary.NativeEndian
	for typ, c := range map[Type]struct {
		data []byte
		want float64
	}{
		Bool:     {[]byte{1}, 1},
		Uint8:    {[]byte{200}, 200},
		Int8:     {[]byte{0xfe}, -2},
		Uint16:   {le.AppendUint16(nil, 60000), 60000},
		Int16:    {le.AppendUint16(nil, 0xfffe), -2},
		Uint32:   {le.AppendUint32(nil, 4e9), 4e9},
		Int32:    {le.AppendUint32(nil, 0xfffffffe), -2},
		Uint64:   {le.AppendUint64(nil, 1<<40), 1 << 40},
		Int64:    {le.AppendUint64(nil, math.MaxUint64), -1},
		Float16:  {le.AppendUint16(nil, ToFloat16(-1.5)), -1.5},
		BFloat16: {le.AppendUint16(nil, ToBFloat16(2.5)), 2.5},
		Float32:  {le.AppendUint32(nil, math.Float32bits(0.25)), 0.25},
		Float64:  {le.AppendUint64(nil, math.Float64bits(-8)), -8},
	} {
		in, err := New("in", typ, []int64{3}, 100)
		if err != nil {
			t.Fatal(err)
		}
		copy(in.Data[len(c.data):], c.data) // the second of three
		wide, short := make([]float64, 3), make([]float32, 2)
		Widen(wide, in)
		Widen(short, in)
		if !slices.Equal(wide, []float64{0, c.want, 0}) || !slices.Equal(short, []float32{0, float32(c.want)}) {
			t.Errorf("%v: got %v and %v, want 0 %v 0", typ, wide, short, c.want)
		}
	}
	if len(types) != 15 {
		t.Errorf("there are %d types; a new one needs a row above", len(types))
	}
}
