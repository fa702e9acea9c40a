package jsonscan

import (
	"bytes"
	"encoding/binary"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// span is a string as it stands in the text, without its quotes.
func (s *Scanner) span(what string) (text []byte, escaped bool, err error) {
	if !s.Take('"') {
		return nil, false, s.Want(what + ` as a string in "`)
	}
	for from := s.At; ; {
		end := bytes.IndexByte(s.Text[from:], '"')
		if end < 0 {
			return nil, false, s.Fail("the string of %s has no end", what)
		}
		end += from
		escapes := 0
		for i := end - 1; i >= from && s.Text[i] == '\\'; i-- {
			escapes++
		}
		if escapes%2 == 1 { // this quote belongs to the string
			from, escaped = end+1, true
			continue
		}
		text = s.Text[s.At:end:end]
		if control(text) {
			return nil, false, s.Fail("the string of %s has a line end or another control character in it, which is written as an escape", what)
		}
		s.At = end + 1
		return text, escaped || bytes.IndexByte(text, '\\') >= 0, nil
	}
}

// control tells of bytes below the space, eight at a time: a picture's base64 is
// long.
func control(text []byte) bool {
	const ones = 0x0101010101010101
	for ; len(text) >= 8; text = text[8:] {
		eight := binary.LittleEndian.Uint64(text)
		if (eight-' '*ones)&^eight&(0x80*ones) != 0 {
			return true
		}
	}
	for _, c := range text {
		if c < ' ' {
			return true
		}
	}
	return false
}

// Bytes reads a string in place: what it gives is a part of the text, in which
// the escapes have been resolved, so that it must not be read a second time.
func (s *Scanner) Bytes(what string) ([]byte, error) {
	start := s.At
	text, escaped, err := s.span(what)
	if err != nil || !escaped {
		return text, err
	}
	out := 0
	for rest := text; ; {
		plain := bytes.IndexByte(rest, '\\')
		if plain < 0 {
			out += copy(text[out:], rest)
			return text[:out:out], nil
		}
		out += copy(text[out:], rest[:plain])
		r, n := escape(rest[plain:])
		if n == 0 {
			s.At = start
			return nil, s.Fail("the string of %s has an escape that means nothing", what)
		}
		out += utf8.EncodeRune(text[out:out+n], r) // never longer than the escape
		rest = rest[plain+n:]
	}
}

// escape reads the escape that b begins with, and tells how many bytes it took; 0: it is none.
func escape(b []byte) (r rune, n int) {
	if len(b) < 2 {
		return 0, 0
	}
	switch c := b[1]; c {
	case '"', '\\', '/':
		return rune(c), 2
	case 'b':
		return '\b', 2
	case 'f':
		return '\f', 2
	case 'n':
		return '\n', 2
	case 'r':
		return '\r', 2
	case 't':
		return '\t', 2
	case 'u':
		r, ok := hex4(b[2:])
		if !ok || !utf16.IsSurrogate(r) {
			return r, choose(ok, 6)
		}
		if len(b) < 12 || b[6] != '\\' || b[7] != 'u' {
			return 0, 0
		}
		low, _ := hex4(b[8:])
		if r = utf16.DecodeRune(r, low); r == utf8.RuneError {
			return 0, 0
		}
		return r, 12
	}
	return 0, 0
}

func choose(ok bool, n int) int {
	if ok {
		return n
	}
	return 0
}

func hex4(b []byte) (rune, bool) {
	if len(b) < 4 {
		return 0, false
	}
	code, err := strconv.ParseUint(string(b[:4]), 16, 16)
	return rune(code), err == nil
}

// Short reads a string that is kept: an id, a name.
func (s *Scanner) Short(what string) (string, error) {
	start := s.At
	text, err := s.Bytes(what)
	if err != nil {
		return "", err
	}
	if len(text) > MaxText {
		s.At = start
		return "", s.Fail("the string of %s is longer than %d bytes", what, MaxText)
	}
	if !utf8.Valid(text) {
		s.At = start
		return "", s.Fail("the string of %s is no UTF-8", what)
	}
	return string(text), nil
}
