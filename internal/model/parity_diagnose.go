package model

import (
	"fmt"
	"iter"
	"math"
	"slices"
	"strings"

	"github.com/goshawk-ai/goshawk/internal/picture"
	"github.com/goshawk-ai/goshawk/internal/tensor"
)

// change is one setting in which training may differ from the package: what
// would have to be done, and what the setting is in training.
type change struct{ do, is string }

// suspect is a way to resize and crop that training may have taken.
type suspect struct {
	recipe  picture.Recipe
	changes []change
}

// diagnose tries what people get wrong until the case's tensor comes out, the
// likeliest first: every way to resize and crop, and with each of them the
// channels' order and the normalization. The work is bounded in source pixels.
func (c *Case) diagnose(r *picture.Recipe) string {
	want := planes(r, numbers(c.Tensor))
	budget := min(max(400_000_000/(c.Width*c.Height), 24), 800)
	scratch := new(picture.Scratch)
	for s := range suspects(r) {
		if budget--; budget < 0 {
			break
		}
		have, err := c.pixels(&s.recipe, scratch)
		if err != nil {
			continue
		}
		if more, ok := explain(r, have, want); ok {
			return sentence(append(s.changes, more...))
		}
	}
	return "no setting that is usually mixed up explains it; compare the steps under preprocess with the training's code"
}

func sentence(changes []change) string {
	var do, is []string
	for _, c := range changes {
		do, is = append(do, c.do), append(is, c.is)
	}
	return strings.Join(do, " and ") + " would match: " + strings.Join(is, " and ") + " in training"
}

// pixels prepares the RGB array up to normalization: planes of 8-bit levels, in
// the order R, G, B.
func (c *Case) pixels(r *picture.Recipe, s *picture.Scratch) ([][]float64, error) {
	plain := *r
	plain.Type, plain.Layout = tensor.Uint8, picture.NCHW
	plain.Rescale, plain.Mean, plain.Std = 1, [3]float64{}, [3]float64{1, 1, 1}
	if plain.Color == picture.BGR {
		plain.Color = picture.RGB
	}
	t := &tensor.Tensor{Type: tensor.Uint8, Data: tensor.Aligned(plain.RowBytes())}
	if err := plain.Fill(t.Data, c.image(), s); err != nil {
		return nil, err
	}
	return planes(&plain, numbers(t)), nil
}

// explain asks which order of channels and which normalization make want of
// these pixels. The changes are empty when the recipe's own do.
func explain(r *picture.Recipe, have, want [][]float64) ([]change, bool) {
	own := slices.Clone(have)
	if r.Color == picture.BGR {
		slices.Reverse(own)
	}
	swapped := slices.Clone(own)
	slices.Reverse(swapped)
	swap := change{"swapping channels R and B", "input.color is BGR"}
	if r.Color == picture.BGR {
		swap.is = "input.color is RGB"
	}
	if matches(r, own, want) {
		return nil, true
	}
	if len(own) == 3 && matches(r, swapped, want) {
		return []change{swap}, true
	}
	if other, ok := normalization(r, own, want); ok {
		return []change{other}, true
	}
	if len(own) == 3 {
		if other, ok := normalization(r, swapped, want); ok {
			return []change{swap, other}, true
		}
	}
	return nil, false
}

// matches says whether the recipe's normalization makes want of the pixels.
func matches(r *picture.Recipe, pixels, want [][]float64) bool {
	limit := tensorLimit(r)
	for p := range pixels {
		for i, v := range pixels[p] {
			if !(math.Abs(r.Level(p, want[p][i])-v) <= limit) {
				return false
			}
		}
	}
	return true
}

