package picture

import (
	"bytes"
	"encoding/binary"

	"github.com/goshawk-ai/goshawk/internal/problem"
)

// jpegHeader is what stands before a JPEG's first scan (ITU-T T.81, annex B),
// and what a walk over the markers behind it found.
type jpegHeader struct {
	frame      byte // SOF marker
	components []jpegComponent
	jfif       bool
	adobe      int // transform of the Adobe marker; -1 without one
	scan       int // offset of the first scan's header
	multi      bool
	scans      int // counted where multi; else 1
	end        int // behind the end marker, or as far as the walk came
}

type jpegComponent struct {
	id     byte
	h, v   int
	blocks int64 // of 8x8 samples, whole MCUs
}

const (
	markSOF0, markSOF1, markSOF2       = 0xc0, 0xc1, 0xc2
	markSOF9, markSOF10                = 0xc9, 0xca
	markDHT, markJPG, markDAC          = 0xc4, 0xc8, 0xcc
	markRST0, markSOI, markEOI         = 0xd0, 0xd8, 0xd9
	markSOS, markAPP0                  = 0xda, 0xe0
	markAPP1, markAPP14                = 0xe1, 0xee
	markTEM                            = 0x01
	firstKnownMarker                   = 0xc0
	scanPictures                 int64 = 16 // a scan costs a pass over all pixels: so many pictures of the largest size
)

func inspectJPEG(data []byte, lim Limits) (Info, error) {
	h := &jpegHeader{adobe: -1}
	w, ht, orientation, err := h.readTables(data)
	if err != nil {
		return Info{}, err
	}
	if err := checkSize(JPEG, w, ht, lim); err != nil {
		return Info{}, err
	}
	if err := h.setBlocks(w, ht); err != nil {
		return Info{}, err
	}
	if err := h.readScans(data, lim, w*ht); err != nil {
		return Info{}, err
	}
	channels := 3
	if len(h.components) == 1 {
		channels = 1
	}
	info := sized(JPEG, int(w), int(ht), channels, orientation, h)
	if len(h.components) == 4 {
		info.header.work = 4
	}
	return info, nil
}

// segment is a marker with its parameters.
type segment struct {
	marker byte
	body   []byte
	end    int
}

// next finds the next marker as libjpeg does: whatever is no marker is skipped,
// and a segment that claims less than its own length field has no parameters.
// ok is false where the data ends first.
func nextSegment(data []byte, pos int) (s segment, ok bool) {
	for {
		i := bytes.IndexByte(data[min(pos, len(data)):], 0xff)
		if i < 0 {
			return s, false
		}
		for pos += i; pos < len(data) && data[pos] == 0xff; {
			pos++
		}
		if pos >= len(data) {
			return s, false
		}
		s.marker = data[pos]
		pos++
		if s.marker != 0 && s.marker != markTEM && s.marker >= firstKnownMarker {
			break
		}
	}
	s.end = pos
	if s.marker >= markRST0 && s.marker <= markEOI {
		return s, true
	}
	if pos+2 > len(data) {
		return s, false
	}
	length := max(2, int(binary.BigEndian.Uint16(data[pos:])))
	if s.end = pos + length; s.end > len(data) {
		return s, false
	}
	s.body = data[pos+2 : s.end]
	return s, true
}

// readTables reads up to the first scan header.
func (h *jpegHeader) readTables(data []byte) (w, ht int64, orientation int, err error) {
	orientation = 1
	exif := false
	for pos := 2; ; {
		s, ok := nextSegment(data, pos)
		if !ok {
			return 0, 0, 0, damaged("the JPEG ends within its headers, before any picture data")
		}
		pos = s.end
		switch {
		case s.marker == markSOS:
			h.scan = pos - len(s.body)
			return w, ht, orientation, h.firstScan(s.body)
		case s.marker == markEOI:
			return 0, 0, 0, damaged("the JPEG has no picture data: its end marker comes first")
		case isFrame(s.marker):
			if h.frame != 0 {
				return 0, 0, 0, damaged("the JPEG has two frame headers")
			}
			if w, ht, err = h.readFrame(s); err != nil {
				return 0, 0, 0, err
			}
		case s.marker == markAPP0 && has(s.body, 0, "JFIF\x00"):
			h.jfif = true
		case s.marker == markAPP14 && has(s.body, 0, "Adobe") && len(s.body) >= 12:
			h.adobe = int(s.body[11])
		case s.marker == markAPP1 && !exif && has(s.body, 0, exifHeader):
			exif = true
			orientation = exifOrientation(s.body)
		}
	}
}

func isFrame(m byte) bool {
	return m >= markSOF0 && m <= 0xcf && m != markDHT && m != markJPG && m != markDAC
}

