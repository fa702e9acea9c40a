package picture

import (
	"bytes"
	"fmt"
	"runtime"
	"testing"

	"pgregory.net/rapid"

	"github.com/goshawk-ai/goshawk/internal/picture/turbo"
	"github.com/goshawk-ai/goshawk/internal/tensor"
)

// levels is a recipe that leaves 8-bit values as they are, so that a test can
// look at pixels.
func levels(w, h int, z Resize) Recipe {
	return Recipe{
		Resize: z, Color: RGB, Layout: NHWC, Type: tensor.Uint8, Width: w, Height: h,
		Rescale: 1, Std: [3]float64{1, 1, 1},
	}
}

func fill(t testing.TB, r Recipe, img *Image) []byte {
	t.Helper()
	dst := tensor.Aligned(r.RowBytes())
	if err := r.Fill(dst, img, nil); err != nil {
		t.Fatalf("Fill: %v", err)
	}
	return dst
}

var filters = []Filter{Nearest, Bilinear, Bicubic, Lanczos}

// drawRecipe makes any recipe that Validate takes, small.
func drawRecipe(t *rapid.T) Recipe {
	side := rapid.IntRange(1, 40)
	r := Recipe{
		Background: [3]uint8{rapid.Uint8().Draw(t, "bg"), 7, 250},
		Resize: Resize{
			Mode:   rapid.SampledFrom([]Mode{NoResize, ShortSide, Exact, Letterbox}).Draw(t, "mode"),
			Filter: rapid.SampledFrom(filters).Draw(t, "filter"), Antialias: rapid.Bool().Draw(t, "antialias"),
		},
		Color:   rapid.SampledFrom([]Color{RGB, BGR, Gray}).Draw(t, "color"),
		Layout:  rapid.SampledFrom([]Layout{NCHW, NHWC}).Draw(t, "layout"),
		Rescale: 1. / 255, Mean: [3]float64{0.4, 0.5, 0.6}, Std: [3]float64{0.2, 0.3, 0.1},
		Type: rapid.SampledFrom([]tensor.Type{
			tensor.Float32, tensor.Float16, tensor.BFloat16, tensor.Float64,
			tensor.Uint8, tensor.Int8, tensor.Int32, tensor.Int64,
		}).Draw(t, "type"),
		Width: side.Draw(t, "width"), Height: side.Draw(t, "height"),
	}
	switch r.Resize.Mode {
	case ShortSide:
		r.Resize.Height = side.Draw(t, "short")
	case Exact, Letterbox:
		r.Resize.Width, r.Resize.Height = side.Draw(t, "resize width"), side.Draw(t, "resize height")
	}
	r.Crop = Crop{Width: r.Width, Height: r.Height, Floor: rapid.Bool().Draw(t, "floor")}
	return r
}

func drawImage(t *rapid.T) *Image {
	side := rapid.IntRange(1, 90)
	return noise(side.Draw(t, "w"), side.Draw(t, "h"), rapid.SampledFrom([]int{1, 3, 4}).Draw(t, "channels"),
		rapid.IntRange(0, 9).Draw(t, "orientation"), rapid.Uint64().Draw(t, "seed"))
}

// The C code exists for speed alone: one different bit and answers would depend
// on the compiler that a machine happens to have.
func TestGoAndCAgreeToTheBit(t *testing.T) {
	if !turbo.Native {
		return // nothing to compare: built without cgo, and Fill is the Go code
	}
	scratch := new(Scratch)
	rapid.Check(t, func(t *rapid.T) {
		r, img := drawRecipe(t), drawImage(t)
		p, err := r.Prepare()
		if err != nil {
			t.Fatalf("the recipe was refused: %v", err)
		}
		a, b := tensor.Aligned(r.RowBytes()), tensor.Aligned(r.RowBytes())
		if err := p.fill(a, img, scratch, resample); err != nil {
			t.Fatalf("Go: %v", err)
		}
		if err := p.fill(b, img, scratch, (*turbo.Resample).Run); err != nil {
			t.Fatalf("C: %v", err)
		}
		for i := range a {
			if a[i] != b[i] {
				t.Fatalf("byte %d of %d: Go %d, C %d", i, len(a), a[i], b[i])
			}
		}
	})
}

func TestResizingToTheSameSizeChangesNothing(t *testing.T) {
	for _, filter := range filters {
		for _, antialias := range []bool{false, true} {
			img := noise(31, 17, 3, 1, 3)
			got := fill(t, levels(31, 17, Resize{Mode: Exact, Width: 31, Height: 17, Filter: filter, Antialias: antialias}), img)
			if !bytes.Equal(got, img.Pix) {
				t.Errorf("%s, antialias %v: a picture of the right size was changed", filter, antialias)
			}
		}
	}
}

