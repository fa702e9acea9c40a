package model

import (
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/goshawk-ai/goshawk/internal/picture"
	"github.com/goshawk-ai/goshawk/internal/problem"
	"github.com/goshawk-ai/goshawk/internal/tensor"
)

// imagenet is the recipe that most models of this kind were trained with.
func imagenet() picture.Recipe {
	return picture.Recipe{
		Resize: picture.Resize{Mode: picture.ShortSide, Height: 64, Filter: picture.Bilinear, Antialias: true},
		Crop:   picture.Crop{Width: 56, Height: 56},
		Color:  picture.RGB, Layout: picture.NCHW, Type: tensor.Float32, Width: 56, Height: 56,
		Rescale: 1. / 255, Mean: [3]float64{0.485, 0.456, 0.406}, Std: [3]float64{0.229, 0.224, 0.225},
	}
}

// scene is a picture with areas, edges and fine structure, and no symmetry.
func scene(w, h int) []uint8 {
	random := rand.New(rand.NewPCG(7, 7))
	rgb := make([]uint8, 0, 3*w*h)
	for y := range h {
		for x := range w {
			r, g, b := 200*x/w, 30+180*y/h, 90
			if (x-w/3)*(x-w/3)+(y-h/2)*(y-h/2) < w*h/16 {
				r, g, b = 240, 180, 20
			}
			if (3*x+2*y)%31 < 4 {
				r, g, b = 10, 40, 160
			}
			n := random.IntN(24)
			rgb = append(rgb, uint8(r+n/2), uint8(g+n), uint8(b+n))
		}
	}
	return rgb
}

// certified is what a training side with this recipe would have written.
func certified(t *testing.T, training picture.Recipe) *Case {
	t.Helper()
	c := &Case{Name: "scene", RGB: scene(151, 100), Width: 151, Height: 100}
	data := tensor.Aligned(training.RowBytes())
	if err := training.Fill(data, c.image(), nil); err != nil {
		t.Fatal(err)
	}
	c.Tensor = &tensor.Tensor{Type: training.Type, Shape: training.Shape(), Data: data}
	return c
}

func TestARightPackagePasses(t *testing.T) {
	for _, typ := range []tensor.Type{tensor.Float32, tensor.Float16, tensor.BFloat16, tensor.Float64} {
		training, served := imagenet(), imagenet()
		served.Type = typ
		if err := certified(t, training).CompareTensor(&Binding{Recipe: served}); err != nil {
			t.Errorf("served as %s: %v", typ, err)
		}
	}
	plain := imagenet()
	plain.Type, plain.Rescale, plain.Mean, plain.Std = tensor.Uint8, 1, [3]float64{}, [3]float64{1, 1, 1}
	plain.Layout = picture.NHWC
	if err := certified(t, plain).CompareTensor(&Binding{Recipe: plain}); err != nil {
		t.Errorf("uint8 NHWC: %v", err)
	}
}

