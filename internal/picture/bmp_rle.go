package picture

// rlePen writes run-length coded indices into a picture.
type rlePen struct {
	j     *job
	h     *bmpHeader
	table *[256][3]byte
	x, y  int // y counts stored rows
}

// decodeRLE follows BI_RLE8 and BI_RLE4. Pixels that the code jumps over keep
// the first color; a code that writes or jumps out of the picture is followed
// until it ends. Without an end code all rows must have been written.
func (h *bmpHeader) decodeRLE(j *job) error {
	p := &rlePen{j: j, h: h, table: h.table()}
	for i := 0; i < len(j.img.Pix); i += 3 {
		copy(j.img.Pix[i:i+3], p.table[0][:])
	}
	src := j.data[h.data:]
	for len(src) >= 2 && p.y < j.img.Height {
		n, v := int(src[0]), src[1]
		src = src[2:]
		if n > 0 {
			p.run(n, v)
			continue
		}
		switch v {
		case 0:
			p.x, p.y = 0, p.y+1
			if err := j.stopped(); err != nil {
				return err
			}
		case 1:
			return nil
		case 2:
			if len(src) < 2 {
				return p.cut()
			}
			p.x, p.y = p.x+int(src[0]), p.y+int(src[1])
			src = src[2:]
		default:
			used := p.literal(int(v), src)
			if used < 0 {
				return p.cut()
			}
			src = src[used:]
		}
	}
	if p.y < j.img.Height-1 || p.y == j.img.Height-1 && p.x < j.img.Width {
		return p.cut()
	}
	return nil
}

func (p *rlePen) cut() error {
	return damaged("the BMP's data ends at row %d of %d", p.y, p.j.img.Height)
}

func (p *rlePen) set(v byte) {
	if p.x < p.j.img.Width && p.y < p.j.img.Height {
		row := p.j.img.row(p.h.line(p.y, p.j.img.Height))
		copy(row[3*p.x:3*p.x+3], p.table[v][:])
	}
	p.x++
}

// run repeats one index, or with 4 bits two by turns.
func (p *rlePen) run(n int, v byte) {
	// What falls out of the picture costs nothing, however often it is said.
	inside := max(0, min(n, p.j.img.Width-p.x))
	defer func() { p.x += n - inside }()
	for i := range inside {
		switch {
		case p.h.depth == 8:
			p.set(v)
		case i%2 == 0:
			p.set(v >> 4)
		default:
			p.set(v & 15)
		}
	}
}

// literal writes n indices as they stand and returns the bytes they took, filled
// up to an even number; -1 where they are cut off.
func (p *rlePen) literal(n int, src []byte) int {
	size := n * p.h.depth / 8
	if p.h.depth == 4 {
		size = (n + 1) / 2
	}
	if len(src) < size {
		return -1
	}
	for i := range n {
		switch {
		case p.h.depth == 8:
			p.set(src[i])
		case i%2 == 0:
			p.set(src[i/2] >> 4)
		default:
			p.set(src[i/2] & 15)
		}
	}
	return min(size+size%2, len(src))
}
