package picture

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/color"
	"image/draw"
	"math/bits"
	"testing"

	"github.com/goshawk-ai/goshawk/internal/problem"
)

// flatJPEG writes pictures of one color, of any size in few bytes: each block
// takes two bits (one where only DC is coded).
type flatJPEG struct {
	w, h        int
	sampling    []byte // a component each: H<<4 | V
	ids         []byte // component ids; nil: 1, 2, 3, 4
	level       []int  // of each component's samples, less 128
	progressive bool
	separate    bool // a scan for each component
	scans       int  // progressive: so many, all but the first empty refinements
	adobe       int  // transform + 1; 0 for no marker
	frame       byte // SOF marker; 0 for the right one
}

// bitWriter stuffs a zero behind each 0xff.
type bitWriter struct {
	out  []byte
	acc  uint32
	have int
}

func (b *bitWriter) put(v uint32, n int) {
	for b.acc, b.have = b.acc<<n|v, b.have+n; b.have >= 8; b.have -= 8 {
		c := byte(b.acc >> (b.have - 8))
		b.out = append(b.out, c)
		if c == 0xff {
			b.out = append(b.out, 0)
		}
	}
}

func (b *bitWriter) flush() {
	if b.have > 0 {
		b.put(1<<(8-b.have)-1, 8-b.have)
	}
}

func jpegSegment(marker byte, body ...byte) []byte {
	return append([]byte{0xff, marker, byte((len(body) + 2) >> 8), byte(len(body) + 2)}, body...)
}

func (f flatJPEG) encode() []byte {
	out := []byte{0xff, markSOI}
	if f.adobe > 0 {
		out = append(out, jpegSegment(markAPP14, append([]byte("Adobe\x00\x64\x00\x00\x00\x00"), byte(f.adobe-1))...)...)
	}
	out = append(out, jpegSegment(0xdb, append([]byte{0}, bytes.Repeat([]byte{1}, 64)...)...)...)
	frame := f.frame
	if frame == 0 {
		frame = markSOF0
		if f.progressive {
			frame = markSOF2
		}
	}
	head := binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16([]byte{8}, uint16(f.h)), uint16(f.w))
	head = append(head, byte(len(f.sampling)))
	for i, s := range f.sampling {
		head = append(head, f.id(i), s, 0)
	}
	out = append(out, jpegSegment(frame, head...)...)
	// Code 0: no difference (or end of block); 10000 and on: one of 1 to 11 bits.
	out = append(out, jpegSegment(markDHT, 0, 1, 0, 0, 0, 11, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11)...)
	out = append(out, jpegSegment(markDHT, 0x10, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)...)
	if f.separate {
		for i := range f.sampling {
			out = f.scan(out, []int{i})
		}
	} else {
		all := make([]int, len(f.sampling))
		for i := range all {
			all[i] = i
		}
		out = f.scan(out, all)
	}
	for range f.scans - 1 {
		out = append(out, jpegSegment(markSOS, 1, f.id(0), 0, 1, 63, 0)...)
		out = append(out, make([]byte, ceil(ceil(f.w, 8)*ceil(f.h, 8), 8))...) // an empty block is a zero bit
	}
	return append(out, 0xff, markEOI)
}

func (f flatJPEG) id(i int) byte {
	if f.ids != nil {
		return f.ids[i]
	}
	return byte(i + 1)
}

func (f flatJPEG) scan(out []byte, components []int) []byte {
	header := []byte{byte(len(components))}
	hMax, vMax := 1, 1
	for _, s := range f.sampling {
		hMax, vMax = max(hMax, int(s>>4)), max(vMax, int(s&15))
	}
	for _, c := range components {
		header = append(header, f.id(c), 0)
	}
	end := byte(63)
	if f.progressive {
		end = 0
	}
	out = append(out, jpegSegment(markSOS, append(header, 0, end, 0)...)...)
	mcus := (f.w + 8*hMax - 1) / (8 * hMax) * ((f.h + 8*vMax - 1) / (8 * vMax))
	blocks := make([]int, len(components))
	for i, c := range components {
		blocks[i] = int(f.sampling[c]>>4) * int(f.sampling[c]&15)
		if len(components) == 1 { // not interleaved: only blocks that hold pixels
			blocks[i] = 1
			mcus = ceil(f.w*int(f.sampling[c]>>4), 8*hMax) * ceil(f.h*int(f.sampling[c]&15), 8*vMax)
		}
	}
	w := &bitWriter{out: out}
	for m := range mcus {
		for i, c := range components {
			for b := range blocks[i] {
				f.block(w, c, m == 0 && b == 0)
			}
		}
	}
	w.flush()
	return w.out
}

