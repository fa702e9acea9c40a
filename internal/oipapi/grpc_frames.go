package oipapi

import "encoding/binary"

// Of HTTP/2 (RFC 9113): what of a frame has to be known to count a caller's bytes.
const (
	prefaceLength = 24 // what a client begins with
	frameHeader   = 9

	frameData    = 0x0
	frameHeaders = 0x1
	frameReset   = 0x3
	endStream    = 0x1 // flags of DATA and HEADERS
	padded       = 0x8
)

// frame is the header of one.
type frame struct {
	length int // of what follows the header
	kind   byte
	flags  byte
	stream uint32
}

// frames finds the frames in a connection's bytes, in whatever parts they come. What
// is no HTTP/2 gives frames of no meaning; whoever serves the connection ends it.
type frames struct {
	now    frame
	left   int // bytes of it that are to come
	pad    int // of them, those at the end that mean nothing; -1: the next byte says
	skip   int // bytes until the next header that belong to no frame
	have   int // bytes of the next header
	header [frameHeader]byte
}

// feed calls each for every frame's header, and data for the parts of DATA.
func (f *frames) feed(p []byte, each func(frame), data func(stream uint32, part []byte)) {
	for len(p) > 0 {
		switch {
		case f.skip > 0:
			n := min(f.skip, len(p))
			f.skip -= n
			p = p[n:]
		case f.left > 0:
			p = f.payload(p, data)
		default:
			n := copy(f.header[f.have:], p)
			f.have += n
			p = p[n:]
			if f.have == frameHeader {
				f.begin()
				each(f.now)
			}
		}
	}
}

func (f *frames) begin() {
	h := f.header[:]
	f.now = frame{
		length: int(h[0])<<16 | int(h[1])<<8 | int(h[2]), kind: h[3], flags: h[4],
		stream: binary.BigEndian.Uint32(h[5:]) & (1<<31 - 1),
	}
	f.have, f.left, f.pad = 0, f.now.length, 0
	if f.now.kind == frameData && f.now.flags&padded != 0 {
		f.pad = -1
	}
}

// payload reads of the frame what there is of it.
func (f *frames) payload(p []byte, data func(stream uint32, part []byte)) (rest []byte) {
	if f.pad < 0 {
		f.pad = int(p[0])
		f.left--
		return p[1:]
	}
	n := min(f.left, len(p))
	if f.now.kind == frameData && data != nil {
		if means := min(n, max(0, f.left-f.pad)); means > 0 {
			data(f.now.stream, p[:means])
		}
	}
	f.left -= n
	return p[n:]
}
