package picture

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/goshawk-ai/goshawk/internal/problem"
	"github.com/goshawk-ai/goshawk/internal/tensor"
)

func TestValidateNamesTheField(t *testing.T) {
	good := imagenet()
	if err := good.Validate(); err != nil {
		t.Fatalf("the usual recipe was refused: %v", err)
	}
	for _, c := range []struct {
		spoil func(r *Recipe)
		want  string
	}{
		{func(r *Recipe) { r.Color = "YUV" }, `input.color is "YUV"; it must be RGB, BGR or GRAY`},
		{func(r *Recipe) { r.Color = Color(strings.Repeat("x", 999)) }, "…"},
		{func(r *Recipe) { r.Layout = "NCWH" }, "input.layout"},
		{func(r *Recipe) { r.Type = tensor.String }, "the type string"},
		{func(r *Recipe) { r.Type = tensor.Invalid }, "the type"},
		{func(r *Recipe) { r.Width = 0 }, "at least 1"},
		{func(r *Recipe) { r.Width = 1 << 40 }, "4096"},
		{func(r *Recipe) { r.Rescale = 0 }, "preprocess.rescale"},
		{func(r *Recipe) { r.Rescale = math.NaN() }, "preprocess.rescale"},
		{func(r *Recipe) { r.Mean[2] = math.Inf(1) }, "preprocess.mean"},
		{func(r *Recipe) { r.Std[1] = 0 }, "preprocess.std"},
		{func(r *Recipe) { r.Resize.Mode = "fit" }, "preprocess.resize.mode"},
		{func(r *Recipe) { r.Resize.Filter = "" }, "preprocess.resize.filter"},
		{func(r *Recipe) { r.Resize.Width = 300 }, "one number"},
		{func(r *Recipe) { r.Resize.Height = -1 }, "preprocess.resize.size"},
		{func(r *Recipe) { r.Resize = Resize{Mode: Exact, Filter: Bilinear, Height: 5} }, "preprocess.resize.size"},
		{func(r *Recipe) { r.Crop = Crop{} }, "leaves the long side open"},
		{func(r *Recipe) { r.Crop.Fraction = 0.875 }, "give one"},
		{func(r *Recipe) { r.Crop = Crop{Fraction: 1.5} }, "preprocess.crop.fraction"},
		{func(r *Recipe) { r.Crop = Crop{Fraction: math.NaN()} }, "preprocess.crop.fraction"},
		{func(r *Recipe) { r.Crop = Crop{Fraction: 0.5} }, "is 128 x 128, but the model's input is 224 x 224"},
		{func(r *Recipe) { r.Crop = Crop{Fraction: 0.875}; r.Resize = Resize{} }, "needs preprocess.resize"},
		{func(r *Recipe) { r.Crop = Crop{Width: 192, Height: 192} }, "192 x 192, but the model's input is 224 x 224"},
		{func(r *Recipe) { r.Crop = Crop{Width: 192} }, "preprocess.crop.size"},
		{func(r *Recipe) {
			r.Crop, r.Resize = Crop{}, Resize{Mode: Exact, Filter: Bilinear, Width: 299, Height: 299}
		}, "299 x 299, but"},
	} {
		r := imagenet()
		c.spoil(&r)
		err := r.Validate()
		if err == nil || !strings.Contains(err.Error(), c.want) || len(err.Error()) > 250 {
			t.Errorf("got %v, want a short sentence with %q", err, c.want)
		}
		if _, err := r.Prepare(); err == nil {
			t.Errorf("Prepare took a recipe that lacks %q", c.want)
		}
	}
}

func TestValidateTakesWhatModelsReallyHave(t *testing.T) {
	for why, change := range map[string]func(r *Recipe){
		"crop fraction":                func(r *Recipe) { r.Crop = Crop{Fraction: 0.875} },
		"a fraction that rounds":       func(r *Recipe) { r.Resize.Height, r.Crop = 235, Crop{Fraction: 0.95} },
		"fraction of an exact resize":  func(r *Recipe) { r.Resize = Resize{Exact, 256, 256, Lanczos, true}; r.Crop = Crop{Fraction: 0.875} },
		"a crop larger than the sides": func(r *Recipe) { r.Resize.Height = 200 },
		"no resize":                    func(r *Recipe) { r.Resize, r.Crop = Resize{}, Crop{} },
		"grey has no second std":       func(r *Recipe) { r.Color, r.Std = Gray, [3]float64{1} },
		"short side by width":          func(r *Recipe) { r.Resize.Width, r.Resize.Height = 256, 0 },
	} {
		r := imagenet()
		change(&r)
		if err := r.Validate(); err != nil {
			t.Errorf("%s: refused: %v", why, err)
		}
	}
}

