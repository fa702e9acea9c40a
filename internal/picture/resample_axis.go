package picture

import (
	"math"
	"slices"

	"github.com/goshawk-ai/goshawk/internal/picture/turbo"
)

// axisKey is everything that a turbo.Axis depends on: in source pixels become
// out, of which n from lo on are computed.
type axisKey struct {
	in, out, lo, n int
	filter         Filter
	antialias      bool
}

// kernel gives the filter's weight at a distance and its support, both in
// pixels of the coarser side. The definitions are Pillow's.
func (f Filter) kernel() (weight func(float64) float64, support float64) {
	switch f {
	case Bicubic:
		return bicubic, 2
	case Lanczos:
		return lanczos, 3
	}
	return triangle, 1
}

func triangle(x float64) float64 {
	if x = math.Abs(x); x < 1 {
		return 1 - x
	}
	return 0
}

// bicubic is Keys' kernel with a = -0.5. The explicit conversions forbid fused
// multiply-add, so that every processor computes the same weights.
func bicubic(x float64) float64 {
	const a = -0.5
	switch x = math.Abs(x); {
	case x < 1:
		return float64(float64(float64((a+2)*x)-(a+3))*x)*x + 1
	case x < 2:
		return (float64((float64((x-5)*x)+8)*x) - 4) * a
	}
	return 0
}

func lanczos(x float64) float64 {
	if x < -3 || x >= 3 {
		return 0
	}
	return sinc(x) * sinc(x/3)
}

func sinc(x float64) float64 {
	if x == 0 {
		return 1
	}
	x *= math.Pi
	return math.Sin(x) / x
}

// build fills the axis anew, in the memory that it has. weights is scratch.
func (k axisKey) build(a *turbo.Axis, weights []float64) []float64 {
	if k.filter == Nearest || k.in == k.out {
		k.pick(a)
	} else {
		weights = k.blend(a, weights)
	}
	a.Slots = slots(a)
	return weights
}

// pick makes an axis that takes single pixels. Pillow adds the step up instead
// of multiplying, and the rounding of that decides some pixels; far out, where
// a picture would have to be enormous, we multiply.
func (k axisKey) pick(a *turbo.Axis) {
	a.Taps, a.Start, a.Coef = 1, a.Start[:0], a.Coef[:0]
	scale := float64(k.in) / float64(k.out)
	at, from := scale*0.5, 0
	if k.lo > 1<<16 {
		at, from = (float64(k.lo)+0.5)*scale, k.lo
	}
	for i := from; i < k.lo+k.n; i++ {
		if i >= k.lo {
			a.Start = append(a.Start, int32(min(int(at), k.in-1)))
			a.Coef = append(a.Coef, 1<<turbo.Precision)
		}
		at += scale
	}
}

// blend makes an axis of weighted sums, by the arithmetic of Pillow's resize.
func (k axisKey) blend(a *turbo.Axis, weights []float64) []float64 {
	scale := float64(k.in) / float64(k.out)
	weight, support := k.filter.kernel()
	stretch := 1.0 // how far the filter is drawn out to cover what becomes one pixel
	if k.antialias && scale > 1 {
		stretch = scale
	}
	support *= stretch
	window := func(i int) (center float64, first, last int) {
		center = float64((float64(i) + 0.5) * scale)
		return center, max(int(center-support+0.5), 0), min(int(center+support+0.5), k.in)
	}
	a.Taps = 1
	for i := k.lo; i < k.lo+k.n; i++ {
		_, first, last := window(i)
		a.Taps = max(a.Taps, last-first)
	}
	a.Start = slices.Grow(a.Start[:0], k.n)[:k.n]
	a.Coef = slices.Grow(a.Coef[:0], k.n*a.Taps)[:k.n*a.Taps]
	clear(a.Coef)
	for i := range k.n {
		center, first, last := window(k.lo + i)
		weights = weights[:0]
		sum := 0.0
		for x := first; x < last; x++ {
			w := weight(float64((float64(x) - center + 0.5) * (1 / stretch)))
			weights = append(weights, w)
			sum += w
		}
		start := min(first, k.in-a.Taps) // at the far end the spare taps lie before
		a.Start[i] = int32(start)
		fix(a.Coef[i*a.Taps+first-start:], weights, sum)
	}
	return weights
}

// fix makes the weights sum up to one and rounds them, half away from zero.
func fix(coef []int32, weights []float64, sum float64) {
	for i, w := range weights {
		if sum != 0 {
			w /= sum
		}
		coef[i] = int32(math.Copysign(0.5, w) + float64(w*(1<<turbo.Precision)))
	}
}

// slots counts how many windows are open at once when the source goes by.
func slots(a *turbo.Axis) int {
	most, done := 1, 0
	for i, s := range a.Start {
		for a.Start[done]+int32(a.Taps) <= s {
			done++
		}
		most = max(most, i-done+1)
	}
	return most
}
