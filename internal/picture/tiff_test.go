package picture

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"fmt"
	"image"
	"image/color"
	"math"
	"testing"

	"github.com/goshawk-ai/goshawk/internal/problem"
)

// tiffWriter writes one directory with whatever fields it is given.
type tiffWriter struct {
	order   appendOrder
	big     bool
	fields  map[int][]uint64
	types   map[int]int // of fields that are not LONG
	chunks  [][]byte
	tiled   bool
	noCount bool
}

func newTIFF(w, h int) *tiffWriter {
	return &tiffWriter{
		order: binary.LittleEndian, types: map[int]int{},
		fields: map[int][]uint64{tagWidth: {uint64(w)}, tagHeight: {uint64(h)}, tagPhotometric: {1}, tagBits: {8}},
	}
}

func (t *tiffWriter) set(tag int, v ...uint64) *tiffWriter { t.fields[tag] = v; return t }

func (t *tiffWriter) encode() []byte {
	out := t.order.AppendUint16([]byte("II"), 42)
	if t.order.String() == "BigEndian" {
		out = t.order.AppendUint16([]byte("MM"), 42)
	}
	head := 8
	if t.big {
		head = 16
		out = t.order.AppendUint16(t.order.AppendUint16(t.order.AppendUint16(out[:2], 43), 8), 0)
	}
	var body []byte
	place := func(b []byte) uint64 {
		at := uint64(head + len(body))
		body = append(body, b...)
		return at
	}
	var offsets, counts []uint64
	for _, c := range t.chunks {
		offsets, counts = append(offsets, place(c)), append(counts, uint64(len(c)))
	}
	offsetTag, countTag := tagOffsets, tagCounts
	if t.tiled {
		offsetTag, countTag = tagTileOffsets, tagTileCounts
	}
	t.fields[offsetTag] = offsets
	if !t.noCount {
		t.fields[countTag] = counts
	}
	var tags []int
	for tag := range t.fields {
		tags = append(tags, tag)
	}
	var entries []byte
	for _, tag := range tags {
		entries = append(entries, t.entry(tag, place)...)
	}
	at := uint64(head + len(body))
	if t.big {
		out = t.order.AppendUint64(out, at)
		return append(append(append(out, body...), t.order.AppendUint64(nil, uint64(len(tags)))...), append(entries, make([]byte, 8)...)...)
	}
	out = t.order.AppendUint32(out, uint32(at))
	return append(append(append(out, body...), t.order.AppendUint16(nil, uint16(len(tags)))...), append(entries, make([]byte, 4)...)...)
}

func (t *tiffWriter) entry(tag int, place func([]byte) uint64) []byte {
	var value []byte
	typ, count := typeLong, len(t.fields[tag])
	if t.types[tag] != 0 {
		typ = t.types[tag]
	}
	for _, v := range t.fields[tag] {
		switch typ {
		case typeByte:
			value = append(value, byte(v))
		case typeShort:
			value = t.order.AppendUint16(value, uint16(v))
		default:
			value = t.order.AppendUint32(value, uint32(v))
		}
	}
	inline := 4
	e := t.order.AppendUint16(t.order.AppendUint16(nil, uint16(tag)), uint16(typ))
	if t.big {
		inline = 8
		e = t.order.AppendUint64(e, uint64(count))
	} else {
		e = t.order.AppendUint32(e, uint32(count))
	}
	if len(value) > inline {
		at := place(value)
		if t.big {
			return t.order.AppendUint64(e, at)
		}
		return t.order.AppendUint32(e, uint32(at))
	}
	return append(e, append(value, make([]byte, inline-len(value))...)...)
}

func deflated(b []byte) []byte {
	var out bytes.Buffer
	z := zlib.NewWriter(&out)
	_, _ = z.Write(b)
	_ = z.Close()
	return out.Bytes()
}

