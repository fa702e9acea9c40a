package model

import (
	"fmt"
	"math"
	"slices"

	"github.com/goshawk-ai/goshawk/internal/picture"
	"github.com/goshawk-ai/goshawk/internal/problem"
	"github.com/goshawk-ai/goshawk/internal/tensor"
	"github.com/goshawk-ai/goshawk/internal/wording"
)

// The rules by which a certificate holds (design: each stage starts from the
// certificate's own input, so that a difference belongs to its stage).
const (
	tensorLevels = 1.0  // 8-bit levels that the tensor may differ by
	stepRounding = 0.02 // levels that float32 and float16 may add
	logitsShare  = 1e-4 // of the largest |logit|
	jpegLevels   = 2.0  // mean difference of decoded pixels that decoders may have
)

// CompareTensor prepares the case's RGB array as the package says and holds the
// result to the tensor of the training side. The error is a
// problem.ModelInvalid whose sentence names the likeliest cause.
func (c *Case) CompareTensor(b *Binding) error {
	r := b.Recipe
	if want := r.Shape(); !slices.Equal(c.Tensor.Shape, want) {
		return problem.ModelInvalid.New("tensor: case %s: has the shape %v in training, the package makes %v; %s",
			wording.Quote(c.Name), c.Tensor.Shape, want, shapeCause(c.Tensor.Shape, want))
	}
	got := &tensor.Tensor{Type: r.Type, Shape: r.Shape(), Data: tensor.Aligned(r.RowBytes())}
	if err := r.Fill(got.Data, c.image(), nil); err != nil {
		return problem.ModelInvalid.New("tensor: case %s: the package cannot prepare the reference picture: %v", wording.Quote(c.Name), err)
	}
	d := differ(planes(&r, numbers(got)), planes(&r, numbers(c.Tensor)), &r, tensorLimit(&r))
	if d.count == 0 {
		return nil
	}
	return problem.ModelInvalid.New("tensor: case %s: differs by %s levels at most (mean %s), first at row %d, column %d; %s",
		wording.Quote(c.Name), figure(d.worst), figure(d.mean), d.first/r.Width, d.first%r.Width, c.diagnose(&r))
}

// image is the RGB array as a decoded picture.
func (c *Case) image() *picture.Image {
	return &picture.Image{Pix: c.RGB, Width: c.Width, Height: c.Height, Channels: 3, Orientation: 1}
}

// tensorLimit is what a correct preparation may differ by: one level, and what
// the tensor's type cannot express. bfloat16 has 8 bits.
func tensorLimit(r *picture.Recipe) float64 {
	limit := tensorLevels + stepRounding
	if r.Type == tensor.BFloat16 {
		limit += 1
	}
	return limit
}

// shapeCause compares shapes without a batch axis.
func shapeCause(have, want []int64) string {
	switch {
	case len(have) == 3 && (have[0] == want[2] && have[1] == want[0] && have[2] == want[1]):
		return "input.layout is NHWC here and NCHW in training"
	case len(have) == 3 && (have[0] == want[1] && have[1] == want[2] && have[2] == want[0]):
		return "input.layout is NCHW here and NHWC in training"
	case slices.Contains(have, 1) != slices.Contains(want, 1):
		return "one has color and the other is grey: compare input.color"
	}
	return "compare preprocess.crop.size and preprocess.resize.size with the training's"
}

// difference is how far two tensors lie apart, in 8-bit levels.
type difference struct {
	worst, mean float64
	count       int // elements beyond the limit
	first       int // pixel of the topmost of them
}

// planes orders a tensor's values by channel and then by pixel.
func planes(r *picture.Recipe, values []float64) [][]float64 {
	n, area := r.Planes(), r.Width*r.Height
	out := make([][]float64, n)
	for p := range out {
		if r.Layout != picture.NHWC {
			out[p] = values[p*area : (p+1)*area]
			continue
		}
		out[p] = make([]float64, area)
		for i := range area {
			out[p][i] = values[i*n+p]
		}
	}
	return out
}

// differ compares tensors' planes under the recipe's normalization.
func differ(a, b [][]float64, r *picture.Recipe, limit float64) difference {
	d := difference{first: math.MaxInt}
	for p := range a {
		level := math.Abs(r.Std[p] / r.Rescale)
		for i := range a[p] {
			v := math.Abs(a[p][i]-b[p][i]) * level
			if math.IsNaN(v) {
				v = math.Inf(1)
			}
			d.mean += v / float64(len(a)*len(a[p]))
			d.worst = max(d.worst, v)
			if v > limit {
				d.count++
				d.first = min(d.first, i)
			}
		}
	}
	return d
}

