package picture

import (
	"math"

	"github.com/goshawk-ai/goshawk/internal/problem"
)

// frame is where one picture comes to lie: it is resized to width x height and
// stands at (left, top) of a canvas, of which the tensor is a window at (x, y).
// Outside the picture the canvas is the background; outside the canvas it is
// black.
type frame struct {
	width, height             int // of the resized picture
	left, top                 int
	canvasWidth, canvasHeight int
	x, y                      int
}

// frame applies resize and crop to a picture of w x h displayed pixels.
func (r *Recipe) frame(w, h int) (frame, error) {
	f := frame{width: w, height: h}
	switch z := r.Resize; z.Mode {
	case ShortSide:
		f.width, f.height = shortSide(w, h, max(z.Width, z.Height))
	case Exact:
		f.width, f.height = z.Width, z.Height
	case Letterbox:
		f.width, f.height = contain(w, h, z.Width, z.Height)
		f.canvasWidth, f.canvasHeight = z.Width, z.Height
		f.left = int(math.RoundToEven(float64(z.Width-f.width) / 2))
		f.top = int(math.RoundToEven(float64(z.Height-f.height) / 2))
	}
	if r.Resize.Mode != Letterbox {
		f.canvasWidth, f.canvasHeight = f.width, f.height
	}
	if r.Resize.Mode == NoResize && r.Crop == (Crop{}) && (w != r.Width || h != r.Height) {
		return frame{}, problem.InvalidRequest.New(
			"this model takes pictures of exactly %d x %d pixels and does not resize; this one has %d x %d", r.Width, r.Height, w, h)
	}
	f.x = r.Crop.offset(f.canvasWidth, r.Width)
	f.y = r.Crop.offset(f.canvasHeight, r.Height)
	return f, nil
}

// shortSide is torchvision's and Hugging Face's rule: the long side is cut, not
// rounded, to whole pixels.
func shortSide(w, h, side int) (int, int) {
	if w <= h {
		return side, int(int64(side) * int64(h) / int64(w))
	}
	return int(int64(side) * int64(w) / int64(h)), side
}

// contain is the rule of Pillow's ImageOps.contain.
func contain(w, h, width, height int) (int, int) {
	ratio, wanted := float64(w)/float64(h), float64(width)/float64(height)
	switch {
	case ratio > wanted:
		height = max(1, int(math.RoundToEven(float64(float64(h)/float64(w)*float64(width)))))
	case ratio < wanted:
		width = max(1, int(math.RoundToEven(float64(float64(w)/float64(h)*float64(height)))))
	}
	return width, height
}

// offset is where the centre crop begins; negative where it is larger than the
// canvas. torchvision rounds an odd rest half to even, and pads the smaller half
// first.
func (c Crop) offset(have, want int) int {
	d := have - want
	if c.Floor {
		return int(math.Floor(float64(d) / 2))
	}
	if d < 0 {
		return -(-d / 2)
	}
	return int(math.RoundToEven(float64(d) / 2))
}

// part is a stretch of one axis that is computed: n pixels of the resized
// picture from lo on, which lie in the tensor from at on.
type part struct{ lo, n, at int }

// visible cuts the picture, size pixels from start of the canvas on, to the
// tensor's window. n is 0 where nothing of it is seen.
func visible(size, start, window, want int) part {
	first, last := max(start, window), min(start+size, window+want)
	return part{lo: first - start, n: max(0, last-first), at: first - window}
}
