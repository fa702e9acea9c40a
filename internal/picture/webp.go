package picture

import (
	"bytes"
	"encoding/binary"

	"golang.org/x/image/vp8"
)

// webpHeader is the first frame of a WebP file (RFC 9649).
type webpHeader struct {
	alpha    []byte // ALPH chunk of a lossy frame
	lossy    []byte // VP8 chunk
	lossless []byte // VP8L chunk
	x, y     int    // of the frame on the canvas
	w, h     int    // of the frame
	covers   bool
	cut      bool
}

// riff walks chunks. body ends where the data does when the chunk claims more.
func nextRIFF(data []byte, pos int) (name string, body []byte, end int, cut, ok bool) {
	if pos+8 > len(data) {
		return "", nil, 0, false, false
	}
	name = string(data[pos : pos+4])
	size := int64(binary.LittleEndian.Uint32(data[pos+4:]))
	if int64(pos)+8+size > int64(len(data)) {
		cut, size = true, int64(len(data)-pos-8)
	}
	end = pos + 8 + int(size)
	body = data[pos+8 : end]
	return name, body, min(end+int(size&1), len(data)), cut, true
}

func inspectWebP(data []byte, lim Limits) (Info, error) {
	h := &webpHeader{}
	canvas := [2]int64{}
	orientation, frames, extended := 1, 0, false
	for pos := 12; ; {
		name, body, end, cut, ok := nextRIFF(data, pos)
		if !ok {
			break
		}
		switch {
		case name == "VP8X" && !extended && len(body) >= 10:
			extended = true
			canvas = [2]int64{1 + int64(uint24(body[4:])), 1 + int64(uint24(body[7:]))}
			if err := checkSize(WebP, canvas[0], canvas[1], lim); err != nil {
				return Info{}, err
			}
		case name == "ANMF":
			if frames++; frames > lim.Frames {
				return Info{}, tooMany(WebP, "frames", lim.Frames)
			}
			if frames == 1 {
				if err := h.readFrame(body, cut); err != nil {
					return Info{}, err
				}
			}
		case name == "EXIF":
			orientation = exifOrientation(body)
		case h.lossy == nil && h.lossless == nil && frames == 0:
			h.readBitstream(name, body, cut)
		}
		pos = end
	}
	return h.finish(canvas, frames > 0, orientation, lim)
}

func (h *webpHeader) readBitstream(name string, body []byte, cut bool) {
	switch name {
	case "ALPH":
		h.alpha = body
	case "VP8 ":
		h.lossy, h.cut = body, cut
	case "VP8L":
		h.lossless, h.cut = body, cut
	}
}

// readFrame reads the first ANMF chunk: a header of 16 bytes, then chunks.
func (h *webpHeader) readFrame(body []byte, cut bool) error {
	if len(body) < 16 {
		return damaged("the WebP is cut off in its first frame")
	}
	h.x, h.y = 2*int(uint24(body)), 2*int(uint24(body[3:]))
	for pos := 16; ; {
		name, inner, end, innerCut, ok := nextRIFF(body, pos)
		if !ok {
			return nil
		}
		if h.lossy == nil && h.lossless == nil {
			h.readBitstream(name, inner, cut || innerCut)
		}
		pos = end
	}
}

func (h *webpHeader) finish(canvas [2]int64, animated bool, orientation int, lim Limits) (Info, error) {
	var w, ht int64
	alpha := len(h.alpha) > 0
	switch b := h.lossy; {
	case h.lossless != nil:
		if len(h.lossless) < 5 || h.lossless[0] != 0x2f {
			return Info{}, damaged("the WebP's lossless data is cut off or does not begin as it should")
		}
		bits := binary.LittleEndian.Uint32(h.lossless[1:])
		w, ht = int64(bits&0x3fff)+1, int64(bits>>14&0x3fff)+1
		alpha = bits>>28&1 != 0
		if bits>>29 != 0 {
			return Info{}, damaged("the WebP's lossless data is of version %d, which does not exist", bits>>29)
		}
	case b == nil:
		return Info{}, damaged("the WebP has no picture data, or is cut off before it")
	case len(b) < 10 || b[0]&1 != 0 || !has(b, 3, "\x9d\x01\x2a"):
		return Info{}, damaged("the WebP's data is cut off or does not begin with a key frame")
	default:
		w, ht = int64(binary.LittleEndian.Uint16(b[6:])&0x3fff), int64(binary.LittleEndian.Uint16(b[8:])&0x3fff)
	}
	if h.cut {
		return Info{}, damaged("the WebP is cut off: its data is shorter than it says (was it sent whole?)")
	}
	if err := checkSize(WebP, w, ht, lim); err != nil {
		return Info{}, err
	}
	h.w, h.h = int(w), int(ht)
	if canvas[0] == 0 {
		canvas = [2]int64{w, ht}
	}
	h.covers = w == canvas[0] && ht == canvas[1]
	if !animated && !h.covers {
		return Info{}, damaged("the WebP says that it is %d x %d pixels, but what is in it has %d x %d", canvas[0], canvas[1], w, ht)
	}
	if int64(h.x)+w > canvas[0] || int64(h.y)+ht > canvas[1] {
		return Info{}, damaged("the WebP's frame of %d x %d pixels lies outside its canvas of %d x %d", w, ht, canvas[0], canvas[1])
	}
	channels := 3
	if alpha || !h.covers {
		channels = 4
	}
	info := sized(WebP, int(canvas[0]), int(canvas[1]), channels, orientation, h)
	if h.lossless != nil || len(h.alpha) > 0 {
		info.header.work = 4
	}
	return info, nil
}