func ceil(a, b int) int { return (a + b - 1) / b }

func (f flatJPEG) block(w *bitWriter, component int, first bool) {
	level := 0
	if f.level != nil {
		level = f.level[component]
	}
	if v := 8 * level; !first || v == 0 {
		w.put(0, 1)
	} else {
		n := bits.Len(uint(abs(v)))
		if v < 0 {
			v += 1<<n - 1
		}
		w.put(uint32(16+n-1)<<n|uint32(v), 5+n)
	}
	if !f.progressive {
		w.put(0, 1)
	}
}

func TestJPEGColors(t *testing.T) {
	gray, ycc, full := []byte{0x11}, []byte{0x22, 0x11, 0x11}, []byte{0x11, 0x11, 0x11}
	cmyk := []byte{0x11, 0x11, 0x11, 0x11}
	for name, c := range map[string]struct {
		f    flatJPEG
		want color.NRGBA
	}{
		"grey":             {flatJPEG{sampling: gray, level: []int{72}}, color.NRGBA{200, 200, 200, 255}},
		"grey progressive": {flatJPEG{sampling: gray, level: []int{72}, progressive: true}, color.NRGBA{200, 200, 200, 255}},
		"YCbCr red":        {flatJPEG{sampling: ycc, level: []int{-52, -43, 127}}, color.NRGBA{254, 0, 0, 255}},
		"YCbCr 4:2:2":      {flatJPEG{sampling: []byte{0x21, 0x11, 0x11}, level: []int{-52, -43, 127}}, color.NRGBA{254, 0, 0, 255}},
		"YCbCr 4:4:0":      {flatJPEG{sampling: []byte{0x12, 0x11, 0x11}, level: []int{-52, -43, 127}}, color.NRGBA{254, 0, 0, 255}},
		"YCbCr 4:1:1":      {flatJPEG{sampling: []byte{0x41, 0x11, 0x11}, level: []int{-52, -43, 127}}, color.NRGBA{254, 0, 0, 255}},
		"separate scans":   {flatJPEG{sampling: ycc, level: []int{-52, -43, 127}, separate: true}, color.NRGBA{254, 0, 0, 255}},
		"progressive":      {flatJPEG{sampling: ycc, level: []int{-52, -43, 127}, progressive: true}, color.NRGBA{254, 0, 0, 255}},
		"RGB by Adobe":     {flatJPEG{sampling: full, level: []int{72, -78, -28}, adobe: 1}, color.NRGBA{200, 50, 100, 255}},
		"RGB by ids":       {flatJPEG{sampling: full, level: []int{72, -78, -28}, ids: []byte("RGB")}, color.NRGBA{200, 50, 100, 255}},
		"CMYK inverted":    {flatJPEG{sampling: cmyk, level: []int{127, -128, -128, 72}, adobe: 1}, color.NRGBA{200, 0, 0, 255}},
		"CMYK progressive": {flatJPEG{sampling: cmyk, level: []int{127, -128, -128, 72}, adobe: 1, progressive: true}, color.NRGBA{200, 0, 0, 255}},
		"YCCK white paper": {flatJPEG{sampling: cmyk, level: []int{-128, 0, 0, 127}, adobe: 3}, color.NRGBA{255, 255, 255, 255}},
		"extended (SOF1)":  {flatJPEG{sampling: gray, level: []int{72}, frame: markSOF1}, color.NRGBA{200, 200, 200, 255}},
	} {
		c.f.w, c.f.h = 37, 21
		data := c.f.encode()
		for _, d := range decoders(t) {
			for _, scale := range []int{1, 2, 4, 8} {
				t.Run(name+"/"+d.Name()+"/1:"+string(rune('0'+scale)), func(t *testing.T) {
					img := mustDecode(t, d, data, scale)
					if img.Width != ceil(37, scale) || img.Height != ceil(21, scale) {
						t.Fatalf("got %d x %d pixels, want ceil(37 x 21 / %d)", img.Width, img.Height, scale)
					}
					if want := 3; len(c.f.sampling) > 1 && img.Channels != want || len(c.f.sampling) == 1 && img.Channels != 1 {
						t.Errorf("got %d channels", img.Channels)
					}
					for y := range img.Height {
						for x := range img.Width {
							g := img.at(x, y)
							if far(g.R, c.want.R) > 2 || far(g.G, c.want.G) > 2 || far(g.B, c.want.B) > 2 {
								t.Fatalf("pixel %d,%d is %v, want %v within 2", x, y, g, c.want)
							}
						}
					}
				})
			}
		}
	}
}

