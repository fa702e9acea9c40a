package model

import (
	"math"
	"strconv"

	"github.com/goshawk-ai/goshawk/internal/picture"
	"github.com/goshawk-ai/goshawk/internal/tensor"
	"github.com/goshawk-ai/goshawk/internal/wording"
)

// maxRun bounds the bytes of an input tensor whose batch size is fixed.
const maxRun = 1 << 30

// input settles everything about the picture's tensor.
func (b *binder) input(specs []tensor.Spec) error {
	in, err := b.pictureInput(specs)
	if err != nil {
		return err
	}
	b.Input = *in
	if err := b.pictureType(); err != nil {
		return err
	}
	dims, err := b.dims()
	if err != nil {
		return err
	}
	if err := b.layout(dims); err != nil {
		return err
	}
	if err := b.size(dims); err != nil {
		return err
	}
	return b.normalize()
}

func (b *binder) pictureInput(specs []tensor.Spec) (*tensor.Spec, error) {
	if len(specs) == 0 {
		return nil, refuse("the model has no input")
	}
	in := &specs[0]
	if name := b.m.Input.Tensor; name != "" {
		var err error
		if in, err = pick(specs, name, "input.tensor", "inputs"); err != nil {
			return nil, err
		}
	}
	if len(specs) == 1 {
		return in, nil
	}
	like := 0
	for i := range specs {
		if len(specs[i].Shape) == 4 {
			like++
		}
	}
	if like >= 2 {
		return nil, refuse("one image input is expected and %d were found: %s", like, wording.QuoteAll(names(specs)))
	}
	for i := range specs {
		if &specs[i] != in && (len(specs[i].Shape) != 4 || b.m.Input.Tensor != "") {
			return nil, refuse("the model has a second input, %s (%s), which no picture can fill; export it with a constant there", wording.Quote(specs[i].Name), shape(specs[i]))
		}
	}
	return nil, refuse("one image input is expected and %d inputs were found: %s", len(specs), wording.QuoteAll(names(specs)))
}

// pictureType says which element types a picture can be written in.
func (b *binder) pictureType() error {
	in := b.Input
	if in.Kind != "tensor" {
		return refuse("the input %s is %s, no image%s", wording.Quote(in.Name), shape(in), notAPictureModel)
	}
	switch in.Type {
	case tensor.Float32, tensor.Float16, tensor.BFloat16, tensor.Float64, tensor.Uint8, tensor.Int8, tensor.Int32, tensor.Int64:
		b.Recipe.Type = in.Type
		return nil
	case tensor.String:
		return refuse("the input %s takes strings; a picture is given as numbers, so take the decoding out of the model%s", wording.Quote(in.Name), notAPictureModel)
	case tensor.Invalid:
		return refuse("the input %s has an element type that is not known here", wording.Quote(in.Name))
	}
	return refuse("the input %s has the element type %s; pictures are given as float32, float16, bfloat16, float64, uint8, int8, int32 or int64", wording.Quote(in.Name), in.Type)
}

// dims checks rank and batch, and gives the three sizes after it.
func (b *binder) dims() ([]int64, error) {
	in := b.Input
	if !in.Ranked {
		return []int64{-1, -1, -1}, nil
	}
	switch len(in.Shape) {
	case 4:
	case 3:
		return nil, refuse("the input %s is %s and has no batch dimension; export the model with [N,C,H,W] or [N,H,W,C]", wording.Quote(in.Name), shape(in))
	default:
		return nil, refuse("the input %s has rank %d (%s), which is no image; [N,C,H,W] or [N,H,W,C] is expected%s", wording.Quote(in.Name), len(in.Shape), shape(in), notAPictureModel)
	}
	switch n := in.Shape[0]; {
	case n == 0:
		return nil, refuse("the input %s has batch size 0 (%s)", wording.Quote(in.Name), shape(in))
	case n > maxBatch:
		return nil, refuse("the input %s has the fixed batch size %d; at most %d is taken", wording.Quote(in.Name), n, maxBatch)
	case n > 0:
		b.Batch = int(n)
	}
	for _, d := range in.Shape[1:] {
		if d == 0 {
			return nil, refuse("the input %s has a side of 0 (%s)", wording.Quote(in.Name), shape(in))
		}
	}
	return in.Shape[1:], nil
}