func uint24(b []byte) uint32 { return uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 }

// cost of the planes and partitions of x/image/vp8, or of the tables and
// sub-pictures of lossless coding. A frame smaller than its canvas is decoded
// apart and then laid onto it.
func (h *webpHeader) cost(_ *Decoder, _ Info, _ int) int64 {
	w, ht := int64(h.w), int64(h.h)
	bytes := int64(64 << 10)
	if h.lossy != nil {
		blocks := ((w + 15) / 16) * ((ht + 15) / 16)
		bytes += blocks*(384+16) + 64*(w+16) + 2*int64(len(h.lossy))
	}
	if h.lossless != nil || len(h.alpha) > 0 {
		bytes += vp8lCost(w, ht)
	}
	if !h.covers {
		bytes += 4 * w * ht
	}
	return bytes
}

func (h *webpHeader) decode(j *job) error {
	frame := j.img
	if !h.covers {
		frame = &Image{}
		frame.resize(h.w, h.h, 4)
	}
	if err := h.decodeFrame(j, frame); err != nil {
		return err
	}
	if !h.covers {
		clear(j.img.Pix) // the canvas is transparent where nothing was painted
		for y := range h.h {
			copy(j.img.row(h.y + y)[4*h.x:], frame.row(y))
		}
		return nil
	}
	if j.info.header.channels == 3 && j.img.Channels == 4 {
		dropAlpha(j.img)
	}
	return nil
}

// dropAlpha turns four channels into three, in place.
func dropAlpha(img *Image) {
	n := img.Width * img.Height
	pix := img.Pix
	for i := range n {
		pix[3*i], pix[3*i+1], pix[3*i+2] = pix[4*i], pix[4*i+1], pix[4*i+2]
	}
	img.Channels, img.Pix = 3, pix[:3*n]
}

func (h *webpHeader) decodeFrame(j *job, frame *Image) error {
	if h.lossless != nil {
		return h.decodeLossless(j, frame)
	}
	if frame.Channels == 4 {
		if err := h.decodeAlpha(j, frame); err != nil {
			return err
		}
	}
	return h.decodeLossy(j, frame)
}

func (h *webpHeader) decodeLossy(j *job, frame *Image) error {
	d := vp8.NewDecoder()
	d.Init(bytes.NewReader(h.lossy), len(h.lossy))
	if _, err := d.DecodeFrameHeader(); err != nil {
		return j.broken(err, "the WebP's data is damaged in its header")
	}
	m, err := d.DecodeFrame()
	if err != nil {
		return j.broken(err, "the WebP's data is damaged or cut off")
	}
	cw, ch := (h.w+1)/2, (h.h+1)/2
	luma := plane{m.Y, m.YStride, h.w, h.h}
	blue, red := plane{m.Cb, m.CStride, cw, ch}, plane{m.Cr, m.CStride, cw, ch}
	u, v := j.rowPair(h.w)
	for y := range h.h {
		if y%64 == 0 && j.stopped() != nil {
			return j.stopped()
		}
		blue.fancyRow(u, y, 8)
		red.fancyRow(v, y, 8)
		videoRange(frame.row(y), frame.Channels, luma.row(y), u, v)
	}
	return nil
}

// decodeAlpha writes the alpha channel of a lossy frame (RFC 9649, section
// 2.7.1.2). Without an ALPH chunk the frame is opaque.
func (h *webpHeader) decodeAlpha(j *job, frame *Image) error {
	pix := frame.Pix
	if len(h.alpha) == 0 {
		for i := 3; i < len(pix); i += 4 {
			pix[i] = 255
		}
		return nil
	}
	flags, body := h.alpha[0], h.alpha[1:]
	switch flags & 3 {
	case 0:
		if len(body) < h.w*h.h {
			return damaged("the WebP's transparency is cut off")
		}
		for i := range h.w * h.h {
			pix[4*i+3] = body[i]
		}
	case 1:
		if err := decodeVP8L(j, body, frame); err != nil {
			return err
		}
		for i := 0; i < len(pix); i += 4 {
			pix[i+3] = pix[i+1]
		}
	default:
		return damaged("the WebP's transparency is coded in a way that does not exist (%d)", flags&3)
	}
	unfilterAlpha(frame, int(flags>>2&3))
	return nil
}

// unfilterAlpha undoes the prediction from the left, from above, or from both.
func unfilterAlpha(img *Image, filter int) {
	if filter == 0 {
		return
	}
	for y := range img.Height {
		row := img.row(y)
		var up []byte
		if y > 0 {
			up = img.row(y - 1)
		}
		for x := 3; x < len(row); x += 4 {
			row[x] += alphaPrediction(row, up, x, filter)
		}
	}
}

func alphaPrediction(row, up []byte, x, filter int) byte {
	switch {
	case x == 3 && up == nil:
		return 0
	case up == nil, filter == 1 && x > 3:
		return row[x-4]
	case x == 3, filter == 2:
		return up[x]
	}
	return clamp8(int32(row[x-4]) + int32(up[x]) - int32(up[x-4]))
}

func (h *webpHeader) decodeLossless(j *job, frame *Image) error {
	return decodeVP8L(j, h.lossless[5:], frame)
}