// normalization asks whether any rescale, mean and std make want of the pixels,
// and names those that differ from the recipe's.
func normalization(r *picture.Recipe, pixels, want [][]float64) (change, bool) {
	slope, shift := make([]float64, len(pixels)), make([]float64, len(pixels))
	for p := range pixels {
		var ok bool
		if slope[p], shift[p], ok = line(pixels[p], want[p], tensorLimit(r)); !ok {
			return change{}, false
		}
	}
	rescale := r.Rescale
	if differs(stds(rescale, slope), r.Std[:]) && differs(means(rescale, slope, shift), r.Mean[:]) {
		rescale = 1. / 255
		if low := slices.Min(stds(rescale, slope)); low < 0.05 {
			rescale = 1
		}
	}
	var is []string
	if differs([]float64{rescale}, []float64{r.Rescale}) {
		is = append(is, "rescale "+ratioText(rescale))
	}
	if m := means(rescale, slope, shift); differs(m, r.Mean[:]) {
		is = append(is, "mean "+list(m))
	}
	if d := stds(rescale, slope); differs(d, r.Std[:]) {
		is = append(is, "std "+list(d))
	}
	return change{"normalizing otherwise", "preprocess has " + strings.Join(is, ", ")}, len(is) > 0
}

// line fits want = slope*v + shift: roughly by the darkest and the brightest
// pixel, which dismisses most pairs at once, then by least squares.
func line(v, want []float64, limit float64) (slope, shift float64, ok bool) {
	low, high := 0, 0
	for i := range v {
		if v[i] < v[low] {
			low = i
		}
		if v[i] > v[high] {
			high = i
		}
	}
	if v[high]-v[low] < 16 {
		return 0, 0, false // too flat to tell
	}
	slope = (want[high] - want[low]) / (v[high] - v[low])
	shift = want[low] - slope*v[low]
	if !(slope > 0) || !onLine(v, want, slope, shift, 4*limit) {
		return 0, 0, false
	}
	var n, sv, sw, svv, svw float64
	for i := range v {
		n, sv, sw, svv, svw = n+1, sv+v[i], sw+want[i], svv+v[i]*v[i], svw+v[i]*want[i]
	}
	slope = (n*svw - sv*sw) / (n*svv - sv*sv)
	shift = (sw - slope*sv) / n
	return slope, shift, onLine(v, want, slope, shift, limit)
}

func onLine(v, want []float64, slope, shift, limit float64) bool {
	for i := range v {
		if !(math.Abs((want[i]-shift)/slope-v[i]) <= limit) {
			return false
		}
	}
	return true
}

func stds(rescale float64, slope []float64) []float64 {
	out := make([]float64, len(slope))
	for i, a := range slope {
		out[i] = rescale / a
	}
	return out
}

func means(rescale float64, slope, shift []float64) []float64 {
	out := make([]float64, len(slope))
	for i, a := range slope {
		out[i] = -shift[i] * rescale / a
	}
	return out
}

// differs compares settings: what was fitted is exact to a share of a level.
func differs(a, b []float64) bool {
	for i, v := range a {
		if math.Abs(v-b[i]) > 0.002*max(1, math.Abs(v)) && math.Abs(v-b[i]) > 0.01*math.Abs(b[i]) {
			return true
		}
	}
	return false
}

func list(v []float64) string {
	words := make([]string, len(v))
	for i, x := range v {
		if words[i] = fmt.Sprintf("%.3g", x); math.Abs(x) < 0.0005 {
			words[i] = "0"
		}
	}
	return "[" + strings.Join(words, ", ") + "]"
}

func ratioText(v float64) string {
	if math.Abs(v-1./255) < 1e-6 {
		return "1/255"
	}
	return fmt.Sprintf("%.4g", v)
}

// suspects lists ways to resize and crop, likely ones first; the recipe's own
// begins, for mistakes that lie elsewhere.
func suspects(r *picture.Recipe) iter.Seq[suspect] {
	return func(yield func(suspect) bool) {
		if !yield(suspect{recipe: *r}) {
			return
		}
		filters := slices.Collect(otherFilters(suspect{recipe: *r}))
		sizes := slices.Collect(otherSizes(r))
		for _, s := range slices.Concat(filters, otherCrops(r), sizes) {
			if !yield(s) {
				return
			}
		}
		for _, s := range sizes[:min(len(sizes), 16)] {
			for two := range otherFilters(s) {
				if !yield(two) {
					return
				}
			}
		}
	}
}

