package picture

import (
	"encoding/binary"
	"math/bits"
)

// bmpHeader is the two headers of a BMP (Microsoft's BITMAPINFOHEADER and its
// relatives, OS/2's BITMAPCOREHEADER).
type bmpHeader struct {
	depth       int
	compression uint32
	topDown     bool
	palette     []byte // entries of step bytes: B, G, R
	step        int
	masks       [4]uint32 // R, G, B, A
	data        int
}

const (
	bmpRGB       = 0
	bmpRLE8      = 1
	bmpRLE4      = 2
	bmpBitfields = 3
	bmpAlphaBits = 6
)

// looksLikeBMP asks for more than "BM", with which many a text begins.
func looksLikeBMP(data []byte) bool {
	if !has(data, 0, "BM") || len(data) < 18 {
		return false
	}
	switch binary.LittleEndian.Uint32(data[14:]) {
	case 12, 16, 40, 52, 56, 64, 108, 124:
		return true
	}
	return false
}

func inspectBMP(data []byte, lim Limits) (Info, error) {
	h := &bmpHeader{data: int(binary.LittleEndian.Uint32(data[10:]))}
	size := int(binary.LittleEndian.Uint32(data[14:]))
	if len(data) < 14+size {
		return Info{}, damaged("the BMP is cut off in its header")
	}
	w, ht, err := h.readHeader(data[14:14+size], size)
	if err != nil {
		return Info{}, err
	}
	if err := checkSize(BMP, w, ht, lim); err != nil {
		return Info{}, err
	}
	end, err := h.readMasks(data, 14+size, size)
	if err != nil {
		return Info{}, err
	}
	if h.depth <= 8 {
		if err := h.readPalette(data, end, size); err != nil {
			return Info{}, err
		}
	}
	if h.data >= len(data) {
		return Info{}, damaged("the BMP has no picture data: it should begin at byte %d of %d", h.data, len(data))
	}
	channels := 3
	if h.masks[3] != 0 {
		channels = 4
	}
	return sized(BMP, int(w), int(ht), channels, 1, h), nil
}

func (h *bmpHeader) readHeader(d []byte, size int) (w, ht int64, err error) {
	le := binary.LittleEndian
	h.step = 4
	if size == 12 {
		h.step = 3
		h.depth = int(le.Uint16(d[10:]))
		return int64(le.Uint16(d[4:])), int64(le.Uint16(d[6:])), h.check()
	}
	w, ht = int64(int32(le.Uint32(d[4:]))), int64(int32(le.Uint32(d[8:])))
	if ht < 0 {
		h.topDown, ht = true, -ht
	}
	h.depth = int(le.Uint16(d[14:]))
	if size >= 20 {
		h.compression = le.Uint32(d[16:])
	}
	return w, ht, h.check()
}

func (h *bmpHeader) check() error {
	switch h.compression {
	case bmpRGB:
		switch h.depth {
		case 1, 2, 4, 8, 16, 24, 32:
			return nil
		}
		return damaged("the BMP says that it has %d bits a pixel", h.depth)
	case bmpRLE8:
		if h.depth == 8 {
			return nil
		}
	case bmpRLE4:
		if h.depth == 4 {
			return nil
		}
	case bmpBitfields, bmpAlphaBits:
		if h.depth == 16 || h.depth == 32 {
			return nil
		}
	case 4, 5:
		return unsupported("this BMP wraps a picture of another format or of OS/2 (compression %d), which is not read here", h.compression)
	default:
		return unsupported("this BMP has compression %d, which is not read here", h.compression)
	}
	return damaged("the BMP says that it has compression %d with %d bits a pixel, which do not go together", h.compression, h.depth)
}

// readMasks says where the bits of the colors are; end is behind the masks.
func (h *bmpHeader) readMasks(data []byte, pos, size int) (end int, err error) {
	switch {
	case h.compression != bmpBitfields && h.compression != bmpAlphaBits:
		if h.depth == 16 {
			h.masks = [4]uint32{0x7c00, 0x3e0, 0x1f, 0}
		} else {
			h.masks = [4]uint32{0xff0000, 0xff00, 0xff, 0}
		}
		return pos, nil
	case size >= 52:
		pos = 14 + 40
	}
	n := 3
	if size >= 56 || h.compression == bmpAlphaBits {
		n = 4
	}
	if pos+4*n > len(data) {
		return 0, damaged("the BMP is cut off in its bit masks")
	}
	for i := range n {
		h.masks[i] = binary.LittleEndian.Uint32(data[pos+4*i:])
	}
	if h.masks == [4]uint32{} && h.depth == 32 && n == 4 {
		h.masks = [4]uint32{0xff0000, 0xff00, 0xff, 0xff000000} // left empty by some writers
	}
	r, g, b, a := h.masks[0], h.masks[1], h.masks[2], h.masks[3]
	if r == 0 || g == 0 || b == 0 || r&g|r&b|g&b|a&(r|g|b) != 0 {
		return 0, damaged("the BMP's bit masks are empty or overlap")
	}
	for _, m := range h.masks {
		if m>>bits.TrailingZeros32(m|1<<31)&(m>>bits.TrailingZeros32(m|1<<31)+1) != 0 {
			return 0, damaged("the BMP's bit masks have gaps")
		}
	}
	return max(pos+4*n, 14+size), nil
}

