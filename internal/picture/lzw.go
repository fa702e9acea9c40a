package picture

import "errors"

var errLZW = errors.New("a code that was not defined yet")

// lzw decodes the variants of LZW that GIF (least significant bit first) and
// TIFF (most significant first, codes one bit longer one code early; before
// 1992 as GIF) use. Its tables are all that it allocates.
type lzw struct {
	prefix [4096]uint16
	suffix [4096]byte
	stack  [4096]byte

	msb      bool
	early    int
	literals int // width of a literal in bits
	src      func() (byte, bool)

	bits  uint32
	n     uint
	width uint
	next  int // code to be defined next
	last  int // previous code, -1 after a clear
	first byte
	top   int // bytes waiting on the stack
	done  bool
}

// start begins a stream.
func (l *lzw) start(src func() (byte, bool), literals int, msb bool, early int) {
	l.msb, l.early, l.literals, l.src = msb, early, literals, src
	l.bits, l.n, l.top, l.done, l.first = 0, 0, 0, false, 0
	for i := range 1 << literals {
		l.suffix[i] = byte(i)
	}
	l.clear()
}

func (l *lzw) clear() {
	l.width, l.next, l.last = uint(l.literals)+1, 1<<l.literals+2, -1
}

// read fills p. It gives less, without an error, where the stream ends.
func (l *lzw) read(p []byte) (int, error) {
	n := 0
	for n < len(p) {
		for l.top > 0 && n < len(p) {
			l.top--
			p[n] = l.stack[l.top]
			n++
		}
		if n == len(p) || l.done {
			break
		}
		if err := l.step(); err != nil {
			return n, err
		}
	}
	return n, nil
}

func (l *lzw) code() (int, bool) {
	for l.n < l.width {
		b, ok := l.src()
		if !ok {
			return 0, false
		}
		if l.msb {
			l.bits = l.bits<<8 | uint32(b)
		} else {
			l.bits |= uint32(b) << l.n
		}
		l.n += 8
	}
	l.n -= l.width
	if l.msb {
		return int(l.bits >> l.n & (1<<l.width - 1)), true
	}
	c := int(l.bits & (1<<l.width - 1))
	l.bits >>= l.width
	return c, true
}

// step takes one code and puts what it stands for on the stack.
func (l *lzw) step() error {
	code, ok := l.code()
	clearCode := 1 << l.literals
	switch {
	case !ok, code == clearCode+1:
		l.done = true
		return nil
	case code == clearCode:
		l.clear()
		return nil
	case code > l.next || code == l.next && l.last < 0 || l.last < 0 && code > clearCode:
		return errLZW
	}
	c := code
	if code == l.next { // the string of the last code and its own first byte
		l.stack[l.top] = l.first
		l.top++
		c = l.last
	}
	for c > clearCode {
		l.stack[l.top] = l.suffix[c]
		l.top++
		c = int(l.prefix[c])
	}
	l.first = byte(c)
	l.stack[l.top] = l.first
	l.top++
	l.define(code)
	return nil
}

func (l *lzw) define(code int) {
	if l.last >= 0 && l.next < 4096 {
		l.prefix[l.next], l.suffix[l.next] = uint16(l.last), l.first
		l.next++
		if l.next+l.early >= 1<<l.width && l.width < 12 {
			l.width++
		}
	}
	l.last = code
}
