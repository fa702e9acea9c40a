package picture

// longestPiece bounds a JPEG piece of a TIFF with its tables.
const longestPiece = 4 << 20

// decodePieces decodes strips or tiles that are JPEG pictures (TIFF technical
// note 2), each with the tables that they share.
func (h *tiffHeader) decodePieces(j *job) error {
	piece := &Image{}
	var stream []byte
	n := h.chunks.across * h.chunks.down
	for i := range n {
		if err := j.stopped(); err != nil {
			return err
		}
		raw := h.piece(i)
		if !has(raw, 0, "\xff\xd8") || len(raw)+len(h.tables) > longestPiece {
			return damaged("the TIFF's JPEG data is missing, damaged or too long in piece %d of %d", i+1, n)
		}
		stream = h.assemble(stream[:0], raw)
		x, y := i%h.chunks.across*h.chunks.w, i/h.chunks.across*h.chunks.h
		if err := h.decodePiece(j, stream, piece, j.img.Height-y); err != nil {
			return err
		}
		for line := range min(piece.Height, h.chunks.h, j.img.Height-y) {
			w := min(piece.Width, h.chunks.w, j.img.Width-x)
			row := j.img.row(y + line)[x*j.img.Channels:][:w*piece.Channels]
			copy(row, piece.row(line))
			if h.photometric == tiffWhiteIsZero {
				invert(row)
			}
		}
	}
	return nil
}

// assemble puts the shared tables before the piece, and an Adobe marker that
// says whether its colors are RGB: a TIFF says it elsewhere.
func (h *tiffHeader) assemble(dst, raw []byte) []byte {
	transform := byte(1)
	if h.photometric == tiffRGB {
		transform = 0
	}
	dst = append(dst, 0xff, markSOI)
	if h.samples == 3 {
		dst = append(dst, 0xff, markAPP14, 0, 14)
		dst = append(dst, "Adobe"...)
		dst = append(dst, 0, 100, 0, 0, 0, 0, transform)
	}
	if len(h.tables) > 4 {
		tables := h.tables[2:]
		if end := len(tables) - 2; tables[end] == 0xff && tables[end+1] == markEOI {
			tables = tables[:end]
		}
		dst = append(dst, tables...)
	}
	return append(dst, raw[2:]...)
}

// decodePiece decodes one, which may be as large as the chunk (filled up to
// whole blocks) and no larger.
func (h *tiffHeader) decodePiece(j *job, stream []byte, piece *Image, below int) error {
	pixels := int64(h.chunks.w+15) * int64(h.chunks.h+15)
	info, err := inspectJPEG(stream, Limits{Pixels: pixels, Scans: 1})
	if err != nil {
		return j.broken(err, "the TIFF's JPEG data: %s", err.Error())
	}
	inner := info.header.detail.(*jpegHeader)
	if inner.multi {
		return unsupported("this TIFF holds progressive JPEG data, which is not read here")
	}
	want := 1
	if h.samples == 3 {
		want = 3
	}
	if info.header.channels != want || info.header.width < h.chunks.w && h.chunks.tiled ||
		info.header.width < j.img.Width && !h.chunks.tiled || info.header.height < min(h.chunks.h, below) {
		return damaged("the TIFF's JPEG data has another size than it should")
	}
	piece.resize(info.header.width, info.header.height, info.header.work)
	return inner.decode(&job{ctx: j.ctx, d: j.d, data: stream, info: info, scale: 1, img: piece, scratch: j.scratch})
}
