package picture

import (
	"math"

	"github.com/goshawk-ai/goshawk/internal/tensor"
)

// unpredict undoes horizontal differencing (TIFF 6.0, section 14; Adobe's
// technical note 3 for floating point) on one row.
func (h *tiffHeader) unpredict(s *scratch, row []byte, samples int) {
	switch {
	case h.predictor == 3:
		h.unpredictFloats(s, row, samples)
	case h.predictor == 2 && h.bits == 8:
		for i := samples; i < len(row); i++ {
			row[i] += row[i-samples]
		}
	case h.predictor == 2 && h.bits == 16:
		for i := 2 * samples; i+1 < len(row); i += 2 {
			v := h.file.order.Uint16(row[i:]) + h.file.order.Uint16(row[i-2*samples:])
			h.file.order.PutUint16(row[i:], v)
		}
	case h.predictor == 2 && h.bits == 32:
		for i := 4 * samples; i+3 < len(row); i += 4 {
			v := h.file.order.Uint32(row[i:]) + h.file.order.Uint32(row[i-4*samples:])
			h.file.order.PutUint32(row[i:], v)
		}
	}
}

// unpredictFloats adds up bytes, which lie by significance, and puts each
// value's together again in the file's order.
func (h *tiffHeader) unpredictFloats(s *scratch, row []byte, samples int) {
	for i := samples; i < len(row); i++ {
		row[i] += row[i-samples]
	}
	size := h.bits / 8
	n := len(row) / size
	s.floats = append(s.floats[:0], row...)
	apart := s.floats
	little := h.file.data[0] == 'I'
	for i := range n {
		for b := range size {
			to := b
			if little {
				to = size - 1 - b
			}
			row[i*size+to] = apart[b*n+i]
		}
	}
}

// toBytes makes 8 bits of each sample: the high ones of longer samples, small
// ones stretched (but palette indices kept). The smallest signed number is
// black; floating-point black is 0 and white 1, by the usual convention.
func (h *tiffHeader) toBytes(dst, row []byte) {
	switch {
	case h.format == 3:
		h.floatsToBytes(dst, row)
	case h.bits == 8:
		copy(dst, row)
	case h.bits == 16 || h.bits == 32:
		size := h.bits / 8
		at := 0
		if h.file.data[0] == 'I' {
			at = size - 1
		}
		for i := range dst {
			dst[i] = row[i*size+at]
		}
	default:
		h.bitsToBytes(dst, row)
	}
	if h.format == 2 {
		for i := range dst {
			dst[i] ^= 0x80
		}
	}
}

func (h *tiffHeader) bitsToBytes(dst, row []byte) {
	most := uint64(1)<<h.bits - 1
	var acc uint64
	have := 0
	for i := range dst {
		for have < h.bits {
			acc = acc<<8 | uint64(row[0])
			row = row[1:]
			have += 8
		}
		have -= h.bits
		v := acc >> have & most
		switch {
		case h.photometric == tiffPalette:
			dst[i] = byte(v)
		case h.bits < 8:
			dst[i] = byte(v * 255 / most)
		default:
			dst[i] = byte(v >> (h.bits - 8))
		}
	}
}

func (h *tiffHeader) floatsToBytes(dst, row []byte) {
	for i := range dst {
		var v float64
		switch h.bits {
		case 16:
			v = float64(tensor.FromFloat16(h.file.order.Uint16(row[2*i:])))
		case 32:
			v = float64(math.Float32frombits(h.file.order.Uint32(row[4*i:])))
		default:
			v = math.Float64frombits(h.file.order.Uint64(row[8*i:]))
		}
		switch {
		case v >= 1:
			dst[i] = 255
		case v > 0: // not for NaN
			dst[i] = byte(v*255 + 0.5)
		default:
			dst[i] = 0
		}
	}
}

// tiffPainter turns rows of 8-bit samples into the Image's pixels.
type tiffPainter struct {
	h       *tiffHeader
	img     *Image
	palette [256][3]byte
}

func newTIFFPainter(h *tiffHeader, j *job) *tiffPainter {
	p := &tiffPainter{h: h, img: j.img}
	if h.photometric == tiffPalette {
		n := int64(1) << h.bits
		for i := range n {
			for c := range int64(3) {
				p.palette[i][c] = byte(h.file.value(h.colors, c*n+i) >> 8)
			}
		}
	}
	return p
}

// paint writes w pixels from column x on; of a color's plane, one channel of them.
func (p *tiffPainter) paint(y, x, w, plane int, samples []byte) {
	channels := p.img.Channels
	dst := p.img.row(y)[x*channels:]
	n := p.h.samples
	switch {
	case p.h.planar && p.h.needed() == 1:
		n = 1
	case p.h.planar:
		for i := range w {
			dst[i*channels+plane] = samples[i]
		}
		if channels == 4 && plane == 3 && p.h.alpha == 1 {
			p.eachPixel(dst, w, unpremultiply)
		}
		return
	}
	for i := range w {
		p.pixel(dst[i*channels:][:channels], samples[i*n:][:n])
	}
	if p.h.alpha == 1 {
		p.eachPixel(dst, w, unpremultiply)
	}
}

func (p *tiffPainter) eachPixel(dst []byte, w int, do func([]byte)) {
	for i := range w {
		do(dst[4*i : 4*i+4])
	}
}

func (p *tiffPainter) pixel(o, s []byte) {
	switch p.h.photometric {
	case tiffWhiteIsZero, tiffBlackIsZero:
		v := s[0]
		if p.h.photometric == tiffWhiteIsZero {
			v = 255 - v
		}
		o[0] = v
		if len(o) == 4 {
			o[1], o[2], o[3] = v, v, s[1]
		}
	case tiffPalette:
		copy(o, p.palette[s[0]][:])
		if len(o) == 4 { // an index is not stretched to 8 bits, and so the alpha beside it was not
			o[3] = byte(int(s[1]) * 255 / (1<<p.h.bits - 1))
		}
	case tiffCMYK:
		k := 255 - s[3]
		o[0], o[1], o[2] = inked(255-s[0], k), inked(255-s[1], k), inked(255-s[2], k)
	case tiffYCbCr:
		fullRange(o[:3], s[:1], s[1:2], s[2:3])
		if len(o) == 4 {
			o[3] = s[3]
		}
	default:
		copy(o, s)
	}
}
