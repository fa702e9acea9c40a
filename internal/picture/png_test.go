package picture

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"image/color"
	"testing"

	"github.com/goshawk-ai/goshawk/internal/problem"
)

// pngFile writes every kind of PNG, which image/png's encoder does not.
type pngFile struct {
	w, h, depth, color int
	interlaced         bool
	sample             func(x, y, c int) uint16 // of depth bits
	palette, trns      []byte
	before, after      [][]byte // chunks around IDAT
	rows               int      // rows left out at the end
	pieces             int      // bytes of an IDAT chunk; 0 for one chunk
}

func pngChunk(name string, body []byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(body)))
	b = append(append(b, name...), body...)
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b[4:]))
}

func (f pngFile) header() *pngHeader {
	return &pngHeader{depth: f.depth, color: f.color, interlaced: f.interlaced}
}

func (f pngFile) encode() []byte {
	out := []byte("\x89PNG\r\n\x1a\n")
	ihdr := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, uint32(f.w)), uint32(f.h))
	interlace := byte(0)
	if f.interlaced {
		interlace = 1
	}
	out = append(out, pngChunk("IHDR", append(ihdr, byte(f.depth), byte(f.color), 0, 0, interlace))...)
	for _, c := range f.before {
		out = append(out, c...)
	}
	if f.palette != nil {
		out = append(out, pngChunk("PLTE", f.palette)...)
	}
	if f.trns != nil {
		out = append(out, pngChunk("tRNS", f.trns)...)
	}
	data := f.compressed()
	if f.pieces == 0 {
		f.pieces = len(data)
	}
	for len(data) > 0 {
		n := min(f.pieces, len(data))
		out = append(out, pngChunk("IDAT", data[:n])...)
		data = data[n:]
	}
	for _, c := range f.after {
		out = append(out, c...)
	}
	return append(out, pngChunk("IEND", nil)...)
}

func (f pngFile) compressed() []byte {
	var b bytes.Buffer
	z := zlib.NewWriter(&b)
	filter := 0
	for _, p := range f.header().passes() {
		w := ceil(f.w-p.x, p.dx)
		if w < 1 {
			continue
		}
		bits := f.header().samples() * f.depth
		prev := make([]byte, (w*bits+7)/8)
		for y := p.y; y < f.h-f.rows; y += p.dy {
			cur := f.row(p, w, y)
			_, _ = z.Write(append([]byte{byte(filter)}, filtered(cur, prev, max(1, bits/8), filter)...))
			prev, filter = cur, (filter+1)%5
		}
	}
	_ = z.Close()
	return b.Bytes()
}

func (f pngFile) row(p pass, w, y int) []byte {
	out := &bitPacker{}
	for i := range w {
		for c := range f.header().samples() {
			out.put(uint64(f.sample(p.x+i*p.dx, y, c)), f.depth)
		}
	}
	return out.bytes()
}

// bitPacker packs samples from the high end.
type bitPacker struct {
	out  []byte
	acc  uint64
	have int
}

func (b *bitPacker) put(v uint64, n int) {
	for b.acc, b.have = b.acc<<n|v, b.have+n; b.have >= 8; b.have -= 8 {
		b.out = append(b.out, byte(b.acc>>(b.have-8)))
	}
}

func (b *bitPacker) bytes() []byte {
	if b.have > 0 {
		b.put(0, 8-b.have)
	}
	return b.out
}

// filtered applies one of the five filters.
func filtered(cur, prev []byte, back, filter int) []byte {
	out := make([]byte, len(cur))
	for i := range cur {
		var a, c int
		b := int(prev[i])
		if i >= back {
			a, c = int(cur[i-back]), int(prev[i-back])
		}
		p := a + b - c
		paeth := a
		if pa, pb, pc := abs(p-a), abs(p-b), abs(p-c); pa > pb || pa > pc {
			if paeth = b; pb > pc {
				paeth = c
			}
		}
		out[i] = cur[i] - byte([]int{0, a, b, (a + b) / 2, paeth}[filter])
	}
	return out
}