// packedBits writes literals and one run.
func packedBits(b []byte) []byte {
	var out []byte
	for len(b) > 0 {
		n := min(len(b), 100)
		if n >= 3 && b[0] == b[1] && b[1] == b[2] {
			run := 3
			for run < n && b[run] == b[0] {
				run++
			}
			out = append(out, byte(1-run), b[0])
			b = b[run:]
			continue
		}
		out = append(append(out, 0x80, byte(n-1)), b[:n]...) // 0x80 does nothing
		b = b[n:]
	}
	return out
}

// literalLZW writes 9-bit codes only, clearing the table in time.
func literalLZW(b []byte) []byte {
	p := &bitPacker{}
	for i, c := range b {
		if i%200 == 0 {
			p.put(256, 9)
		}
		p.put(uint64(c), 9)
	}
	p.put(257, 9)
	return p.bytes()
}

// tiffGray is a grey gradient in 8 bits with its samples.
func tiffGray(w, h int) []byte {
	b := make([]byte, w*h)
	for i := range b {
		b[i] = byte(i%w*9 + i/w*4)
	}
	return b
}

func TestTIFFCompressions(t *testing.T) {
	const w, h = 21, 14
	samples := tiffGray(w, h)
	samples[5], samples[6], samples[7], samples[8] = 3, 3, 3, 3
	d := newDecoder(t, "go")
	for name, c := range map[string]struct {
		number uint64
		pack   func([]byte) []byte
	}{
		"none": {1, bytes.Clone}, "LZW": {5, literalLZW}, "deflate": {8, deflated}, "old deflate": {32946, deflated}, "PackBits": {32773, packedBits},
	} {
		for _, rows := range []int{14, 5, 1} {
			for _, big := range []bool{false, true} {
				for _, order := range []appendOrder{binary.LittleEndian, binary.BigEndian} {
					t.Run(fmt.Sprintf("%s, %d rows a strip, big %v, %v", name, rows, big, order), func(t *testing.T) {
						f := newTIFF(w, h).set(tagCompression, c.number).set(tagRows, uint64(rows))
						f.order, f.big = order, big
						for y := 0; y < h; y += rows {
							f.chunks = append(f.chunks, c.pack(samples[y*w:min(y+rows, h)*w]))
						}
						if img := mustDecode(t, d, f.encode(), 1); img.Channels != 1 || !bytes.Equal(img.Pix, samples) {
							t.Errorf("got other samples than were written, or %d channels", img.Channels)
						}
					})
				}
			}
		}
	}
}

func TestTIFFTiles(t *testing.T) {
	const w, h, tw, th = 37, 21, 16, 16
	f := newTIFF(w, h).set(tagTileWidth, tw).set(tagTileHeight, th).set(tagPredictor, 2).set(tagCompression, 8)
	f.tiled = true
	samples := tiffGray(w, h)
	for y := 0; y < h; y += th {
		for x := 0; x < w; x += tw {
			var tile []byte
			for ty := range th {
				last := byte(0)
				for tx := range tw {
					v := byte(99)
					if y+ty < h && x+tx < w {
						v = samples[(y+ty)*w+x+tx]
					}
					tile = append(tile, v-last)
					last = v
				}
			}
			f.chunks = append(f.chunks, deflated(tile))
		}
	}
	if img := mustDecode(t, newDecoder(t, "go"), f.encode(), 1); !bytes.Equal(img.Pix, samples) {
		t.Error("tiles with horizontal prediction decode to other samples")
	}
}

