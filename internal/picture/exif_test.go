package picture

import (
	"encoding/binary"
	"testing"
)

type appendOrder interface {
	binary.ByteOrder
	binary.AppendByteOrder
}

// exifBlock is an APP1 body whose first directory holds the orientation.
func exifBlock(o appendOrder, orientation int) []byte {
	return exifEntry(o, typeShort, 1, uint32(orientation))
}

func exifEntry(o appendOrder, typ, count int, value uint32) []byte {
	b := []byte(exifHeader)
	if o.String() == "BigEndian" {
		b = append(b, "MM"...)
	} else {
		b = append(b, "II"...)
	}
	b = o.AppendUint32(o.AppendUint16(b, 42), 8)
	b = o.AppendUint16(b, 2)
	b = o.AppendUint32(o.AppendUint32(o.AppendUint16(o.AppendUint16(b, 271), 2), 4), 0x41414141)
	b = o.AppendUint32(o.AppendUint16(o.AppendUint16(b, tagOrientation), uint16(typ)), uint32(count))
	if typ == typeShort {
		b = o.AppendUint16(o.AppendUint16(b, uint16(value)), 0)
	} else {
		b = o.AppendUint32(b, value)
	}
	return o.AppendUint32(b, 8) // the next directory is this one again
}

func TestExifOrientation(t *testing.T) {
	for _, o := range []appendOrder{binary.LittleEndian, binary.BigEndian} {
		for want := 1; want <= 8; want++ {
			if got := exifOrientation(exifBlock(o, want)); got != want {
				t.Errorf("%v: got %d, want %d", o, got, want)
			}
		}
		for _, bad := range []int{0, 9, 255, 65535} {
			if got := exifOrientation(exifBlock(o, bad)); got != 1 {
				t.Errorf("%v: orientation %d does not exist, got %d, want 1", o, bad, got)
			}
		}
		if got := exifOrientation(exifEntry(o, typeLong, 1, 6)); got != 6 {
			t.Errorf("%v: a LONG is read as %d, want 6: some programs write it so", o, got)
		}
		if got := exifOrientation(exifEntry(o, typeShort, 1<<30, 6)); got != 1 {
			t.Errorf("%v: a billion orientations are read as %d, want 1", o, got)
		}
	}
}

func TestExifDamagedIsUpright(t *testing.T) {
	whole := exifBlock(binary.LittleEndian, 6)
	for n := range whole {
		got := exifOrientation(whole[:n])
		if n < 8+6+2+24 && got != 1 {
			t.Errorf("cut after %d bytes: got %d, want 1", n, got)
		}
	}
	outside := exifBlock(binary.LittleEndian, 6)
	binary.LittleEndian.PutUint32(outside[10:], 1<<31)
	if got := exifOrientation(outside); got != 1 {
		t.Errorf("a directory outside the block: got %d, want 1", got)
	}
	claims := exifBlock(binary.LittleEndian, 6)
	binary.LittleEndian.PutUint16(claims[14:], 65535)
	if got := exifOrientation(claims); got != 6 {
		t.Errorf("a directory that claims 65535 entries: got %d, want 6, which is there", got)
	}
}
