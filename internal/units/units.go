// Package units reads and writes sizes as people do: 20MB, 64MiB, 50MP.
// MB and MP are powers of ten, MiB powers of two.
package units

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Bytes is a number of bytes.
type Bytes int64

// Pixels is a number of pixels.
type Pixels int64

var (
	byteUnits = []unit{
		{"B", 1},
		{"KB", 1e3},
		{"MB", 1e6},
		{"GB", 1e9},
		{"TB", 1e12},
		{"KiB", 1 << 10},
		{"MiB", 1 << 20},
		{"GiB", 1 << 30},
		{"TiB", 1 << 40},
	}
	pixelUnits = []unit{{"P", 1}, {"KP", 1e3}, {"MP", 1e6}, {"GP", 1e9}}
)

type unit struct {
	name string
	size int64
}

// ParseBytes reads "20MB", "64 MiB", "1.5GB" or a bare number of bytes.
func ParseBytes(s string) (Bytes, error) {
	n, err := parse(s, byteUnits, "20MB or 64MiB")
	return Bytes(n), err
}

// ParsePixels reads "50MP" or a bare number of pixels.
func ParsePixels(s string) (Pixels, error) {
	n, err := parse(s, pixelUnits, "50MP")
	return Pixels(n), err
}

func parse(s string, units []unit, example string) (int64, error) {
	s = strings.TrimSpace(s)
	end := strings.IndexFunc(s, func(r rune) bool { return (r < '0' || r > '9') && r != '.' })
	if end < 0 {
		end = len(s)
	}
	size, name := int64(1), strings.TrimSpace(s[end:])
	if name != "" {
		size = 0
		for _, u := range units {
			if strings.EqualFold(u.name, name) {
				size = u.size
			}
		}
	}
	n, err := strconv.ParseFloat(s[:end], 64)
	if err != nil || size == 0 || n*float64(size) >= math.MaxInt64 {
		return 0, fmt.Errorf("%q is no size (write it as %s)", s, example)
	}
	return int64(math.Round(n * float64(size))), nil
}

// String is the shortest exact form: 20MB, 64MiB, 1234B.
func (b Bytes) String() string { return format(int64(b), byteUnits) }

// String is the shortest exact form: 50MP, 1234P.
func (p Pixels) String() string { return format(int64(p), pixelUnits) }

func format(n int64, units []unit) string {
	best := units[0]
	for _, u := range units {
		if n != 0 && n%u.size == 0 && u.size > best.size {
			best = u
		}
	}
	return strconv.FormatInt(n/best.size, 10) + best.name
}

// UnmarshalText makes Bytes a value of configuration files and flags.
func (b *Bytes) UnmarshalText(text []byte) error {
	v, err := ParseBytes(string(text))
	if err == nil {
		*b = v
	}
	return err
}

// MarshalText writes what UnmarshalText reads.
func (b Bytes) MarshalText() ([]byte, error) { return []byte(b.String()), nil }

// UnmarshalText makes Pixels a value of configuration files and flags.
func (p *Pixels) UnmarshalText(text []byte) error {
	v, err := ParsePixels(string(text))
	if err == nil {
		*p = v
	}
	return err
}

// MarshalText writes what UnmarshalText reads.
func (p Pixels) MarshalText() ([]byte, error) { return []byte(p.String()), nil }
