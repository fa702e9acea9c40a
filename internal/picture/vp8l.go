package picture

// vp8l decodes WebP's lossless bitstream (RFC 9649, section 3) as four bytes a
// pixel. It is our own because x/image/vp8l allocates two whole pictures more,
// and because the memory of its tables cannot be told beforehand.
type vp8l struct {
	j       *job
	bits    bitReader
	lengths [greenSymbols + 1<<maxCacheBits]byte // of the code being read
	inner   prefixCode                           // of the lengths
}

const (
	maxGroups      = 2600 // of prefix codes; libwebp's encoder makes no more
	maxCacheBits   = 11
	lengthSymbols  = 24
	distanceCodes  = 40
	greenSymbols   = 256 + lengthSymbols
	groupsCodes    = 5
	minBlockBits   = 2
	indexingTable  = 256
	cacheHashPrime = 0x1e35a7bd
)

// vp8lCost bounds sub-pictures (of at least 4 x 4 pixels each) and the tables of
// all groups.
func vp8lCost(w, h int64) int64 {
	blocks := ((w + 3) / 4) * ((h + 3) / 4)
	group := prefixCodeBytes(greenSymbols+1<<maxCacheBits) + 3*prefixCodeBytes(256) + prefixCodeBytes(distanceCodes)
	return 3*4*blocks + min(maxGroups, blocks)*group + 64<<10
}

// group is the codes of green (with lengths and the cache), red, blue, alpha
// and distance.
type group [groupsCodes]prefixCode

// transform was done to the picture before it was coded.
type transform struct {
	kind  int
	bits  uint
	width int    // of the picture that comes out
	data  []byte // sub-picture, or table
}

const (
	predictorTransform = iota
	colorTransform
	greenTransform
	indexTransform
)

// decodeVP8L fills img, which has four channels and the right size, from behind
// the header.
func decodeVP8L(j *job, data []byte, img *Image) error {
	d := &vp8l{j: j, bits: bitReader{data: data}}
	err := d.decode(img)
	if err == nil && d.bits.over() {
		err = errVP8L
	}
	if err != nil {
		return j.broken(err, "the WebP's lossless data is damaged or cut off")
	}
	return nil
}

func (d *vp8l) decode(img *Image) error {
	var transforms []transform
	w, seen := img.Width, 0
	for d.bits.read(1) == 1 {
		t, narrowed, err := d.readTransform(w, img.Height)
		if err != nil {
			return err
		}
		if seen&(1<<t.kind) != 0 {
			return errVP8L
		}
		seen |= 1 << t.kind
		w = narrowed
		transforms = append(transforms, t)
	}
	if err := d.readPixels(img.Pix[:4*w*img.Height], w, img.Height, true); err != nil {
		return err
	}
	for i := len(transforms) - 1; i >= 0; i-- {
		if err := d.j.stopped(); err != nil {
			return err
		}
		transforms[i].invert(img.Pix, img.Height)
	}
	return nil
}

// readTransform returns the width that the coded picture has before it.
func (d *vp8l) readTransform(w, h int) (t transform, narrowed int, err error) {
	t = transform{kind: int(d.bits.read(2)), width: w}
	switch t.kind {
	case predictorTransform, colorTransform:
		t.bits = minBlockBits + uint(d.bits.read(3))
		bw, bh := blocks(w, t.bits), blocks(h, t.bits)
		t.data = make([]byte, 4*bw*bh)
		err = d.readPixels(t.data, bw, bh, false)
	case indexTransform:
		n := 1 + int(d.bits.read(8))
		t.data = make([]byte, 4*n, 4*indexingTable)
		err = d.readPixels(t.data, n, 1, false)
		for i := 4; i < len(t.data); i++ {
			t.data[i] += t.data[i-4]
		}
		t.data = t.data[:4*indexingTable] // beyond the table: transparent black
		switch {
		case n <= 2:
			t.bits = 3
		case n <= 4:
			t.bits = 2
		case n <= 16:
			t.bits = 1
		}
		return t, blocks(w, t.bits), err
	}
	return t, w, err
}

func blocks(n int, bits uint) int { return (n + 1<<bits - 1) >> bits }

