package jsonscan

import (
	"errors"
	"math"
	"strconv"
	"unsafe"

	"github.com/goshawk-ai/goshawk/internal/wording"
)

// What is wrong with a number; the caller knows of which tensor.
var (
	errNoNumber = errors.New("is no number")
	errNoWhole  = errors.New("is no whole number")
	errRange    = errors.New("is out of range")
)

// digits reads a row of digits, and tells the number that they make and how many
// they are. Above 19 digits the number is wrong: it has overflowed.
func (s *Scanner) digits() (value uint64, n int) {
	from := s.At
	for s.At < len(s.Text) {
		c := s.Text[s.At] - '0'
		if c > 9 {
			break
		}
		value = value*10 + uint64(c)
		s.At++
	}
	return value, s.At - from
}

// whole reads a whole number and its sign.
func (s *Scanner) whole() (value uint64, negative bool, err error) {
	if s.Peek() == '-' {
		negative = true
		s.At++
	}
	from := s.At
	value, n := s.digits()
	switch {
	case n == 0 || n > 1 && s.Text[from] == '0':
		return 0, false, errNoNumber
	case s.At < len(s.Text) && (s.Text[s.At] == '.' || s.Text[s.At]|0x20 == 'e'):
		return 0, false, errNoWhole
	case n > 20:
		return 0, false, errRange
	case n == 20:
		if value, err = strconv.ParseUint(string(s.Text[from:s.At]), 10, 64); err != nil {
			return 0, false, errRange
		}
	}
	return value, negative, nil
}

// Signed reads a whole number between two.
func (s *Scanner) Signed(least, most int64) (int64, error) {
	value, negative, err := s.whole()
	switch {
	case err != nil:
		return 0, err
	case negative && value > 1<<63, !negative && value > math.MaxInt64:
		return 0, errRange
	}
	n := int64(value) // of 1<<63, the least number
	if negative {
		n = -n
	}
	if n < least || n > most {
		return 0, errRange
	}
	return n, nil
}

// Unsigned reads a whole number from 0 on.
func (s *Scanner) Unsigned(most uint64) (uint64, error) {
	value, negative, err := s.whole()
	if err == nil && (value > most || negative && value > 0) {
		err = errRange
	}
	return value, err
}

// Bit reads a truth value as the Open Inference Protocol's BOOL writes it: true,
// false, 1 or 0.
func (s *Scanner) Bit() (uint8, error) {
	switch s.Peek() {
	case 't', 'f':
		switch string(s.Literal()) {
		case "true":
			return 1, nil
		case "false":
			return 0, nil
		}
		return 0, errNoNumber
	}
	value, err := s.Unsigned(1)
	return uint8(value), err
}

// Powers of ten that a float64 holds exactly.
var tens = [...]float64{
	1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11,
	1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
}

// How far a value that decimal gives can be relied on.
type precision uint8

const (
	unknown precision = iota // read the text
	near                     // at most two units of the last place from the number
	exact                    // the float64 nearest to the number
)

// decimal reads a number's text, and its value as far as a step of arithmetic gives it.
func (s *Scanner) decimal() (value float64, how precision, text []byte, err error) {
	c := s.Peek()
	from := s.At
	negative := c == '-'
	if negative {
		s.At++
	}
	first := s.At
	mantissa, n := s.digits()
	if n == 0 || n > 1 && s.Text[first] == '0' {
		s.At = from
		value, err = s.special()
		return value, exact, nil, err
	}
	exponent := 0
	if s.At < len(s.Text) && s.Text[s.At] == '.' {
		s.At++
		point := s.At
		for s.At < len(s.Text) {
			c := s.Text[s.At] - '0'
			if c > 9 {
				break
			}
			mantissa = mantissa*10 + uint64(c)
			s.At++
		}
		if s.At == point {
			return 0, unknown, nil, errNoNumber
		}
		exponent = point - s.At
		n += s.At - point
	}
	if s.At < len(s.Text) && s.Text[s.At]|0x20 == 'e' {
		e, err := s.exponent()
		if err != nil {
			return 0, unknown, nil, err
		}
		exponent += e
	}
	text = s.Text[from:s.At]
	if n > 19 || exponent < -22 || exponent > 22 {
		return 0, unknown, text, nil
	}
	value, how = float64(mantissa), exact // of the number, and of the power of ten
	if mantissa > 1<<53 {
		how = near // rounded here, and once more below
	}
	if exponent < 0 {
		value /= tens[-exponent]
	} else {
		value *= tens[exponent]
	}
	if negative {
		value = -value
	}
	return value, how, text, nil
}

// exponent reads what follows the number's digits, bounded: beyond a thousand
// powers of ten it makes no difference, unless a thousand zeros stand before it.
func (s *Scanner) exponent() (int, error) {
	s.At++
	sign := 1
	if s.At < len(s.Text) && (s.Text[s.At] == '+' || s.Text[s.At] == '-') {
		if s.Text[s.At] == '-' {
			sign = -1
		}
		s.At++
	}
	value, n := s.digits()
	if n == 0 {
		return 0, errNoNumber
	}
	if n > 9 || value > 1e6 {
		value = 1e6 // the text is read again
	}
	return sign * int(value), nil
}

// special reads what JSON has no numbers for, in the words that Triton and Python use.
func (s *Scanner) special() (float64, error) {
	switch string(s.Literal()) {
	case "NaN", "-NaN":
		return math.NaN(), nil
	case "Infinity", "Inf":
		return math.Inf(1), nil
	case "-Infinity", "-Inf":
		return math.Inf(-1), nil
	}
	return 0, errNoNumber
}

// Float64 reads a number and rounds it once. It takes NaN and Infinity too, as
// Triton does.
func (s *Scanner) Float64() (float64, error) {
	value, how, text, err := s.decimal()
	if err != nil || how == exact {
		return value, err
	}
	if value, err = strconv.ParseFloat(unsafe.String(unsafe.SliceData(text), len(text)), 64); err != nil {
		return 0, errRange
	}
	return value, nil
}

// Float32 is Float64 of half the width: it rounds what decimal gives. That is right unless the number may lie on
// the other side of the middle between two float32, or in it.
func (s *Scanner) Float32() (float32, error) {
	value, how, text, err := s.decimal()
	if err != nil {
		return 0, err
	}
	if text == nil || value == 0 && how == exact {
		return float32(value), nil
	}
	const middle, lower, margin = 1 << 28, 1<<29 - 1, 4
	size, below := math.Abs(value), math.Float64bits(value)&lower
	if how != unknown && size >= 0x1p-126 && size <= math.MaxFloat32 && (below < middle-margin || below > middle+margin) {
		return float32(value), nil
	}
	wide, err := strconv.ParseFloat(unsafe.String(unsafe.SliceData(text), len(text)), 32)
	if err != nil {
		return 0, errRange
	}
	return float32(wide), nil
}

// Number reads a number that JSON has, and tells how it was written.
func (s *Scanner) Number(what string) (value float64, text string, err error) {
	if c := s.Peek(); c != '-' && (c < '0' || c > '9') {
		return 0, "", s.Want(what + " as a number")
	}
	from := s.At
	if value, err = s.Float64(); err != nil || math.IsNaN(value) || math.IsInf(value, 0) {
		s.At = from
		text = string(s.Literal())
		s.At = from
		return 0, "", s.Fail("%s is %s, which is no number that can be used", what, wording.Quote(text))
	}
	return value, string(s.Text[from:s.At]), nil
}
