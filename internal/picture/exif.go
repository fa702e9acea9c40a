package picture

import "encoding/binary"

const (
	tagOrientation  = 274
	typeByte        = 1
	typeShort       = 3
	typeLong        = 4
	maxExifEntries  = 1000 // a camera writes some dozens; a claim of 65535 costs nothing
	exifHeader      = "Exif\x00\x00"
	identityForExif = 1
)

// exifOrientation reads tag 274 of the first directory of a TIFF structure
// (Exif 2.32, section 4.6.4). Whatever is wrong with the block, the answer is
// 1: a damaged note is no reason to refuse the picture it is pinned to.
func exifOrientation(block []byte) int {
	if has(block, 0, exifHeader) {
		block = block[len(exifHeader):]
	}
	if len(block) < 8 {
		return identityForExif
	}
	var order binary.ByteOrder = binary.LittleEndian
	switch string(block[:2]) {
	case "II":
	case "MM":
		order = binary.BigEndian
	default:
		return identityForExif
	}
	start := int64(order.Uint32(block[4:]))
	if start < 8 || start+2 > int64(len(block)) {
		return identityForExif
	}
	entries := block[start+2:]
	for range min(int(order.Uint16(block[start:])), maxExifEntries) {
		if len(entries) < 12 {
			break
		}
		if order.Uint16(entries) == tagOrientation {
			return orientationValue(order, entries)
		}
		entries = entries[12:]
	}
	return identityForExif
}

// orientationValue takes a SHORT as the specification wants it, and the LONG or
// BYTE that some programs write, the first where there are more.
func orientationValue(order binary.ByteOrder, entry []byte) int {
	if n := order.Uint32(entry[4:]); n < 1 || n > 2 {
		return identityForExif
	}
	v := uint32(0)
	switch order.Uint16(entry[2:]) {
	case typeShort:
		v = uint32(order.Uint16(entry[8:]))
	case typeLong:
		v = order.Uint32(entry[8:])

	case typeByte:
		v = uint32(entry[8])
	}
	if v < 1 || v > 8 {
		return identityForExif
	}
	return int(v)
}
