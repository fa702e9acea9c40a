package picture

import (
	"bytes"
	"context"
	"testing"

	"github.com/goshawk-ai/goshawk/internal/problem"
)

// wantNothingStale decodes once more, into another picture's memory: want was
// made in fresh memory.
func wantNothingStale(t testing.TB, d *Decoder, data []byte, info Info, p Plan, want *Image) {
	t.Helper()
	img := &Image{Pix: bytes.Repeat([]byte{0xaa}, 4*p.Width*p.Height)}
	if err := d.Decode(context.Background(), data, info, p, img); err != nil {
		t.Fatalf("%s: it decodes into fresh memory, and into another picture's not: %v", d.Name(), err)
	}
	if !bytes.Equal(img.Pix, want.Pix) {
		t.Fatalf("%s: the picture that was in the memory before shows through", d.Name())
	}
}

// warnedThenBroken puts two bytes before each scan header, of which libjpeg only
// warns, and names a component in the last header that the picture lacks.
func warnedThenBroken(f flatJPEG) []byte {
	parts := bytes.Split(f.encode(), []byte{0xff, markSOS})
	last := parts[len(parts)-1]
	last[3] = 9 // behind the length and the number of components
	return bytes.Join(parts, []byte{0, 0x11, 0xff, markSOS})
}

// libjpeg's interface calls the error of such pictures a warning. They were once
// answered with whatever lay in the memory, the picture of another caller.
func TestJPEGBrokenAfterAWarning(t *testing.T) {
	gray, ycc := []byte{0x11}, []byte{0x22, 0x11, 0x11}
	for name, f := range map[string]flatJPEG{
		"grey":           {sampling: gray},
		"color":          {sampling: ycc},
		"separate scans": {sampling: ycc, separate: true},
		"progressive":    {sampling: ycc, progressive: true, scans: 3},
		"CMYK":           {sampling: []byte{0x11, 0x11, 0x11, 0x11}, adobe: 1},
	} {
		f.w, f.h = 64, 48
		for _, d := range decoders(t) {
			img, err := decode(d, warnedThenBroken(f), 1)
			t.Run(name+"/"+d.Name(), func(t *testing.T) {
				wantProblem(t, err, problem.PictureDamaged, "cannot be decoded")
				if len(img.Pix) != 0 || img.Width != 0 {
					t.Errorf("the image still has %d bytes, %d wide; want nothing of the picture before", len(img.Pix), img.Width)
				}
			})
		}
	}
}

// Only the warning: such pictures are shown by every viewer, and here.
func TestJPEGWarnedIsWhole(t *testing.T) {
	data := flatJPEG{w: 64, h: 48, sampling: []byte{0x11}, level: []int{50}}.encode()
	sos := bytes.Index(data, []byte{0xff, markSOS})
	data = append(append(bytes.Clone(data[:sos]), 0, 0x11), data[sos:]...)
	for _, d := range decoders(t) {
		img := mustDecode(t, d, data, 1)
		if n := bytes.Count(img.Pix, []byte{178}); n != 64*48 {
			t.Errorf("%s: %d of %d pixels are as they were stored", d.Name(), n, 64*48)
		}
	}
}