func TestTIFFSamples(t *testing.T) {
	le := binary.LittleEndian
	floats := func(v ...float32) (b []byte) {
		for _, x := range v {
			b = le.AppendUint32(b, math.Float32bits(x))
		}
		return b
	}
	nan := float32(math.NaN())
	pack := func(depth int, v ...uint64) []byte {
		p := &bitPacker{}
		for _, x := range v {
			p.put(x, depth)
		}
		return p.bytes()
	}
	palette := make([]uint64, 48)
	palette[3], palette[16+3], palette[32+3] = 0x1200, 0x3400, 0x56ff
	gray := func(v byte) color.NRGBA { return color.NRGBA{v, v, v, 255} }
	for name, c := range map[string]struct {
		f    *tiffWriter
		data []byte
		want []color.NRGBA // the first row
	}{
		"1 bit":            {newTIFF(3, 1).set(tagBits, 1), []byte{0xa0}, []color.NRGBA{gray(255), gray(0), gray(255)}},
		"white is zero":    {newTIFF(2, 1).set(tagPhotometric, 0), []byte{0, 200}, []color.NRGBA{gray(255), gray(55)}},
		"4 bits":           {newTIFF(3, 1).set(tagBits, 4), pack(4, 15, 0, 8), []color.NRGBA{gray(255), gray(0), gray(136)}},
		"12 bits":          {newTIFF(2, 1).set(tagBits, 12), pack(12, 0xabc, 0x123), []color.NRGBA{gray(0xab), gray(0x12)}},
		"16 bits":          {newTIFF(2, 1).set(tagBits, 16), []byte{1, 0xab, 2, 0x12}, []color.NRGBA{gray(0xab), gray(0x12)}},
		"16 bits signed":   {newTIFF(2, 1).set(tagBits, 16).set(tagFormat, 2), []byte{0, 0x80, 0xff, 0x7f}, []color.NRGBA{gray(0), gray(255)}},
		"24 bits":          {newTIFF(1, 1).set(tagBits, 24), []byte{0x77, 1, 2}, []color.NRGBA{gray(0x77)}},
		"32 bits":          {newTIFF(1, 1).set(tagBits, 32), []byte{1, 2, 3, 0x77}, []color.NRGBA{gray(0x77)}},
		"float":            {newTIFF(5, 1).set(tagBits, 32).set(tagFormat, 3), floats(0, 0.5, 1, nan, -3), []color.NRGBA{gray(0), gray(128), gray(255), gray(0), gray(0)}},
		"half float":       {newTIFF(2, 1).set(tagBits, 16).set(tagFormat, 3), []byte{0, 0x38, 0, 0x3c}, []color.NRGBA{gray(128), gray(255)}},
		"double":           {newTIFF(1, 1).set(tagBits, 64).set(tagFormat, 3), le.AppendUint64(nil, math.Float64bits(0.5)), []color.NRGBA{gray(128)}},
		"RGB":              {newTIFF(2, 1).set(tagPhotometric, 2).set(tagSamples, 3), []byte{1, 2, 3, 4, 5, 6}, []color.NRGBA{{1, 2, 3, 255}, {4, 5, 6, 255}}},
		"RGBX":             {newTIFF(1, 1).set(tagPhotometric, 2).set(tagSamples, 4).set(tagExtra, 0), []byte{1, 2, 3, 9}, []color.NRGBA{{1, 2, 3, 255}}},
		"RGBA":             {newTIFF(1, 1).set(tagPhotometric, 2).set(tagSamples, 4).set(tagExtra, 2), []byte{1, 2, 3, 9}, []color.NRGBA{{1, 2, 3, 9}}},
		"RGBA multiplied":  {newTIFF(1, 1).set(tagPhotometric, 2).set(tagSamples, 4).set(tagExtra, 1), []byte{10, 20, 30, 128}, []color.NRGBA{{20, 40, 60, 128}}},
		"grey and alpha":   {newTIFF(1, 1).set(tagSamples, 2).set(tagExtra, 2), []byte{77, 9}, []color.NRGBA{{77, 77, 77, 9}}},
		"palette":          {newTIFF(2, 1).set(tagBits, 4).set(tagPhotometric, 3).set(tagColors, palette...), []byte{0x30}, []color.NRGBA{{0x12, 0x34, 0x56, 255}, {0, 0, 0, 255}}},
		"palette, alpha":   {newTIFF(2, 1).set(tagBits, 4).set(tagPhotometric, 3).set(tagColors, palette...).set(tagSamples, 2).set(tagExtra, 2), []byte{0x3f, 0x35}, []color.NRGBA{{0x12, 0x34, 0x56, 255}, {0x12, 0x34, 0x56, 85}}},
		"CMYK":             {newTIFF(2, 1).set(tagPhotometric, 5).set(tagSamples, 4), []byte{0, 255, 255, 0, 0, 0, 0, 255}, []color.NRGBA{{255, 0, 0, 255}, {0, 0, 0, 255}}},
		"YCbCr 1:1":        {newTIFF(1, 1).set(tagPhotometric, 6).set(tagSamples, 3).set(tagSubsampling, 1, 1), []byte{76, 85, 255}, []color.NRGBA{{254, 0, 0, 255}}},
		"bits last first":  {newTIFF(2, 1).set(tagBits, 1).set(tagFillOrder, 2), []byte{0x01}, []color.NRGBA{gray(255), gray(0)}},
		"16-bit predictor": {newTIFF(2, 1).set(tagBits, 16).set(tagPredictor, 2).set(tagCompression, 8), deflated([]byte{0, 0x10, 0, 0x20}), []color.NRGBA{gray(0x10), gray(0x30)}},
		"32-bit predictor": {newTIFF(2, 1).set(tagBits, 32).set(tagPredictor, 2).set(tagCompression, 8), deflated([]byte{0, 0, 0, 0x10, 0, 0, 0, 0x20}), []color.NRGBA{gray(0x10), gray(0x30)}},
		"float predictor":  {newTIFF(2, 1).set(tagBits, 32).set(tagFormat, 3).set(tagPredictor, 3).set(tagCompression, 8), deflated([]byte{0x3f, 0, 0xc1, 0, 0, 0, 0, 0}), []color.NRGBA{gray(128), gray(128)}},
	} {
		t.Run(name, func(t *testing.T) {
			c.f.types[tagColors] = typeShort
			c.f.chunks = [][]byte{c.data}
			img := mustDecode(t, newDecoder(t, "go"), c.f.encode(), 1)
			for x, want := range c.want {
				if got := img.at(x, 0); got != want {
					t.Errorf("pixel %d is %v, want %v", x, got, want)
				}
			}
		})
	}
}