// layout settles where the channels are and what they mean.
func (b *binder) layout(dims []int64) error {
	in, said := b.Input, b.m.Input
	layout := said.Layout
	if layout == "" {
		var err error
		if layout, err = b.readLayout(dims); err != nil {
			return err
		}
	}
	channels := dims[0]
	if layout == picture.NHWC {
		channels = dims[2]
	}
	color := said.Color
	if color == "" {
		if color = picture.RGB; channels == 1 {
			color = picture.Gray
		}
	}
	want := int64(3)
	if color == picture.Gray {
		want = 1
	}
	switch {
	case channels == 4:
		return refuse("the input %s has 4 channels (%s as %s); pictures are given with 3 (RGB) or 1 (GRAY)", wording.Quote(in.Name), shape(in), layout)
	case channels > 0 && channels != want && said.Layout != "" && otherAxis(dims, layout) == want:
		return refuse("%s: input.layout is %s and the model's input %s is %s, which has its channels elsewhere", ManifestName, layout, wording.Quote(in.Name), shape(in))
	case channels > 0 && channels != want:
		return refuse("the input %s has %s (%s as %s) and input.color is %s, which has %d", wording.Quote(in.Name), counted(int(channels), "channel", "channels"), shape(in), layout, color, want)
	}
	b.Recipe.Layout, b.Recipe.Color = layout, color
	return nil
}

func otherAxis(dims []int64, layout picture.Layout) int64 {
	if layout == picture.NHWC {
		return dims[0]
	}
	return dims[2]
}

// readLayout tells the layout from the shape: 3 channels win over 1, and what
// can be both is asked for.
func (b *binder) readLayout(dims []int64) (picture.Layout, error) {
	in := b.Input
	want := []int64{3, 1}
	if b.m.Input.Color == picture.Gray {
		want = []int64{1}
	}
	for _, channels := range want {
		first, last := dims[0] == channels, dims[2] == channels
		switch {
		case first && last:
			return "", refuse("the input %s is %s, which can be NCHW or NHWC; say which as input.layout in %s", wording.Quote(in.Name), shape(in), ManifestName)
		case first:
			return picture.NCHW, nil
		case last:
			return picture.NHWC, nil
		}
	}
	if dims[0] < 0 || dims[2] < 0 {
		return "", refuse("the input %s is %s, which does not say where the channels are; say input.layout and the size (preprocess.resize.size) in %s", wording.Quote(in.Name), shape(in), ManifestName)
	}
	if dims[0] == 4 || dims[2] == 4 {
		return "", refuse("the input %s has 4 channels (%s); pictures are given with 3 (RGB) or 1 (GRAY)", wording.Quote(in.Name), shape(in))
	}
	return "", refuse("the input %s is %s: neither side has 3 channels (RGB) or 1 (GRAY)", wording.Quote(in.Name), shape(in))
}

// size brings the model's height and width together with what resize and crop
// come to. Sizes are height x width in sentences.
func (b *binder) size(dims []int64) error {
	in := b.Input
	h, w := dims[1], dims[2]
	if b.Recipe.Layout == picture.NHWC {
		h, w = dims[0], dims[1]
	}
	if h > maxSide || w > maxSide || h > 0 && w > 0 && h*w > maxPixels {
		return refuse("the input %s is %s; pictures of more than %d pixels or %d a side are not made", wording.Quote(in.Name), shape(in), maxPixels, maxSide)
	}
	recipe := &b.Recipe
	recipe.Resize, recipe.Crop = b.m.Preprocess.Resize, picture.Crop{}
	recipe.Background, recipe.Exact = b.m.Preprocess.Background, b.m.Preprocess.Exact
	height, width, err := b.geometry(int(h), int(w))
	if err != nil {
		return err
	}
	if h > 0 && int(h) != height || w > 0 && int(w) != width {
		step := "preprocess.resize"
		if b.m.Preprocess.Crop != (picture.Crop{}) {
			step = "preprocess.crop"
		}
		return refuse("%s: %s makes pictures of %d x %d and the model's input %s takes %s x %s (height x width)", ManifestName, step, height, width, wording.Quote(in.Name), open(h), open(w))
	}
	recipe.Height, recipe.Width = height, width
	channels := int64(3)
	if recipe.Color == picture.Gray {
		channels = 1
	}
	row := int64(height) * int64(width) * channels * int64(recipe.Type.Size())
	if row*int64(max(1, b.Batch)) > maxRun {
		return refuse("a run of the input %s (%s) takes %d bytes; at most %d are taken", wording.Quote(in.Name), shape(in), row*int64(b.Batch), maxRun)
	}
	b.Input.Ranked = true
	b.Input.Shape = []int64{-1, channels, int64(height), int64(width)}
	if recipe.Layout == picture.NHWC {
		b.Input.Shape = []int64{-1, int64(height), int64(width), channels}
	}
	if b.Batch > 0 {
		b.Input.Shape[0] = int64(b.Batch)
	}
	b.Input.Symbols = make([]string, 4)
	return nil
}