func (h *jpegHeader) readFrame(s segment) (w, ht int64, err error) {
	h.frame = s.marker
	switch s.marker {
	case markSOF0, markSOF1, markSOF2, markSOF9, markSOF10:
	case 0xc3:
		return 0, 0, unsupported("this is a lossless JPEG (SOF3), a rare variant that is not read here; save it as an ordinary JPEG or a PNG")
	default:
		return 0, 0, unsupported("this JPEG's frame header is of a kind that is not read here (SOF%d); save it as an ordinary JPEG", s.marker-markSOF0)
	}
	if len(s.body) < 6 {
		return 0, 0, damaged("the JPEG's frame header is cut short")
	}
	if p := s.body[0]; p != 8 {
		return 0, 0, unsupported("this JPEG has %d bits a sample, a rare variant that is not read here; save it with 8", p)
	}
	ht, w = int64(binary.BigEndian.Uint16(s.body[1:])), int64(binary.BigEndian.Uint16(s.body[3:]))
	n := int(s.body[5])
	if ht == 0 && w != 0 {
		return 0, 0, unsupported("this JPEG does not say its height in the header (it may come in a DNL marker), which is not read here")
	}
	if n != 1 && n != 3 && n != 4 {
		return 0, 0, unsupported("this JPEG has %d color components; 1, 3 and 4 are read here", n)
	}
	if len(s.body) < 6+3*n {
		return 0, 0, damaged("the JPEG's frame header is cut short")
	}
	for c := s.body[6 : 6+3*n]; len(c) > 0; c = c[3:] {
		h.components = append(h.components, jpegComponent{id: c[0], h: int(c[1] >> 4), v: int(c[1] & 15)})
	}
	return w, ht, nil
}

// setBlocks computes how many blocks each component has when the picture is
// filled up to whole MCUs, which is what decoders hold in memory.
func (h *jpegHeader) setBlocks(w, ht int64) error {
	hMax, vMax := 1, 1
	for _, c := range h.components {
		if c.h < 1 || c.h > 4 || c.v < 1 || c.v > 4 {
			return damaged("the JPEG's sampling factors are %dx%d; they can be 1 to 4", c.h, c.v)
		}
		hMax, vMax = max(hMax, c.h), max(vMax, c.v)
	}
	mcusX := (w + int64(8*hMax) - 1) / int64(8*hMax)
	mcusY := (ht + int64(8*vMax) - 1) / int64(8*vMax)
	for i := range h.components {
		c := &h.components[i]
		c.blocks = mcusX * int64(c.h) * mcusY * int64(c.v)
	}
	return nil
}

func (h *jpegHeader) firstScan(body []byte) error {
	if h.frame == 0 {
		return damaged("the JPEG has picture data but no frame header that says its size")
	}
	if len(body) < 1 {
		return damaged("the JPEG's scan header is cut short")
	}
	h.multi = h.progressive() || int(body[0]) < len(h.components)
	return nil
}

func (h *jpegHeader) progressive() bool { return h.frame == markSOF2 || h.frame == markSOF10 }

func (h *jpegHeader) arithmetic() bool { return h.frame == markSOF9 || h.frame == markSOF10 }

// readScans looks behind the first scan header. A picture in one scan is only
// searched for its end; one in many is walked, since every scan costs a pass
// over the whole picture (8,000 of them fit into 300 kB and took minutes).
func (h *jpegHeader) readScans(data []byte, lim Limits, pixels int64) error {
	h.scans = 1
	if !h.multi {
		i := bytes.Index(data[h.scan:], []byte{0xff, markEOI})
		if i < 0 {
			return truncatedJPEG()
		}
		h.end = h.scan + i + 2
		return nil
	}
	most := int(min(int64(lim.Scans), scanPictures*lim.Pixels/pixels))
	var whole bool
	h.scans, h.end, whole = walkScans(data, h.scan, most)
	switch {
	case h.scans > most && most < lim.Scans:
		return problem.TooManyPixels.New("the JPEG has more than %d scans; a picture of its size may have no more: each costs a pass over all its pixels", most).
			With("limit_scans", most)
	case h.scans > most:
		return tooMany(JPEG, "scans", lim.Scans)
	case !whole:
		return truncatedJPEG()
	}
	return nil
}

func truncatedJPEG() error {
	return damaged("the JPEG is cut off: its end marker is missing (was it sent whole?)")
}

// walkScans counts scans until the end marker, or until there are more than
// most. It sees the markers that libjpeg sees.
func walkScans(data []byte, pos, most int) (scans, end int, whole bool) {
	scans = 1
	for {
		s, ok := nextSegment(data, pos)
		if !ok {
			return scans, len(data), false
		}
		pos = s.end
		switch s.marker {
		case markEOI:
			return scans, pos, true
		case markSOS:
			if scans++; scans > most {
				return scans, pos, false
			}
		}
	}
}