// Each sabotage is a package that differs from its training in what people get
// wrong. The sentence must name the setting and what it is in training.
func TestSabotagesAreCaughtAndNamed(t *testing.T) {
	for _, c := range []struct {
		name     string
		sabotage func(r *picture.Recipe) // of the package; training is right
		want     []string
	}{
		{
			"wrong filter", func(r *picture.Recipe) { r.Resize.Filter = picture.Bicubic },
			[]string{"resizing with the bilinear filter would match: preprocess.resize.filter is bilinear in training"},
		},
		{
			"nearest", func(r *picture.Recipe) { r.Resize.Filter = picture.Nearest },
			[]string{"preprocess.resize.filter is bilinear in training"},
		},
		{
			"swapped channels", func(r *picture.Recipe) { r.Color = picture.BGR },
			[]string{"swapping channels R and B would match: input.color is RGB in training"},
		},
		{
			"forgotten antialias", func(r *picture.Recipe) { r.Resize.Antialias = false },
			[]string{"resizing with antialias would match: preprocess.resize.antialias is true in training"},
		},
		{
			"wrong crop fraction", func(r *picture.Recipe) { r.Resize.Height = 56 },
			[]string{"resizing to 64 would match: preprocess.resize.size is 64 (a crop fraction of 0.875) in training"},
		},
		{
			"an odd crop fraction", func(r *picture.Recipe) { r.Resize.Height = 75 },
			[]string{"preprocess.resize.size is 64 (a crop fraction of 0.875) in training"},
		},
		{
			"squashed", func(r *picture.Recipe) { r.Resize.Mode, r.Resize.Width = picture.Exact, 64 },
			[]string{"preprocess.resize.mode is short-side in training"},
		},
		{
			"forgotten rescale", func(r *picture.Recipe) { r.Rescale = 1 },
			[]string{"normalizing otherwise would match: preprocess has rescale 1/255 in training"},
		},
		{
			"forgotten mean and std", func(r *picture.Recipe) { r.Mean, r.Std = [3]float64{}, [3]float64{1, 1, 1} },
			[]string{"preprocess has mean [0.485, 0.456, 0.406], std [0.229, 0.224, 0.225] in training"},
		},
		{
			"another mean", func(r *picture.Recipe) { r.Mean = [3]float64{0.5, 0.5, 0.5} },
			[]string{"preprocess has mean [0.485, 0.456, 0.406] in training"},
		},
		{
			"layout", func(r *picture.Recipe) { r.Layout = picture.NHWC },
			[]string{"has the shape [3 56 56] in training, the package makes [56 56 3]", "input.layout is NHWC here and NCHW in training"},
		},
		{
			"tensor size", func(r *picture.Recipe) { r.Width, r.Height, r.Crop = 48, 48, picture.Crop{Width: 48, Height: 48} },
			[]string{"[3 56 56] in training", "preprocess.crop.size"},
		},
		{
			"grey", func(r *picture.Recipe) { r.Color = picture.Gray },
			[]string{"input.color"},
		},
		{
			"filter and channels", func(r *picture.Recipe) { r.Resize.Filter, r.Color = picture.Lanczos, picture.BGR },
			[]string{"resizing with the bilinear filter and swapping channels R and B would match"},
		},
		{
			"filter and antialias", func(r *picture.Recipe) { r.Resize.Filter, r.Resize.Antialias = picture.Bicubic, false },
			[]string{"filter is bilinear and preprocess.resize.antialias is true in training"},
		},
		{
			"crop fraction and antialias", func(r *picture.Recipe) { r.Resize.Height, r.Resize.Antialias = 56, false },
			[]string{"preprocess.resize.size is 64", "preprocess.resize.antialias is true in training"},
		},
		{
			"channels and their mean", func(r *picture.Recipe) { r.Color, r.Rescale = picture.BGR, 1 },
			[]string{"swapping channels R and B and normalizing otherwise would match"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			served := imagenet()
			c.sabotage(&served)
			err := certified(t, imagenet()).CompareTensor(&Binding{Recipe: served})
			if !errors.Is(err, problem.ModelInvalid) {
				t.Fatalf("got %v, want the package refused", err)
			}
			if !strings.HasPrefix(err.Error(), `tensor: case "scene": `) {
				t.Errorf("%q does not begin with the stage and the case", err)
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("got %q, want %q in it", err, want)
				}
			}
			t.Log(err)
		})
	}
}

// Half of all pictures have an odd rest around the crop, and libraries disagree
// about it: this is one that has.
func TestTheCropsOddPixelIsNamed(t *testing.T) {
	training := imagenet()
	training.Resize.Height, training.Crop.Floor = 63, true // 95 - 56 = 39: 19 or 20
	served := training
	served.Crop.Floor = false
	err := certified(t, training).CompareTensor(&Binding{Recipe: served})
	if err == nil || !strings.Contains(err.Error(), "preprocess.crop.rounding is down") {
		t.Fatalf("got %v, want the rounding named", err)
	}
}

func TestADifferenceWithoutAKnownCauseSaysSo(t *testing.T) {
	c := certified(t, imagenet())
	values := tensor.View[float32](c.Tensor.Data)
	for i := range values {
		values[i] = float32(i % 7)
	}
	err := c.CompareTensor(&Binding{Recipe: imagenet()})
	if err == nil || !strings.Contains(err.Error(), "no setting that is usually mixed up explains it") {
		t.Fatalf("got %v, want an honest end", err)
	}
}