// readPixels reads an entropy-coded picture. Only the main one may have several
// groups of codes.
func (d *vp8l) readPixels(pix []byte, w, h int, main bool) error {
	var cacheBits uint
	if d.bits.read(1) == 1 {
		if cacheBits = uint(d.bits.read(4)); cacheBits < 1 || cacheBits > maxCacheBits {
			return errVP8L
		}
	}
	p := &vp8lPainter{d: d, pix: pix, width: w, height: h, cacheBits: cacheBits}
	n := 1
	if main && d.bits.read(1) == 1 {
		p.blockBits = minBlockBits + uint(d.bits.read(3))
		p.blocksWide = blocks(w, p.blockBits)
		p.meta = make([]byte, 4*p.blocksWide*blocks(h, p.blockBits))
		if err := d.readPixels(p.meta, p.blocksWide, blocks(h, p.blockBits), false); err != nil {
			return err
		}
		for i := 0; i < len(p.meta); i += 4 {
			n = max(n, 1+metaGroup(p.meta[i:]))
		}
	}
	// Groups that no block can use would cost their tables all the same.
	if n > maxGroups || n > blocks(w, minBlockBits)*blocks(h, minBlockBits) {
		return errVP8L
	}
	var err error
	if p.groups, err = d.readGroups(n, cacheBits); err != nil {
		return err
	}
	return p.paint()
}

func metaGroup(p []byte) int { return int(p[0])<<8 | int(p[1]) }

func (d *vp8l) readGroups(n int, cacheBits uint) ([]group, error) {
	groups := make([]group, n)
	sizes := [groupsCodes]int{greenSymbols, 256, 256, 256, distanceCodes}
	if cacheBits > 0 {
		sizes[0] += 1 << cacheBits
	}
	for i := range groups {
		for c := range groups[i] {
			if err := d.readCode(&groups[i][c], sizes[c]); err != nil {
				return nil, err
			}
		}
		if d.bits.over() {
			return nil, errVP8L
		}
	}
	return groups, nil
}

// vp8lPainter writes pixels in reading order.
type vp8lPainter struct {
	d             *vp8l
	pix           []byte
	width, height int
	groups        []group
	meta          []byte
	blockBits     uint
	blocksWide    int
	cacheBits     uint
	cache         []uint32
	cached        int // bytes of pix that are in the cache
}

func (p *vp8lPainter) paint() error {
	if p.cacheBits > 0 {
		p.cache = make([]uint32, 1<<p.cacheBits)
	}
	b := &p.d.bits
	for at := 0; at < len(p.pix); {
		x, y := at/4%p.width, at/4/p.width
		if b.over() {
			return errVP8L
		}
		if err := p.d.j.stopped(); err != nil {
			return err
		}
		g, until := p.groupAt(x, y)
		// Pixels up to the end of the block share the group.
		for end := at + 4*(until-x); at < end; {
			symbol := g[0].read(b)
			switch {
			case symbol < 256:
				p.pix[at], p.pix[at+1] = byte(g[1].read(b)), byte(symbol)
				p.pix[at+2], p.pix[at+3] = byte(g[2].read(b)), byte(g[3].read(b))
				at += 4
			case symbol < greenSymbols:
				length := prefixed(b, symbol-256)
				back := p.distance(prefixed(b, g[4].read(b)))
				if 4*back > at || 4*length > len(p.pix)-at {
					return errVP8L
				}
				for range 4 * length {
					p.pix[at] = p.pix[at-4*back]
					at++
				}
			default:
				p.remember(at)
				putARGB(p.pix[at:], p.cache[symbol-greenSymbols])
				at += 4
			}
		}
	}
	return nil
}

// groupAt is the group for the pixel, and the column up to which it holds.
func (p *vp8lPainter) groupAt(x, y int) (*group, int) {
	if p.meta == nil {
		return &p.groups[0], p.width
	}
	block := y>>p.blockBits*p.blocksWide + x>>p.blockBits
	return &p.groups[metaGroup(p.meta[4*block:])], min(p.width, (x>>p.blockBits+1)<<p.blockBits)
}

// remember brings the cache up to date before it is asked: every pixel enters it.
func (p *vp8lPainter) remember(at int) {
	for ; p.cached < at; p.cached += 4 {
		v := argb(p.pix[p.cached:])
		p.cache[v*cacheHashPrime>>(32-p.cacheBits)] = v
	}
}

func argb(p []byte) uint32 {
	return uint32(p[3])<<24 | uint32(p[0])<<16 | uint32(p[1])<<8 | uint32(p[2])
}

func putARGB(p []byte, v uint32) {
	p[0], p[1], p[2], p[3] = byte(v>>16), byte(v>>8), byte(v), byte(v>>24)
}

// prefixed completes a length or distance by its extra bits.
func prefixed(b *bitReader, symbol int) int {
	if symbol < 4 {
		return symbol + 1
	}
	extra := uint(symbol-2) >> 1
	return (2+symbol&1)<<extra + int(b.read(extra)) + 1
}

// distance resolves the 120 short codes for pixels nearby.
func (p *vp8lPainter) distance(code int) int {
	if code > len(nearby) {
		return code - len(nearby)
	}
	n := nearby[code-1]
	return max(1, int(n[0])+int(n[1])*p.width)
}