// otherFilters changes the filter, the antialias, and both.
func otherFilters(s suspect) iter.Seq[suspect] {
	return func(yield func(suspect) bool) {
		z := s.recipe.Resize
		if z.Mode == picture.NoResize {
			return
		}
		for _, filter := range []picture.Filter{z.Filter, picture.Bilinear, picture.Bicubic, picture.Lanczos, picture.Nearest} {
			for _, antialias := range []bool{z.Antialias, !z.Antialias} {
				t := suspect{recipe: s.recipe, changes: slices.Clone(s.changes)}
				t.recipe.Resize.Filter, t.recipe.Resize.Antialias = filter, antialias
				if filter != z.Filter {
					t.changes = append(t.changes, change{"resizing with the " + string(filter) + " filter", "preprocess.resize.filter is " + string(filter)})
				}
				if antialias != z.Antialias {
					t.changes = append(t.changes, antialiasing(antialias))
				}
				if len(t.changes) > len(s.changes) && !yield(t) {
					return
				}
			}
		}
	}
}

func antialiasing(on bool) change {
	if on {
		return change{"resizing with antialias", "preprocess.resize.antialias is true"}
	}
	return change{"resizing without antialias", "preprocess.resize.antialias is false"}
}

// otherCrops moves the crop by the pixel that libraries round differently.
func otherCrops(r *picture.Recipe) []suspect {
	s := suspect{recipe: *r}
	s.recipe.Crop.Floor = !r.Crop.Floor
	s.changes = []change{{"rounding the crop's odd pixel down", "preprocess.crop.rounding is down (as Hugging Face and Keras crop)"}}
	if r.Crop.Floor {
		s.changes = []change{{"rounding the crop's odd pixel to even", "preprocess.crop.rounding is even (as torchvision crops)"}}
	}
	return []suspect{s}
}

// otherSizes changes the size that the picture is brought to before the crop,
// which is how a wrong crop fraction shows, and the mode.
func otherSizes(r *picture.Recipe) iter.Seq[suspect] {
	return func(yield func(suspect) bool) {
		side := max(r.Width, r.Height)
		common := []int{side, 256}
		for _, f := range []float64{0.875, 0.95, 0.9, 0.96, 0.965, 0.8} {
			common = append(common, int(float64(side)/f), int(math.Ceil(float64(side)/f)))
		}
		modes := []picture.Mode{picture.ShortSide, picture.Exact, picture.Letterbox}
		if r.Resize.Mode != picture.NoResize {
			modes = append([]picture.Mode{r.Resize.Mode}, modes...)
		}
		for i, mode := range modes {
			sizes := common
			if i == 0 { // only the package's own mode is searched through
				for s := side; s <= side*8/5 && len(sizes) < 400; s++ {
					sizes = append(slices.Clip(sizes), s)
				}
			}
			for _, size := range sizes {
				if s, ok := resized(r, mode, size); ok && !yield(s) {
					return
				}
			}
		}
	}
}

// resized brings pictures to size in this mode; false where that is no change or
// not enough for the tensor.
func resized(r *picture.Recipe, mode picture.Mode, size int) (suspect, bool) {
	s := suspect{recipe: *r}
	z := &s.recipe.Resize
	if size < max(r.Width, r.Height) {
		return s, false
	}
	z.Mode, z.Width, z.Height = mode, size, size
	if mode != picture.ShortSide && size == max(r.Width, r.Height) {
		z.Width, z.Height = r.Width, r.Height
	}
	if z.Filter == "" {
		z.Filter, z.Antialias = picture.Bilinear, true
	}
	s.recipe.Crop = picture.Crop{Width: r.Width, Height: r.Height, Floor: r.Crop.Floor}
	if mode != r.Resize.Mode {
		s.changes = append(s.changes, change{"resizing in mode " + string(mode), "preprocess.resize.mode is " + string(mode)})
	}
	if size != max(r.Resize.Width, r.Resize.Height) {
		s.changes = append(s.changes, change{
			fmt.Sprintf("resizing to %d", size),
			fmt.Sprintf("preprocess.resize.size is %d (a crop fraction of %.3g)", size, float64(r.Width)/float64(size)),
		})
	}
	return s, len(s.changes) > 0
}
