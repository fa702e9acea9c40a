package picture

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"image/color"
	"slices"
	"testing"

	"github.com/goshawk-ai/goshawk/internal/problem"
)

// bmpFile writes the variants of BMP.
type bmpFile struct {
	w, h        int // h < 0: from the top down
	depth       int
	compression uint32
	header      int // size of the second header: 12, 40, 108, 124
	masks       []uint32
	palette     [][3]byte
	data        []byte
}

func (f bmpFile) encode() []byte {
	le := binary.LittleEndian
	head := make([]byte, f.header)
	le.PutUint32(head, uint32(f.header))
	if f.header == 12 {
		le.PutUint16(head[4:], uint16(f.w))
		le.PutUint16(head[6:], uint16(f.h))
		le.PutUint16(head[8:], 1)
		le.PutUint16(head[10:], uint16(f.depth))
	} else {
		le.PutUint32(head[4:], uint32(f.w))
		le.PutUint32(head[8:], uint32(f.h))
		le.PutUint16(head[12:], 1)
		le.PutUint16(head[14:], uint16(f.depth))
		le.PutUint32(head[16:], f.compression)
		le.PutUint32(head[32:], uint32(len(f.palette)))
	}
	var tables []byte
	for i, m := range f.masks {
		if f.header > 40 {
			le.PutUint32(head[40+4*i:], m)
		} else {
			tables = le.AppendUint32(tables, m)
		}
	}
	for _, c := range f.palette {
		tables = append(tables, c[2], c[1], c[0])
		if f.header != 12 {
			tables = append(tables, 0)
		}
	}
	at := uint32(14 + len(head) + len(tables))
	out := le.AppendUint32(le.AppendUint32([]byte("BM"), at+uint32(len(f.data))), 0)
	return slices.Concat(le.AppendUint32(out, at), head, tables, f.data)
}

// rows packs values, bottom row first, and fills rows to 4 bytes.
func (f *bmpFile) rows(value func(x, y int) uint32) {
	h := max(f.h, -f.h)
	for i := range h {
		y := h - 1 - i
		if f.h < 0 {
			y = i
		}
		p := &bitPacker{}
		for x := range f.w {
			v := value(x, y)
			if f.depth > 8 { // bytes from the low end
				for b := 0; b < f.depth; b += 8 {
					p.put(uint64(v>>b&255), 8)
				}
			} else {
				p.put(uint64(v), f.depth)
			}
		}
		row := p.bytes()
		for len(row)%4 != 0 {
			row = append(row, 0)
		}
		f.data = append(f.data, row...)
	}
}

func TestBMPPalettes(t *testing.T) {
	d := newDecoder(t, "go")
	for _, header := range []int{12, 40, 108, 124} {
		for _, depth := range []int{1, 2, 4, 8} {
			for _, h := range []int{5, -5} {
				if header == 12 && h < 0 {
					continue
				}
				t.Run(fmt.Sprintf("header %d, %d bits, height %d", header, depth, h), func(t *testing.T) {
					f := bmpFile{w: 13, h: h, depth: depth, header: header}
					for i := range 1 << depth {
						f.palette = append(f.palette, [3]byte{byte(i * 7), byte(255 - i), byte(i * i)})
					}
					value := func(x, y int) uint32 { return uint32(x*3+y*5) & (1<<depth - 1) }
					f.rows(value)
					img := mustDecode(t, d, f.encode(), 1)
					for y := range 5 {
						for x := range 13 {
							c := f.palette[value(x, y)]
							if got := img.at(x, y); got != (color.NRGBA{c[0], c[1], c[2], 255}) {
								t.Fatalf("pixel %d,%d is %v, want %v", x, y, got, c)
							}
						}
					}
				})
			}
		}
	}
}