func TestAConstantPictureStaysConstant(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r, img := drawRecipe(t), drawImage(t)
		img.Channels = 3
		color := [3]uint8{rapid.Uint8().Draw(t, "r"), rapid.Uint8().Draw(t, "g"), rapid.Uint8().Draw(t, "b")}
		img.Pix = bytes.Repeat(color[:], img.Width*img.Height)
		r.Resize.Mode, r.Color, r.Type, r.Layout = Exact, RGB, tensor.Uint8, NHWC
		r.Resize.Width, r.Resize.Height = r.Width, r.Height
		r.Rescale, r.Mean, r.Std = 1, [3]float64{}, [3]float64{1, 1, 1}
		dst := tensor.Aligned(r.RowBytes())
		if err := r.Fill(dst, img, nil); err != nil {
			t.Fatal(err)
		}
		if want := bytes.Repeat(color[:], r.Width*r.Height); !bytes.Equal(dst, want) {
			t.Fatalf("%v became %v: weights must sum up to one", color, dst[:3])
		}
	})
}

// turned applies an orientation to a displayed picture by making what a camera
// would store and displaying that: the way there is Image.RGB's.
func turned(img *Image, orientation int) *Image {
	turn := *img
	turn.Orientation = orientation
	pix, w, h, err := turn.RGB([3]uint8{})
	if err != nil {
		panic(err)
	}
	return &Image{Pix: pix, Width: w, Height: h, Channels: 3, Orientation: 1}
}

// EXIF's orientations are the symmetries of a rectangle: 2, 3, 4, 5 and 7 undo
// themselves, 6 and 8 undo each other, and turns compose.
func TestOrientationsAreTheGroupOfTheRectangle(t *testing.T) {
	img := noise(7, 4, 3, 1, 5)
	same := func(why string, a, b *Image) {
		t.Helper()
		if a.Width != b.Width || a.Height != b.Height || !bytes.Equal(a.Pix, b.Pix) {
			t.Errorf("%s: got another picture (%d x %d, want %d x %d)", why, a.Width, a.Height, b.Width, b.Height)
		}
	}
	for o, inverse := range map[int]int{1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 6: 8, 7: 7, 8: 6} {
		same(fmt.Sprintf("orientation %d, then %d", o, inverse), turned(turned(img, o), inverse), img)
	}
	same("a quarter turn twice is a half turn", turned(turned(img, 6), 6), turned(img, 3))
	same("both mirrors are a half turn", turned(turned(img, 2), 4), turned(img, 3))
	same("a mirror and a quarter turn transpose", turned(turned(img, 6), 2), turned(img, 5))
	same("an unknown orientation is none", turned(img, 9), img)
}

// Fill must see a turned picture exactly as one that was turned beforehand.
func TestFillTurnsAsRGBDoes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r, img := drawRecipe(t), drawImage(t)
		pix, w, h, err := img.RGB(r.Background)
		if err != nil {
			t.Fatal(err)
		}
		upright := &Image{Pix: pix, Width: w, Height: h, Channels: 3, Orientation: 1}
		a, b := tensor.Aligned(r.RowBytes()), tensor.Aligned(r.RowBytes())
		if err := r.Fill(a, img, nil); err != nil {
			t.Fatal(err)
		}
		if err := r.Fill(b, upright, nil); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(a, b) {
			t.Fatalf("orientation %d, %d channels: the tensor differs from the upright RGB picture's", img.Orientation, img.Channels)
		}
	})
}

func TestOrientationSixIsAQuarterTurnClockwise(t *testing.T) {
	stored := &Image{Pix: []byte{1, 2, 3, 4, 5, 6}, Width: 3, Height: 2, Channels: 1, Orientation: 6}
	rgb, w, h, err := stored.RGB([3]uint8{})
	want := []byte{4, 1, 5, 2, 6, 3} // the stored left column, read upwards, is the top row
	if err != nil || w != 2 || h != 3 {
		t.Fatalf("displayed %d x %d, %v; want 2 x 3", w, h, err)
	}
	for i, v := range want {
		if rgb[3*i] != v {
			t.Fatalf("displayed %v, want each of %v three times", rgb, want)
		}
	}
}

func TestTransparentPixelsShowTheBackground(t *testing.T) {
	r := levels(2, 1, Resize{})
	r.Background = [3]uint8{200, 100, 0}
	img := &Image{Pix: []byte{10, 20, 30, 0, 10, 20, 30, 255}, Width: 2, Height: 1, Channels: 4}
	if got, want := fill(t, r, img), []byte{200, 100, 0, 10, 20, 30}; !bytes.Equal(got, want) {
		t.Fatalf("got %v, want %v: clear over the background, opaque as it is", got, want)
	}
}

