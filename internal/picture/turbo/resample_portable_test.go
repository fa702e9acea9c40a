//go:build cgo

package turbo

import (
	"bytes"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// drawAxis makes any axis over in source pixels.
func drawAxis(t *rapid.T, in int) Axis {
	n := rapid.IntRange(1, 40).Draw(t, "wanted")
	a := Axis{Taps: rapid.IntRange(1, min(in, 9)).Draw(t, "taps"), Slots: n}
	for range n {
		a.Start = append(a.Start, int32(rapid.IntRange(0, in-a.Taps).Draw(t, "start")))
		rest := int32(1 << Precision)
		for i := range a.Taps {
			k := rest
			if i+1 < a.Taps {
				k = rapid.Int32Range(-1<<18, rest/2).Draw(t, "weight")
			}
			a.Coef = append(a.Coef, k)
			rest -= k
		}
	}
	slices.Sort(a.Start)
	return a
}

// Processors without AVX2 are rare, so nobody would notice that their answers
// differ.
func TestEveryProcessorComputesTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w, h := rapid.IntRange(1, 50).Draw(t, "w"), rapid.IntRange(1, 50).Draw(t, "h")
		r := &Resample{
			Channels: rapid.SampledFrom([]int{1, 3, 4}).Draw(t, "channels"), Background: [3]uint8{3, 120, 255},
			X: drawAxis(t, w), Y: drawAxis(t, h), Gray: rapid.Bool().Draw(t, "grey"), Planes: 3, Elem: 1, ColStep: 1,
		}
		if r.colors() == 3 {
			r.Source = [3]int{2, 1, 0}
		}
		r.StepX, r.StepY = r.Channels, w*r.Channels
		r.RowStep = len(r.X.Start)
		r.PlaneStep = r.RowStep * len(r.Y.Start)
		r.Pix = rapid.SliceOfN(rapid.Byte(), w*h*r.Channels, w*h*r.Channels).Draw(t, "pixels")
		r.Table = bytes.Repeat([]byte{0}, 3*256)
		for i := range r.Table {
			r.Table[i] = byte(i)
		}
		r.Acc, r.Row = make([]int32, r.AccLen()), make([]byte, r.RowLen())
		results := map[bool][]byte{}
		for _, portable := range []bool{false, true} {
			r.Dst = make([]byte, 3*r.PlaneStep)
			if err := r.run(portable); err != nil {
				t.Fatal(err)
			}
			results[portable] = r.Dst
		}
		if !bytes.Equal(results[false], results[true]) {
			t.Fatal("the portable code and this processor's own give different bytes")
		}
	})
}