func TestBMPColors(t *testing.T) {
	d := newDecoder(t, "go")
	for name, c := range map[string]struct {
		f     bmpFile
		value uint32
		want  color.NRGBA
	}{
		"24":            {bmpFile{depth: 24, header: 40}, 0x123456, color.NRGBA{0x12, 0x34, 0x56, 255}},
		"24 top down":   {bmpFile{depth: 24, header: 40, h: -4}, 0x123456, color.NRGBA{0x12, 0x34, 0x56, 255}},
		"OS/2 24":       {bmpFile{depth: 24, header: 12}, 0x123456, color.NRGBA{0x12, 0x34, 0x56, 255}},
		"32, no alpha":  {bmpFile{depth: 32, header: 40}, 0x00123456, color.NRGBA{0x12, 0x34, 0x56, 255}},
		"16 is 5-5-5":   {bmpFile{depth: 16, header: 40}, 31<<10 | 16<<5 | 1, color.NRGBA{255, 131, 8, 255}},
		"5-6-5":         {bmpFile{depth: 16, header: 40, compression: 3, masks: []uint32{0xf800, 0x7e0, 0x1f}}, 31<<11 | 32<<5 | 1, color.NRGBA{255, 129, 8, 255}},
		"odd masks":     {bmpFile{depth: 16, header: 40, compression: 3, masks: []uint32{0x3, 0x1c, 0x20}}, 0x3 | 0x20, color.NRGBA{255, 0, 255, 255}},
		"8888 V5 alpha": {bmpFile{depth: 32, header: 124, compression: 3, masks: []uint32{0xff0000, 0xff00, 0xff, 0xff000000}}, 0x80123456, color.NRGBA{0x12, 0x34, 0x56, 0x80}},
		"V5 no masks":   {bmpFile{depth: 32, header: 124, compression: 3}, 0x80123456, color.NRGBA{0x12, 0x34, 0x56, 0x80}},
		"1010102":       {bmpFile{depth: 32, header: 108, compression: 3, masks: []uint32{0x3ff00000, 0xffc00, 0x3ff, 0xc0000000}}, 0xfff00000, color.NRGBA{255, 0, 0, 255}},
		"alpha fields":  {bmpFile{depth: 16, header: 40, compression: 6, masks: []uint32{0xf00, 0xf0, 0xf, 0xf000}}, 0x8f00, color.NRGBA{255, 0, 0, 136}},
	} {
		t.Run(name, func(t *testing.T) {
			c.f.w = 3
			if c.f.h == 0 {
				c.f.h = 4
			}
			c.f.rows(func(int, int) uint32 { return c.value })
			img := mustDecode(t, d, c.f.encode(), 1)
			if got := img.at(2, 3); got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

func rle(depth int, compression uint32, data ...byte) bmpFile {
	f := bmpFile{w: 4, h: 3, depth: depth, header: 40, compression: compression, data: data}
	for i := range 1 << depth {
		f.palette = append(f.palette, [3]byte{byte(i), 0, 0})
	}
	return f
}

func TestBMPRunLengths(t *testing.T) {
	for name, c := range map[string]struct {
		f    bmpFile
		want string // indices, top row first
	}{
		"RLE8":             {rle(8, 1, 4, 1, 0, 0, 0, 3, 2, 3, 4, 0, 1, 5, 0, 0, 2, 6, 2, 7, 0, 1), "667723451111"},
		"RLE4":             {rle(4, 2, 4, 0x12, 0, 0, 0, 4, 0x34, 0x56, 0, 0, 4, 0x77, 0, 1), "777734561212"},
		"jumps":            {rle(8, 1, 1, 1, 0, 2, 2, 1, 1, 5, 0, 1), "000000051000"},
		"out of the right": {rle(8, 1, 255, 3, 0, 0, 255, 4, 0, 0, 255, 5, 0, 1), "555544443333"},
		"out of the top":   {rle(8, 1, 4, 1, 0, 2, 0, 200, 4, 9, 0, 1), "000000001111"},
		"end comes early":  {rle(8, 1, 4, 1, 0, 1), "000000001111"},
		"no end code":      {rle(8, 1, 4, 1, 0, 0, 4, 2, 0, 0, 4, 3), "333322221111"},
	} {
		t.Run(name, func(t *testing.T) {
			img := mustDecode(t, newDecoder(t, "go"), c.f.encode(), 1)
			var got []byte
			for i := range 12 {
				got = append(got, '0'+img.Pix[3*i])
			}
			if string(got) != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestBMPRefusals(t *testing.T) {
	good := bmpFile{w: 4, h: 4, depth: 24, header: 40}
	good.rows(func(int, int) uint32 { return 1 })
	whole := good.encode()
	edit := func(at int, v uint32) []byte {
		c := bytes.Clone(whole)
		binary.LittleEndian.PutUint32(c[at:], v)
		return c
	}
	masks := func(r, g, b uint32) []byte {
		f := bmpFile{w: 4, h: 4, depth: 16, header: 40, compression: 3, masks: []uint32{r, g, b}, data: make([]byte, 64)}
		return f.encode()
	}
	for name, c := range map[string]struct {
		data  []byte
		kind  *problem.Kind
		words string
	}{
		"header only":     {whole[:54], problem.PictureDamaged, "no picture data"},
		"cut header":      {whole[:40], problem.PictureDamaged, "cut off in its header"},
		"cut":             {whole[:80], problem.PictureDamaged, "row 2 of 4"},
		"negative width":  {edit(18, 0xffffffe0), problem.PictureDamaged, "-32 x 4"},
		"least height":    {edit(22, 0x80000000), problem.TooManyPixels, "4 x 2147483648"},
		"huge":            {edit(18, 1<<30), problem.TooManyPixels, "1073741824 x 4"},
		"offset outside":  {edit(10, 1<<31), problem.PictureDamaged, "byte 2147483648"},
		"7 bits":          {edit(26, 7<<16|1), problem.PictureDamaged, "7 bits"},
		"JPEG inside":     {edit(30, 4), problem.NotAPicture, "compression 4"},
		"compression 99":  {edit(30, 99), problem.NotAPicture, "compression 99"},
		"RLE8 of 24 bits": {edit(30, 1), problem.PictureDamaged, "do not go together"},
		"masks overlap":   {masks(0xff, 0xf0, 0xf00), problem.PictureDamaged, "overlap"},
		"masks empty":     {masks(0, 0xf0, 0xf00), problem.PictureDamaged, "empty"},
		"masks with gaps": {masks(0xf, 0x50, 0xf00), problem.PictureDamaged, "gaps"},
		"palette claim":   {append(edit(46, 1<<31)[:28], append([]byte{8, 0}, edit(46, 1<<31)[30:]...)...), problem.PictureDamaged, "2147483648 colors"},
		"RLE cut":         {rle(8, 1, 4, 1, 0, 0, 2).encode(), problem.PictureDamaged, "ends at row 1"},
		"a letter":        {[]byte("BM is how this letter begins, and no picture"), problem.NotAPicture, "text"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := decode(newDecoder(t, "go"), c.data, 1)
			wantProblem(t, err, c.kind, c.words)
		})
	}
}
