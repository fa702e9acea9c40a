package picture

import (
	"encoding/binary"
	"errors"
	"io"
	"math/bits"
)

// inflater decompresses deflate (RFC 1951) for PNG and TIFF. It is our own for
// two reasons: compress/flate allocates at every block, and it follows any
// number of blocks that give nothing: 20 MB of them took 7.5 s. Here blocks
// must be worth their tables.
type inflater struct {
	next  func() []byte // more of the stream; empty at its end
	piece []byte
	acc   uint64
	have  uint

	buf    [1 << 16]byte // the last 32 kB and what was not read yet
	from   int
	to     int
	before int64 // bytes that have left buf

	blocks      int64
	spare       int64 // blocks that may give nothing
	final       bool
	stored      int // bytes left of a stored block
	inCodes     bool
	lits, dists *flateCode
	dynamic     [2]flateCode
	fixed       [2]flateCode
	fixedReady  bool
	err         error
}

const (
	flateWindow   = 1 << 15
	longestCopy   = 258
	bytesPerBlock = 64 // that a block must give on the average; encoders' give thousands
	shortFlate    = 10
)

var (
	errFlate     = errors.New("the compressed data breaks the format's rules")
	errFlateBomb = errors.New("the compressed data consists of too many small blocks")
)

// flateCode is a canonical prefix code of up to 15 bits, low bit first.
type flateCode struct {
	short   [1 << shortFlate]uint16 // by the next bits: symbol<<4 | length; 0 for longer codes
	symbols [288]uint16
	count   [16]uint16
	first   int // code, and place in symbols, of the first code longer than short's
	place   int
}

// reset begins a stream. spare blocks may be empty: a picture's rows are flushed
// one by one by some writers.
func (z *inflater) reset(next func() []byte, spare int) {
	z.next, z.piece, z.acc, z.have = next, nil, 0, 0
	z.from, z.to, z.before = 0, 0, 0
	z.blocks, z.spare = 0, int64(spare)+1024
	z.final, z.inCodes, z.stored, z.err = false, false, 0, nil
}

// fill tries to have n bits; there may be less at the end.
func (z *inflater) fill(n uint) {
	if z.have >= n {
		return
	}
	if len(z.piece) >= 8 {
		z.acc |= binary.LittleEndian.Uint64(z.piece) << z.have
		k := (63 - z.have) >> 3
		z.piece = z.piece[k:]
		z.have += 8 * k
		z.acc &= 1<<z.have - 1 // the rest of the eighth byte comes again
		return
	}
	for z.have < n {
		if len(z.piece) == 0 {
			if z.piece = z.next(); len(z.piece) == 0 {
				return
			}
		}
		z.acc |= uint64(z.piece[0]) << z.have
		z.piece = z.piece[1:]
		z.have += 8
	}
}

func (z *inflater) bits(n uint) (int, error) {
	if z.fill(n); z.have < n {
		return 0, io.ErrUnexpectedEOF
	}
	v := int(z.acc & (1<<n - 1))
	z.acc >>= n
	z.have -= n
	return v, nil
}

// zlib reads the two bytes that precede deflate in RFC 1950. The checksum at
// the end is never reached.
func (z *inflater) zlib() bool {
	head, err := z.bits(16)
	if err != nil {
		return false
	}
	cmf, flags := head&255, head>>8
	return cmf&15 == 8 && (cmf<<8+flags)%31 == 0 && flags&0x20 == 0
}

// Read gives decompressed bytes; io.ErrUnexpectedEOF where the data ends before
// the stream does.
func (z *inflater) Read(p []byte) (int, error) {
	for z.from == z.to {
		if z.err != nil {
			return 0, z.err
		}
		if z.final && !z.inCodes && z.stored == 0 {
			z.err = io.EOF
			return 0, z.err
		}
		z.slide()
		z.err = z.more()
	}
	n := copy(p, z.buf[z.from:z.to])
	z.from += n
	return n, nil
}

// slide keeps the window and makes room behind it.
func (z *inflater) slide() {
	if drop := z.to - flateWindow; drop > 0 {
		copy(z.buf[:], z.buf[drop:z.to])
		z.to -= drop
		z.before += int64(drop)
	}
	z.from = z.to
}

