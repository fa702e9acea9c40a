package picture

import (
	"compress/flate"
	"io"
)

// idat reads the picture data of consecutive IDAT chunks as one stream.
type idat struct {
	data []byte
	pos  int    // behind the current chunk
	rest []byte // of the current chunk
}

func (r *idat) fill() bool {
	for len(r.rest) == 0 {
		c, ok := nextChunk(r.data, r.pos)
		if !ok || c.name != "IDAT" {
			return false
		}
		r.rest, r.pos = c.body, c.end
	}
	return true
}

func (r *idat) Read(p []byte) (int, error) {
	if !r.fill() {
		return 0, io.EOF
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// ReadByte keeps compress/flate from buffering on its own.
func (r *idat) ReadByte() (byte, error) {
	if !r.fill() {
		return 0, io.EOF
	}
	b := r.rest[0]
	r.rest = r.rest[1:]
	return b, nil
}

// unflate is a reset compress/flate reader.
func (s *scratch) unflate(r io.Reader) io.Reader {
	if s.inflate == nil {
		s.inflate = flate.NewReader(r)
		return s.inflate
	}
	// Reset cannot fail without a dictionary.
	_ = s.inflate.(flate.Resetter).Reset(r, nil)
	return s.inflate
}

// unzlib skips zlib's two bytes (RFC 1950). Its checksum is not looked at: what
// a wrong one means was seen by then.
func (s *scratch) unzlib(r interface {
	io.Reader
	io.ByteReader
},
) (io.Reader, bool) {
	cmf, err := r.ReadByte()
	if err != nil {
		return nil, false
	}
	flg, err := r.ReadByte()
	if err != nil || cmf&15 != 8 || (int(cmf)<<8+int(flg))%31 != 0 || flg&0x20 != 0 {
		return nil, false
	}
	return s.unflate(r), true
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
	var rows io.Reader
	if h.apple {
		rows = j.unflate(src)
	} else if r, ok := j.unzlib(src); ok {
		rows = r
	} else {
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
	for i := 0; i < min(back, len(cur)); i++ {
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