func TestGrayPicturesFillEveryChannel(t *testing.T) {
	img := &Image{Pix: []byte{9, 250}, Width: 2, Height: 1, Channels: 1}
	for color, want := range map[Color][]byte{
		RGB: {9, 9, 9, 250, 250, 250}, BGR: {9, 9, 9, 250, 250, 250}, Gray: {9, 250},
	} {
		r := levels(2, 1, Resize{})
		r.Color = color
		if got := fill(t, r, img); !bytes.Equal(got, want) {
			t.Errorf("%s: got %v, want %v", color, got, want)
		}
	}
}

func TestColorOrderLayoutAndNormalization(t *testing.T) {
	img := &Image{Pix: []byte{255, 0, 51, 102, 204, 153}, Width: 2, Height: 1, Channels: 3}
	r := levels(2, 1, Resize{})
	r.Color, r.Layout, r.Type = BGR, NCHW, tensor.Float32
	r.Rescale, r.Mean, r.Std = 1./255, [3]float64{0.2, 0, 1}, [3]float64{0.5, 1, 2}
	got := tensor.View[float32](fill(t, r, img))
	want := []float32{0, 0.8, 0, 0.8, 0, -0.3} // blue, green, red; each as (v/255 - mean) / std
	for i := range want {
		if d := got[i] - want[i]; d < -1e-6 || d > 1e-6 {
			t.Fatalf("got %v, want %v", got, want)
		}
	}
}

func TestWholeNumbersSaturate(t *testing.T) {
	img := &Image{Pix: []byte{0, 255, 100}, Width: 1, Height: 1, Channels: 3}
	r := levels(1, 1, Resize{})
	r.Type, r.Mean = tensor.Int8, [3]float64{128, 127, 300}
	got := tensor.View[int8](fill(t, r, img))
	if want := []int8{-128, 127, -128}; got[0] != want[0] || got[1] != want[1] || got[2] != want[2] {
		t.Fatalf("got %v, want %v: out of range goes to the range's end, never around", got, want)
	}
	r.Type, r.Mean, r.Rescale = tensor.Int64, [3]float64{}, 1e300
	if wide := tensor.View[int64](fill(t, r, img)); wide[1] < 1<<62 {
		t.Fatalf("got %v: a huge value must not come out negative", wide)
	}
}

func TestFillDoesNotAllocateInTheSteadyState(t *testing.T) {
	r, s := imagenet(), new(Scratch)
	dst := tensor.Aligned(r.RowBytes())
	pictures := []*Image{noise(500, 375, 3, 1, 1), noise(375, 500, 3, 6, 2), noise(534, 356, 1, 1, 3)}
	round := func() {
		for _, img := range pictures {
			if err := r.Fill(dst, img, s); err != nil {
				t.Fatal(err)
			}
		}
	}
	round()
	if n := testing.AllocsPerRun(5, round); n != 0 {
		t.Fatalf("%v allocations for pictures of known sizes, want 0: this is the hot path", n)
	}
}

// A strip has pixels for 50 MB and would need tables of twice that.
func TestAStripOfFiftyMillionPixelsCostsLittleScratch(t *testing.T) {
	for _, mode := range []Mode{Exact, ShortSide, Letterbox} {
		for _, turn := range []int{1, 6} {
			r, s := levels(64, 64, Resize{Mode: mode, Width: 64, Height: 64, Filter: Lanczos, Antialias: true}), new(Scratch)
			r.Crop = Crop{Width: 64, Height: 64}
			img := &Image{Pix: make([]byte, 20_000_000), Width: 20_000_000, Height: 1, Channels: 1, Orientation: turn}
			dst := tensor.Aligned(r.RowBytes())
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			if err := r.Fill(dst, img, s); err != nil {
				t.Fatal(err)
			}
			runtime.ReadMemStats(&after)
			allocated := after.TotalAlloc - before.TotalAlloc
			if allocated > 4<<20 {
				t.Errorf("%s, orientation %d: %d bytes of scratch, want at most 4 MiB", mode, turn, allocated)
			}
		}
	}
}

func TestFillRefusesWhatDoesNotFit(t *testing.T) {
	r := levels(4, 4, Resize{Mode: Exact, Width: 4, Height: 4, Filter: Bilinear})
	dst := tensor.Aligned(r.RowBytes())
	for why, img := range map[string]*Image{
		"too few bytes": {Pix: make([]byte, 26), Width: 3, Height: 3, Channels: 3},
		"no width":      {Pix: make([]byte, 27), Width: 0, Height: 3, Channels: 3},
		"two channels":  {Pix: make([]byte, 27), Width: 3, Height: 3, Channels: 2},
	} {
		if r.Fill(dst, img, nil) == nil {
			t.Errorf("%s: was filled", why)
		}
	}
	if r.Fill(dst[1:], noise(3, 3, 3, 1, 1), nil) == nil {
		t.Error("a row of the wrong length was filled")
	}
}
