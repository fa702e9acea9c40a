package picture

import (
	"bytes"
	"context"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"os"
	"strings"
	"testing"

	"github.com/goshawk-ai/goshawk/internal/problem"
)

// decoders are those that this machine has: Go's always.
func decoders(t testing.TB) []*Decoder {
	t.Helper()
	ds := []*Decoder{newDecoder(t, "go")}
	if auto := newDecoder(t, "auto"); auto.Name() != "go" {
		ds = append(ds, auto)
	}
	return ds
}

func newDecoder(t testing.TB, kind string) *Decoder {
	t.Helper()
	d, err := NewDecoder(kind)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// plan is one without a recipe.
func plan(d *Decoder, info Info, scale int) Plan {
	w, h := scaledSize(info, scale)
	return Plan{Scale: scale, Width: w, Height: h, Bytes: d.cost(info, scale)}
}

// decode inspects and decodes with the default limits.
func decode(d *Decoder, data []byte, scale int) (*Image, error) {
	info, err := Inspect(data, DefaultLimits)
	if err != nil {
		return nil, err
	}
	img := &Image{Pix: bytes.Repeat([]byte{0xaa}, 4<<20)} // another picture's remains
	err = d.Decode(context.Background(), data, info, plan(d, info, scale), img)
	return img, err
}

func mustDecode(t testing.TB, d *Decoder, data []byte, scale int) *Image {
	t.Helper()
	img, err := decode(d, data, scale)
	if err != nil {
		t.Fatalf("%s: %v", d.Name(), err)
	}
	return img
}

// wantProblem checks the kind and words of the sentence.
func wantProblem(t testing.TB, err error, kind *problem.Kind, words ...string) {
	t.Helper()
	p := problem.Of(err)
	if err == nil || p.Kind != kind {
		t.Fatalf("got %v, want a problem of kind %s", err, kind.Slug)
	}
	for _, w := range words {
		if !strings.Contains(p.Detail, w) {
			t.Errorf("the sentence %q does not say %q", p.Detail, w)
		}
	}
}

// at is a pixel as R, G, B, A.
func (img *Image) at(x, y int) color.NRGBA {
	p := img.row(y)[x*img.Channels:][:img.Channels]
	switch img.Channels {
	case 1:
		return color.NRGBA{p[0], p[0], p[0], 255}
	case 3:
		return color.NRGBA{p[0], p[1], p[2], 255}
	}
	return color.NRGBA{p[0], p[1], p[2], p[3]}
}

// scene has a red, green, blue and yellow corner, clockwise from the top left,
// and a white F on grey.
func scene(w, h int) *image.NRGBA {
	m := image.NewNRGBA(image.Rect(0, 0, w, h))
	corner := func(x, y int) color.NRGBA {
		left, top, right, bottom := x < w/4, y < h/4, x >= w-w/4, y >= h-h/4
		switch {
		case left && top:
			return color.NRGBA{255, 0, 0, 255}
		case right && top:
			return color.NRGBA{0, 255, 0, 255}
		case right && bottom:
			return color.NRGBA{0, 0, 255, 255}
		case left && bottom:
			return color.NRGBA{255, 255, 0, 255}
		case isF(x*16/w, y*16/h):
			return color.NRGBA{255, 255, 255, 255}
		}
		return color.NRGBA{90, 90, 90, 255}
	}
	for y := range h {
		for x := range w {
			m.SetNRGBA(x, y, corner(x, y))
		}
	}
	return m
}

func isF(x, y int) bool {
	return x == 6 && y >= 4 && y < 12 || x >= 6 && x < 10 && y == 4 || x >= 6 && x < 9 && y == 7
}

func encodeJPEG(t testing.TB, m image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, &jpeg.Options{Quality: 95}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func encodePNG(t testing.TB, m image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func readTestdata(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// sameImage compares with what is wanted, pixel by pixel. Colors under
// full transparency don't count.
func sameImage(t testing.TB, got *Image, want image.Image, tolerance int) {
	t.Helper()
	b := want.Bounds()
	if got.Width != b.Dx() || got.Height != b.Dy() {
		t.Fatalf("got %d x %d pixels, want %d x %d", got.Width, got.Height, b.Dx(), b.Dy())
	}
	for y := range got.Height {
		for x := range got.Width {
			g := got.at(x, y)
			w := color.NRGBAModel.Convert(want.At(b.Min.X+x, b.Min.Y+y)).(color.NRGBA)
			if w.A == 0 && g.A == 0 {
				continue
			}
			if far(g.R, w.R) > tolerance || far(g.G, w.G) > tolerance || far(g.B, w.B) > tolerance || far(g.A, w.A) > tolerance {
				t.Fatalf("pixel %d,%d is %v, want %v (within %d)", x, y, g, w, tolerance)
			}
		}
	}
}

func far(a, b byte) int { return abs(int(a) - int(b)) }
