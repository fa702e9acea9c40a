package picture

// pngPainter turns stored rows into the Image's pixels. 16-bit samples keep
// their high byte, as Pillow does for RGB (for grey it would clip; nobody wants
// a white picture). Gamma and profiles are left alone, as everywhere in this
// package: models were trained that way.
type pngPainter struct {
	h        *pngHeader
	channels int
	table    [256][4]byte // what a value of at most 8 bits becomes
	through  [3]uint16    // the color that tRNS makes transparent
}

func newPNGPainter(h *pngHeader, img *Image) *pngPainter {
	p := &pngPainter{h: h, channels: img.Channels}
	switch {
	case h.color == pngPalette:
		p.fromPalette()
	case h.color == pngGray && h.depth <= 8:
		p.fromGray()
	}
	if p.keyed() {
		for i := range h.samples() {
			p.through[i] = uint16(h.trns[2*i])<<8 | uint16(h.trns[2*i+1])
		}
	}
	return p
}

func (p *pngPainter) keyed() bool {
	return p.channels == 4 && (p.h.color == pngGray || p.h.color == pngRGB)
}

// fromPalette: values beyond the palette are black.
func (p *pngPainter) fromPalette() {
	for i := range p.table {
		p.table[i] = [4]byte{0, 0, 0, 255}
		if 3*i+2 < len(p.h.palette) {
			copy(p.table[i][:3], p.h.palette[3*i:])
		}
		if i < len(p.h.trns) {
			p.table[i][3] = p.h.trns[i]
		}
	}
}

func (p *pngPainter) fromGray() {
	most := 1<<p.h.depth - 1
	for i := range most + 1 {
		v := byte(i * 255 / most)
		p.table[i] = [4]byte{v, v, v, 255}
		if p.channels == 4 && len(p.h.trns) >= 2 && i == int(p.h.trns[0])<<8|int(p.h.trns[1]) {
			p.table[i][3] = 0
		}
	}
}

// paint writes w pixels of a pass: every dx-th from x on.
func (p *pngPainter) paint(dst, src []byte, x, dx, w int) {
	step := dx * p.channels
	dst = dst[x*p.channels:]
	switch {
	case p.h.color == pngPalette || p.h.color == pngGray && p.h.depth <= 8:
		p.paintTable(dst, src, step, w)
	case p.h.apple && p.h.depth == 8 && p.h.color != pngGrayAlpha:
		p.paintApple(dst, src, step, w)
	case p.h.depth == 8 && !p.keyed() && p.h.color != pngGrayAlpha:
		p.paintBytes(dst, src, step, w)
	default:
		p.paintSamples(dst, src, step, w)
	}
}

func (p *pngPainter) paintTable(dst, src []byte, step, w int) {
	depth := p.h.depth
	mask := byte(1<<depth - 1) // 255 for 8 bits
	for i := range w {
		bit := i * depth
		v := src[bit>>3] >> (8 - depth - bit&7) & mask
		copy(dst[i*step:][:p.channels], p.table[v][:])
	}
}

func (p *pngPainter) paintBytes(dst, src []byte, step, w int) {
	n := p.h.samples()
	if step == n {
		copy(dst, src[:w*n])
		return
	}
	for i := range w {
		copy(dst[i*step:][:n], src[i*n:])
	}
}

// paintSamples is the general way: 16 bits, grey with alpha, a transparent color.
func (p *pngPainter) paintSamples(dst, src []byte, step, w int) {
	n, size := p.h.samples(), p.h.depth/8
	for i := range w {
		s := src[i*n*size:][:n*size]
		o := dst[i*step:][:p.channels]
		switch p.h.color {
		case pngGray, pngGrayAlpha:
			o[0] = s[0]
			if len(o) == 4 {
				o[1], o[2] = s[0], s[0]
			}
		default:
			o[0], o[1], o[2] = s[0], s[size], s[2*size]
		}
		switch {
		case p.keyed():
			o[3] = p.alphaOf(s, size)
		case p.channels == 4:
			o[3] = s[(n-1)*size]
		}
	}
}

// alphaOf compares all of a sample's bits with the transparent color.
func (p *pngPainter) alphaOf(s []byte, size int) byte {
	for c := range p.h.samples() {
		v := uint16(s[c*size])
		if size == 2 {
			v = v<<8 | uint16(s[c*2+1])
		}
		if v != p.through[c] {
			return 255
		}
	}
	return 0
}

// paintApple swaps back what Xcode's optimizer swapped, and divides by alpha
// again.
func (p *pngPainter) paintApple(dst, src []byte, step, w int) {
	n := p.h.samples()
	for i := range w {
		s, o := src[i*n:][:n], dst[i*step:][:p.channels]
		o[0], o[1], o[2] = s[2], s[1], s[0]
		switch {
		case n == 4:
			o[3] = s[3]
			unpremultiply(o)
		case p.channels == 4:
			o[3] = p.alphaOf(o, 1)
		}
	}
}

// unpremultiply divides R, G and B by A.
func unpremultiply(o []byte) {
	a := int(o[3])
	if a == 0 || a == 255 {
		return
	}
	for c := range 3 {
		o[c] = byte(min(255, (int(o[c])*255+a/2)/a))
	}
}
