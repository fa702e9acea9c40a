package turbo

import (
	"errors"
	"unsafe"
)

// Precision is the number of fractional bits of a resampling weight. It is
// Pillow's choice for 8-bit pictures: a sum of 255 times weights that overshoot
// as Lanczos' do still fits into 32 bits.
const Precision = 22

// Axis says, for each pixel that is wanted along one axis, which source pixels
// make it: Taps of them from Start on, with weights that have Precision
// fractional bits. Starts never decrease; all pixels have the same number of
// taps (weights of zero fill up), so that the inner loops have no branches.
type Axis struct {
	Start []int32
	Taps  int
	Coef  []int32 // Taps for each Start
	Slots int     // how many pixels of the axis can need the same source pixel
}

// Resample is one picture's way from decoded pixels into a tensor: resize in
// two passes with 8-bit values between them, as Pillow does, and a table look-up
// for everything that follows. Only what the axes ask for is computed.
//
// The displayed pixel (x, y) begins at Pix[Origin+x*StepX+y*StepY], so that
// flipped and turned pictures need no copy.
type Resample struct {
	Pix                  []byte
	Origin, StepX, StepY int
	Channels             int      // 1, 3, or 4 with alpha
	Background           [3]uint8 // under alpha

	X, Y Axis

	Gray   bool // colors become one channel before anything else, by Pillow's weights
	Planes int  // the tensor's channels
	Source [3]int
	Table  []byte // 256 elements for each plane: what becomes of an 8-bit value
	Elem   int    // bytes of an element: 1, 2, 4 or 8

	// Dst begins at the first computed pixel of plane 0; the steps are in elements.
	Dst                         []byte
	PlaneStep, RowStep, ColStep int

	Acc []int32 // scratch, AccLen elements
	Row []byte  // scratch, RowLen bytes
}

// ErrShape says that a Resample's parts do not fit one another.
var ErrShape = errors.New("resample: the parts do not fit one another")

// colors is what a row between the passes has for each pixel.
func (r *Resample) colors() int {
	if r.Channels == 1 || r.Gray {
		return 1
	}
	return 3
}

// stride is a row's length between the passes, rounded so that vector code may
// work in whole registers.
func (r *Resample) stride() int { return (len(r.X.Start)*r.colors() + 31) &^ 31 }

// AccLen is the length that Acc must have.
func (r *Resample) AccLen() int { return r.Y.Slots * r.stride() }

// RowLen is the length that Row must have. The last pixel may be written with a
// byte too many.
func (r *Resample) RowLen() int { return r.stride() + 1 }

// Check proves that no index leaves its slice. The C code trusts it.
func (r *Resample) Check() error {
	if err := r.X.check(); err != nil {
		return err
	}
	if err := r.Y.check(); err != nil {
		return err
	}
	if len(r.X.Start) == 0 || len(r.Y.Start) == 0 {
		return ErrShape
	}
	switch r.Channels {
	case 1, 3, 4:
	default:
		return ErrShape
	}
	if !r.pixelsInside() || !r.tensorInside() || len(r.Acc) < r.AccLen() || len(r.Row) < r.RowLen() {
		return ErrShape
	}
	return nil
}

func (a *Axis) check() error {
	if a.Taps < 1 || len(a.Coef) != a.Taps*len(a.Start) || a.Slots < 1 {
		return ErrShape
	}
	for i, s := range a.Start {
		if s < 0 || i > 0 && s < a.Start[i-1] || i >= a.Slots && s < a.Start[i-a.Slots]+int32(a.Taps) {
			return ErrShape
		}
	}
	return nil
}

// last is the last source pixel that the axis reads.
func (a *Axis) last() int { return int(a.Start[len(a.Start)-1]) + a.Taps - 1 }

func (r *Resample) pixelsInside() bool {
	low, high := span(r.Origin, r.StepX, int(r.X.Start[0]), r.X.last())
	low, _ = span(low, r.StepY, int(r.Y.Start[0]), r.Y.last())
	_, high = span(high, r.StepY, int(r.Y.Start[0]), r.Y.last())
	return low >= 0 && high+r.Channels <= len(r.Pix)
}

// span is the least and the greatest offset when an index runs from a to b.
func span(origin, step, a, b int) (low, high int) {
	first, last := origin+step*a, origin+step*b
	return min(first, last), max(first, last)
}

func (r *Resample) tensorInside() bool {
	if r.Planes < 1 || r.Planes > 3 || r.PlaneStep < 0 || r.RowStep < 0 || r.ColStep < 1 {
		return false
	}
	switch r.Elem {
	case 1, 2, 4, 8:
	default:
		return false
	}
	for _, s := range r.Source[:r.Planes] {
		if s < 0 || s >= r.colors() {
			return false
		}
	}
	last := (r.Planes-1)*r.PlaneStep + (len(r.Y.Start)-1)*r.RowStep + (len(r.X.Start)-1)*r.ColStep
	return (last+1)*r.Elem <= len(r.Dst) && r.Planes*256*r.Elem <= len(r.Table) &&
		aligned(r.Dst, r.Elem) && aligned(r.Table, r.Elem)
}

func aligned(b []byte, size int) bool {
	return uintptr(unsafe.Pointer(unsafe.SliceData(b)))%uintptr(size) == 0
}
