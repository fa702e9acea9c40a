package picture

import (
	"math"

	"github.com/goshawk-ai/goshawk/internal/tensor"
)

// Prepared is a recipe with everything computed that does not depend on the
// picture. It is read-only: many goroutines may use one.
type Prepared struct {
	recipe                      Recipe
	planes                      int
	gray                        bool
	source                      [3]int // the color that each plane takes
	elem                        int
	table                       []byte // planes x 256 elements
	planeStep, rowStep, colStep int    // in elements
}

// Prepare checks the recipe and computes its tables.
func (r *Recipe) Prepare() (*Prepared, error) {
	if err := r.Validate(); err != nil {
		return nil, err
	}
	p := &Prepared{recipe: *r, planes: r.Planes(), elem: r.Type.Size()}
	switch r.Color {
	case RGB:
		p.source = [3]int{0, 1, 2}
	case BGR:
		p.source = [3]int{2, 1, 0}
	case Gray:
		p.gray = true
	}
	p.planeStep, p.rowStep, p.colStep = r.Width*r.Height, r.Width, 1
	if r.Layout == NHWC {
		p.planeStep, p.rowStep, p.colStep = 1, r.Width*p.planes, p.planes
	}
	p.table = tensor.Aligned(p.planes * 256 * p.elem)
	for c := range p.planes {
		for v := range 256 {
			store(p.table, c*256+v, r.Type, r.Normalize(c, float64(v)))
		}
	}
	return p, nil
}

// Normalize is what becomes of an 8-bit value in the tensor's channel c, before
// the tensor's type rounds it.
func (r *Recipe) Normalize(c int, v float64) float64 {
	return (float64(v*r.Rescale) - r.Mean[c]) / r.Std[c]
}

// Level is the 8-bit value that Normalize would make v of.
func (r *Recipe) Level(c int, v float64) float64 {
	return (float64(v*r.Std[c]) + r.Mean[c]) / r.Rescale
}

// store writes element i. Whole numbers are rounded half to even and kept within
// their type's range.
func store(data []byte, i int, t tensor.Type, v float64) {
	switch t {
	case tensor.Float32:
		tensor.View[float32](data)[i] = float32(v)
	case tensor.Float64:
		tensor.View[float64](data)[i] = v
	case tensor.Float16:
		tensor.View[uint16](data)[i] = tensor.ToFloat16(float32(v))
	case tensor.BFloat16:
		tensor.View[uint16](data)[i] = tensor.ToBFloat16(float32(v))
	case tensor.Uint8:
		data[i] = uint8(whole(v, 0, math.MaxUint8))
	case tensor.Int8:
		tensor.View[int8](data)[i] = int8(whole(v, math.MinInt8, math.MaxInt8))
	case tensor.Int32:
		tensor.View[int32](data)[i] = int32(whole(v, math.MinInt32, math.MaxInt32))
	case tensor.Int64:
		tensor.View[int64](data)[i] = int64(whole(v, math.MinInt64, math.MaxInt64))
	}
}

// whole rounds to a number that converts without surprise: float64 has no
// largest int64, so the range's end is left out where it would be rounded up.
func whole(v, low, high float64) float64 {
	v = math.RoundToEven(v)
	if v >= math.MaxInt64 {
		return min(high, math.Nextafter(math.MaxInt64, 0))
	}
	return max(low, min(high, v))
}

// pad fills the row with what lies around the picture: black outside the canvas,
// the background on it. The picture is written over it.
func (p *Prepared) pad(dst []byte, f frame) {
	r := &p.recipe
	p.paint(dst, part{n: r.Width}, part{n: r.Height}, [3]uint8{})
	if r.Resize.Mode == Letterbox {
		p.paint(dst, visible(f.canvasWidth, 0, f.x, r.Width), visible(f.canvasHeight, 0, f.y, r.Height), r.Background)
	}
}

// paint fills a rectangle of the tensor with one color.
func (p *Prepared) paint(dst []byte, x, y part, color [3]uint8) {
	if p.gray {
		color[0] = luma(color[0], color[1], color[2])
	}
	for c := range p.planes {
		value := p.table[(c*256+int(color[p.source[c]]))*p.elem:][:p.elem]
		for row := y.at; row < y.at+y.n; row++ {
			at := c*p.planeStep + row*p.rowStep + x.at*p.colStep
			for range x.n {
				copy(dst[at*p.elem:], value)
				at += p.colStep
			}
		}
	}
}