func open(d int64) string {
	if d < 0 {
		return "any"
	}
	return strconv.FormatInt(d, 10)
}

// geometry works out the sizes that the file leaves open and returns what
// resize and crop come to. h and w are the model's, -1 where open.
func (b *binder) geometry(h, w int) (height, width int, err error) {
	resize, said := &b.Recipe.Resize, b.m.Preprocess.Crop
	if said.Fraction == 0 {
		if said.Height > 0 {
			b.Recipe.Crop = said
			height, width = said.Height, said.Width
		}
		return b.fill(resize, h, w, height, width)
	}
	if resize.Height == 0 {
		if h < 1 || w < 1 || resize.Mode == picture.ShortSide && h != w {
			return 0, 0, b.ask()
		}
		// As timm, torchvision and transformers do: rounded down.
		resize.Height, resize.Width = int(float64(h)/said.Fraction), int(float64(w)/said.Fraction)
		b.Recipe.Crop = picture.Crop{Height: h, Width: w, Floor: said.Floor}
		return h, w, b.fits(resize)
	}
	height, width = fraction(resize.Height, said.Fraction, h), fraction(resize.Width, said.Fraction, w)
	b.Recipe.Crop = picture.Crop{Height: height, Width: width, Floor: said.Floor}
	return height, width, nil
}

// fill takes the model's size where the file gives none. height and width are
// the crop's, 0 without one.
func (b *binder) fill(resize *picture.Resize, h, w, height, width int) (int, int, error) {
	if resize.Height == 0 {
		switch {
		case height > 0 && (resize.Mode != picture.ShortSide || height == width):
			resize.Height, resize.Width = height, width
		case height == 0 && h > 0 && w > 0 && resize.Mode != picture.ShortSide:
			resize.Height, resize.Width = h, w
		default:
			return 0, 0, b.ask()
		}
	}
	if height == 0 {
		height, width = resize.Height, resize.Width
	}
	return height, width, b.fits(resize)
}

func (b *binder) fits(resize *picture.Resize) error {
	if resize.Height > maxSide || resize.Width > maxSide || resize.Mode != picture.ShortSide && resize.Height*resize.Width > maxPixels {
		return refuse("%s: preprocess makes pictures of %d x %d before the crop; at most %d a side and %d pixels are made", ManifestName, resize.Height, resize.Width, maxSide, maxPixels)
	}
	return nil
}

func (b *binder) ask() error {
	return refuse("the input %s is %s, which does not say the size of the picture; say it as preprocess.resize.size in %s", wording.Quote(b.Input.Name), shape(b.Input), ManifestName)
}

// fraction of a side in pixels; both roundings are in use, so the model's own
// size decides where it is one of them.
func fraction(side int, part float64, want int) int {
	exact := float64(side) * part
	if down, up := int(math.Floor(exact)), int(math.Ceil(exact)); want == down || want == up {
		return want
	}
	return max(1, int(math.Round(exact)))
}

// normalize takes over rescale, mean and std, but for integers, which take
// 0..255 unless the file itself says otherwise.
func (b *binder) normalize() error {
	p, r := &b.m.Preprocess, &b.Recipe
	r.Rescale, r.Mean, r.Std = p.Rescale, p.Mean, p.Std
	var least, most float64
	switch r.Type {
	case tensor.Uint8:
		most = 255
	case tensor.Int8:
		least, most = -128, 127
	case tensor.Int32, tensor.Int64:
		least, most = math.MinInt32, math.MaxInt32
	default:
		return nil
	}
	if !p.Written {
		r.Rescale, r.Mean, r.Std = 1, [3]float64{}, [3]float64{1, 1, 1}
	}
	for c := range 3 {
		low, high := (0-r.Mean[c])/r.Std[c], (255*r.Rescale-r.Mean[c])/r.Std[c]
		if low < least-0.5 || high > most+0.5 {
			return refuse("%s: rescale, mean and std give values from %.4g to %.4g, and the model's input %s is %s, which holds %.0f to %.0f", ManifestName, low, high, wording.Quote(b.Input.Name), r.Type, least, most)
		}
		if high-low < 16 {
			return refuse("%s: rescale, mean and std give values from %.4g to %.4g, of which the model's input %s (%s) keeps whole numbers only; leave them out for 0 to 255", ManifestName, low, high, wording.Quote(b.Input.Name), r.Type)
		}
	}
	return nil
}