func TestTIFFPlanes(t *testing.T) {
	d := newDecoder(t, "go")
	rgb := newTIFF(2, 2).set(tagPhotometric, 2).set(tagSamples, 3).set(tagPlanar, 2)
	rgb.chunks = [][]byte{{1, 2, 3, 4}, {5, 6, 7, 8}, {9, 10, 11, 12}}
	if got := mustDecode(t, d, rgb.encode(), 1).at(1, 1); got != (color.NRGBA{4, 8, 12, 255}) {
		t.Errorf("RGB in planes: got %v", got)
	}
	cmyk := newTIFF(2, 1).set(tagPhotometric, 5).set(tagSamples, 4).set(tagPlanar, 2)
	cmyk.chunks = [][]byte{{0, 255}, {255, 0}, {255, 0}, {0, 0}}
	img := mustDecode(t, d, cmyk.encode(), 1)
	if img.at(0, 0) != (color.NRGBA{255, 0, 0, 255}) || img.at(1, 0) != (color.NRGBA{0, 255, 255, 255}) {
		t.Errorf("CMYK in planes: got %v and %v, want red and cyan", img.at(0, 0), img.at(1, 0))
	}
}

// Of greys and palette indices only the first plane is looked at, and it is
// turned into colors as if there were no other.
func TestTIFFPlanesOfOneSample(t *testing.T) {
	palette := make([]uint64, 3<<8)
	palette[7], palette[256+7], palette[512+7] = 0x1100, 0x2200, 0x3300
	for name, c := range map[string]struct {
		photometric uint64
		want        color.NRGBA // of the sample 7
	}{
		"white is zero": {0, color.NRGBA{248, 248, 248, 255}},
		"black is zero": {1, color.NRGBA{7, 7, 7, 255}},
		"palette":       {3, color.NRGBA{0x11, 0x22, 0x33, 255}},
	} {
		for samples := 1; samples <= 4; samples++ {
			f := newTIFF(2, 4).set(tagPhotometric, c.photometric).set(tagSamples, uint64(samples)).set(tagPlanar, 2).set(tagRows, 2)
			f.types[tagColors] = typeShort
			if c.photometric == 3 {
				f.set(tagColors, palette...)
			}
			for range samples { // two strips a plane, unlike those of the other planes
				n := byte(len(f.chunks))
				f.chunks = append(f.chunks, []byte{n, n, n, 7 + n}, []byte{7 + n, n, n, 7 + n})
			}
			img := mustDecode(t, newDecoder(t, "go"), f.encode(), 1)
			for _, at := range [][2]int{{1, 1}, {0, 2}, {1, 3}} {
				if got := img.at(at[0], at[1]); got != c.want {
					t.Errorf("%s, %d planes: pixel %v is %v, want %v", name, samples, at, got, c.want)
				}
			}
		}
	}
}

