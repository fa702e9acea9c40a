package model

import (
	"encoding/binary"
	"fmt"
	"math"
)

// The protobuf wire format (protobuf.dev, "Encoding"), as far as ONNX files use
// it. Nothing is copied: every value is a piece of the file.

// A part is one field of a message.
type part struct {
	num   int    // field number
	value uint64 // of a varint or a fixed number
	bytes []byte // of a length-delimited field, else nil
	at    int    // where bytes begin in the file
}

// damageError says where a file stops being what it should be.
type damageError struct {
	at     int
	cutOff bool // the file ends too early
	why    string
}

func (d *damageError) Error() string { return fmt.Sprintf("byte %d: %s", d.at, d.why) }

// each calls do for every field of the message in data, which begins at byte
// `at` of the file. Groups are not read: no ONNX file has them.
func each(data []byte, at int, do func(part) error) error {
	for pos := 0; pos < len(data); {
		tag, n := binary.Uvarint(data[pos:])
		if n <= 0 || tag>>3 == 0 || tag>>3 > math.MaxInt32 {
			return &damageError{at + pos, n == 0, "no field begins here"}
		}
		p := part{num: int(tag >> 3)}
		pos += n
		switch tag & 7 {
		case 0:
			if p.value, n = binary.Uvarint(data[pos:]); n <= 0 {
				return &damageError{at + pos, n == 0, "a number is damaged"}
			}
			pos += n
		case 1, 5:
			width := 8 - int(tag&4)
			if len(data)-pos < width {
				return &damageError{at + pos, true, "a number is cut off"}
			}
			p.value = fixed(data[pos : pos+width])
			pos += width
		case 2:
			length, n := binary.Uvarint(data[pos:])
			if n <= 0 {
				return &damageError{at + pos, n == 0, "a length is damaged"}
			}
			pos += n
			if length > uint64(len(data)-pos) {
				return &damageError{at + pos, true, fmt.Sprintf("a part of %d bytes begins here and only %d follow", length, len(data)-pos)}
			}
			p.at = at + pos
			p.bytes = data[pos : pos+int(length) : pos+int(length)]
			pos += int(length)
		default:
			return &damageError{at + pos - n, false, "a field of an unknown form begins here"}
		}
		if err := do(p); err != nil {
			return err
		}
	}
	return nil
}

func fixed(b []byte) uint64 {
	if len(b) == 4 {
		return uint64(binary.LittleEndian.Uint32(b))
	}
	return binary.LittleEndian.Uint64(b)
}

// integers calls do for each number of a repeated integer field, which may come
// packed or one by one.
func integers(p part, do func(int64)) error {
	if p.bytes == nil {
		do(int64(p.value))
		return nil
	}
	for pos := 0; pos < len(p.bytes); {
		v, n := binary.Uvarint(p.bytes[pos:])
		if n <= 0 {
			return &damageError{p.at + pos, false, "a list of numbers is damaged"}
		}
		do(int64(v))
		pos += n
	}
	return nil
}