func TestJPEGPhotoLikeScene(t *testing.T) {
	m := scene(160, 120)
	data := encodeJPEG(t, m)
	for _, d := range decoders(t) {
		img := mustDecode(t, d, data, 1)
		for _, c := range []struct {
			x, y int
			want color.NRGBA
		}{{5, 5, color.NRGBA{255, 0, 0, 255}}, {155, 5, color.NRGBA{0, 255, 0, 255}}, {155, 115, color.NRGBA{0, 0, 255, 255}}, {5, 115, color.NRGBA{255, 255, 0, 255}}} {
			if g := img.at(c.x, c.y); far(g.R, c.want.R) > 8 || far(g.G, c.want.G) > 8 || far(g.B, c.want.B) > 8 {
				t.Errorf("%s: pixel %d,%d is %v, want %v", d.Name(), c.x, c.y, g, c.want)
			}
		}
	}
}

// Both decoders must be near each other, at every scale, or a model's answer
// would depend on the machine.
func TestJPEGDecodersAgree(t *testing.T) {
	smooth := image.NewRGBA(image.Rect(0, 0, 203, 151))
	for y := range 151 {
		for x := range 203 {
			smooth.SetRGBA(x, y, color.RGBA{byte(x), byte(y), byte((x + y) / 2), 255})
		}
	}
	draw.Draw(smooth, image.Rect(60, 40, 120, 90), image.NewUniform(color.RGBA{250, 40, 90, 255}), image.Point{}, draw.Src)
	data := encodeJPEG(t, smooth)
	ds := decoders(t)
	for _, scale := range []int{1, 2, 4, 8} {
		a, b := mustDecode(t, ds[0], data, scale), mustDecode(t, ds[len(ds)-1], data, scale)
		sum := 0
		for i := range a.Pix {
			sum += far(a.Pix[i], b.Pix[i])
		}
		if mean := float64(sum) / float64(len(a.Pix)); mean > 1 {
			t.Errorf("at 1:%d Go's and libjpeg-turbo's pixels differ by %.2f levels on average, want at most 1", scale, mean)
		}
	}
}

// withSegment puts a segment right behind the start marker.
func withSegment(data []byte, marker byte, body []byte) []byte {
	return append(append([]byte{0xff, markSOI}, jpegSegment(marker, body...)...), data[2:]...)
}

func TestJPEGOrientationTurnsTheSize(t *testing.T) {
	plain := encodeJPEG(t, scene(40, 20))
	for o := 1; o <= 8; o++ {
		info, err := Inspect(withSegment(plain, markAPP1, exifBlock(binary.BigEndian, o)), DefaultLimits)
		if err != nil {
			t.Fatal(err)
		}
		w, h := 40, 20
		if o >= 5 {
			w, h = h, w
		}
		if info.Orientation != o || info.Width != w || info.Height != h {
			t.Errorf("orientation %d: got %d and %d x %d as displayed, want %d x %d", o, info.Orientation, info.Width, info.Height, w, h)
		}
	}
}

