//go:build ci

package oddpictures

import (
	"bytes"
	"context"
	"testing"

	"github.com/goshawk-ai/goshawk/internal/picture"
)

// TestNothingShowsThrough decodes each picture into memory that holds 0xAA and
// into memory that holds 0x55. Any difference is a piece of the picture that was
// there before, which another caller sent.
func TestNothingShowsThrough(t *testing.T) {
	files := Load(t)
	var memory [2][]byte
	for _, kind := range []string{"turbo", "go"} {
		l := newLocal(t, kind)
		t.Run(kind, func(t *testing.T) {
			decoded := 0
			for _, f := range files {
				info, err := picture.Inspect(f.Data, picture.DefaultLimits)
				if err != nil {
					continue
				}
				a, errA := l.over(&memory[0], 0xaa, f, info)
				b, errB := l.over(&memory[1], 0x55, f, info)
				switch {
				case (errA == nil) != (errB == nil) || errA != nil && errA.Error() != errB.Error():
					t.Errorf("%s: over 0xAA it is answered %v, over 0x55 %v", f.Name, errA, errB)
				case errA != nil && len(a.Pix)+len(b.Pix) > 0:
					t.Errorf("%s: after %q the image still has bytes", f.Name, errA)
				case a.Width != b.Width || a.Height != b.Height || a.Channels != b.Channels || !bytes.Equal(a.Pix, b.Pix):
					t.Errorf("%s: what was in the memory before shows through", f.Name)
				case errA == nil:
					decoded++
				}
			}
			if decoded < 500 {
				t.Errorf("only %d pictures were decoded; the odd ones have more than 500 that can be", decoded)
			}
		})
	}
}

// over decodes at full size into memory that holds nothing but v.
func (l *local) over(memory *[]byte, v byte, f File, info picture.Info) (*picture.Image, error) {
	plan := l.d.FullSize(info)
	img := &picture.Image{}
	if l.d.Fits(info, plan) == nil { // else nothing is decoded, and the size may be any
		n := 4 * plan.Width * plan.Height
		if cap(*memory) < n {
			*memory = make([]byte, n)
		}
		img.Pix = (*memory)[:n]
		for i := range img.Pix {
			img.Pix[i] = v
		}
	}
	err := l.d.Decode(context.Background(), f.Data, info, plan, img)
	return img, err
}
