package tensor_test

import (
	"errors"
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/goshawk-ai/goshawk/internal/tensor"
)

func TestElementsRefusesOverflowAndNegativeSizes(t *testing.T) {
	for _, c := range []struct {
		shape []int64
		want  int64
		bad   bool
	}{
		{nil, 1, false},
		{[]int64{2, 3, 4}, 24, false},
		{[]int64{1 << 40, 0}, 0, false},
		{[]int64{1 << 40, 1 << 40}, 0, true},
		{[]int64{0, 1 << 40, 1 << 40}, 0, true},
		{[]int64{3, -1}, 0, true},
	} {
		got, err := tensor.Elements(c.shape)
		if got != c.want || (err != nil) != c.bad {
			t.Errorf("Elements(%v) = %d, %v; want %d, error %v", c.shape, got, err, c.want, c.bad)
		}
	}
}

func TestNewIsBounded(t *testing.T) {
	if _, err := tensor.New("x", tensor.Float32, []int64{1 << 30}, 1<<20); !errors.Is(err, tensor.ErrTooLarge) {
		t.Fatalf("err = %v, want ErrTooLarge before anything is allocated", err)
	}
	x, err := tensor.New("x", tensor.Float64, []int64{3}, 1<<20)
	if err != nil || len(tensor.View[float64](x.Data)) != 3 {
		t.Fatalf("New = %v, %v; want 3 aligned float64", x, err)
	}
}

func TestHalvesRoundToTheNearest(t *testing.T) {
	for h := range 0x10000 {
		f := tensor.FromFloat16(uint16(h))
		if back := tensor.ToFloat16(f); back != uint16(h) && f == f {
			t.Fatalf("float16 %#x widens to %g and comes back as %#x", h, f, back)
		}
		b := tensor.FromBFloat16(uint16(h))
		if back := tensor.ToBFloat16(b); back != uint16(h) && b == b {
			t.Fatalf("bfloat16 %#x widens to %g and comes back as %#x", h, b, back)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		f := rapid.Float32Range(-65504, 65504).Draw(t, "f")
		h := tensor.ToFloat16(f)
		got := math.Abs(float64(tensor.FromFloat16(h)) - float64(f))
		for _, neighbor := range []uint16{h - 1, h + 1} {
			n := tensor.FromFloat16(neighbor)
			if d := math.Abs(float64(n) - float64(f)); d < got {
				t.Fatalf("float16(%g) = %g, but %g is nearer", f, tensor.FromFloat16(h), n)
			}
		}
	})
}