func spread(x, y, c int) uint16 { return uint16(x*2654435+y*40503+c*977) ^ uint16(x*y) }

func TestPNGEveryKind(t *testing.T) {
	palette := make([]byte, 768)
	for i := range palette {
		palette[i] = byte(i*37 + i/3)
	}
	d := newDecoder(t, "go")
	for _, k := range []struct{ color, depth int }{
		{0, 1}, {0, 2}, {0, 4}, {0, 8}, {0, 16}, {2, 8}, {2, 16}, {3, 1}, {3, 2}, {3, 4}, {3, 8}, {4, 8}, {4, 16}, {6, 8}, {6, 16},
	} {
		for _, interlaced := range []bool{false, true} {
			for _, size := range [][2]int{{1, 1}, {3, 5}, {37, 23}} {
				t.Run(fmt.Sprintf("color %d, %d bits, interlaced %v, %v", k.color, k.depth, interlaced, size), func(t *testing.T) {
					mask := uint16(1<<k.depth - 1)
					f := pngFile{w: size[0], h: size[1], depth: k.depth, color: k.color, interlaced: interlaced}
					f.sample = func(x, y, c int) uint16 { return spread(x, y, c) & mask }
					if k.color == pngPalette {
						f.palette = palette[:3<<k.depth]
					}
					img := mustDecode(t, d, f.encode(), 1)
					for y := range f.h {
						for x := range f.w {
							if got, want := img.at(x, y), f.want(x, y); got != want {
								t.Fatalf("pixel %d,%d is %v, want %v", x, y, got, want)
							}
						}
					}
				})
			}
		}
	}
}

// want is the pixel in 8 bits.
func (f pngFile) want(x, y int) color.NRGBA {
	s := func(c int) byte {
		v := f.sample(x, y, c)
		if f.depth == 16 {
			return byte(v >> 8)
		}
		return byte(int(v) * 255 / (1<<f.depth - 1))
	}
	switch f.color {
	case pngGray:
		return color.NRGBA{s(0), s(0), s(0), 255}
	case pngRGB:
		return color.NRGBA{s(0), s(1), s(2), 255}
	case pngPalette:
		p := f.palette[3*f.sample(x, y, 0):]
		return color.NRGBA{p[0], p[1], p[2], 255}
	case pngGrayAlpha:
		return color.NRGBA{s(0), s(0), s(0), s(1)}
	}
	return color.NRGBA{s(0), s(1), s(2), s(3)}
}

func TestPNGTransparentColor(t *testing.T) {
	d := newDecoder(t, "go")
	column := func(x, _, _ int) uint16 { return uint16(x) }
	for name, f := range map[string]pngFile{
		"grey 4":  {depth: 4, color: pngGray, trns: []byte{0, 3}, sample: column},
		"grey 16": {depth: 16, color: pngGray, trns: []byte{0, 3}, sample: column},
		"RGB 8":   {depth: 8, color: pngRGB, trns: []byte{0, 3, 0, 3, 0, 3}, sample: column},
		"RGB 16":  {depth: 16, color: pngRGB, trns: []byte{0, 3, 0, 3, 0, 3}, sample: column},
		"palette": {depth: 4, color: pngPalette, palette: make([]byte, 48), trns: []byte{255, 255, 255, 0}, sample: column},
	} {
		t.Run(name, func(t *testing.T) {
			f.w, f.h = 7, 2
			img := mustDecode(t, d, f.encode(), 1)
			for x := range f.w {
				want := byte(255)
				if x == 3 {
					want = 0
				}
				if got := img.at(x, 1).A; got != want {
					t.Errorf("alpha of column %d is %d, want %d: value 3 alone is transparent", x, got, want)
				}
			}
		})
	}
}

func grayPNG(w, h int) pngFile {
	return pngFile{w: w, h: h, depth: 8, color: pngGray, sample: func(x, y, _ int) uint16 { return uint16(byte(x + y)) }}
}