func TestTIFFFax(t *testing.T) {
	// Group 4: a row like the white one above it is the code 1; then the block's end.
	f := newTIFF(16, 3).set(tagBits, 1).set(tagCompression, 4).set(tagPhotometric, 0)
	f.chunks = [][]byte{{0xe0, 0x02, 0x00, 0x20}}
	if img := mustDecode(t, newDecoder(t, "go"), f.encode(), 1); img.at(0, 0).R != 255 || img.at(15, 2).R != 255 {
		t.Error("three white rows of fax are not white")
	}
}

func TestTIFFWithJPEG(t *testing.T) {
	const w, h, rows = 32, 32, 16
	m := scene(w, h)
	for _, d := range decoders(t) {
		f := newTIFF(w, h).set(tagPhotometric, 6).set(tagSamples, 3).set(tagCompression, 7).set(tagRows, rows)
		for y := 0; y < h; y += rows {
			f.chunks = append(f.chunks, encodeJPEG(t, m.SubImage(image.Rect(0, y, w, y+rows))))
		}
		img := mustDecode(t, d, f.encode(), 1)
		if a, b := img.at(2, 2), img.at(29, 29); a.R < 240 || a.G > 20 || b.B < 240 || b.R > 20 {
			t.Errorf("%s: corners are %v and %v, want red and blue", d.Name(), a, b)
		}
		stored := newTIFF(24, 16).set(tagPhotometric, 2).set(tagSamples, 3).set(tagCompression, 7)
		stored.chunks = [][]byte{flatJPEG{w: 24, h: 16, sampling: []byte{0x11, 0x11, 0x11}, level: []int{72, -78, -28}}.encode()}
		if got := mustDecode(t, d, stored.encode(), 1).at(3, 3); far(got.R, 200) > 2 || far(got.G, 50) > 2 || far(got.B, 100) > 2 {
			t.Errorf("%s: JPEG that the TIFF calls RGB is %v, want 200, 50, 100", d.Name(), got)
		}
		negative := newTIFF(24, 16).set(tagPhotometric, 0).set(tagCompression, 7)
		negative.chunks = [][]byte{flatJPEG{w: 24, h: 16, sampling: []byte{0x11}, level: []int{72}}.encode()}
		if got := mustDecode(t, d, negative.encode(), 1).at(3, 3); far(got.R, 55) > 2 {
			t.Errorf("%s: 200 in a JPEG whose TIFF says that white is zero is %v, want 55", d.Name(), got)
		}
		small := newTIFF(32, 32).set(tagPhotometric, 6).set(tagSamples, 3).set(tagCompression, 7)
		small.chunks = [][]byte{encodeJPEG(t, scene(16, 16))}
		_, err := decode(d, small.encode(), 1)
		wantProblem(t, err, problem.PictureDamaged, "another size")
	}
}

func TestTIFFOrientation(t *testing.T) {
	f := newTIFF(5, 3).set(tagOrientation, 6)
	f.chunks = [][]byte{make([]byte, 15)}
	info, err := Inspect(f.encode(), DefaultLimits)
	if err != nil || info.Orientation != 6 || info.Width != 3 || info.Height != 5 {
		t.Errorf("got orientation %d, %d x %d, %v; want 6, 3 x 5", info.Orientation, info.Width, info.Height, err)
	}
}