// One level is rounding; two are a mistake, even in a single pixel.
func TestTheTensorMayDifferByOneLevel(t *testing.T) {
	level := float32(1 / 255. / 0.224)
	for _, c := range []struct {
		off  float32
		pass bool
	}{{0.99, true}, {-0.99, true}, {1.5, false}, {-1.5, false}} {
		one := certified(t, imagenet())
		tensor.View[float32](one.Tensor.Data)[56*56+5] += c.off * level
		err := one.CompareTensor(&Binding{Recipe: imagenet()})
		if (err == nil) != c.pass {
			t.Errorf("%v levels in one value: got %v, want pass %v", c.off, err, c.pass)
		}
		if err != nil && !strings.Contains(err.Error(), "differs by 1.5 levels at most") {
			t.Errorf("got %q, want the figure", err)
		}
	}
	nan := certified(t, imagenet())
	tensor.View[float32](nan.Tensor.Data)[0] = float32(nanValue())
	if nan.CompareTensor(&Binding{Recipe: imagenet()}) == nil {
		t.Error("a tensor with NaN passed")
	}
}

func nanValue() float64 { z := 0.0; return z / z }

func TestLogits(t *testing.T) {
	c := &Case{Name: "scene", Logits: []float32{1, -8, 5, 4.9999}}
	for _, k := range []struct {
		name string
		got  []float32
		want string // "" passes
	}{
		{"equal", []float32{1, -8, 5, 4.9999}, ""},
		{"within the tolerance", []float32{1.0007, -8.0007, 5, 4.9999}, ""},
		{"another best class", []float32{1, -8, 4.9998, 4.9999}, "best class 3, 2 in training"},
		{"beyond", []float32{1.001, -8, 5, 4.9999}, "differ by 0.001 at most, 0.0008 is allowed"},
		{"another model", []float32{3, 1, 2, 0}, "the model file is not the one that was certified"},
		{"count", []float32{1, 2}, "the model gives 2 scores, the training side has 4"},
		{"softmax inside", softmax(c.Logits), "set output.activation to none"},
		{"sorted classes", []float32{-8, 1, 4.9999, 5}, "the classes were sorted differently"},
		{"not a number", []float32{float32(nanValue()), 1, 2, 3}, "NaN"},
	} {
		err := c.CompareLogits(k.got)
		switch {
		case k.want == "" && err != nil:
			t.Errorf("%s: refused: %v", k.name, err)
		case k.want != "" && (err == nil || !strings.Contains(err.Error(), k.want) || !strings.HasPrefix(err.Error(), `logits: case "scene": `)):
			t.Errorf("%s: got %v, want %q", k.name, err, k.want)
		}
	}
	probabilities := &Case{Name: "scene", Logits: softmax([]float32{1, -8, 5, 4})}
	if err := probabilities.CompareLogits([]float32{1, -8, 5, 4}); err == nil || !strings.Contains(err.Error(), "certify the scores before the softmax") {
		t.Errorf("got %v, want the certificate's softmax named", err)
	}
}

func TestPictures(t *testing.T) {
	c := &Case{Name: "scene", File: "scene.jpg", RGB: scene(30, 20), Width: 30, Height: 20}
	b := &Binding{Recipe: imagenet()}
	img := c.image()
	img.Pix = append([]uint8(nil), img.Pix...)
	for i := range img.Pix {
		img.Pix[i]++
	}
	if w := c.ComparePicture(b, c.image(), picture.PNG, "go"); w != "" {
		t.Errorf("equal pixels: %s", w)
	}
	if w := c.ComparePicture(b, img, picture.JPEG, "go"); w != "" {
		t.Errorf("one level in a JPEG is a decoder's right: %s", w)
	}
	if w := c.ComparePicture(b, img, picture.PNG, "go"); !strings.Contains(w, "lossless") {
		t.Errorf("one level in a PNG: got %q, want a warning", w)
	}
	for i := range img.Pix {
		img.Pix[i] += 40
	}
	if w := c.ComparePicture(b, img, picture.JPEG, "libjpeg-turbo 2.1.5"); !strings.Contains(w, "libjpeg-turbo 2.1.5") {
		t.Errorf("got %q, want a warning that names the decoder", w)
	}
	img.Orientation = 6
	if w := c.ComparePicture(b, img, picture.JPEG, "go"); !strings.Contains(w, "20 x 30 here and 30 x 20 in training") || !strings.Contains(w, "EXIF") {
		t.Errorf("got %q, want the orientation named", w)
	}
}
