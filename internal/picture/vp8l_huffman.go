package picture

import "errors"

var errVP8L = errors.New("the lossless data breaks the format's rules")

// bitReader takes bits from the low end of bytes. Behind the end it gives zeros
// and remembers.
type bitReader struct {
	data []byte
	pos  int
	bits uint64
	n    uint
	made uint // zeros that were added to bits
}

// over says that bits behind the end were taken.
func (b *bitReader) over() bool { return b.n < b.made }

func (b *bitReader) fill(n uint) {
	for b.n < n {
		if b.pos < len(b.data) {
			b.bits |= uint64(b.data[b.pos]) << b.n
			b.pos++
		} else {
			b.made += 8
		}
		b.n += 8
	}
}

// read takes up to 32 bits.
func (b *bitReader) read(n uint) uint32 {
	b.fill(n)
	v := uint32(b.bits & (1<<n - 1))
	b.bits >>= n
	b.n -= n
	return v
}

// prefixCode is a canonical prefix code of at most 15 bits (RFC 9649, section
// 3.7.2). Short codes are looked up, longer ones walked.
type prefixCode struct {
	only    int      // the symbol when there is one, of no bits; else -1
	short   []uint16 // by the next 8 bits: symbol<<4 | length, 0 for longer ones
	symbols []uint16 // by code
	count   [16]uint16
}

const shortBits = 8

// prefixCodeBytes bounds what a code for n symbols allocates (Go rounds sizes up
// by an eighth at most).
func prefixCodeBytes(n int64) int64 { return 96 + 2<<shortBits + 2*n*9/8 }

// build makes the code of these lengths; they must fill the space of codes.
func (c *prefixCode) build(lengths []byte) error {
	c.only, c.count = -1, [16]uint16{}
	used, last := 0, 0
	for s, l := range lengths {
		if l > 0 {
			c.count[l]++
			used, last = used+1, s
		}
	}
	switch used {
	case 0:
		return errVP8L
	case 1:
		c.only = last
		return nil
	}
	left := 1
	var next [16]int
	for l := 1; l <= 15; l++ {
		left = left*2 - int(c.count[l])
		if left < 0 {
			return errVP8L
		}
		if l < 15 {
			next[l+1] = next[l] + int(c.count[l])
		}
	}
	if left != 0 {
		return errVP8L
	}
	if cap(c.symbols) < used {
		c.symbols = make([]uint16, used)
	}
	c.symbols = c.symbols[:used]
	for s, l := range lengths {
		if l > 0 {
			c.symbols[next[l]] = uint16(s)
			next[l]++
		}
	}
	c.lookup()
	return nil
}

func (c *prefixCode) lookup() {
	if c.short == nil {
		c.short = make([]uint16, 1<<shortBits)
	}
	clear(c.short)
	code, i := 0, 0
	for l := 1; l <= shortBits; l++ {
		for range c.count[l] {
			// Bits come from the low end, so a code is looked up reversed.
			back := 0
			for b := range l {
				back |= code >> b & 1 << (l - 1 - b)
			}
			for ; back < 1<<shortBits; back += 1 << l {
				c.short[back] = c.symbols[i]<<4 | uint16(l)
			}
			code++
			i++
		}
		code <<= 1
	}
}

func (c *prefixCode) read(b *bitReader) int {
	if c.only >= 0 {
		return c.only
	}
	b.fill(15)
	if e := c.short[b.bits&(1<<shortBits-1)]; e != 0 {
		b.bits >>= e & 15
		b.n -= uint(e & 15)
		return int(e >> 4)
	}
	code, first, index := 0, 0, 0
	for l := 1; l <= 15; l++ {
		code |= int(b.read(1))
		n := int(c.count[l])
		if code-n < first {
			return int(c.symbols[index+code-first])
		}
		index += n
		first = (first + n) << 1
		code <<= 1
	}
	return 0 // not reached: the code is complete
}

// readCode reads a code for so many symbols.
func (d *vp8l) readCode(c *prefixCode, symbols int) error {
	b, lengths := &d.bits, d.lengths[:symbols]
	clear(lengths)
	if b.read(1) == 1 {
		n := b.read(1)
		first := b.read(1 + 7*uint(b.read(1)))
		if int(first) >= symbols {
			return errVP8L
		}
		lengths[first] = 1
		if n == 1 {
			second := b.read(8)
			if int(second) >= symbols {
				return errVP8L
			}
			lengths[second] = 1
		}
		return c.build(lengths)
	}
	if err := d.readLengths(lengths); err != nil {
		return err
	}
	return c.build(lengths)
}

// readLengths reads the code lengths, which are themselves coded.
func (d *vp8l) readLengths(lengths []byte) error {
	b, inner := &d.bits, &d.inner
	var innerLengths [19]byte
	order := [19]byte{17, 18, 0, 1, 2, 3, 4, 5, 16, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}
	for _, i := range order[:4+b.read(4)] {
		innerLengths[i] = byte(b.read(3))
	}
	if err := inner.build(innerLengths[:]); err != nil {
		return err
	}
	most := len(lengths)
	if b.read(1) == 1 {
		if most = 2 + int(b.read(2+2*uint(b.read(3)))); most > len(lengths) {
			return errVP8L
		}
	}
	previous := byte(8)
	for i := 0; i < len(lengths) && most > 0 && !b.over(); most-- {
		s := inner.read(b)
		if s < 16 {
			lengths[i] = byte(s)
			if s != 0 {
				previous = byte(s)
			}
			i++
			continue
		}
		var value byte
		var n int
		switch s {
		case 16:
			value, n = previous, 3+int(b.read(2))
		case 17:
			n = 3 + int(b.read(3))
		default:
			n = 11 + int(b.read(7))
		}
		if i+n > len(lengths) {
			return errVP8L
		}
		for range n {
			lengths[i] = value
			i++
		}
	}
	return nil
}