// figure shows a number with the digits that matter.
func figure(v float64) string {
	if math.Abs(v) >= 10 {
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2g", v)
}

// CompareLogits holds what the model computed from the case's tensor to the
// logits of the training side.
func (c *Case) CompareLogits(got []float32) error {
	if len(got) != len(c.Logits) {
		return problem.ModelInvalid.New("logits: case %s: the model gives %d scores, the training side has %d; the certificate was made for another model, or another output was taken",
			wording.Quote(c.Name), len(got), len(c.Logits))
	}
	scale, worst := 0.0, 0.0
	for i, want := range c.Logits {
		d := math.Abs(float64(got[i]) - float64(want))
		if math.IsNaN(d) {
			d = math.Inf(1)
		}
		worst, scale = max(worst, d), max(scale, math.Abs(float64(want)))
	}
	top, wanted := argmax(got), argmax(c.Logits)
	if worst <= logitsShare*scale && top == wanted {
		return nil
	}
	return problem.ModelInvalid.New("logits: case %s: differ by %.3g at most, %.3g is allowed (best class %d, %d in training); %s",
		wording.Quote(c.Name), worst, logitsShare*scale, top, wanted, logitsCause(got, c.Logits))
}

func argmax(v []float32) int {
	best := 0
	for i := range v {
		if v[i] > v[best] {
			best = i
		}
	}
	return best
}

// logitsCause tries what is usually mixed up between a framework and its export.
func logitsCause(got, want []float32) string {
	if slices.ContainsFunc(got, func(v float32) bool { return v != v }) {
		return "the model gives numbers that are none (NaN)"
	}
	if near(softmax(got), want) {
		return "the training side has probabilities: certify the scores before the softmax"
	}
	if near(got, softmax(want)) {
		return "the model applies the softmax itself: certify its own output, and set output.activation to none"
	}
	a, b := slices.Clone(got), slices.Clone(want)
	slices.Sort(a)
	slices.Sort(b)
	if near(a, b) {
		return "the same scores in another order: the classes were sorted differently when the model was exported"
	}
	return "the tensor was the same, so the model file is not the one that was certified, or its weights were rounded on the way"
}

func near(a, b []float32) bool {
	scale, worst := 0.0, 0.0
	for i := range a {
		worst = max(worst, math.Abs(float64(a[i])-float64(b[i])))
		scale = max(scale, math.Abs(float64(b[i])))
	}
	return worst <= 1e-3*scale
}

func softmax(v []float32) []float32 {
	top, sum := float64(slices.Max(v)), 0.0
	out := make([]float32, len(v))
	for _, x := range v {
		sum += math.Exp(float64(x) - top)
	}
	for i, x := range v {
		out[i] = float32(math.Exp(float64(x)-top) / sum)
	}
	return out
}

// ComparePicture holds what our decoder made of the case's picture to the RGB
// array of the training side. It does not decide, since the other stages start
// from that array: the result is a warning, or "".
func (c *Case) ComparePicture(b *Binding, img *picture.Image, format picture.Format, decoder string) string {
	rgb, w, h, err := img.RGB(b.Recipe.Background)
	if err != nil {
		return fmt.Sprintf("picture: case %s: %v", wording.Quote(c.Name), err)
	}
	if w != c.Width || h != c.Height {
		cause := "the training side read another picture, or resized it before"
		if w == c.Height && h == c.Width {
			cause = "the training side did not turn it as its EXIF orientation says"
		}
		return fmt.Sprintf("picture: case %s: %s is %d x %d here and %d x %d in training; %s", wording.Quote(c.Name), wording.Quote(c.File), w, h, c.Width, c.Height, cause)
	}
	worst, sum := 0, 0
	for i, v := range rgb {
		d := max(int(v)-int(c.RGB[i]), int(c.RGB[i])-int(v))
		worst, sum = max(worst, d), sum+d
	}
	mean := float64(sum) / float64(len(rgb))
	// WebP may be either; only what cannot be lossy is held to the byte.
	lossy := format == picture.JPEG || format == picture.WebP
	if worst == 0 || lossy && mean <= jpegLevels {
		return ""
	}
	return fmt.Sprintf("picture: case %s: %s decodes to pixels that differ from training's by %s levels in the mean (%d at most); the decoder here is %s%s",
		wording.Quote(c.Name), wording.Quote(c.File), figure(mean), worst, decoder, pictureCause(img, lossy))
}

func pictureCause(img *picture.Image, lossy bool) string {
	switch {
	case img.Channels == 4:
		return ", and transparent pixels lie over preprocess.background"
	case img.Orientation > 1:
		return ", and the picture is turned as its EXIF orientation says"
	case lossy:
		return ""
	}
	return ", and a lossless picture should be equal to the byte"
}