// more runs blocks until the buffer is nearly full or the stream ends.
func (z *inflater) more() error {
	for len(z.buf)-z.to > longestCopy {
		var err error
		switch {
		case z.stored > 0:
			err = z.copyStored()
		case z.inCodes:
			err = z.runCodes()
		case z.final:
			return nil
		default:
			err = z.begin()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (z *inflater) begin() error {
	z.blocks++
	if z.blocks > z.spare+(z.before+int64(z.to))/bytesPerBlock {
		return errFlateBomb
	}
	head, err := z.bits(3)
	if err != nil {
		return err
	}
	z.final = head&1 == 1
	switch head >> 1 {
	case 0:
		return z.beginStored()
	case 1:
		z.useFixed()
		return nil
	case 2:
		return z.readCodes()
	}
	return errFlate
}

func (z *inflater) beginStored() error {
	z.acc >>= z.have % 8
	z.have -= z.have % 8
	n, err := z.bits(16)
	if err != nil {
		return err
	}
	inverse, err := z.bits(16)
	if err == nil && n != inverse^0xffff {
		err = errFlate
	}
	z.stored = n
	return err
}

func (z *inflater) copyStored() error {
	for z.stored > 0 && z.to < len(z.buf)-longestCopy {
		if z.have == 0 && len(z.piece) > 0 {
			n := copy(z.buf[z.to:len(z.buf)-longestCopy], z.piece[:min(len(z.piece), z.stored)])
			z.piece, z.to, z.stored = z.piece[n:], z.to+n, z.stored-n
			continue
		}
		b, err := z.bits(8)
		if err != nil {
			return err
		}
		z.buf[z.to] = byte(b)
		z.to++
		z.stored--
	}
	return nil
}

func (z *inflater) useFixed() {
	if !z.fixedReady {
		var lengths [288]byte
		for i := range lengths {
			switch {
			case i < 144:
				lengths[i] = 8
			case i < 256:
				lengths[i] = 9
			case i < 280:
				lengths[i] = 7
			default:
				lengths[i] = 8
			}
		}
		z.fixed[0].build(lengths[:])
		for i := range 32 {
			lengths[i] = 5
		}
		z.fixed[1].build(lengths[:32])
		z.fixedReady = true
	}
	z.lits, z.dists, z.inCodes = &z.fixed[0], &z.fixed[1], true
}

// readCodes reads a dynamic block's codes (section 3.2.7).
func (z *inflater) readCodes() error {
	head, err := z.bits(14)
	if err != nil {
		return err
	}
	nLits, nDists, nInner := head&31+257, head>>5&31+1, head>>10+4
	if nLits > 286 || nDists > 30 {
		return errFlate
	}
	var lengths [19 + 320]byte
	order := [19]byte{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}
	for _, i := range order[:nInner] {
		n, err := z.bits(3)
		if err != nil {
			return err
		}
		lengths[i] = byte(n)
	}
	inner := &z.dynamic[1]
	if !inner.build(lengths[:19]) {
		return errFlate
	}
	all := lengths[19:][:nLits+nDists]
	if err := z.readLengths(inner, all); err != nil {
		return err
	}
	if !z.dynamic[0].build(all[:nLits]) || !z.dynamic[1].build(all[nLits:]) {
		return errFlate
	}
	z.lits, z.dists, z.inCodes = &z.dynamic[0], &z.dynamic[1], true
	return nil
}

func (z *inflater) readLengths(inner *flateCode, all []byte) error {
	for i := 0; i < len(all); {
		s, err := z.symbol(inner)
		if err != nil {
			return err
		}
		if s < 16 {
			all[i] = byte(s)
			i++
			continue
		}
		value, base, extra := byte(0), 3, uint(3)
		switch s {
		case 16:
			if i == 0 {
				return errFlate
			}
			value, extra = all[i-1], 2
		case 18:
			base, extra = 11, 7
		}
		n, err := z.bits(extra)
		if err != nil {
			return err
		}
		if n += base; i+n > len(all) {
			return errFlate
		}
		for range n {
			all[i] = value
			i++
		}
	}
	return nil
}

// build makes the code; false where it is no prefix code. It may leave codes
// unused only where there is no symbol, or one whose code is a single bit, as
// for distances.
func (c *flateCode) build(lengths []byte) bool {
	c.count = [16]uint16{}
	for _, l := range lengths {
		c.count[l]++
	}
	used := len(lengths) - int(c.count[0])
	c.count[0] = 0
	var next [16]int
	left := 1
	for l := 1; l <= 15; l++ {
		if left = left*2 - int(c.count[l]); left < 0 {
			return false
		}
		next[l] = next[l-1] + int(c.count[l-1])
	}
	if left > 0 && used > 0 && (used > 1 || c.count[1] == 0) {
		return false
	}
	for s, l := range lengths {
		if l > 0 {
			c.symbols[next[l]] = uint16(s)
			next[l]++
		}
	}
	c.lookup()
	return true
}

func (c *flateCode) lookup() {
	clear(c.short[:])
	code, at := 0, 0
	for l := 1; l <= shortFlate; l++ {
		for range c.count[l] {
			entry := c.symbols[at]<<4 | uint16(l)
			for back := int(bits.Reverse16(uint16(code)) >> (16 - l)); back < len(c.short); back += 1 << l {
				c.short[back] = entry
			}
			code++
			at++
		}
		code <<= 1
	}
	c.first, c.place = code, at
}

// symbol takes one symbol's bits.
func (z *inflater) symbol(c *flateCode) (int, error) {
	z.fill(15)
	e := c.short[z.acc&(1<<shortFlate-1)]
	if e == 0 {
		return z.longSymbol(c)
	}
	n := uint(e & 15)
	if n > z.have {
		return 0, io.ErrUnexpectedEOF
	}
	z.acc >>= n
	z.have -= n
	return int(e >> 4), nil
}

func (z *inflater) longSymbol(c *flateCode) (int, error) {
	code := int(bits.Reverse16(uint16(z.acc)) >> (16 - shortFlate))
	first, place := c.first, c.place
	for l := uint(shortFlate + 1); l <= 15; l++ {
		code = code<<1 | int(z.acc>>(l-1)&1)
		n := int(c.count[l])
		if code-first < n {
			if l > z.have {
				return 0, io.ErrUnexpectedEOF
			}
			if code < first {
				return 0, errFlate
			}
			z.acc >>= l
			z.have -= l
			return int(c.symbols[place+code-first]), nil
		}
		first, place = (first+n)<<1, place+n
	}
	if z.have < 15 {
		return 0, io.ErrUnexpectedEOF
	}
	return 0, errFlate
}

// runCodes decodes until the block ends or the buffer is nearly full.
func (z *inflater) runCodes() error {
	for len(z.buf)-z.to > longestCopy {
		s, err := z.symbol(z.lits)
		switch {
		case err != nil:
			return err
		case s < 256:
			z.buf[z.to] = byte(s)
			z.to++
			continue
		case s == 256:
			z.inCodes = false
			return nil
		case s > 285:
			return errFlate
		}
		if err := z.copyMatch(s - 257); err != nil {
			return err
		}
	}
	return nil
}

// copyMatch reads a length's extra bits and a distance, and repeats what was
// written that far back.
func (z *inflater) copyMatch(s int) error {
	length, err := z.extended(lengthBase[s])
	if err != nil {
		return err
	}
	d, err := z.symbol(z.dists)
	if err != nil {
		return err
	}
	if d > 29 {
		return errFlate
	}
	distance, err := z.extended(distanceBase[d])
	if err != nil {
		return err
	}
	if distance > z.to {
		return errFlate
	}
	from, to := z.to-distance, z.to
	z.to += length
	if distance >= length {
		copy(z.buf[to:z.to], z.buf[from:])
		return nil
	}
	for ; to < z.to; from, to = from+1, to+1 {
		z.buf[to] = z.buf[from]
	}
	return nil
}

// base is where a symbol's range begins, and the bits that say where in it.
type base struct {
	from  uint16
	extra uint8
}

func (z *inflater) extended(b base) (int, error) {
	if b.extra == 0 {
		return int(b.from), nil
	}
	n, err := z.bits(uint(b.extra))
	return int(b.from) + n, err
}

// Section 3.2.5.
var (
	lengthBase = [29]base{
		{3, 0},
		{4, 0},
		{5, 0},
		{6, 0},
		{7, 0},
		{8, 0},
		{9, 0},
		{10, 0},
		{11, 1},
		{13, 1},
		{15, 1},
		{17, 1},
		{19, 2},
		{23, 2},
		{27, 2},
		{31, 2},
		{35, 3},
		{43, 3},
		{51, 3},
		{59, 3},
		{67, 4},
		{83, 4},
		{99, 4},
		{115, 4},
		{131, 5},
		{163, 5},
		{195, 5},
		{227, 5},
		{258, 0},
	}
	distanceBase = [30]base{
		{1, 0},
		{2, 0},
		{3, 0},
		{4, 0},
		{5, 1},
		{7, 1},
		{9, 2},
		{13, 2},
		{17, 3},
		{25, 3},
		{33, 4},
		{49, 4},
		{65, 5},
		{97, 5},
		{129, 6},
		{193, 6},
		{257, 7},
		{385, 7},
		{513, 8},
		{769, 8},
		{1025, 9},
		{1537, 9},
		{2049, 10},
		{3073, 10},
		{4097, 11},
		{6145, 11},
		{8193, 12},
		{12289, 12},
		{16385, 13},
		{24577, 13},
	}
)