func (h *bmpHeader) readPalette(data []byte, pos, size int) error {
	n := 1 << h.depth
	if size >= 36 {
		if used := binary.LittleEndian.Uint32(data[14+32:]); used > 0 && used <= 1<<16 {
			n = min(n, int(used))
		} else if used != 0 {
			return damaged("the BMP claims a palette of %d colors", used)
		}
	}
	// Some writers leave the palette short and begin the pixels behind it.
	end := min(pos+n*h.step, len(data))
	if h.data > pos {
		end = min(end, h.data)
	}
	if pos > end {
		return damaged("the BMP is cut off before its palette")
	}
	h.palette = data[pos:end]
	return nil
}

// cost: rows are read from the file where they lie.
func (h *bmpHeader) cost(_ *Decoder, info Info, _ int) int64 {
	return int64(info.header.width)*2 + 32<<10
}

func (h *bmpHeader) decode(j *job) error {
	if h.compression == bmpRLE8 || h.compression == bmpRLE4 {
		return h.decodeRLE(j)
	}
	w, ht := j.img.Width, j.img.Height
	stride := (int64(w)*int64(h.depth) + 31) / 32 * 4
	needed := (int64(w)*int64(h.depth) + 7) / 8
	paint := h.painter()
	for i := range ht {
		if err := j.stopped(); err != nil {
			return err
		}
		from := int64(h.data) + int64(i)*stride
		if from+needed > int64(len(j.data)) {
			return damaged("the BMP is cut off at row %d of %d", i, ht)
		}
		paint(j.img.row(h.line(i, ht)), j.data[from:from+needed], w)
	}
	return nil
}

// line is where the i-th stored row belongs.
func (h *bmpHeader) line(i, height int) int {
	if h.topDown {
		return i
	}
	return height - 1 - i
}

func (h *bmpHeader) painter() func(dst, src []byte, w int) {
	switch {
	case h.depth <= 8:
		table := h.table()
		return func(dst, src []byte, w int) { paintIndices(dst, src, w, h.depth, table) }
	case h.depth == 24:
		return func(dst, src []byte, w int) {
			for i := 0; i < 3*w; i += 3 {
				dst[i], dst[i+1], dst[i+2] = src[i+2], src[i+1], src[i]
			}
		}
	}
	return h.paintMasked
}

func paintIndices(dst, src []byte, w, depth int, table *[256][3]byte) {
	mask := byte(1<<depth - 1)
	for x := range w {
		bit := x * depth
		v := src[bit>>3] >> (8 - depth - bit&7) & mask
		copy(dst[3*x:3*x+3], table[v][:])
	}
}

// table is what each index looks like; beyond the palette: black.
func (h *bmpHeader) table() *[256][3]byte {
	t := new([256][3]byte)
	for i := range t {
		if p := i * h.step; p+2 < len(h.palette) {
			t[i] = [3]byte{h.palette[p+2], h.palette[p+1], h.palette[p]}
		}
	}
	return t
}

func (h *bmpHeader) paintMasked(dst, src []byte, w int) {
	channels, size := 3, h.depth/8
	if h.masks[3] != 0 {
		channels = 4
	}
	var shift, most [4]uint32
	for c := range channels {
		shift[c] = uint32(bits.TrailingZeros32(h.masks[c]))
		most[c] = h.masks[c] >> shift[c]
	}
	for x := range w {
		v := uint32(src[x*size]) | uint32(src[x*size+1])<<8
		if size == 4 {
			v |= uint32(src[x*4+2])<<16 | uint32(src[x*4+3])<<24
		}
		for c := range channels {
			s := v & h.masks[c] >> shift[c]
			dst[x*channels+c] = byte(uint64(s) * 255 / uint64(most[c]))
		}
	}
}
