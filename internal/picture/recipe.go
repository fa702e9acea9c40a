package picture

import (
	"errors"
	"fmt"
	"math"

	"github.com/goshawk-ai/goshawk/internal/tensor"
	"github.com/goshawk-ai/goshawk/internal/wording"
)

// What a recipe may ask for. Scratch memory grows with the tensor's area only,
// so these bound it.
const (
	maxSide = 4096
	maxArea = 2048 * 2048
)

// Planes is the number of the tensor's channels: 3, or 1 where Color is Gray.
func (r *Recipe) Planes() int {
	if r.Color == Gray {
		return 1
	}
	return 3
}

// RowBytes is the size of one picture's row of the tensor.
func (r *Recipe) RowBytes() int { return r.Width * r.Height * r.Planes() * r.Type.Size() }

// Shape is one picture's part of the tensor's shape: [C,H,W] or [H,W,C].
func (r *Recipe) Shape() []int64 {
	c, h, w := int64(r.Planes()), int64(r.Height), int64(r.Width)
	if r.Layout == NHWC {
		return []int64{h, w, c}
	}
	return []int64{c, h, w}
}

// Validate says what is wrong with the recipe, in the words of goshawk.yaml.
func (r *Recipe) Validate() error {
	for _, check := range []func() error{r.checkInput, r.checkNumbers, r.checkResize, r.checkCrop, r.checkSize} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

func (r *Recipe) checkInput() error {
	switch r.Color {
	case RGB, BGR, Gray:
	default:
		return fmt.Errorf("input.color is %s; it must be RGB, BGR or GRAY", wording.Quote(string(r.Color)))
	}
	switch r.Layout {
	case NCHW, NHWC:
	default:
		return fmt.Errorf("input.layout is %s; it must be NCHW or NHWC", wording.Quote(string(r.Layout)))
	}
	switch r.Type {
	case tensor.Float32, tensor.Float16, tensor.BFloat16, tensor.Float64,
		tensor.Uint8, tensor.Int8, tensor.Int32, tensor.Int64:
	default:
		return fmt.Errorf("the model's input has the type %s; pictures go into float32, float16, bfloat16, float64, uint8, int8, int32 and int64", r.Type)
	}
	if r.Width < 1 || r.Height < 1 {
		return fmt.Errorf("the tensor's size is %d x %d; both sides must be at least 1", r.Width, r.Height)
	}
	if r.Width > maxSide || r.Height > maxSide || r.Width*r.Height > maxArea {
		return fmt.Errorf("the tensor's size is %d x %d; a side may have %d pixels and the whole %d", r.Width, r.Height, maxSide, maxArea)
	}
	return nil
}

func (r *Recipe) checkNumbers() error {
	if !finite(r.Rescale) || r.Rescale == 0 {
		return fmt.Errorf("preprocess.rescale is %v; it must be a number other than 0 (1 leaves values as they are)", r.Rescale)
	}
	for c := range r.Planes() {
		if !finite(r.Mean[c]) {
			return fmt.Errorf("preprocess.mean has %v; it must be a number", r.Mean[c])
		}
		if !finite(r.Std[c]) || r.Std[c] <= 0 {
			return fmt.Errorf("preprocess.std has %v; it is divided by and must be greater than 0", r.Std[c])
		}
	}
	return nil
}

func finite(f float64) bool { return !math.IsNaN(f) && !math.IsInf(f, 0) }

func (r *Recipe) checkResize() error {
	z := r.Resize
	switch z.Mode {
	case NoResize:
		return nil
	case ShortSide, Exact, Letterbox:
	default:
		return fmt.Errorf("preprocess.resize.mode is %s; it must be short-side, exact or letterbox", wording.Quote(string(z.Mode)))
	}
	switch z.Filter {
	case Nearest, Bilinear, Bicubic, Lanczos:
	default:
		return fmt.Errorf("preprocess.resize.filter is %s; it must be nearest, bilinear, bicubic or lanczos", wording.Quote(string(z.Filter)))
	}
	w, h := z.Width, z.Height
	if z.Mode == ShortSide {
		if w != 0 && h != 0 && w != h {
			return fmt.Errorf("preprocess.resize.size is %d x %d; with mode short-side it is one number", w, h)
		}
		w, h = max(w, h), max(w, h)
	}
	if w < 1 || h < 1 || w > 4*maxSide || h > 4*maxSide {
		return fmt.Errorf("preprocess.resize.size is %d x %d; a side must be between 1 and %d", w, h, 4*maxSide)
	}
	return nil
}

func (r *Recipe) checkCrop() error {
	c := r.Crop
	switch {
	case c.Fraction != 0 && (c.Width != 0 || c.Height != 0):
		return errors.New("preprocess.crop has both size and fraction; give one")
	case c.Fraction != 0 && !(c.Fraction > 0 && c.Fraction <= 1):
		return fmt.Errorf("preprocess.crop.fraction is %v; it must be above 0 and at most 1", c.Fraction)
	case c.Fraction != 0 && r.Resize.Mode == NoResize:
		return errors.New("preprocess.crop.fraction needs preprocess.resize: without it the tensor's size would differ from picture to picture")
	case c.Width < 0 || c.Height < 0 || (c.Width == 0) != (c.Height == 0):
		return fmt.Errorf("preprocess.crop.size is %d x %d; both sides must be at least 1", c.Width, c.Height)
	}
	return nil
}

// checkSize holds resize and crop to what the tensor needs.
func (r *Recipe) checkSize() error {
	z, c := r.Resize, r.Crop
	short := max(z.Width, z.Height)
	switch {
	case c.Width != 0:
		if c.Width != r.Width || c.Height != r.Height {
			return fmt.Errorf("preprocess.crop.size gives %d x %d, but the model's input is %d x %d", c.Width, c.Height, r.Width, r.Height)
		}
	case c.Fraction != 0 && z.Mode == ShortSide:
		return r.checkFraction(short, short)
	case c.Fraction != 0:
		return r.checkFraction(z.Width, z.Height)
	case z.Mode == ShortSide:
		return errors.New("preprocess.resize.mode short-side leaves the long side open; add preprocess.crop.size, or use mode exact or letterbox")
	case z.Mode != NoResize && (z.Width != r.Width || z.Height != r.Height):
		return fmt.Errorf("preprocess.resize.size gives %d x %d, but the model's input is %d x %d; change it or add preprocess.crop.size", z.Width, z.Height, r.Width, r.Height)
	}
	return nil
}

// checkFraction allows a pixel: 224 / 0.95 is 235 in one library and 236 in
// another, and neither times 0.95 is 224. What the tensor needs is taken.
func (r *Recipe) checkFraction(w, h int) error {
	cw, ch := float64(w)*r.Crop.Fraction, float64(h)*r.Crop.Fraction
	if math.Abs(cw-float64(r.Width)) > 1 || math.Abs(ch-float64(r.Height)) > 1 || r.Width > w || r.Height > h {
		return fmt.Errorf("preprocess.crop.fraction %v of %d x %d is %.0f x %.0f, but the model's input is %d x %d",
			r.Crop.Fraction, w, h, cw, ch, r.Width, r.Height)
	}
	return nil
}