// Others read these, so we do.
func TestPNGTolerated(t *testing.T) {
	d := newDecoder(t, "go")
	plain := grayPNG(20, 10)
	want := mustDecode(t, d, plain.encode(), 1)
	text := pngChunk("tEXt", []byte("Comment\x00hello"))
	bomb := pngChunk("iCCP", append([]byte("x\x00\x00"), bytes.Repeat([]byte{0}, 5000)...))
	with := func(edit func(f *pngFile)) []byte {
		f := plain
		edit(&f)
		return f.encode()
	}
	whole := plain.encode()
	adler := bytes.Clone(whole)
	adler[len(adler)-12-4-1] ^= 0x55 // the last byte of zlib's checksum
	for name, data := range map[string][]byte{
		"IDAT of one byte":  with(func(f *pngFile) { f.pieces = 1 }),
		"text before IHDR":  append(append(bytes.Clone(whole[:8]), text...), whole[8:]...),
		"no IEND":           whole[:len(whole)-12],
		"garbage behind":    append(bytes.Clone(whole), make([]byte, 4000)...),
		"profile bomb":      with(func(f *pngFile) { f.before = [][]byte{bomb} }),
		"many text chunks":  with(func(f *pngFile) { f.before = bytes.SplitAfter(bytes.Repeat(text, 5000), text) }),
		"wrong Adler":       adler,
		"unknown chunk":     with(func(f *pngFile) { f.before = [][]byte{pngChunk("ABCD", nil)} }),
		"second IHDR":       with(func(f *pngFile) { f.before = [][]byte{whole[8:33]} }),
		"compression 1":     withIHDR(whole, 10, 1),
		"interlace 2":       withIHDR(whole, 12, 2),
		"huge chunk behind": append(bytes.Clone(whole[:len(whole)-12]), 0x7f, 0xff, 0xff, 0xff, 't', 'E', 'X', 't'),
	} {
		t.Run(name, func(t *testing.T) {
			if got := mustDecode(t, d, data, 1); !bytes.Equal(got.Pix, want.Pix) {
				t.Error("it decodes to other pixels")
			}
		})
	}
}

// withIHDR changes a byte of the header and its checksum.
func withIHDR(data []byte, at int, v byte) []byte {
	c := bytes.Clone(data)
	c[16+at] = v
	binary.BigEndian.PutUint32(c[29:], crc32.ChecksumIEEE(c[12:29]))
	return c
}

func TestPNGRefusals(t *testing.T) {
	f := grayPNG(20, 10)
	whole := f.encode()
	edit := func(at int, v ...byte) []byte {
		c := bytes.Clone(whole)
		copy(c[at:], v)
		return c
	}
	short := f
	short.rows = 4
	palette := pngFile{w: 4, h: 4, depth: 8, color: pngPalette, sample: spread}
	wide := withIHDR(withIHDR(whole, 0, 0x7f), 4, 0x7f)
	for name, c := range map[string]struct {
		data  []byte
		kind  *problem.Kind
		words string
	}{
		"signature only":  {whole[:8], problem.PictureDamaged, "no header chunk"},
		"IHDR checksum":   {edit(20, 9), problem.PictureDamaged, "IHDR"},
		"color type 5":    {withIHDR(whole, 9, 5), problem.PictureDamaged, "color type 5"},
		"3 bits":          {withIHDR(whole, 8, 3), problem.PictureDamaged, "3 bits"},
		"0 wide":          {withIHDR(whole, 3, 0), problem.PictureDamaged, "0 x 10"},
		"two billion":     {wide, problem.TooManyPixels, "2130706452 x 2130706442"},
		"no IDAT":         {append(bytes.Clone(whole[:33]), pngChunk("IEND", nil)...), problem.PictureDamaged, "IDAT"},
		"cut in IDAT":     {whole[:60], problem.PictureDamaged, "row"},
		"rows missing":    {short.encode(), problem.PictureDamaged, "row 6 of 10"},
		"no palette":      {palette.encode(), problem.PictureDamaged, "palette"},
		"line ends":       {append([]byte("\x89PNG\n\x1a\n"), whole[8:]...), problem.NotAPicture, "line ends"},
		"not zlib":        {edit(41, 0xff, 0xff), problem.PictureDamaged, "zlib"},
		"chunk of 2 GB":   {append(bytes.Clone(whole[:33]), 0x7f, 0xff, 0xff, 0xff, 'z', 'T', 'X', 't', 1), problem.PictureDamaged, `"zTXt"`},
		"filter 9":        {badFilter(), problem.PictureDamaged, "filter 9"},
		"only other bits": {[]byte("\x89PNG\r\n\x1a\nxxxx"), problem.PictureDamaged, "no header chunk"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := decode(newDecoder(t, "go"), c.data, 1)
			wantProblem(t, err, c.kind, c.words)
		})
	}
}

