// Package jsonscan reads JSON in place: what a request means is taken from it as
// it goes by, and nothing is built for the rest. Whoever reads says what may come
// next; what is not expected is refused where it stands. Nesting and short
// strings are bounded here, everything else by the text's own length.
package jsonscan

import (
	"fmt"

	"github.com/goshawk-ai/goshawk/internal/problem"
	"github.com/goshawk-ai/goshawk/internal/wording"
)

// What is taken at most.
const (
	MaxDepth = 64   // lists and objects in one another; no tensor has so many axes
	MaxText  = 4096 // bytes of an id, a name or another short string
)

// Scanner stands at a place of a text. Make it of its Text alone.
type Scanner struct {
	Text  []byte
	At    int
	depth int
}

// Once refuses a member that comes twice: which one is meant?
type Once map[string]bool

// See notes a member's name.
func (o Once) See(name string) error {
	if o[name] {
		return problem.InvalidRequest.New("the JSON member %s is given twice", wording.Quote(name))
	}
	o[name] = true
	return nil
}

// Fail is the problem of the place where the scanner stands.
func (s *Scanner) Fail(format string, args ...any) error {
	return problem.InvalidRequest.New("the JSON is wrong at byte %d: %s", s.At, fmt.Sprintf(format, args...)).With("offset", s.At)
}

// Peek skips white space and tells the next byte; 0 at the end.
func (s *Scanner) Peek() byte {
	for s.At < len(s.Text) {
		switch c := s.Text[s.At]; c {
		case ' ', '\t', '\n', '\r':
			s.At++
		default:
			return c
		}
	}
	return 0
}

// Take reads c if it comes next.
func (s *Scanner) Take(c byte) bool {
	if s.Peek() != c || s.At == len(s.Text) {
		return false
	}
	s.At++
	return true
}

// Null reads null if it comes next.
func (s *Scanner) Null() bool {
	if s.Peek() != 'n' {
		return false
	}
	from := s.At
	if string(s.Literal()) != "null" {
		s.At = from
		return false
	}
	return true
}

// Want says what stands where something else should.
func (s *Scanner) Want(what string) error {
	if c := s.Peek(); s.At < len(s.Text) {
		return s.Fail("want %s, not %q", what, rune(c))
	}
	return s.Fail("it ends where %s should be", what)
}

// End wants the text to be at its end.
func (s *Scanner) End() error {
	if s.Peek(); s.At < len(s.Text) {
		return s.Fail("something follows the object")
	}
	return nil
}

func (s *Scanner) enter() error {
	if s.depth++; s.depth > MaxDepth {
		return s.Fail("lists and objects stand in one another more than %d deep", MaxDepth)
	}
	return nil
}

// Object reads an object. member reads the value of a name, which is good until
// it returns.
func (s *Scanner) Object(what string, member func(name []byte) error) error {
	if !s.Take('{') {
		return s.Want(what + " as an object, {")
	}
	if err := s.enter(); err != nil {
		return err
	}
	defer func() { s.depth-- }()
	if s.Take('}') {
		return nil
	}
	for {
		name, err := s.Bytes("a member's name")
		if err != nil {
			return err
		}
		if !s.Take(':') {
			return s.Want("a colon")
		}
		if err := member(name); err != nil {
			return err
		}
		if s.Take('}') {
			return nil
		}
		if !s.Take(',') {
			return s.Want("a comma or }")
		}
	}
}

// List reads a list. element reads each of its values.
func (s *Scanner) List(what string, element func() error) error {
	if !s.Take('[') {
		return s.Want(what + " as a list, [")
	}
	if err := s.enter(); err != nil {
		return err
	}
	defer func() { s.depth-- }()
	if s.Take(']') {
		return nil
	}
	for {
		if err := element(); err != nil {
			return err
		}
		if s.Take(']') {
			return nil
		}
		if !s.Take(',') {
			return s.Want("a comma or ]")
		}
	}
}

// Nested reads a list of elements, flat or in lists of lists.
func (s *Scanner) Nested(what string, element func() error) error {
	if s.Peek() != '[' {
		return s.Want(what + " as a list, [")
	}
	open := 0
	for {
		if s.Peek() == '[' {
			s.At++
			if open++; s.depth+open > MaxDepth {
				return s.Fail("lists stand in one another more than %d deep", MaxDepth)
			}
			if s.Peek() != ']' {
				continue
			}
		} else if err := element(); err != nil {
			return err
		}
		for s.Peek() == ']' {
			s.At++
			if open--; open == 0 {
				return nil
			}
		}
		if !s.Take(',') {
			return s.Want("a comma or ]")
		}
	}
}

// Skip reads over a value of any kind.
func (s *Scanner) Skip() error {
	switch c := s.Peek(); c {
	case '{':
		return s.Object("", func([]byte) error { return s.Skip() })
	case '[':
		return s.List("", s.Skip)
	case '"':
		_, _, err := s.span("a string")
		return err
	default:
		return s.atom(c)
	}
}

// atom reads over a number, true, false or null.
func (s *Scanner) atom(c byte) error {
	if c == '-' || c >= '0' && c <= '9' {
		if _, _, _, err := s.decimal(); err != nil {
			return s.Fail("this %v", err)
		}
		return nil
	}
	from := s.At
	switch string(s.Literal()) {
	case "true", "false", "null", "NaN", "Infinity", "Inf":
		return nil
	}
	s.At = from
	return s.Want("a value")
}

// Literal takes what is neither text nor list nor object: a number, true, null, NaN.
// It does not say whether that is one.
func (s *Scanner) Literal() []byte {
	s.Peek()
	from := s.At
	for s.At < len(s.Text) {
		c := s.Text[s.At]
		if c != '+' && c != '-' && c != '.' && (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			break
		}
		s.At++
	}
	return s.Text[from:s.At]
}

// Size reads a number that counts something.
func (s *Scanner) Size(what string) (int64, error) {
	if s.Peek() == '-' {
		return 0, s.Fail("%s is negative; it is a whole number from 0 on", what)
	}
	n, err := s.Signed(0, 1<<63-1)
	if err != nil {
		return 0, s.Fail("%s is no whole number that can be used", what)
	}
	return n, nil
}

// Bool reads true or false.
func (s *Scanner) Bool(what string) (bool, error) {
	from := s.At
	switch string(s.Literal()) {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	s.At = from
	return false, s.Want(what + " as true or false")
}
