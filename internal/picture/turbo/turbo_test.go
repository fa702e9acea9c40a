package turbo_test

import (
	"bytes"
	"errors"
	"image"
	"image/color"
	"image/jpeg"
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

// Where there is no library all of this must be said by Open, and nothing else
// is left to try.
func TestLibrary(t *testing.T) {
	lib, err := turbo.Open()
	if err != nil {
		if lib != nil || !errors.Is(err, turbo.ErrUnavailable) {
			t.Fatalf("got %v and %v, want nothing and ErrUnavailable", lib, err)
		}
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
	lib, err := turbo.Open()
	if err != nil {
		return // TestLibrary says what is asked of Open then
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
	if err := lib.Decode(dst, data, 16, 16, turbo.Gray); err != nil {
		t.Errorf("after failures a good picture fails: %v", err)
	}
}
