package picture

import (
	"bytes"
	"io"
	"math/bits"

	"golang.org/x/image/ccitt"
)

// rowSource gives a chunk's rows, unpacked.
type rowSource interface {
	Read(p []byte) (int, error)
}

func (h *tiffHeader) decode(j *job) error {
	if err := h.checkOverlap(h.chunks.total); err != nil {
		return err
	}
	if h.compression == tiffJPEG {
		return h.decodePieces(j)
	}
	p := newTIFFPainter(h, j)
	planes := 1
	if h.planar && h.needed() > 1 { // of greys and indices the first plane is all
		planes = min(h.samples, j.img.Channels)
	}
	n := h.chunks.across * h.chunks.down
	for plane := range planes {
		for i := range n {
			if err := h.decodeChunk(j, p, plane, plane*n+i, i%h.chunks.across, i/h.chunks.across); err != nil {
				return err
			}
		}
	}
	if h.planar && h.photometric == tiffCMYK {
		invert(j.img.Pix)
		invertedCMYK(j.img)
	}
	return nil
}

func invert(samples []byte) {
	for i, v := range samples {
		samples[i] = 255 - v
	}
}

// piece is the stored bytes of a chunk, cut to what the file has. Without byte
// counts it ends where the next begins.
func (h *tiffHeader) piece(index int) []byte {
	data := h.file.data
	at := h.file.value(h.chunks.offsets, int64(index))
	if at <= 0 || at >= int64(len(data)) {
		return nil
	}
	n := h.file.value(h.chunks.counts, int64(index))
	if h.chunks.counts.count == 0 {
		n = h.file.value(h.chunks.offsets, int64(index)+1) - at
	}
	data = data[at:]
	if n > 0 && n < int64(len(data)) {
		data = data[:n]
	}
	return data
}

// checkOverlap refuses chunks that share their bytes: a hundred thousand times
// the same 20 MB would take minutes to look through.
func (h *tiffHeader) checkOverlap(chunks int) error {
	sum, most := 0, 2*len(h.file.data)+1<<20
	for i := range chunks {
		if sum += len(h.piece(i)); sum > most {
			return damaged("the TIFF's %d pieces overlap in the file", chunks)
		}
	}
	return nil
}

func (h *tiffHeader) decodeChunk(j *job, p *tiffPainter, plane, index, column, line int) error {
	raw := h.piece(index)
	x, y := column*h.chunks.w, line*h.chunks.h
	rows := min(h.chunks.h, j.img.Height-y)
	src, err := h.open(j, raw, rows)
	if err != nil {
		return err
	}
	samples := h.samples
	if h.planar {
		samples = 1
	}
	size := (h.chunks.w*samples*h.bits + 7) / 8
	row, out := j.rowPair(max(size, h.chunks.w*samples))
	row, out = row[:size], out[:h.chunks.w*samples]
	for i := range rows {
		if err := j.stopped(); err != nil {
			return err
		}
		if _, err := io.ReadFull(src, row); err != nil {
			return j.broken(err, "the TIFF's picture data ends, or is damaged, at row %d of %d", y+i, j.img.Height)
		}
		h.unpredict(j.scratch, row, samples)
		h.toBytes(out, row)
		p.paint(y+i, x, min(h.chunks.w, j.img.Width-x), plane, out)
	}
	return nil
}

// open makes a reader of a chunk's unpacked rows. Bombs are harmless: no more
// is read than there are rows.
func (h *tiffHeader) open(j *job, raw []byte, rows int) (rowSource, error) {
	src := &tiffBytes{data: raw, reversed: h.reversed && h.compression != tiffFax3 && h.compression != tiffFax4}
	switch h.compression {
	case tiffDeflate, tiffOldDeflate:
		z := j.unflate(src.piece, 4*rows)
		if !z.zlib() {
			return nil, damaged("the TIFF's picture data is not compressed as it should be (zlib)")
		}
		return z, nil
	case tiffLZW:
		// Before version 6 codes came least bit first, and widened later.
		if len(raw) > 1 && raw[0] == 0 && raw[1]&1 != 0 {
			j.lzw.start(src.next, 8, false, 0)
		} else {
			j.lzw.start(src.next, 8, true, 1)
		}
		return lzwReader{&j.lzw}, nil
	case tiffPackBits:
		return &packBits{src: src}, nil
	case tiffFax3, tiffFax4:
		order, kind := ccitt.MSB, ccitt.Group4
		if h.reversed {
			order = ccitt.LSB
		}
		if h.compression == tiffFax3 {
			kind = ccitt.Group3
		}
		// In a TIFF a black run is of ones, whatever ones mean.
		return ccitt.NewReader(bytes.NewReader(raw), order, kind, h.chunks.w, rows, &ccitt.Options{Invert: true, Align: h.fax&4 != 0}), nil
	}
	return src, nil
}

// tiffBytes reads stored bytes, turning each round where the file wants it.
type tiffBytes struct {
	data     []byte
	reversed bool
	turned   [512]byte
}

func (t *tiffBytes) Read(p []byte) (int, error) {
	if len(t.data) == 0 {
		return 0, io.EOF
	}
	n := copy(p, t.data)
	t.data = t.data[n:]
	if t.reversed {
		for i := range p[:n] {
			p[i] = bits.Reverse8(p[i])
		}
	}
	return n, nil
}

func (t *tiffBytes) next() (byte, bool) {
	if len(t.data) == 0 {
		return 0, false
	}
	b := t.data[0]
	t.data = t.data[1:]
	if t.reversed {
		b = bits.Reverse8(b)
	}
	return b, true
}

// piece gives what is left, or some of it turned round.
func (t *tiffBytes) piece() []byte {
	if !t.reversed {
		all := t.data
		t.data = nil
		return all
	}
	n, _ := t.Read(t.turned[:])
	return t.turned[:n]
}

type lzwReader struct{ l *lzw }

func (r lzwReader) Read(p []byte) (int, error) {
	n, err := r.l.read(p)
	if n < len(p) && err == nil {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// packBits unpacks Apple's run lengths (TIFF 6.0, section 9).
type packBits struct {
	src     *tiffBytes
	literal int
	repeat  int
	value   byte
}

func (r *packBits) Read(p []byte) (int, error) {
	for n := range p {
		if r.literal == 0 && r.repeat == 0 && !r.header() {
			return n, io.EOF
		}
		if r.repeat > 0 {
			r.repeat--
			p[n] = r.value
			continue
		}
		r.literal--
		b, ok := r.src.next()
		if !ok {
			return n, io.EOF
		}
		p[n] = b
	}
	return len(p), nil
}

func (r *packBits) header() bool {
	for {
		b, ok := r.src.next()
		if !ok {
			return false
		}
		switch n := int(int8(b)); {
		case n >= 0:
			r.literal = n + 1
			return true
		case n > -128:
			r.repeat = 1 - n
			r.value, ok = r.src.next()
			return ok
		}
	}
}
