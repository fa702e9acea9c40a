package httpapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"unicode/utf8"

	"github.com/goshawk-ai/goshawk/internal/problem"
	"github.com/goshawk-ai/goshawk/internal/wording"
)

// scanner reads JSON of the few shapes that a request may have, in place and
// without nesting: what is not expected is refused where it stands.
type scanner struct {
	text []byte
	at   int
}

func (s *scanner) fail(format string, args ...any) error {
	return problem.InvalidRequest.New("the JSON body is wrong at byte %d: %s", s.at, fmt.Sprintf(format, args...)).With("offset", s.at)
}

// peek skips white space and tells the next byte; 0 at the end.
func (s *scanner) peek() byte {
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

func (s *scanner) take(c byte) bool {
	if s.peek() != c || s.at == len(s.text) {
		return false
	}
	s.at++
	return true
}

// want says what stands where something else should.
func (s *scanner) want(what string) error {
	if c := s.peek(); s.at < len(s.text) {
		return s.fail("want %s, not %q", what, rune(c))
	}
	return s.fail("it ends where %s should be", what)
}

// object reads an object and calls member for each name, which reads the value.
// A name that comes twice is refused.
func (s *scanner) object(member func(name string) error) error {
	if !s.take('{') {
		return s.want("an object, {")
	}
	seen := make(map[string]bool, 4)
	if s.take('}') {
		return nil
	}
	for {
		if s.peek() != '"' {
			return s.want(`a member's name in "`)
		}
		name, err := s.str("a member's name")
		if err != nil {
			return err
		}
		if seen[name] {
			return problem.InvalidRequest.New("the JSON member %s is given twice", wording.Quote(name))
		}
		seen[name] = true
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

func (s *scanner) array(element func() error) error {
	if !s.take('[') {
		return s.want("a list, [")
	}
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

// quoted spans the string that begins here, without its quotes.
func (s *scanner) quoted(what string) ([]byte, error) {
	if !s.take('"') {
		return nil, s.want(what + ` as a string in "`)
	}
	for from := s.at; ; {
		end := bytes.IndexByte(s.text[from:], '"')
		if end < 0 {
			return nil, s.fail("the string of %s has no end", what)
		}
		end += from
		escapes := 0
		for i := end - 1; i >= s.at && s.text[i] == '\\'; i-- {
			escapes++
		}
		if escapes%2 == 1 { // this quote belongs to the string
			from = end + 1
			continue
		}
		span := s.text[s.at:end]
		s.at = end + 1
		return span, nil
	}
}

// str reads a short string.
func (s *scanner) str(what string) (string, error) {
	start := s.at
	span, err := s.quoted(what)
	if err != nil {
		return "", err
	}
	if len(span) > 8*maxField {
		s.at = start
		return "", s.fail("the string of %s is too long", what)
	}
	var text string
	if err := json.Unmarshal(s.text[s.at-len(span)-2:s.at], &text); err != nil || !utf8.Valid(span) {
		s.at = start
		return "", s.fail("the string of %s is not well-formed", what)
	}
	return text, nil
}

// raw reads a string of ASCII characters in place: what it gives is a part of
// the text, with the escapes resolved. Some encoders write \/ or \u002B.
func (s *scanner) raw(what string) ([]byte, error) {
	start := s.at
	span, err := s.quoted(what)
	if err != nil {
		return nil, err
	}
	if bytes.IndexByte(span, '\n') >= 0 || bytes.IndexByte(span, '\r') >= 0 { // base64 would skip them
		s.at = start
		return nil, s.fail("the string of %s has a line end in it", what)
	}
	out := 0
	for rest := span; ; {
		plain := bytes.IndexByte(rest, '\\')
		if plain < 0 {
			out += copy(span[out:], rest)
			return span[:out], nil
		}
		out += copy(span[out:], rest[:plain])
		c, n := unescape(rest[plain:])
		if n == 0 {
			s.at = start
			return nil, s.fail("the string of %s has an escape that means nothing in it", what)
		}
		span[out] = c
		out++
		rest = rest[plain+n:]
	}
}

// unescape reads the escape that b begins with and tells how many bytes it
// took; 0: it is none, or stands for what is not ASCII.
func unescape(b []byte) (c byte, n int) {
	if len(b) < 2 {
		return 0, 0
	}
	switch b[1] {
	case '/', '\\', '"':
		return b[1], 2
	case 'n':
		return '\n', 2
	case 'r':
		return '\r', 2
	case 't':
		return '\t', 2
	case 'u':
		if len(b) < 6 {
			return 0, 0
		}
		code, err := strconv.ParseUint(string(b[2:6]), 16, 16)
		if err != nil || code > 0x7f {
			return 0, 0
		}
		return byte(code), 6
	default:
		return 0, 0
	}
}

// number reads a number, and tells how it was written.
func (s *scanner) number(what string) (value float64, text string, err error) {
	if c := s.peek(); c != '-' && (c < '0' || c > '9') {
		return 0, "", s.want(what + " as a number")
	}
	rest := s.text[s.at:min(s.at+64, len(s.text))]
	end := bytes.IndexFunc(rest, func(r rune) bool { return !bytes.ContainsRune([]byte("0123456789+-.eE"), r) })
	if end < 0 {
		end = len(rest)
	}
	text = string(rest[:end])
	if err := json.Unmarshal(rest[:end], &value); err != nil {
		return 0, "", s.fail("%s is %s, which is no number that can be used", what, wording.Quote(text))
	}
	s.at += end
	return value, text, nil
}
