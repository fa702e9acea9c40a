package picture

// scratch is what a decode needs beside pixels, kept between pictures. It is
// small: rows and windows, never whole pictures.
type scratch struct {
	rows    [2][]byte
	floats  []byte
	inflate *inflater // when it was needed
	lzw     lzw
}

// maxKept bounds the rows that stay in the pool after a very wide picture.
const maxKept = 1 << 20

// rowPair lends two zeroed rows of n bytes.
func (s *scratch) rowPair(n int) (a, b []byte) {
	for i := range s.rows {
		if cap(s.rows[i]) < n {
			s.rows[i] = make([]byte, n)
		}
		s.rows[i] = s.rows[i][:n]
		clear(s.rows[i])
	}
	a, b = s.rows[0], s.rows[1]
	if n > maxKept {
		s.rows = [2][]byte{}
	}
	return a, b
}

// unflate begins a deflate stream; see inflater.reset.
func (s *scratch) unflate(next func() []byte, spare int) *inflater {
	if s.inflate == nil {
		s.inflate = &inflater{}
	}
	s.inflate.reset(next, spare)
	return s.inflate
}
