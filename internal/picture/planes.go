package picture

import "image"

// plane is one channel of samples.
type plane struct {
	pix           []byte
	stride        int
	width, height int
}

func (p plane) row(y int) []byte {
	y = min(max(y, 0), p.height-1)
	return p.pix[y*p.stride:][:p.width]
}

// box averages the samples that fall on one row of a picture shrunk by scale,
// of a plane that holds one sample for subX x subY pixels.
func (p plane) box(dst []byte, y, scale, subX, subY int) {
	y0, y1 := span(y, scale, subY, p.height)
	for x := range dst {
		x0, x1 := span(x, scale, subX, p.width)
		sum, n := 0, (y1-y0)*(x1-x0)
		for sy := y0; sy < y1; sy++ {
			for _, s := range p.pix[sy*p.stride+x0 : sy*p.stride+x1] {
				sum += int(s)
			}
		}
		dst[x] = byte((sum + n/2) / n)
	}
}

func span(i, scale, sub, size int) (from, to int) {
	from = min(i*scale/sub, size-1)
	return from, min(max(from+1, (i+1)*scale/sub), size)
}

// fancyRow makes a full row of a chroma plane that was halved both ways, by the
// triangle filter that libjpeg and libwebp share: 9, 3, 3 and 1 sixteenths of
// the four nearest. odd is the rounding of odd columns: 7 in libjpeg, 8 in libwebp.
func (p plane) fancyRow(dst []byte, y int, odd int) {
	near, far := p.row(y/2), p.row(y/2-1+y%2*2)
	last := len(near) - 1
	sum := func(i int) int { return 3*int(near[i]) + int(far[i]) }
	prev, cur := sum(0), sum(0)
	for i := 0; i <= last; i++ {
		next := cur
		if i < last {
			next = sum(i + 1)
		}
		dst[2*i] = byte((3*cur + prev + 8) >> 4)
		if 2*i+1 < len(dst) {
			dst[2*i+1] = byte((3*cur + next + odd) >> 4)
		}
		prev, cur = cur, next
	}
}

// fancyWide does the same for a plane that was halved in its width only.
func (p plane) fancyWide(dst []byte, y int) {
	src := p.row(y)
	last := len(src) - 1
	for i := range src {
		prev, cur, next := int(src[max(i-1, 0)]), int(src[i]), int(src[min(i+1, last)])
		dst[2*i] = byte((3*cur + prev + 1) >> 2)
		if 2*i+1 < len(dst) {
			dst[2*i+1] = byte((3*cur + next + 2) >> 2)
		}
	}
}

// fancyHigh does the same for a plane that was halved in its height only.
func (p plane) fancyHigh(dst []byte, y int) {
	near, far := p.row(y/2), p.row(y/2-1+y%2*2)
	for i := range dst {
		dst[i] = byte((3*int(near[i]) + int(far[i]) + 1 + y%2) >> 2)
	}
}

// plain repeats samples, which is what libjpeg does for rarer samplings.
func (p plane) plain(dst []byte, y, subX, subY int) {
	src := p.row(y / subY)
	for x := range dst {
		dst[x] = src[min(x/subX, len(src)-1)]
	}
}

// fromPlanes makes RGB of Go's planes.
func (h *jpegHeader) fromPlanes(j *job, m *image.YCbCr) error {
	w, ht := j.info.header.width, j.info.header.height
	subX := h.components[0].h / max(1, h.components[1].h)
	subY := h.components[0].v / max(1, h.components[1].v)
	luma := plane{m.Y, m.YStride, w, ht}
	cw, ch := (w+subX-1)/subX, (ht+subY-1)/subY
	blue, red := plane{m.Cb, m.CStride, cw, ch}, plane{m.Cr, m.CStride, cw, ch}
	u, v := j.rowPair(j.img.Width)
	light := make([]byte, j.img.Width)
	for y := range j.img.Height {
		if y%64 == 0 && j.stopped() != nil {
			return j.stopped()
		}
		if j.scale > 1 {
			luma.box(light, y, j.scale, 1, 1)
			blue.box(u, y, j.scale, subX, subY)
			red.box(v, y, j.scale, subX, subY)
		} else {
			light = luma.row(y)
			blue.widen(u, y, subX, subY)
			red.widen(v, y, subX, subY)
		}
		fullRange(j.img.row(y), light, u, v)
	}
	return nil
}

func (p plane) widen(dst []byte, y, subX, subY int) {
	switch {
	case subX == 2 && subY == 2 && p.width > 2:
		p.fancyRow(dst, y, 7)
	case subX == 2 && subY == 1 && p.width > 2:
		p.fancyWide(dst, y)
	case subX == 1 && subY == 2:
		p.fancyHigh(dst, y)
	default:
		p.plain(dst, y, subX, subY)
	}
}

// fullRange is JFIF's conversion (ITU-T T.871, section 7), in 16 bits of
// fraction.
func fullRange(dst, light, u, v []byte) {
	for x, l := range light {
		y, b, r := int32(l)<<16+1<<15, int32(u[x])-128, int32(v[x])-128
		o := dst[3*x : 3*x+3 : 3*x+3]
		o[0] = clamp8((y + 91881*r) >> 16)
		o[1] = clamp8((y - 22554*b - 46802*r) >> 16)
		o[2] = clamp8((y + 116130*b) >> 16)
	}
}

// videoRange is WebP's: BT.601 with light from 16 to 235, in the fixed-point
// numbers of RFC 9649's reference decoder, so that pixels are the same.
func videoRange(dst []byte, channels int, light, u, v []byte) {
	for x, l := range light {
		y, b, r := int32(l)*19077>>8, int32(u[x]), int32(v[x])
		o := dst[channels*x:]
		o[0] = clamp8((y + r*26149>>8 - 14234) >> 6)
		o[1] = clamp8((y - b*6419>>8 - r*13320>>8 + 8708) >> 6)
		o[2] = clamp8((y + b*33050>>8 - 17685) >> 6)
	}
}

func clamp8(v int32) byte {
	if uint32(v) > 255 {
		return byte(^(v >> 31))
	}
	return byte(v)
}

// shrinkPlane averages interleaved samples into the image, which may have fewer
// channels than they.
func shrinkPlane(img *Image, src []byte, stride, channels int, info Info, scale int) {
	w, h := info.header.width, info.header.height
	for y := range img.Height {
		dst := img.row(y)
		y1 := min((y+1)*scale, h)
		for x := range img.Width {
			x1 := min((x+1)*scale, w)
			n := (y1 - y*scale) * (x1 - x*scale)
			for c := range img.Channels {
				sum := n / 2
				for sy := y * scale; sy < y1; sy++ {
					for sx := x * scale; sx < x1; sx++ {
						sum += int(src[sy*stride+sx*channels+c])
					}
				}
				dst[x*img.Channels+c] = byte(sum / n)
			}
		}
	}
}
