package picture

import "encoding/binary"

// gifHeader is the first frame of a GIF (GIF89a specification): the others are
// only counted.
type gifHeader struct {
	palette       []byte // of the frame; nil: values are grey
	x, y, w, h    int    // of the frame on the canvas
	interlaced    bool
	transparent   int // index, -1 without
	literals      int
	data          int // offset of the first data sub-block
	framesCounted int
	covers        bool // the frame fills the canvas
}

// gifBlocks reads the sub-blocks that begin at pos as one stream.
type gifBlocks struct {
	data []byte
	pos  int
	left int
	cut  bool // the file ended before the blocks did
}

func (b *gifBlocks) next() (byte, bool) {
	for b.left == 0 {
		if b.pos >= len(b.data) {
			b.cut = true
			return 0, false
		}
		b.left = int(b.data[b.pos])
		if b.left == 0 {
			return 0, false
		}
		b.pos++
	}
	if b.pos >= len(b.data) {
		b.cut = true
		return 0, false
	}
	c := b.data[b.pos]
	b.pos++
	b.left--
	return c, true
}

// skipBlocks is the offset behind the sub-blocks at pos; ok is false where the
// file ends first.
func skipBlocks(data []byte, pos int) (end int, ok bool) {
	for pos < len(data) {
		n := int(data[pos])
		pos += 1 + n
		if n == 0 {
			return pos, true
		}
	}
	return len(data), false
}

func colorTable(data []byte, pos int, flags byte) (table []byte, end int) {
	if flags&0x80 == 0 {
		return nil, pos
	}
	n := 3 << (flags&7 + 1)
	end = pos + n
	return data[min(pos, len(data)):min(end, len(data))], end
}

func inspectGIF(data []byte, lim Limits) (Info, error) {
	if len(data) < 13 {
		return Info{}, damaged("the GIF is cut off in its header")
	}
	w, ht := int64(binary.LittleEndian.Uint16(data[6:])), int64(binary.LittleEndian.Uint16(data[8:]))
	global, pos := colorTable(data, 13, data[10])
	h := &gifHeader{transparent: -1}
	for h.data == 0 {
		if pos >= len(data) || data[pos] == 0x3b {
			return Info{}, damaged("the GIF has no picture in it, or is cut off before it")
		}
		block := data[pos]
		pos++
		switch block {
		case 0x21:
			pos = h.readExtension(data, pos)
		case 0x2c:
			if err := h.readFrame(data, pos, global); err != nil {
				return Info{}, err
			}
		}
		// Bytes that begin no block are passed over, as everywhere.
	}
	// A frame may reach beyond the screen that the header claims.
	w, ht = max(w, int64(h.x+h.w)), max(ht, int64(h.y+h.h))
	if err := checkSize(GIF, w, ht, lim); err != nil {
		return Info{}, err
	}
	h.framesCounted = countGIF(data, h.data, lim.Frames)
	if h.framesCounted > lim.Frames {
		return Info{}, tooMany(GIF, "frames", lim.Frames)
	}
	h.covers = h.x == 0 && h.y == 0 && int64(h.w) == w && int64(h.h) == ht
	channels := 3
	if h.transparent >= 0 {
		channels = 4
	}
	return sized(GIF, int(w), int(ht), channels, 1, h), nil
}

// readExtension keeps the transparent color of a graphic control and returns
// the offset behind the extension.
func (h *gifHeader) readExtension(data []byte, pos int) int {
	if pos+6 <= len(data) && data[pos] == 0xf9 && data[pos+1] >= 4 {
		h.transparent = -1
		if data[pos+2]&1 != 0 {
			h.transparent = int(data[pos+5])
		}
	}
	end, _ := skipBlocks(data, pos+1)
	return end
}