func TestJPEGRefusals(t *testing.T) {
	good := flatJPEG{w: 64, h: 48, sampling: []byte{0x11}}.encode()
	sof := bytes.Index(good, []byte{0xff, markSOF0})
	edit := func(at int, v ...byte) []byte {
		c := bytes.Clone(good)
		copy(c[at:], v)
		return c
	}
	progressive := flatJPEG{w: 64, h: 48, sampling: []byte{0x11}, progressive: true}
	scans := func(n int) []byte {
		p := progressive
		p.scans = n
		return p.encode()
	}
	for name, c := range map[string]struct {
		data  []byte
		kind  *problem.Kind
		words string
	}{
		"start only":     {good[:2], problem.PictureDamaged, "ends within its headers"},
		"end too early":  {[]byte{0xff, markSOI, 0xff, markEOI}, problem.PictureDamaged, "no picture data"},
		"no end":         {good[:len(good)-2], problem.PictureDamaged, "cut off"},
		"cut in scans":   {scans(4)[:len(scans(4))-4], problem.PictureDamaged, "cut off"},
		"0 wide":         {edit(sof+7, 0, 0), problem.PictureDamaged, "0 x 48"},
		"0 high":         {edit(sof+5, 0, 0), problem.NotAPicture, "DNL"},
		"65535 x 65535":  {edit(sof+5, 0xff, 0xff, 0xff, 0xff), problem.TooManyPixels, "65535 x 65535 = 4294836225 pixels"},
		"12 bits":        {edit(sof+4, 12), problem.NotAPicture, "12 bits"},
		"lossless":       {edit(sof+1, 0xc3), problem.NotAPicture, "lossless"},
		"differential":   {edit(sof+1, 0xc5), problem.NotAPicture, "SOF5"},
		"2 components":   {edit(sof+9, 2), problem.NotAPicture, "2 color components"},
		"3 of 1":         {edit(sof+9, 3), problem.PictureDamaged, "cut short"},
		"sampling 0":     {edit(sof+11, 0), problem.PictureDamaged, "sampling factors"},
		"101 scans":      {scans(101), problem.TooManyPixels, "more than 100 scans"},
		"two SOF":        {append(bytes.Clone(good[:sof+13]), good[sof:]...), problem.PictureDamaged, "two frame headers"},
		"no frame":       {append(bytes.Clone(good[:sof]), good[sof+13:]...), problem.PictureDamaged, "no frame header"},
		"a page instead": {[]byte("<!doctype html><title>x"), problem.NotAPicture, "an HTML page"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, d := range decoders(t) {
				_, err := decode(d, c.data, 1)
				wantProblem(t, err, c.kind, c.words)
			}
		})
	}
	if _, err := Inspect(scans(100), DefaultLimits); err != nil {
		t.Errorf("100 scans are within the limit of 100: %v", err)
	}
}

// A scan costs a pass over all pixels, so large pictures may have fewer.
func TestJPEGScansOfLargePictures(t *testing.T) {
	f := flatJPEG{w: 5000, h: 5000, sampling: []byte{0x11}, progressive: true, scans: 33}
	_, err := Inspect(f.encode(), DefaultLimits)
	wantProblem(t, err, problem.TooManyPixels, "more than 32 scans")
	f.scans = 32
	if _, err := Inspect(f.encode(), DefaultLimits); err != nil {
		t.Errorf("32 scans of 25 megapixels are as many as 16 of 50: %v", err)
	}
}

// Tables of the picture before must not serve one that lacks its own.
func TestJPEGTablesAreItsOwn(t *testing.T) {
	good := flatJPEG{w: 64, h: 48, sampling: []byte{0x11}, level: []int{50}}.encode()
	dqt := bytes.Index(good, []byte{0xff, 0xdb})
	bare := append(bytes.Clone(good[:dqt]), good[dqt+69:]...)
	for _, d := range decoders(t) {
		before, errBefore := decode(d, bare, 1)
		mustDecode(t, d, good, 1)
		after, errAfter := decode(d, bare, 1)
		if (errBefore == nil) != (errAfter == nil) || errBefore == nil && !bytes.Equal(before.Pix, after.Pix) {
			t.Errorf("%s: a JPEG without quantization tables decodes differently after another picture", d.Name())
		}
	}
}

func TestJPEGArithmeticNeedsTurbo(t *testing.T) {
	data := flatJPEG{w: 64, h: 48, sampling: []byte{0x11}, frame: markSOF9}.encode()
	_, err := decode(newDecoder(t, "go"), data, 1)
	wantProblem(t, err, problem.NotAPicture, "arithmetically", "libjpeg-turbo")
}
