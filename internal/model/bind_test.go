package model_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/goshawk-ai/goshawk/internal/model"
	"github.com/goshawk-ai/goshawk/internal/picture"
	"github.com/goshawk-ai/goshawk/internal/problem"
	"github.com/goshawk-ai/goshawk/internal/tensor"
)

// spec makes a declared tensor; no sizes at all is a scalar.
func spec(name string, typ tensor.Type, shape ...int64) tensor.Spec {
	return tensor.Spec{Name: name, Type: typ, Kind: "tensor", Ranked: true, Shape: append([]int64{}, shape...), Symbols: make([]string, len(shape))}
}

func unranked(name string) tensor.Spec {
	return tensor.Spec{Name: name, Type: tensor.Float32, Kind: "tensor"}
}

func kind(name, kind string) tensor.Spec { return tensor.Spec{Name: name, Kind: kind} }

// bind takes what a manifest says of preprocess, input and output, and ten labels.
func bind(t *testing.T, says string, in, out []tensor.Spec) (*model.Binding, error) {
	t.Helper()
	if !strings.Contains(says, "preprocess:") {
		says = "preprocess: {resize: {mode: exact, size: 32}, rescale: 1/255, mean: 0.5, std: 0.25}\n" + says
	}
	if !strings.Contains(says, "output:") {
		says += "output: {labels: [a, b, c, d, e, f, g, h, i, j]}\n"
	} else {
		says = strings.Replace(says, "output: {", "output: {labels: [a, b, c, d, e, f, g, h, i, j], ", 1)
	}
	m, labels, err := model.ParseManifest("goshawk.yaml", []byte("apiVersion: goshawk/v1\nkind: Model\nname: m\nmodel: m.onnx\n"+says))
	if err != nil {
		t.Fatalf("%v in\n%s", err, says)
	}
	return model.Bind(&model.Package{Manifest: m, Labels: labels}, in, out)
}

var (
	scores    = []tensor.Spec{spec("logits", tensor.Float32, -1, 10)}
	picture32 = []tensor.Spec{spec("input", tensor.Float32, -1, 3, 32, 32)}
)