func (h *gifHeader) readFrame(data []byte, pos int, global []byte) error {
	if pos+9 > len(data) {
		return damaged("the GIF is cut off in its first frame")
	}
	d := data[pos:]
	h.x, h.y = int(binary.LittleEndian.Uint16(d)), int(binary.LittleEndian.Uint16(d[2:]))
	h.w, h.h = int(binary.LittleEndian.Uint16(d[4:])), int(binary.LittleEndian.Uint16(d[6:]))
	h.interlaced = d[8]&0x40 != 0
	var end int
	if h.palette, end = colorTable(data, pos+9, d[8]); h.palette == nil {
		h.palette = global
	}
	if h.w == 0 || h.h == 0 {
		return damaged("the GIF's first frame is %d x %d pixels", h.w, h.h)
	}
	if end >= len(data) {
		return damaged("the GIF is cut off before its first frame's data")
	}
	h.literals = int(data[end])
	if h.literals > 8 {
		return damaged("the GIF's first frame has codes of %d bits; 8 is the most", h.literals)
	}
	h.data = end + 1
	return nil
}

// countGIF counts frames, up to one more than most. What is wrong behind the
// first frame is nobody's concern.
func countGIF(data []byte, pos, most int) int {
	n := 1
	for ok := true; ok && n <= most; {
		if pos, ok = skipBlocks(data, pos); !ok {
			break
		}
		for pos < len(data) && data[pos] != 0x2c && data[pos] != 0x21 && data[pos] != 0x3b {
			pos++
		}
		switch {
		case pos >= len(data) || data[pos] == 0x3b:
			return n
		case data[pos] == 0x21:
			pos += 2
		case pos+10 <= len(data):
			n++
			_, pos = colorTable(data, pos+10, data[pos+9])
			pos++
		default:
			return n
		}
	}
	return n
}

// cost: a row of indices; LZW's tables are part of the scratch.
func (h *gifHeader) cost(_ *Decoder, _ Info, _ int) int64 { return int64(h.w)*2 + 32<<10 }

func (h *gifHeader) decode(j *job) error {
	table := h.table()
	if !h.covers {
		h.fill(j.img, table)
	}
	blocks := &gifBlocks{data: j.data, pos: h.data}
	j.lzw.start(blocks.next, h.literals, false, 0)
	indices, _ := j.rowPair(h.w)
	for i := range h.h {
		if err := j.stopped(); err != nil {
			return err
		}
		n, err := j.lzw.read(indices)
		y := h.line(i)
		switch {
		case err != nil:
			return j.broken(err, "the GIF's data is damaged at row %d of %d", i, h.h)
		case n < len(indices) && blocks.cut:
			return damaged("the GIF is cut off at row %d of %d", i, h.h)
		case n < len(indices):
			return damaged("the GIF's data ends at row %d of %d", i, h.h)
		}
		dst := j.img.row(h.y + y)[h.x*j.img.Channels:]
		for x, v := range indices {
			copy(dst[x*j.img.Channels:][:j.img.Channels], table[v][:])
		}
	}
	return nil
}

// line is the row on which the i-th stored line lies.
func (h *gifHeader) line(i int) int {
	if !h.interlaced {
		return i
	}
	for _, p := range [4][2]int{{0, 8}, {4, 8}, {2, 4}, {1, 2}} {
		n := (h.h - p[0] + p[1] - 1) / p[1]
		if i < n {
			return p[0] + i*p[1]
		}
		i -= n
	}
	return 0
}

// table is what each index looks like.
func (h *gifHeader) table() *[256][4]byte {
	t := new([256][4]byte)
	for i := range t {
		t[i] = [4]byte{0, 0, 0, 255}
		if 3*i+2 < len(h.palette) {
			copy(t[i][:3], h.palette[3*i:])
		} else if h.palette == nil {
			t[i] = [4]byte{byte(i), byte(i), byte(i), 255}
		}
		if i == h.transparent {
			t[i][3] = 0
		}
	}
	return t
}

// fill paints the canvas around the frame: transparent where the picture knows
// that, else its first color.
func (h *gifHeader) fill(img *Image, table *[256][4]byte) {
	color := table[0]
	if h.transparent >= 0 {
		color = table[h.transparent]
	}
	for i := 0; i < len(img.Pix); i += img.Channels {
		copy(img.Pix[i:i+img.Channels], color[:])
	}
}
