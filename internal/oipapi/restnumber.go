package oipapi

import (
	"errors"
	"math"
	"strconv"
	"unsafe"
)

// What is wrong with a number; the caller knows of which tensor.
var (
	errNoNumber = errors.New("is no number")
	errNoWhole  = errors.New("is no whole number")
	errRange    = errors.New("is out of range")
)

// digits reads a row of digits, and tells the number that they make and how many
// they are. Above 19 digits the number is wrong: it has overflowed.
func (s *scan) digits() (value uint64, n int) {
	from := s.at
	for s.at < len(s.text) {
		c := s.text[s.at] - '0'
		if c > 9 {
			break
		}
		value = value*10 + uint64(c)
		s.at++
	}
	return value, s.at - from
}

// whole reads a whole number and its sign.
func (s *scan) whole() (value uint64, negative bool, err error) {
	if s.peek() == '-' {
		negative = true
		s.at++
	}
	from := s.at
	value, n := s.digits()
	switch {
	case n == 0 || n > 1 && s.text[from] == '0':
		return 0, false, errNoNumber
	case s.at < len(s.text) && (s.text[s.at] == '.' || s.text[s.at]|0x20 == 'e'):
		return 0, false, errNoWhole
	case n > 20:
		return 0, false, errRange
	case n == 20:
		if value, err = strconv.ParseUint(string(s.text[from:s.at]), 10, 64); err != nil {
			return 0, false, errRange
		}
	}
	return value, negative, nil
}

func (s *scan) signed(least, most int64) (int64, error) {
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

func (s *scan) unsigned(most uint64) (uint64, error) {
	value, negative, err := s.whole()
	if err == nil && (value > most || negative && value > 0) {
		err = errRange
	}
	return value, err
}

// bit is BOOL's: true, false, 1 or 0.
func (s *scan) bit() (uint8, error) {
	switch s.peek() {
	case 't', 'f':
		switch string(s.literal()) {
		case "true":
			return 1, nil
		case "false":
			return 0, nil
		}
		return 0, errNoNumber
	}
	value, err := s.unsigned(1)
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
func (s *scan) decimal() (value float64, how precision, text []byte, err error) {
	c := s.peek()
	from := s.at
	negative := c == '-'
	if negative {
		s.at++
	}
	first := s.at
	mantissa, n := s.digits()
	if n == 0 || n > 1 && s.text[first] == '0' {
		s.at = from
		value, err = s.special()
		return value, exact, nil, err
	}
	exponent := 0
	if s.at < len(s.text) && s.text[s.at] == '.' {
		s.at++
		point := s.at
		for s.at < len(s.text) {
			c := s.text[s.at] - '0'
			if c > 9 {
				break
			}
			mantissa = mantissa*10 + uint64(c)
			s.at++
		}
		if s.at == point {
			return 0, unknown, nil, errNoNumber
		}
		exponent = point - s.at
		n += s.at - point
	}
	if s.at < len(s.text) && s.text[s.at]|0x20 == 'e' {
		e, err := s.exponent()
		if err != nil {
			return 0, unknown, nil, err
		}
		exponent += e
	}
	text = s.text[from:s.at]
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
func (s *scan) exponent() (int, error) {
	s.at++
	sign := 1
	if s.at < len(s.text) && (s.text[s.at] == '+' || s.text[s.at] == '-') {
		if s.text[s.at] == '-' {
			sign = -1
		}
		s.at++
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
func (s *scan) special() (float64, error) {
	switch string(s.literal()) {
	case "NaN", "-NaN":
		return math.NaN(), nil
	case "Infinity", "Inf":
		return math.Inf(1), nil
	case "-Infinity", "-Inf":
		return math.Inf(-1), nil
	}
	return 0, errNoNumber
}

func (s *scan) float64() (float64, error) {
	value, how, text, err := s.decimal()
	if err != nil || how == exact {
		return value, err
	}
	if value, err = strconv.ParseFloat(unsafe.String(unsafe.SliceData(text), len(text)), 64); err != nil {
		return 0, errRange
	}
	return value, nil
}

// float32 rounds what decimal gives. That is right unless the number may lie on
// the other side of the middle between two float32, or in it.
func (s *scan) float32() (float32, error) {
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
