package picture

import "io"

// idat gives the picture data of consecutive IDAT chunks.
type idat struct {
	data []byte
	pos  int // behind the current chunk
}

func (r *idat) next() []byte {
	for {
		c, ok := nextChunk(r.data, r.pos)
		if !ok || c.name != "IDAT" {
			return nil
		}
		r.pos = c.end
		if len(c.body) > 0 {
			return c.body
		}
	}
}

// pass is one of Adam7's, or the whole picture.
type pass struct{ x, y, dx, dy int }

func (h *pngHeader) passes() []pass {
	if !h.interlaced {
		return []pass{{0, 0, 1, 1}}
	}
	return []pass{{0, 0, 8, 8}, {4, 0, 8, 8}, {0, 4, 4, 8}, {2, 0, 4, 4}, {0, 2, 2, 4}, {1, 0, 2, 2}, {0, 1, 1, 2}}
}

func (h *pngHeader) decode(j *job) error {
	src := &idat{data: j.data, pos: h.data}
	rows := j.unflate(src.next, 4*j.img.Height)
	if !h.apple && !rows.zlib() {
		return damaged("the PNG's picture data is not compressed as it should be (zlib)")
	}
	p := newPNGPainter(h, j.img)
	for _, pass := range h.passes() {
		w := (j.img.Width - pass.x + pass.dx - 1) / pass.dx
		if w < 1 || pass.y >= j.img.Height {
			continue
		}
		if err := h.decodePass(j, rows, p, pass, w); err != nil {
			return err
		}
	}
	return nil
}

func (h *pngHeader) decodePass(j *job, r io.Reader, p *pngPainter, pass pass, w int) error {
	bits := h.samples() * h.depth
	back := max(1, bits/8)
	cur, prev := j.rowPair(1 + (w*bits+7)/8)
	for y := pass.y; y < j.img.Height; y += pass.dy {
		if err := j.stopped(); err != nil {
			return err
		}
		if _, err := io.ReadFull(r, cur); err != nil {
			return j.broken(err, "the PNG's picture data ends, or is damaged, at row %d of %d", y, j.img.Height)
		}
		if !unfilter(cur, prev[1:], back) {
			return damaged("the PNG's row %d of %d is damaged: filter %d does not exist", y, j.img.Height, cur[0])
		}
		p.paint(j.img.row(y), cur[1:], pass.x, pass.dx, w)
		cur, prev = prev, cur
	}
	return nil
}

// unfilter undoes a row's filter (section 9) in place. prev has no filter byte.
func unfilter(row, prev []byte, back int) bool {
	filter, cur := row[0], row[1:]
	switch filter {
	case 0:
	case 1:
		for i := back; i < len(cur); i++ {
			cur[i] += cur[i-back]
		}
	case 2:
		for i, p := range prev[:len(cur)] {
			cur[i] += p
		}
	case 3:
		for i := range cur {
			left := 0
			if i >= back {
				left = int(cur[i-back])
			}
			cur[i] += byte((left + int(prev[i])) / 2)
		}
	case 4:
		unpaeth(cur, prev, back)
	default:
		return false
	}
	return true
}

func unpaeth(cur, prev []byte, back int) {
	for i := range min(back, len(cur)) {
		cur[i] += prev[i]
	}
	for i := back; i < len(cur); i++ {
		a, b, c := int(cur[i-back]), int(prev[i]), int(prev[i-back])
		pa, pb := b-c, a-c
		pc := abs(pa + pb)
		pa, pb = abs(pa), abs(pb)
		switch {
		case pa <= pb && pa <= pc:
			cur[i] += byte(a)
		case pb <= pc:
			cur[i] += byte(b)
		default:
			cur[i] += byte(c)
		}
	}
}

func abs(n int) int {
	if n < 0 {
		return -n
	}
	return n
}