func TestTIFFRefusals(t *testing.T) {
	good := func() *tiffWriter {
		f := newTIFF(4, 4)
		f.chunks = [][]byte{make([]byte, 16)}
		return f
	}
	whole := good().encode()
	for name, c := range map[string]struct {
		data  []byte
		kind  *problem.Kind
		words string
	}{
		"header only":            {whole[:8], problem.PictureDamaged, "0 x 0"},
		"4 bytes":                {whole[:4], problem.PictureDamaged, "header"},
		"huge":                   {good().set(tagWidth, 1<<32-1).set(tagHeight, 1<<32-1).encode(), problem.TooManyPixels, "4294967295 x 4294967295"},
		"no width":               {good().set(tagWidth).encode(), problem.PictureDamaged, "0 x 4"},
		"cut":                    {func() []byte { f := good(); f.chunks[0] = make([]byte, 3); return f.set(tagCounts, 9).encode() }(), problem.PictureDamaged, "row 0 of 4"},
		"255 bits":               {good().set(tagBits, 255).encode(), problem.NotAPicture, "255 bits"},
		"65535 samples":          {good().set(tagSamples, 65535).encode(), problem.NotAPicture, "65535 samples"},
		"two samples short":      {good().set(tagPhotometric, 2).encode(), problem.PictureDamaged, "need 3"},
		"differing bits":         {good().set(tagPhotometric, 2).set(tagSamples, 3).set(tagBits, 5, 6, 5).encode(), problem.NotAPicture, "different numbers of bits"},
		"Lab":                    {good().set(tagPhotometric, 8).encode(), problem.NotAPicture, "interpretation 8"},
		"no palette":             {good().set(tagPhotometric, 3).encode(), problem.PictureDamaged, "palette"},
		"compression 4711":       {good().set(tagCompression, 4711).encode(), problem.NotAPicture, "number 4711"},
		"Zstandard":              {good().set(tagCompression, 50000).encode(), problem.NotAPicture, "Zstandard"},
		"fax of 8 bits":          {good().set(tagCompression, 4).encode(), problem.PictureDamaged, "fax"},
		"fax in 2-D":             {good().set(tagBits, 1).set(tagCompression, 3).set(tagFaxOptions, 1).encode(), problem.NotAPicture, "group 3"},
		"JPEG 16 bits":           {good().set(tagBits, 16).set(tagCompression, 7).encode(), problem.NotAPicture, "JPEG"},
		"not JPEG inside":        {good().set(tagCompression, 7).encode(), problem.PictureDamaged, "piece 1 of 1"},
		"not zlib inside":        {good().set(tagCompression, 8).encode(), problem.PictureDamaged, "zlib"},
		"predictor 9":            {good().set(tagPredictor, 9).encode(), problem.NotAPicture, "predictor 9"},
		"subsampled":             {good().set(tagPhotometric, 6).set(tagSamples, 3).set(tagSubsampling, 2, 2).encode(), problem.NotAPicture, "subsampled"},
		"grey and alpha apart":   {good().set(tagSamples, 3).set(tagExtra, 2).set(tagPlanar, 2).encode(), problem.NotAPicture, "apart"},
		"grey and alpha as JPEG": {good().set(tagSamples, 3).set(tagExtra, 2).set(tagCompression, 7).encode(), problem.NotAPicture, "JPEG data"},
		"YCbCr apart":            {good().set(tagPhotometric, 6).set(tagSamples, 3).set(tagPlanar, 2).encode(), problem.NotAPicture, "apart"},
		"signed indices":         {good().set(tagPhotometric, 3).set(tagFormat, 2).encode(), problem.NotAPicture, "signed numbers"},
		"tiles of 0": {func() []byte {
			f := good().set(tagTileWidth, 0).set(tagTileHeight, 16)
			f.tiled = true
			return f.encode()
		}(), problem.PictureDamaged, "0 x 16"},
		"tiles of 100000": {func() []byte {
			f := good().set(tagTileWidth, 100000).set(tagTileHeight, 16)
			f.tiled = true
			return f.encode()
		}(), problem.NotAPicture, "100000 x 16"},
		"too many pieces": {good().set(tagWidth, 100).set(tagHeight, 200000).set(tagRows, 1).encode(), problem.NotAPicture, "200000 pieces"},
		"overlapping":     {overlapping(), problem.PictureDamaged, "100 pieces overlap"},
		"JPEG tables":     {longTables(), problem.PictureDamaged, "tables take 5000 bytes"},
		"JPEG pieces":     {good().set(tagHeight, 20000).set(tagRows, 1).set(tagCompression, 7).encode(), problem.NotAPicture, "20000 pieces"},
		"no offsets":      {good().set(tagHeight, 100).set(tagRows, 1).encode(), problem.PictureDamaged, "where its picture data is"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := decode(newDecoder(t, "go"), c.data, 1)
			wantProblem(t, err, c.kind, c.words)
		})
	}
}

