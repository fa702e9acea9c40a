package turbo_test

import (
	"bytes"
	"errors"
	"image"
	"image/color"
	"image/jpeg"
	"strings"
	"testing"

	"github.com/goshawk-ai/goshawk/internal/picture/turbo"
)

func gray(t *testing.T, w, h int) []byte {
	t.Helper()
	m := image.NewGray(image.Rect(0, 0, w, h))
	for i := range m.Pix {
		m.Pix[i] = 100
	}
	m.SetGray(0, 0, color.Gray{100})
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// library is nil where there is none. Open must say so then; that the tests of
// its pictures are left out fails TestLibraryIsHere (build tag ci).
func library(t *testing.T) *turbo.Library {
	t.Helper()
	lib, err := turbo.Open()
	if err == nil {
		return lib
	}
	if lib != nil || !errors.Is(err, turbo.ErrUnavailable) || !strings.HasPrefix(err.Error(), "libturbojpeg is not available") {
		t.Fatalf("got %v and %q, want nothing and that libturbojpeg is not available", lib, err)
	}
	return nil
}

func TestLibrary(t *testing.T) {
	lib := library(t)
	if lib == nil {
		return
	}
	data := gray(t, 33, 17)
	for scale := 1; scale <= 8; scale *= 2 {
		w, h := (33+scale-1)/scale, (17+scale-1)/scale
		for _, f := range []turbo.Format{turbo.Gray, turbo.RGB} {
			dst := make([]byte, w*h*f.Channels()+1)
			dst[len(dst)-1] = 77
			if err := lib.Decode(dst[:len(dst)-1], data, w, h, f); err != nil {
				t.Fatalf("scale %d, format %d: %v", scale, f, err)
			}
			for i, v := range dst[:len(dst)-1] {
				if v < 99 || v > 101 {
					t.Fatalf("scale %d, format %d: sample %d is %d, want 100", scale, f, i, v)
				}
			}
			if dst[len(dst)-1] != 77 {
				t.Fatalf("scale %d: it wrote beyond the buffer", scale)
			}
		}
	}
}

func TestLibraryRefusals(t *testing.T) {
	lib := library(t)
	if lib == nil {
		return
	}
	data := gray(t, 16, 16)
	check := func(name string, err error, warning bool) {
		t.Helper()
		said, ok := errors.AsType[*turbo.Error](err)
		if !ok || said.Warning != warning || said.Message == "" {
			t.Errorf("%s: got %v, want an Error with a message and warning %v", name, err, warning)
		}
	}
	dst := make([]byte, 16*16)
	check("a buffer too small", lib.Decode(dst[:255], data, 16, 16, turbo.Gray), false)
	check("no data", lib.Decode(dst, nil, 16, 16, turbo.Gray), false)
	check("no JPEG", lib.Decode(dst, []byte("hello there"), 16, 16, turbo.Gray), false)
	check("a size that no scale gives", lib.Decode(dst, data, 1, 1, turbo.Gray), false)
	check("cut off", lib.Decode(dst, data[:len(data)-8], 16, 16, turbo.Gray), true)
	check("garbage, then an unknown component", lib.Decode(dst, warnedThenBroken(data), 16, 16, turbo.Gray), false)
	check("smaller than said", lib.Decode(make([]byte, 19*19), data, 19, 19, turbo.Gray), false)
	check("narrower than said", lib.Decode(make([]byte, 20*16), data, 20, 16, turbo.Gray), false)
	if err := lib.Decode(dst, data, 16, 16, turbo.Gray); err != nil {
		t.Errorf("after failures a good picture fails: %v", err)
	}
}

// warnedThenBroken has bytes before its scan's header that libjpeg only warns
// of, and a component in it that ends the decoding.
func warnedThenBroken(data []byte) []byte {
	sos := bytes.Index(data, []byte{0xff, 0xda})
	bad := bytes.Clone(data[:sos])
	bad = append(bad, 0, 0x11)
	bad = append(bad, data[sos:]...)
	bad[sos+2+5] = 9
	return bad
}

// A picture may end in the very bytes that Decode marks the last pixel with.
func TestLibraryTakesPicturesThatLookLikeTheMark(t *testing.T) {
	lib := library(t)
	if lib == nil {
		return
	}
	for v := range 256 {
		m := image.NewGray(image.Rect(0, 0, 8, 8))
		for i := range m.Pix {
			m.Pix[i] = byte(v)
		}
		var b bytes.Buffer
		if err := jpeg.Encode(&b, m, &jpeg.Options{Quality: 100}); err != nil {
			t.Fatal(err)
		}
		dst := make([]byte, 64)
		if err := lib.Decode(dst, b.Bytes(), 8, 8, turbo.Gray); err != nil || dst[63] != byte(v) {
			t.Errorf("level %d: got %v and %d", v, err, dst[63])
		}
	}
}
