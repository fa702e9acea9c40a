package picture

import (
	"bytes"
	"encoding/binary"
	"image/png"
	"testing"

	"github.com/goshawk-ai/goshawk/internal/problem"
)

func TestWebPEqualsLibwebp(t *testing.T) {
	d := newDecoder(t, "go")
	for name, channels := range map[string]int{
		"lossy": 3, "lossy-alpha": 4, "lossless": 3, "lossless-alpha": 4, "lossless-photo": 3,
		"palette2": 3, "palette4": 3, "palette16": 3, "animated": 3,
	} {
		t.Run(name, func(t *testing.T) {
			want, err := png.Decode(bytes.NewReader(readTestdata(t, name+".png")))
			if err != nil {
				t.Fatal(err)
			}
			img := mustDecode(t, d, readTestdata(t, name+".webp"), 1)
			if img.Channels != channels {
				t.Errorf("got %d channels, want %d", img.Channels, channels)
			}
			sameImage(t, img, want, 0)
		})
	}
}

func TestWebPOrientation(t *testing.T) {
	info, err := Inspect(readTestdata(t, "lossy.webp"), DefaultLimits)
	if err != nil {
		t.Fatal(err)
	}
	if info.Orientation != 6 || info.Width != 33 || info.Height != 47 {
		t.Errorf("got %d x %d, orientation %d; want 33 x 47 as displayed, orientation 6 from the EXIF chunk", info.Width, info.Height, info.Orientation)
	}
}

// riffFile wraps chunks, given as name, body, name, body …
func riffFile(chunks ...any) []byte {
	var body []byte
	for i := 0; i < len(chunks); i += 2 {
		b := chunks[i+1].([]byte)
		body = append(body, chunks[i].(string)...)
		body = binary.LittleEndian.AppendUint32(body, uint32(len(b)))
		body = append(body, b...)
		if len(b)%2 == 1 {
			body = append(body, 0)
		}
	}
	head := binary.LittleEndian.AppendUint32([]byte("RIFF"), uint32(4+len(body)))
	return append(append(head, "WEBP"...), body...)
}

// put24 appends a 24-bit number.
func put24(b []byte, v int) []byte { return append(b, byte(v), byte(v>>8), byte(v>>16)) }

// lossyChunk is the VP8 chunk of a fixture.
func lossyChunk(t *testing.T) []byte {
	t.Helper()
	for pos := 12; ; {
		name, body, end, _, ok := nextRIFF(readTestdata(t, "lossy.webp"), pos)
		if !ok {
			t.Fatal("no VP8 chunk")
		}
		if name == "VP8 " {
			return body
		}
		pos = end
	}
}

func TestWebPFrameOnCanvas(t *testing.T) {
	frame := put24(put24(nil, 5), 2) // at 10, 4
	frame = put24(put24(frame, 46), 32)
	frame = append(put24(frame, 100), 0)
	inner := riffFile("VP8 ", lossyChunk(t))[12:]
	x := append(make([]byte, 4), put24(put24(nil, 79), 49)...)
	data := riffFile("VP8X", x, "ANIM", make([]byte, 6), "ANMF", append(frame, inner...))
	img := mustDecode(t, newDecoder(t, "go"), data, 1)
	if img.Width != 80 || img.Height != 50 || img.Channels != 4 {
		t.Fatalf("got %d x %d with %d channels, want the canvas of 80 x 50 with transparency", img.Width, img.Height, img.Channels)
	}
	if p := img.at(0, 0); p.A != 0 || p.R != 0 {
		t.Errorf("the canvas around the frame is %v, want transparent black (not another picture's pixels)", p)
	}
	if p := img.at(12, 6); p.A != 255 || p.R < 200 || p.G > 60 {
		t.Errorf("the frame's red corner is %v", p)
	}
}

func TestWebPRefusals(t *testing.T) {
	lossy := lossyChunk(t)
	huge := append(make([]byte, 4), put24(put24(nil, 1<<24-1), 1<<24-1)...)
	small := append(make([]byte, 4), put24(put24(nil, 9), 9)...)
	lossless := []byte{0x2f, 0xff, 0xff, 0xff, 0x0f, 0}
	for name, c := range map[string]struct {
		data  []byte
		kind  *problem.Kind
		words string
	}{
		"no data":         {riffFile("EXIF", []byte("x")), problem.PictureDamaged, "no picture data"},
		"cut":             {riffFile("VP8 ", lossy)[:200], problem.PictureDamaged, "cut off"},
		"huge canvas":     {riffFile("VP8X", huge, "VP8 ", lossy), problem.TooManyPixels, "16777216 x 16777216"},
		"canvas mismatch": {riffFile("VP8X", small, "VP8 ", lossy), problem.PictureDamaged, "10 x 10"},
		"16383 x 16383":   {riffFile("VP8L", lossless), problem.TooManyPixels, "16384 x 16384"},
		"version":         {riffFile("VP8L", []byte{0x2f, 0, 0, 0, 0xe0}), problem.PictureDamaged, "version"},
		"garbage": {
			riffFile("VP8L", append([]byte{0x2f, 9, 0, 0, 0}, bytes.Repeat([]byte{0xff}, 40)...)),
			problem.PictureDamaged, "damaged",
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := decode(newDecoder(t, "go"), c.data, 1)
			wantProblem(t, err, c.kind, c.words)
		})
	}
}

func TestWebPFramesAreBounded(t *testing.T) {
	lim := DefaultLimits
	lim.Frames = 3
	frame := append(make([]byte, 16), riffFile("VP8 ", lossyChunk(t))[12:]...)
	x := append(make([]byte, 4), put24(put24(nil, 46), 32)...)
	chunks := []any{"VP8X", x}
	for range 3 {
		chunks = append(chunks, "ANMF", frame)
	}
	if _, err := Inspect(riffFile(chunks...), lim); err != nil {
		t.Fatalf("as many frames as the limit allows: %v", err)
	}
	_, err := Inspect(riffFile(append(chunks, "ANMF", frame)...), lim)
	wantProblem(t, err, problem.TooManyPixels, "more than 3 frames")
}
