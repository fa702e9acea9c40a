package picture

import "encoding/binary"

// tiffFile reads numbers of a TIFF (TIFF 6.0, section 2) or BigTIFF. Nothing
// that a directory claims is believed further than the file reaches.
type tiffFile struct {
	data  []byte
	order binary.ByteOrder
	big   bool
}

// field is a directory's entry: count values of a type, which lie at an offset.
type field struct {
	typ   int
	count int64
	at    int64
}

// maxFields bounds the directory; real ones have some dozens.
const maxFields = 4096

func openTIFF(data []byte) (f tiffFile, first int64, err error) {
	f = tiffFile{data: data, order: binary.LittleEndian}
	if data[0] == 'M' {
		f.order = binary.BigEndian
	}
	f.big = data[2] == '+' || data[3] == '+'
	switch {
	case f.big && len(data) >= 16:
		return f, f.uint(8, 8), nil
	case !f.big && len(data) >= 8:
		return f, f.uint(4, 4), nil
	}
	return f, 0, damaged("the TIFF is cut off in its header")
}

// uint reads size bytes at an offset; 0 beyond the file, and for what does not
// fit an int64.
func (f *tiffFile) uint(at int64, size int) int64 {
	if at < 0 || at > int64(len(f.data)-size) {
		return 0
	}
	switch b := f.data[at:]; size {
	case 1:
		return int64(b[0])
	case 2:
		return int64(f.order.Uint16(b))
	case 4:
		return int64(f.order.Uint32(b))
	case 8:
		if v := f.order.Uint64(b); v < 1<<62 {
			return int64(v)
		}
	}
	return 0
}

func (fd field) size() int {
	switch fd.typ {
	case 1, 2, 6, 7:
		return 1
	case 3, 8:
		return 2
	case 4, 9, 11, 13:
		return 4
	case 5, 10, 12, 16, 17, 18:
		return 8
	}
	return 0
}

// directory reads the first directory. Others (pages, thumbnails) are not
// followed, so that no chain can be endless.
func (f *tiffFile) directory(at int64) map[int]field {
	fields := map[int]field{}
	countSize, entrySize, inline := 2, int64(12), int64(4)
	if f.big {
		countSize, entrySize, inline = 8, 20, 8
	}
	n := min(f.uint(at, countSize), maxFields)
	at += int64(countSize)
	for ; n > 0 && at >= 0 && at+entrySize <= int64(len(f.data)); n-- {
		tag := int(f.uint(at, 2))
		fd := field{typ: int(f.uint(at+2, 2)), count: f.uint(at+4, int(inline)), at: at + 4 + inline}
		if size := int64(fd.size()); size > 0 && fd.count > inline/size {
			fd.at = f.uint(fd.at, int(inline))
		}
		if _, twice := fields[tag]; !twice && fd.size() > 0 && fd.count > 0 {
			fields[tag] = fd
		}
		at += entrySize
	}
	return fields
}

// value is the i-th of a field's.
func (f *tiffFile) value(fd field, i int64) int64 {
	if i < 0 || i >= fd.count {
		return 0
	}
	return f.uint(fd.at+i*int64(fd.size()), fd.size())
}

// held says whether all of a field's first n values are in the file.
func (f *tiffFile) held(fd field, n int64) bool {
	return fd.count >= n && fd.at >= 0 && n <= (int64(len(f.data))-fd.at)/int64(max(1, fd.size()))
}