func longTables() []byte {
	f := newTIFF(4, 4).set(tagCompression, 7).set(tagJPEGTables, make([]uint64, 5000)...)
	f.types[tagJPEGTables] = typeByte
	f.chunks = [][]byte{{0xff, markSOI}}
	return f.encode()
}

// overlapping has a hundred strips that are all the same megabyte.
func overlapping() []byte {
	f := newTIFF(4, 100).set(tagRows, 1).set(tagCompression, 32773)
	f.chunks = make([][]byte, 100)
	f.chunks[99] = bytes.Repeat([]byte{0x80}, 1<<20)
	whole := f.encode()
	dir := int(f.order.Uint32(whole[4:]))
	for at := dir + 2; at+12 < len(whole); at += 12 {
		if tag := f.order.Uint16(whole[at:]); tag == tagOffsets || tag == tagCounts {
			list := whole[f.order.Uint32(whole[at+8:]):]
			for i := range 100 {
				copy(list[4*i:4*i+4], list[4*99:4*100])
			}
		}
	}
	return whole
}

func TestTIFFWithoutByteCounts(t *testing.T) {
	f := newTIFF(3, 1)
	f.noCount, f.chunks = true, [][]byte{{1, 2, 3}}
	if img := mustDecode(t, newDecoder(t, "go"), f.encode(), 1); !bytes.Equal(img.Pix, []byte{1, 2, 3}) {
		t.Errorf("got %v, want 1 2 3", img.Pix)
	}
	f = newTIFF(3, 2).set(tagRows, 1)
	f.noCount, f.chunks = true, [][]byte{{1, 2, 3}, {4, 5, 6}}
	if img := mustDecode(t, newDecoder(t, "go"), f.encode(), 1); !bytes.Equal(img.Pix, []byte{1, 2, 3, 4, 5, 6}) {
		t.Errorf("of two strips: got %v, want 1 to 6", img.Pix)
	}
}

// A count is only a claim: it must not be counted up to.
func TestTIFFEndlessCounts(t *testing.T) {
	f := newTIFF(3, 1)
	f.big, f.chunks = true, [][]byte{{1, 2, 3}}
	whole := f.encode()
	dir := f.order.Uint64(whole[8:])
	for at := int(dir) + 8; at+20 <= len(whole); at += 20 {
		c := bytes.Clone(whole)
		f.order.PutUint64(c[at+4:], 1<<61)
		checkAttempt(t, newDecoder(t, "go"), c, DefaultLimits)
	}
}

func TestTIFFOldLZW(t *testing.T) {
	// Codes from the low end: clear (256), 7, 7, end (257), nine bits each.
	acc := uint64(256) | 7<<9 | 7<<18 | 257<<27
	f := newTIFF(2, 1).set(tagCompression, 5)
	f.chunks = [][]byte{{byte(acc), byte(acc >> 8), byte(acc >> 16), byte(acc >> 24), byte(acc >> 32)}}
	if img := mustDecode(t, newDecoder(t, "go"), f.encode(), 1); !bytes.Equal(img.Pix, []byte{7, 7}) {
		t.Errorf("got %v, want 7 7", img.Pix)
	}
}