func badFilter() []byte {
	var b bytes.Buffer
	z := zlib.NewWriter(&b)
	_, _ = z.Write([]byte{0, 1, 9, 1})
	_ = z.Close()
	whole := grayPNG(1, 2).encode()
	return append(append(bytes.Clone(whole[:33]), pngChunk("IDAT", b.Bytes())...), pngChunk("IEND", nil)...)
}

func TestPNGOrientation(t *testing.T) {
	exif := pngChunk("eXIf", exifBlock(binary.BigEndian, 8)[len(exifHeader):])
	before, after := grayPNG(20, 10), grayPNG(20, 10)
	before.before, after.after = [][]byte{exif}, [][]byte{exif}
	for name, f := range map[string]pngFile{"before the data": before, "behind the data": after} {
		info, err := Inspect(f.encode(), DefaultLimits)
		if err != nil || info.Orientation != 8 || info.Width != 10 || info.Height != 20 {
			t.Errorf("%s: got orientation %d, %d x %d, %v; want 8, 10 x 20", name, info.Orientation, info.Width, info.Height, err)
		}
	}
}

// appled makes Apple's variant of a PNG: raw deflate.
func appled(f pngFile) []byte {
	f.before = [][]byte{pngChunk("CgBI", []byte{0x50, 0, 0x20, 2})}
	whole := f.encode()
	at := bytes.Index(whole, []byte("IDAT"))
	n := int(binary.BigEndian.Uint32(whole[at-4:]))
	raw := whole[at+4+2 : at+4+n-4]
	return append(append(bytes.Clone(whole[:at-4]), pngChunk("IDAT", raw)...), pngChunk("IEND", nil)...)
}

// Blue comes first, and colors are premultiplied. What Apple's program leaves
// as it is has to come out as well.
func TestPNGApple(t *testing.T) {
	for name, c := range map[string]struct {
		color  int
		sample []uint16
		trns   []byte
		want   color.NRGBA
	}{
		"RGBA":              {pngRGBA, []uint16{10, 50, 100, 128}, nil, color.NRGBA{199, 100, 20, 128}},
		"RGB":               {pngRGB, []uint16{10, 50, 100}, nil, color.NRGBA{100, 50, 10, 255}},
		"grey with alpha":   {pngGrayAlpha, []uint16{70, 128}, nil, color.NRGBA{70, 70, 70, 128}},
		"RGB, keyed":        {pngRGB, []uint16{10, 50, 100}, []byte{0, 100, 0, 50, 0, 10}, color.NRGBA{100, 50, 10, 0}},
		"RGB, keyed, other": {pngRGB, []uint16{10, 50, 100}, []byte{0, 10, 0, 50, 0, 10}, color.NRGBA{100, 50, 10, 255}},
	} {
		f := pngFile{w: 1, h: 1, depth: 8, color: c.color, trns: c.trns, sample: func(_, _, i int) uint16 { return c.sample[i] }}
		if got := mustDecode(t, newDecoder(t, "go"), appled(f), 1).at(0, 0); got != c.want {
			t.Errorf("%s: got %v, want %v", name, got, c.want)
		}
	}
}
