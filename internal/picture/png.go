package picture

import (
	"encoding/binary"
	"hash/crc32"
)

// pngHeader is what stands before a PNG's picture data (PNG specification, 3rd
// edition, sections 5 and 11), and its orientation, which may stand behind.
type pngHeader struct {
	depth, color int
	interlaced   bool
	apple        bool // CgBI: raw deflate, BGRA, premultiplied
	palette      []byte
	trns         []byte
	data         int // offset of the first IDAT chunk
}

// Color types.
const (
	pngGray      = 0
	pngRGB       = 2
	pngPalette   = 3
	pngGrayAlpha = 4
	pngRGBA      = 6
)

// chunk is one of a PNG's. body ends where the file does when the chunk claims
// more.
type chunk struct {
	name string
	body []byte
	cut  bool
	end  int
}

func nextChunk(data []byte, pos int) (c chunk, ok bool) {
	if pos+8 > len(data) {
		return c, false
	}
	length := int64(binary.BigEndian.Uint32(data[pos:]))
	c.name = string(data[pos+4 : pos+8])
	if int64(pos)+8+length > int64(len(data)) {
		c.cut, length = true, int64(len(data)-pos-8)
	}
	c.end = pos + 8 + int(length)
	c.body = data[pos+8 : c.end]
	c.end = min(c.end+4, len(data))
	return c, true
}

// crcIsRight is asked of the header only; picture data carries zlib's coding
// and is judged by whether it decodes.
func (c chunk) crcIsRight(data []byte, pos int) bool {
	end := pos + 8 + len(c.body)
	return end+4 <= len(data) && crc32.ChecksumIEEE(data[pos+4:end]) == binary.BigEndian.Uint32(data[end:])
}

func inspectPNG(data []byte, lim Limits) (Info, error) {
	h := &pngHeader{}
	orientation := 1
	var w, ht int64
	var err error
	for pos := 8; ; {
		c, ok := nextChunk(data, pos)
		switch {
		case !ok && w == 0:
			return Info{}, damaged("the PNG has no header chunk (IHDR)")
		case !ok || c.name == "IEND" && h.data == 0:
			return finishPNG(h, w, ht, orientation)
		case c.name == "IHDR" && w == 0:
			if w, ht, err = h.readIHDR(c, c.crcIsRight(data, pos)); err != nil {
				return Info{}, err
			}
			if err := checkSize(PNG, w, ht, lim); err != nil {
				return Info{}, err
			}
		case c.name == "IDAT" && h.data == 0:
			h.data = pos
		case c.name == "eXIf":
			orientation = exifOrientation(c.body)
		case h.data == 0 && c.cut:
			return Info{}, damaged("the PNG is cut off in its %q chunk, before any picture data", c.name)
		case h.data == 0:
			h.readChunk(c)
		case c.name == "IEND":
			return finishPNG(h, w, ht, orientation)
		}
		pos = c.end
	}
}

func finishPNG(h *pngHeader, w, ht int64, orientation int) (Info, error) {
	if w == 0 {
		return Info{}, damaged("the PNG has no header chunk (IHDR)")
	}
	if h.data == 0 {
		return Info{}, damaged("the PNG has no picture data (IDAT)")
	}
	if h.color == pngPalette && len(h.palette) == 0 {
		return Info{}, damaged("the PNG's pixels are indices into a palette (PLTE), but there is none before them")
	}
	return sized(PNG, int(w), int(ht), h.channels(), orientation, h), nil
}

func (h *pngHeader) readIHDR(c chunk, whole bool) (w, ht int64, err error) {
	if len(c.body) < 13 || !whole {
		return 0, 0, damaged("the PNG's header chunk (IHDR) is damaged")
	}
	w, ht = int64(binary.BigEndian.Uint32(c.body)), int64(binary.BigEndian.Uint32(c.body[4:]))
	h.depth, h.color = int(c.body[8]), int(c.body[9])
	// Compression and filter methods other than 0 were never defined; like
	// everyone, we read on as if they were 0.
	h.interlaced = c.body[12] == 1
	if !h.valid() {
		return 0, 0, damaged("the PNG says that it has %d bits a sample with color type %d, which do not go together", h.depth, h.color)
	}
	if w < 1 || ht < 1 {
		return 0, 0, damaged("the PNG says that it is %d x %d pixels", w, ht)
	}
	return w, ht, nil
}

func (h *pngHeader) valid() bool {
	switch h.color {
	case pngGray:
		return h.depth == 1 || h.depth == 2 || h.depth == 4 || h.depth == 8 || h.depth == 16
	case pngPalette:
		return h.depth == 1 || h.depth == 2 || h.depth == 4 || h.depth == 8
	case pngRGB, pngGrayAlpha, pngRGBA:
		return h.depth == 8 || h.depth == 16
	}
	return false
}

// readChunk takes what a decoder needs. Compressed text and profiles are never
// unpacked: they can be bombs.
func (h *pngHeader) readChunk(c chunk) {
	switch c.name {
	case "CgBI":
		h.apple = true
	case "PLTE":
		h.palette = c.body[:min(len(c.body)/3*3, 768)]
	case "tRNS":
		h.trns = c.body[:min(len(c.body), 256)]
	}
}

// samples are the channels in the file.
func (h *pngHeader) samples() int {
	switch h.color {
	case pngRGB:
		return 3
	case pngGrayAlpha:
		return 2
	case pngRGBA:
		return 4
	}
	return 1
}

// channels are those of the Image.
func (h *pngHeader) channels() int {
	switch h.color {
	case pngGray:
		if len(h.trns) >= 2 {
			return 4
		}
		return 1
	case pngRGB:
		if len(h.trns) >= 6 {
			return 4
		}
		return 3
	case pngPalette:
		if len(h.trns) > 0 {
			return 4
		}
		return 3
	}
	return 4
}

// cost: two rows as stored, zlib's window and tables. Pixels are written where
// they belong as rows come, interlaced or not.
func (h *pngHeader) cost(_ *Decoder, info Info, _ int) int64 {
	row := int64(info.header.width)*int64(h.samples()*h.depth)/8 + 2
	return 2*row + 128<<10
}
