package oipapi

import (
	"bytes"
	"fmt"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/goshawk-ai/goshawk/internal/problem"
)

const (
	maxDepth = 64   // of lists and objects in one another; no tensor has so many axes
	maxText  = 4096 // bytes of an id, a name or another short string
)

// scan reads JSON in place: what a request means is taken from it as it goes by,
// and nothing is built for the rest. It takes NaN and Infinity for numbers, as
// Triton does.
type scan struct {
	text  []byte
	at    int
	depth int
}

func (s *scan) fail(format string, args ...any) error {
	return problem.InvalidRequest.New("the JSON is wrong at byte %d: %s", s.at, fmt.Sprintf(format, args...)).With("offset", s.at)
}

// peek skips white space and tells the next byte; 0 at the end.
func (s *scan) peek() byte {
	for s.at < len(s.text) {
		switch c := s.text[s.at]; c {
		case ' ', '\t', '\n', '\r':
			s.at++
		default:
			return c
		}
	}
	return 0
}

func (s *scan) take(c byte) bool {
	if s.peek() != c || s.at == len(s.text) {
		return false
	}
	s.at++
	return true
}

// want says what stands where something else should.
func (s *scan) want(what string) error {
	if c := s.peek(); s.at < len(s.text) {
		return s.fail("want %s, not %q", what, rune(c))
	}
	return s.fail("it ends where %s should be", what)
}

func (s *scan) end() error {
	if s.peek(); s.at < len(s.text) {
		return s.fail("something follows the object")
	}
	return nil
}

func (s *scan) enter() error {
	if s.depth++; s.depth > maxDepth {
		return s.fail("lists and objects stand in one another more than %d deep", maxDepth)
	}
	return nil
}

// object reads an object. member reads the value of a name, which is good until
// it returns.
func (s *scan) object(what string, member func(name []byte) error) error {
	if !s.take('{') {
		return s.want(what + " as an object, {")
	}
	if err := s.enter(); err != nil {
		return err
	}
	defer func() { s.depth-- }()
	if s.take('}') {
		return nil
	}
	for {
		name, err := s.bytes("a member's name")
		if err != nil {
			return err
		}
		if !s.take(':') {
			return s.want("a colon")
		}
		if err := member(name); err != nil {
			return err
		}
		if s.take('}') {
			return nil
		}
		if !s.take(',') {
			return s.want("a comma or }")
		}
	}
}

func (s *scan) list(what string, element func() error) error {
	if !s.take('[') {
		return s.want(what + " as a list, [")
	}
	if err := s.enter(); err != nil {
		return err
	}
	defer func() { s.depth-- }()
	if s.take(']') {
		return nil
	}
	for {
		if err := element(); err != nil {
			return err
		}
		if s.take(']') {
			return nil
		}
		if !s.take(',') {
			return s.want("a comma or ]")
		}
	}
}

// nested reads a list of elements, flat or in lists of lists.
func (s *scan) nested(what string, element func() error) error {
	if s.peek() != '[' {
		return s.want(what + " as a list, [")
	}
	open := 0
	for {
		if s.peek() == '[' {
			s.at++
			if open++; s.depth+open > maxDepth {
				return s.fail("lists stand in one another more than %d deep", maxDepth)
			}
			if s.peek() != ']' {
				continue
			}
		} else if err := element(); err != nil {
			return err
		}
		for s.peek() == ']' {
			s.at++
			if open--; open == 0 {
				return nil
			}
		}
		if !s.take(',') {
			return s.want("a comma or ]")
		}
	}
}

// skip reads over a value of any kind.
func (s *scan) skip() error {
	switch c := s.peek(); c {
	case '{':
		return s.object("", func([]byte) error { return s.skip() })
	case '[':
		return s.list("", s.skip)
	case '"':
		_, _, err := s.span("a string")
		return err
	default:
		return s.atom(c)
	}
}

// atom reads over a number, true, false or null.
func (s *scan) atom(c byte) error {
	if c == '-' || c >= '0' && c <= '9' {
		if _, _, _, err := s.decimal(); err != nil {
			return s.fail("this %v", err)
		}
		return nil
	}
	from := s.at
	switch string(s.literal()) {
	case "true", "false", "null", "NaN", "Infinity", "Inf":
		return nil
	}
	s.at = from
	return s.want("a value")
}

// literal takes what is neither text nor list nor object: a number, true, null, NaN.
// It does not say whether that is one.
func (s *scan) literal() []byte {
	s.peek()
	from := s.at
	for s.at < len(s.text) {
		c := s.text[s.at]
		if c != '+' && c != '-' && c != '.' && (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			break
		}
		s.at++
	}
	return s.text[from:s.at]
}

// span is a string as it stands in the text, without its quotes.
func (s *scan) span(what string) (text []byte, escaped bool, err error) {
	if !s.take('"') {
		return nil, false, s.want(what + ` as a string in "`)
	}
	for from := s.at; ; {
		end := bytes.IndexByte(s.text[from:], '"')
		if end < 0 {
			return nil, false, s.fail("the string of %s has no end", what)
		}
		end += from
		escapes := 0
		for i := end - 1; i >= from && s.text[i] == '\\'; i-- {
			escapes++
		}
		if escapes%2 == 1 { // this quote belongs to the string
			from, escaped = end+1, true
			continue
		}
		text = s.text[s.at:end:end]
		s.at = end + 1
		return text, escaped || bytes.IndexByte(text, '\\') >= 0, nil
	}
}

// bytes reads a string in place: what it gives is a part of the text, in which
// the escapes have been resolved, so that it must not be read a second time.
func (s *scan) bytes(what string) ([]byte, error) {
	start := s.at
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
			s.at = start
			return nil, s.fail("the string of %s has an escape that means nothing", what)
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

// short reads a string that is kept: an id, a name.
func (s *scan) short(what string) (string, error) {
	start := s.at
	text, err := s.bytes(what)
	if err != nil {
		return "", err
	}
	if len(text) > maxText {
		s.at = start
		return "", s.fail("the string of %s is longer than %d bytes", what, maxText)
	}
	if !utf8.Valid(text) {
		s.at = start
		return "", s.fail("the string of %s is no UTF-8", what)
	}
	return string(text), nil
}

// size reads a number that counts something.
func (s *scan) size(what string) (int64, error) {
	if s.peek() == '-' {
		return 0, s.fail("%s is negative; it is a whole number from 0 on", what)
	}
	n, err := s.signed(0, 1<<63-1)
	if err != nil {
		return 0, s.fail("%s is no whole number that can be used", what)
	}
	return n, nil
}

func (s *scan) boolean(what string) (bool, error) {
	from := s.at
	switch string(s.literal()) {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	s.at = from
	return false, s.want(what + " as true or false")
}