func TestABindingIsComplete(t *testing.T) {
	out := []tensor.Spec{scores[0], spec("features", tensor.Float32, -1, 64)}
	b, err := bind(t, "output: {tensor: logits, embedding: features, temperature: 2, top_k: 20}\n", picture32, out)
	if err != nil {
		t.Fatal(err)
	}
	features := out[1]
	want := &model.Binding{
		Input: spec("input", tensor.Float32, -1, 3, 32, 32),
		Recipe: picture.Recipe{
			Background: [3]uint8{255, 255, 255}, Resize: picture.Resize{Mode: picture.Exact, Width: 32, Height: 32, Filter: picture.Bilinear, Antialias: true},
			Color: picture.RGB, Rescale: 1. / 255, Mean: [3]float64{0.5, 0.5, 0.5}, Std: [3]float64{0.25, 0.25, 0.25},
			Layout: picture.NCHW, Type: tensor.Float32, Width: 32, Height: 32,
		},
		Logits: scores[0], Classes: 10, Activation: model.Softmax, Temperature: 2, TopK: 10, Embedding: &features,
	}
	if diff := cmp.Diff(want, b); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestLayoutAndSizeAreReadFromTheModel is the table of what fits.
func TestLayoutAndSizeAreReadFromTheModel(t *testing.T) {
	const exact, half = "preprocess: {resize: {mode: exact}}\n", "preprocess: {resize: {mode: short-side, size: 256}, crop: {fraction: 0.875}}\n"
	const open, centre = "preprocess: {resize: {mode: short-side}, crop: {fraction: 0.875}}\n", "preprocess: {resize: {mode: short-side, size: 48}, crop: {size: [24, 40], rounding: down}}\n"
	for _, c := range []struct {
		name   string
		says   string
		in     tensor.Spec
		layout picture.Layout
		color  picture.Color
		resize [2]int // height, width
		h, w   int
		batch  int
	}{
		{"NCHW", exact, spec("x", tensor.Float32, -1, 3, 32, 32), picture.NCHW, picture.RGB, [2]int{32, 32}, 32, 32, 0},
		{"NHWC", exact, spec("x", tensor.Float32, -1, 32, 32, 3), picture.NHWC, picture.RGB, [2]int{32, 32}, 32, 32, 0},
		{"height and width differ", exact, spec("x", tensor.Float32, -1, 3, 48, 96), picture.NCHW, picture.RGB, [2]int{48, 96}, 48, 96, 0},
		{"they differ in NHWC", exact, spec("x", tensor.Float32, -1, 48, 96, 3), picture.NHWC, picture.RGB, [2]int{48, 96}, 48, 96, 0},
		{"one pixel", exact, spec("x", tensor.Float32, -1, 3, 1, 1), picture.NCHW, picture.RGB, [2]int{1, 1}, 1, 1, 0},
		{"one channel", exact, spec("x", tensor.Float32, -1, 1, 28, 28), picture.NCHW, picture.Gray, [2]int{28, 28}, 28, 28, 0},
		{"one channel last", exact, spec("x", tensor.Float32, -1, 28, 28, 1), picture.NHWC, picture.Gray, [2]int{28, 28}, 28, 28, 0},
		{"three rows, said", exact + "input: {layout: NHWC}\n", spec("x", tensor.Float32, -1, 3, 3, 3), picture.NHWC, picture.RGB, [2]int{3, 3}, 3, 3, 0},
		{"blue first", exact + "input: {color: BGR}\n", spec("x", tensor.Float32, -1, 3, 32, 32), picture.NCHW, picture.BGR, [2]int{32, 32}, 32, 32, 0},
		{"batch of 8", exact, spec("x", tensor.Float32, 8, 3, 32, 32), picture.NCHW, picture.RGB, [2]int{32, 32}, 32, 32, 8},
		{"open sizes", half + "input: {layout: NCHW}\n", spec("x", tensor.Float32, -1, -1, -1, -1), picture.NCHW, picture.RGB, [2]int{256, 256}, 224, 224, 0},
		{"no shape", half + "input: {layout: NHWC}\n", unranked("x"), picture.NHWC, picture.RGB, [2]int{256, 256}, 224, 224, 0},
		{"one side open", half, spec("x", tensor.Float32, -1, 3, 224, -1), picture.NCHW, picture.RGB, [2]int{256, 256}, 224, 224, 0},
		{"the resize from the fraction", open, spec("x", tensor.Float32, -1, 3, 224, 224), picture.NCHW, picture.RGB, [2]int{256, 256}, 224, 224, 0},
		{"the resize from the fraction, rounded down", open, spec("x", tensor.Float32, -1, 3, 299, 299), picture.NCHW, picture.RGB, [2]int{341, 341}, 299, 299, 0},
		{"a fraction that rounds up", strings.Replace(half, "256", "341", 1), spec("x", tensor.Float32, -1, 3, 299, 299), picture.NCHW, picture.RGB, [2]int{341, 341}, 299, 299, 0},
		{"a crop of its own", centre, spec("x", tensor.Float32, -1, 3, 24, 40), picture.NCHW, picture.RGB, [2]int{48, 48}, 24, 40, 0},
	} {
		b, err := bind(t, c.says, []tensor.Spec{c.in}, []tensor.Spec{unranked("logits")})
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		r := b.Recipe
		if r.Layout != c.layout || r.Color != c.color || r.Height != c.h || r.Width != c.w || b.Batch != c.batch || r.Resize.Height != c.resize[0] || r.Resize.Width != c.resize[1] {
			t.Errorf("%s: got %+v, batch %d; want %+v", c.name, r, b.Batch, c)
		}
		row := int64(1)
		for _, d := range b.Input.Shape[1:] {
			row *= d
		}
		if row*int64(r.Type.Size()) != int64(r.RowBytes()) {
			t.Errorf("%s: the input %v does not hold what the recipe fills, %d bytes", c.name, b.Input.Shape, r.RowBytes())
		}
	}
}

// TestIntegersTakePixelsAsTheyAre unless the file says how.
func TestIntegersTakePixelsAsTheyAre(t *testing.T) {
	const preset = "preprocess: {preset: cifar10}\n"
	for _, c := range []struct {
		says string
		typ  tensor.Type
		want string
	}{
		{preset, tensor.Uint8, ""},
		{preset, tensor.Int32, ""},
		{preset, tensor.Int64, ""},
		{preset, tensor.Int8, `goshawk.yaml: rescale, mean and std give values from 0 to 255, and the model's input "input" is int8, which holds -128 to 127`},
		{"preprocess: {resize: {mode: exact, size: 32}, mean: 128}\n", tensor.Int8, ""},
		{"preprocess: {resize: {mode: exact, size: 32}, rescale: 1/255}\n", tensor.Uint8, `goshawk.yaml: rescale, mean and std give values from 0 to 1, of which the model's input "input" (uint8) keeps whole numbers only; leave them out for 0 to 255`},
		{"preprocess: {resize: {mode: exact, size: 32}, mean: 10}\n", tensor.Uint8, `goshawk.yaml: rescale, mean and std give values from -10 to 245, and the model's input "input" is uint8, which holds 0 to 255`},
	} {
		b, err := bind(t, c.says, []tensor.Spec{spec("input", c.typ, -1, 3, 32, 32)}, scores)
		if c.want != "" {
			if err == nil || err.Error() != c.want {
				t.Errorf("%s %s:\n got %v\nwant %s", c.says, c.typ, err, c.want)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s %s: %v", c.says, c.typ, err)
		} else if b.Recipe.Rescale != 1 || b.Recipe.Std[0] != 1 {
			t.Errorf("%s: rescale %g, std %v; want pixels as they are", c.typ, b.Recipe.Rescale, b.Recipe.Std)
		}
	}
	for _, typ := range []tensor.Type{tensor.Float16, tensor.BFloat16, tensor.Float64, tensor.Float32} {
		b, err := bind(t, preset, []tensor.Spec{spec("input", typ, -1, 3, 32, 32)}, scores)
		if err != nil || b.Recipe.Type != typ || b.Recipe.Rescale == 1 {
			t.Errorf("%s: %v; want it accepted with the preset's numbers", typ, err)
		}
	}
}

// TestAModelThatDoesNotFitIsRefused: every sentence names what it is about.
func TestAModelThatDoesNotFitIsRefused(t *testing.T) {
	many := []tensor.Spec{spec("a", tensor.Float32, -1, 10), spec("b\x1b", tensor.Float32, -1, 10)}
	for _, c := range []struct {
		says    string
		in, out []tensor.Spec
		want    string
	}{
		{"", nil, scores, "the model has no input"},
		{"", picture32, nil, "the model has no output"},
		{"input: {tensor: x}\n", picture32, scores, `goshawk.yaml: input.tensor names "x", which the model does not have; its inputs are "input"`},
		{"", []tensor.Spec{picture32[0], spec("b", tensor.Float32, -1, 3, 9, 9)}, scores, `one image input is expected and 2 were found: "input", "b"`},
		{"", []tensor.Spec{picture32[0], spec("scale", tensor.Float32)}, scores, `the model has a second input, "scale" (float32 []), which no picture can fill; export it with a constant there`},
		{"input: {tensor: input}\n", []tensor.Spec{spec("scale", tensor.Float32, 2), picture32[0]}, scores, `the model has a second input, "scale" (float32 [2]), which no picture can fill; export it with a constant there`},
		{"", []tensor.Spec{kind("x", "sequence")}, scores, `the input "x" is a sequence, no image; models that take no pictures are of another kind (--kind tensor), served over /v2`},
		{"", []tensor.Spec{spec("x", tensor.String, -1)}, scores, `the input "x" takes strings; a picture is given as numbers, so take the decoding out of the model; models that take no pictures are of another kind (--kind tensor), served over /v2`},
		{"", []tensor.Spec{spec("x", tensor.Bool, -1, 3, 32, 32)}, scores, `the input "x" has the element type bool; pictures are given as float32, float16, bfloat16, float64, uint8, int8, int32 or int64`},
		{"", []tensor.Spec{spec("x", tensor.Invalid, -1, 3, 32, 32)}, scores, `the input "x" has an element type that is not known here`},
		{"", []tensor.Spec{spec("x", tensor.Float32, 3, 32, 32)}, scores, `the input "x" is float32 [3,32,32] and has no batch dimension; export the model with [N,C,H,W] or [N,H,W,C]`},
		{"", []tensor.Spec{spec("x", tensor.Float32, -1, 3072)}, scores, `the input "x" has rank 2 (float32 [?,3072]), which is no image; [N,C,H,W] or [N,H,W,C] is expected; models that take no pictures are of another kind (--kind tensor), served over /v2`},
		{"", []tensor.Spec{spec("x", tensor.Float32, -1, 3, 8, 32, 32)}, scores, `the input "x" has rank 5 (float32 [?,3,8,32,32]), which is no image; [N,C,H,W] or [N,H,W,C] is expected; models that take no pictures are of another kind (--kind tensor), served over /v2`},
		{"", []tensor.Spec{spec("x", tensor.Float32, 0, 3, 32, 32)}, scores, `the input "x" has batch size 0 (float32 [0,3,32,32])`},
		{"", []tensor.Spec{spec("x", tensor.Float32, 5000, 3, 32, 32)}, scores, `the input "x" has the fixed batch size 5000; at most 1024 is taken`},
		{"", []tensor.Spec{spec("x", tensor.Float32, -1, 3, 0, 32)}, scores, `the input "x" has a side of 0 (float32 [?,3,0,32])`},
		{"", []tensor.Spec{spec("x", tensor.Float32, -1, 4, 32, 32)}, scores, `the input "x" has 4 channels (float32 [?,4,32,32]); pictures are given with 3 (RGB) or 1 (GRAY)`},
		{"input: {layout: NCHW}\n", []tensor.Spec{spec("x", tensor.Float32, -1, 4, 32, 32)}, scores, `the input "x" has 4 channels (float32 [?,4,32,32] as NCHW); pictures are given with 3 (RGB) or 1 (GRAY)`},
		{"", []tensor.Spec{spec("x", tensor.Float32, -1, 7, 32, 32)}, scores, `the input "x" is float32 [?,7,32,32]: neither side has 3 channels (RGB) or 1 (GRAY)`},
		{"", []tensor.Spec{spec("x", tensor.Float32, -1, 3, 3, 3)}, scores, `the input "x" is float32 [?,3,3,3], which can be NCHW or NHWC; say which as input.layout in goshawk.yaml`},
		{"", []tensor.Spec{spec("x", tensor.Float32, -1, -1, -1, -1)}, scores, `the input "x" is float32 [?,?,?,?], which does not say where the channels are; say input.layout and the size (preprocess.resize.size) in goshawk.yaml`},
		{"input: {layout: NHWC}\n", picture32, scores, `goshawk.yaml: input.layout is NHWC and the model's input "input" is float32 [?,3,32,32], which has its channels elsewhere`},
		{"input: {color: GRAY}\n", picture32, scores, `the input "input" is float32 [?,3,32,32]: neither side has 3 channels (RGB) or 1 (GRAY)`},
		{"input: {color: RGB}\n", []tensor.Spec{spec("x", tensor.Float32, -1, 1, 32, 32)}, scores, `the input "x" has 1 channel (float32 [?,1,32,32] as NCHW) and input.color is RGB, which has 3`},
		{"", []tensor.Spec{spec("x", tensor.Float32, -1, 3, 20000, 20000)}, scores, `the input "x" is float32 [?,3,20000,20000]; pictures of more than 4194304 pixels or 8192 a side are not made`},
		{"", []tensor.Spec{spec("x", tensor.Float32, -1, 3, 64, 32)}, scores, `goshawk.yaml: preprocess.resize makes pictures of 32 x 32 and the model's input "x" takes 64 x 32 (height x width)`},
		{"preprocess: {preset: imagenet}\n", []tensor.Spec{spec("x", tensor.Float32, -1, 3, 299, -1)}, scores, `goshawk.yaml: preprocess.crop makes pictures of 224 x 224 and the model's input "x" takes 299 x any (height x width)`},
		{"preprocess: {resize: {mode: exact}}\n", []tensor.Spec{spec("x", tensor.Float32, -1, 3, -1, -1)}, scores, `the input "x" is float32 [?,3,?,?], which does not say the size of the picture; say it as preprocess.resize.size in goshawk.yaml`},
		{"preprocess: {resize: {mode: short-side}, crop: {fraction: 0.01}}\n", []tensor.Spec{spec("x", tensor.Float32, -1, 3, 224, 224)}, scores, `goshawk.yaml: preprocess makes pictures of 22400 x 22400 before the crop; at most 8192 a side and 4194304 pixels are made`},
		{"preprocess: {resize: {mode: exact}}\n", []tensor.Spec{spec("x", tensor.Float32, 1024, 3, 1024, 1024)}, scores, `a run of the input "x" (float32 [1024,3,1024,1024]) takes 12884901888 bytes; at most 1073741824 are taken`},

		{"", picture32, many, `the model has 2 outputs: "a", "b\x1b"; say which holds the scores, as output.tensor in goshawk.yaml`},
		{"output: {tensor: scores}\n", picture32, many, `goshawk.yaml: output.tensor names "scores", which the model does not have; its outputs are "a", "b\x1b"`},
		{"", picture32, []tensor.Spec{kind("p", "sequence of maps")}, `the output "p" is a sequence of maps, as scikit-learn's exporter writes; export with the option zipmap off`},
		{"", picture32, []tensor.Spec{kind("p", "optional")}, `the output "p" is an optional, no tensor of scores`},
		{"", picture32, []tensor.Spec{spec("p", tensor.Int64, -1)}, `the output "p" is int64 [?]: scores are expected, and these are class numbers; export the model without its ArgMax`},
		{"", picture32, []tensor.Spec{spec("p", tensor.Uint8, -1, 10)}, `the output "p" is uint8 [?,10]; scores are float32, float16, bfloat16 or float64`},
		{"", picture32, []tensor.Spec{spec("p", tensor.Float32)}, `the output "p" is one number for all pictures; a row of scores each is expected`},
		{"", picture32, []tensor.Spec{spec("p", tensor.Float32, 10)}, `the output "p" is float32 [10] and has no batch dimension, while the input takes any number of pictures`},
		{"", picture32, []tensor.Spec{spec("p", tensor.Float32, -1, 10, 32, 32)}, `the output "p" is float32 [?,10,32,32]: a map or a sequence, no row of scores; this is not a classifier`},
		{"", picture32, []tensor.Spec{spec("p", tensor.Float32, -1, 10, -1, -1)}, `the output "p" is float32 [?,10,?,?]: a map or a sequence, no row of scores; this is not a classifier`},
		{"", picture32, []tensor.Spec{spec("p", tensor.Float32, -1, 0)}, `the output "p" is float32 [?,0] and holds nothing`},
		{"", picture32, []tensor.Spec{spec("p", tensor.Float32, 0, 10)}, `the output "p" has batch size 0 (float32 [0,10])`},
		{"", []tensor.Spec{spec("x", tensor.Float32, 8, 3, 32, 32)}, []tensor.Spec{spec("p", tensor.Float32, 4, 10)}, `the input takes 8 pictures at a time and the output "p" gives 4 rows (float32 [4,10])`},
		{"", picture32, []tensor.Spec{spec("p", tensor.Float32, -1, 7)}, `the model's output "p" has 7 classes and there are 10 labels`},
		{"", picture32, []tensor.Spec{spec("p", tensor.Float32, -1, 1)}, `the model has 1 output, and softmax over one value is always 1; with one label, output.activation: sigmoid is what a yes-or-no model wants`},
		{"output: {activation: sigmoid}\n", picture32, []tensor.Spec{spec("p", tensor.Float32, -1, 1)}, `the model's output "p" has 1 class and there are 10 labels`},
		{"output: {embedding: e}\n", picture32, scores, `goshawk.yaml: output.embedding names "e", which the model does not have; its outputs are "logits"`},
		{"output: {tensor: logits, embedding: logits}\n", picture32, scores, `goshawk.yaml: output.embedding and output.tensor are the same output, "logits"`},
		{"output: {embedding: e}\n", picture32, []tensor.Spec{scores[0], spec("e", tensor.Float32, -1, 7, 7)}, `the output "e" is float32 [?,7,7]: a map or a sequence, no row of values; this is not a classifier`},
	} {
		_, err := bind(t, c.says, c.in, c.out)
		if err == nil || err.Error() != c.want {
			t.Errorf("%s\n got %v\nwant %s", c.says, err, c.want)
		} else if !errors.Is(err, problem.ModelInvalid) {
			t.Errorf("%v is no problem of kind model-invalid", err)
		}
	}
}

func TestOutputsOfOtherShapesAreRead(t *testing.T) {
	one := []tensor.Spec{spec("input", tensor.Float32, 1, 3, 32, 32)}
	for name, c := range map[string]struct {
		in, out []tensor.Spec
		classes int
		batch   int
	}{
		"[N,10,1,1]":             {picture32, []tensor.Spec{spec("p", tensor.Float32, -1, 10, 1, 1)}, 10, 0},
		"[N,1,10]":               {picture32, []tensor.Spec{spec("p", tensor.Float32, -1, 1, 10)}, 10, 0},
		"[N,?]":                  {picture32, []tensor.Spec{spec("p", tensor.Float32, -1, -1)}, 0, 0},
		"no shape":               {picture32, []tensor.Spec{unranked("p")}, 0, 0},
		"[10] for one picture":   {one, []tensor.Spec{spec("p", tensor.Float32, 10)}, 10, 1},
		"float16":                {picture32, []tensor.Spec{spec("p", tensor.Float16, -1, 10)}, 10, 0},
		"one row for any number": {picture32, []tensor.Spec{spec("p", tensor.Float32, 1, 10)}, 10, 1},
		"open rows for a batch":  {one, []tensor.Spec{spec("p", tensor.Float32, -1, 10)}, 10, 1},
	} {
		b, err := bind(t, "", c.in, c.out)
		if err != nil || b.Classes != c.classes || b.Batch != c.batch {
			t.Errorf("%s: %+v, %v; want %d classes, batch %d", name, b, err, c.classes, c.batch)
		}
	}
}

func TestTheOutputBesideTheEmbeddingHoldsTheScores(t *testing.T) {
	b, err := bind(t, "output: {embedding: e}\n", picture32, []tensor.Spec{spec("e", tensor.Float32, -1, 64), scores[0]})
	if err != nil || b.Logits.Name != "logits" || b.Embedding == nil || b.Embedding.Name != "e" {
		t.Errorf("%+v, %v; want logits, the one that is left", b, err)
	}
}

func TestATensorPackageHasNoBinding(t *testing.T) {
	m, _, err := model.ParseManifest("f", []byte("apiVersion: goshawk/v1\nkind: Tensor\nname: sums\nmodel: m.onnx\n"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := model.Bind(&model.Package{Manifest: m}, picture32, scores); err == nil || err.Error() != "sums is of kind Tensor: it takes no pictures" {
		t.Errorf("got %v", err)
	}
}