func TestRowBytesAndShape(t *testing.T) {
	r := imagenet()
	if r.RowBytes() != 3*224*224*4 {
		t.Errorf("RowBytes = %d, want 3*224*224*4", r.RowBytes())
	}
	r.Color, r.Type, r.Layout, r.Width = Gray, tensor.BFloat16, NHWC, 100
	if r.RowBytes() != 224*100*2 {
		t.Errorf("RowBytes = %d, want 224*100*2", r.RowBytes())
	}
	if s := r.Shape(); s[0] != 224 || s[1] != 100 || s[2] != 1 {
		t.Errorf("Shape = %v, want [224 100 1]", s)
	}
}

// The numbers are what torchvision 0.2x computes for Resize(256), CenterCrop(224).
func TestSizesFollowTorchvision(t *testing.T) {
	r := imagenet()
	for _, c := range []struct{ w, h, width, height, x, y int }{
		{500, 375, 341, 256, 58, 16}, // 58.5 goes to the even neighbour
		{375, 500, 256, 341, 16, 58},
		{343, 256, 343, 256, 60, 16}, // 59.5 as well
		{256, 256, 256, 256, 16, 16},
		{100, 1, 25600, 256, 12688, 16},
		{1, 100, 256, 25600, 16, 12688},
		{4272, 2848, 384, 256, 80, 16},
		{333, 250, 340, 256, 58, 16}, // 340.99 is cut
	} {
		f, err := r.frame(c.w, c.h)
		if err != nil {
			t.Fatal(err)
		}
		if f.width != c.width || f.height != c.height || f.x != c.x || f.y != c.y {
			t.Errorf("%d x %d: resized to %d x %d, cropped at %d, %d; want %d x %d, %d, %d",
				c.w, c.h, f.width, f.height, f.x, f.y, c.width, c.height, c.x, c.y)
		}
	}
	r.Crop.Floor = true
	if f, _ := r.frame(343, 256); f.x != 59 {
		t.Errorf("with Floor the crop begins at %d, want 59 as in Hugging Face's processors", f.x)
	}
}

func TestACropLargerThanThePictureIsPaddedWithBlack(t *testing.T) {
	r := levels(4, 3, Resize{})
	r.Color, r.Crop, r.Background = Gray, Crop{Width: 4, Height: 3}, [3]uint8{99, 99, 99}
	img := &Image{Pix: []byte{5}, Width: 1, Height: 1, Channels: 1}
	got := fill(t, r, img)
	for i, v := range got {
		if want := map[bool]byte{true: 5}[i == 5]; v != want { // left 1 of 3, top 1 of 2
			t.Fatalf("got %v, want 5 at (1, 1) and black elsewhere, as torchvision's CenterCrop", got)
		}
	}
}

func TestALetterboxStandsOnTheBackground(t *testing.T) {
	r := levels(4, 2, Resize{Mode: Letterbox, Width: 4, Height: 2, Filter: Nearest})
	r.Color, r.Background = Gray, [3]uint8{99, 99, 99}
	img := &Image{Pix: []byte{5, 6, 7, 8}, Width: 2, Height: 2, Channels: 1}
	if got, want := fill(t, r, img), []byte{99, 5, 6, 99, 99, 7, 8, 99}; string(got) != string(want) {
		t.Fatalf("got %v, want %v", got, want)
	}
}

func TestWithoutResizeAPictureOfAnotherSizeIsTheClientsMistake(t *testing.T) {
	r := levels(4, 4, Resize{})
	err := r.Fill(tensor.Aligned(r.RowBytes()), noise(5, 4, 3, 1, 1), nil)
	if !errors.Is(err, problem.InvalidRequest) || !strings.Contains(err.Error(), "4 x 4 pixels") || !strings.Contains(err.Error(), "5 x 4") {
		t.Fatalf("got %v, want an invalid request that names both sizes", err)
	}
}

func TestNormalizeAndLevelAreInverse(t *testing.T) {
	r := imagenet()
	for v := range 256 {
		if got := r.Level(1, r.Normalize(1, float64(v))); math.Abs(got-float64(v)) > 1e-9 {
			t.Fatalf("Level(Normalize(%d)) = %v", v, got)
		}
	}
}
