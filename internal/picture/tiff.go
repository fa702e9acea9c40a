package picture

import "strconv"

// tiffHeader is the first directory of a TIFF (TIFF 6.0; compressions and tags
// of later supplements), as far as a decoder needs it.
type tiffHeader struct {
	file        tiffFile
	compression int
	photometric int
	bits        int // of each sample
	samples     int // in a pixel
	format      int // of samples: 1 unsigned, 2 signed, 3 floating point
	planar      bool
	predictor   int
	reversed    bool // bits of a byte come last first
	alpha       int  // 0 none, 1 premultiplied, 2 not
	fax         int64
	colors      field // palette
	tables      []byte
	chunks      tiffChunks
}

// tiffChunks are strips, or tiles.
type tiffChunks struct {
	w, h         int // of one
	across, down int
	total        int // of all planes
	offsets      field
	counts       field
	tiled        bool
}

// Tags.
const (
	tagWidth, tagHeight, tagBits       = 256, 257, 258
	tagCompression, tagPhotometric     = 259, 262
	tagFillOrder, tagOffsets           = 266, 273
	tagSamples, tagRows, tagCounts     = 277, 278, 279
	tagPlanar, tagFaxOptions           = 284, 292
	tagPredictor, tagColors            = 317, 320
	tagTileWidth, tagTileHeight        = 322, 323
	tagTileOffsets, tagTileCounts      = 324, 325
	tagExtra, tagFormat                = 338, 339
	tagJPEGTables, tagSubsampling      = 347, 530
	maxChunks                      int = 1 << 17 // each costs the start of a decompressor
	maxPieces                          = 1 << 14 // JPEG pictures of their own
	maxTile                            = 1 << 16
	longestTables                      = 1 << 12 // four of each kind take 1.2 kB
)

// Compressions and photometric interpretations.
const (
	tiffPlain, tiffFax3, tiffFax4, tiffLZW = 1, 3, 4, 5
	tiffJPEG, tiffDeflate, tiffOldDeflate  = 7, 8, 32946
	tiffPackBits                           = 32773

	tiffWhiteIsZero, tiffBlackIsZero, tiffRGB = 0, 1, 2
	tiffPalette, tiffCMYK, tiffYCbCr          = 3, 5, 6
)

func inspectTIFF(data []byte, lim Limits) (Info, error) {
	file, first, err := openTIFF(data)
	if err != nil {
		return Info{}, err
	}
	fields := file.directory(first)
	number := func(tag int, otherwise int64) int64 {
		if fd, ok := fields[tag]; ok {
			return file.value(fd, 0)
		}
		return otherwise
	}
	w, ht := number(tagWidth, 0), number(tagHeight, 0)
	if err := checkSize(TIFF, w, ht, lim); err != nil {
		return Info{}, err
	}
	h := &tiffHeader{
		file:        file,
		compression: int(number(tagCompression, 1)), photometric: int(number(tagPhotometric, -1)),
		samples: int(number(tagSamples, 1)), bits: int(number(tagBits, 1)),
		format: int(number(tagFormat, 1)), planar: number(tagPlanar, 1) == 2,
		predictor: int(number(tagPredictor, 1)), reversed: number(tagFillOrder, 1) == 2,
		fax: number(tagFaxOptions, 0), colors: fields[tagColors],
	}
	if err := h.checkSamples(fields); err != nil {
		return Info{}, err
	}
	if err := h.checkCoding(fields); err != nil {
		return Info{}, err
	}
	if err := h.readChunks(fields, int(w), int(ht)); err != nil {
		return Info{}, err
	}
	orientation := int(number(tagOrientation, 1))
	if orientation < 1 || orientation > 8 {
		orientation = 1
	}
	info := sized(TIFF, int(w), int(ht), h.channels(), orientation, h)
	if h.planar && h.photometric == tiffCMYK {
		info.header.work = 4
	}
	return info, nil
}

func (h *tiffHeader) checkSamples(fields map[int]field) error {
	if h.samples < 1 || h.samples > 8 {
		return unsupported("this TIFF has %d samples a pixel; 1 to 8 are read here", h.samples)
	}
	for i := range min(fields[tagBits].count, int64(h.samples)) { // the count may be anything
		if h.file.value(fields[tagBits], i) != int64(h.bits) {
			return unsupported("this TIFF's samples have different numbers of bits, which is not read here")
		}
	}
	floats := h.bits == 16 || h.bits == 32 || h.bits == 64
	if h.bits < 1 || h.bits > 32 && h.format != 3 || h.format == 3 && !floats {
		return unsupported("this TIFF has %d bits a sample (format %d), which is not read here", h.bits, h.format)
	}
	needed := h.needed()
	switch h.photometric {
	case tiffWhiteIsZero, tiffBlackIsZero, tiffRGB, tiffYCbCr, tiffCMYK:
	case tiffPalette:
		if h.format == 2 {
			return unsupported("this TIFF's palette is looked up by signed numbers, which is not read here")
		}
		if h.bits > 8 || h.colors.count < 3<<h.bits || !h.file.held(h.colors, 3<<h.bits) {
			return damaged("the TIFF's palette is missing or too short for %d bits", h.bits)
		}
	default:
		return unsupported("this TIFF's colors are of a kind that is not read here (photometric interpretation %d)", h.photometric)
	}
	if h.samples < needed {
		return damaged("the TIFF has %d samples a pixel, but its colors need %d", h.samples, needed)
	}
	if extra, ok := fields[tagExtra]; ok && h.samples > needed && h.photometric != tiffCMYK {
		if kind := h.file.value(extra, 0); kind == 1 || kind == 2 {
			h.alpha = int(kind)
		}
	}
	if h.planar && h.samples > 1 && (h.photometric == tiffYCbCr || needed == 1 && h.alpha != 0) {
		return unsupported("this TIFF stores its %d samples apart, which is not read here for such colors", h.samples)
	}
	if h.samples == 1 {
		h.planar = false
	}
	return nil
}

func (h *tiffHeader) checkCoding(fields map[int]field) error {
	switch h.compression {
	case tiffPlain, tiffLZW, tiffDeflate, tiffOldDeflate, tiffPackBits:
	case tiffFax3, tiffFax4:
		if h.bits != 1 || h.samples != 1 {
			return damaged("the TIFF has fax compression with %d bits and %d samples", h.bits, h.samples)
		}
		if h.compression == tiffFax3 && h.fax&1 != 0 {
			return unsupported("this TIFF has two-dimensional fax group 3 compression, which is not read here; group 4 is")
		}
	case tiffJPEG:
		return h.checkJPEG(fields)
	default:
		return unsupported("this TIFF is compressed in a way that is not read here (%s); none, LZW, deflate, PackBits, JPEG and fax are", compressionName(h.compression))
	}
	if sub, ok := fields[tagSubsampling]; h.photometric == tiffYCbCr &&
		(h.bits != 8 || !ok || h.file.value(sub, 0) != 1 || h.file.value(sub, 1) != 1) {
		return unsupported("this TIFF has subsampled YCbCr without JPEG compression, which is not read here")
	}
	switch {
	case h.predictor == 2 && h.bits != 8 && h.bits != 16 && h.bits != 32,
		h.predictor == 3 && h.format != 3, h.predictor < 1, h.predictor > 3:
		return unsupported("this TIFF has predictor %d with %d bits a sample, which is not read here", h.predictor, h.bits)
	}
	return nil
}

func (h *tiffHeader) checkJPEG(fields map[int]field) error {
	if h.bits != 8 || h.planar || h.samples != 1 && h.samples != 3 || h.photometric == tiffPalette || h.samples != h.channels() {
		return unsupported("this TIFF holds JPEG data with %d bits and %d samples, which is not read here", h.bits, h.samples)
	}
	if t, ok := fields[tagJPEGTables]; ok && h.file.held(t, t.count) && t.size() == 1 {
		if t.count > longestTables {
			return damaged("the TIFF's JPEG tables take %d bytes", t.count)
		}
		h.tables = h.file.data[t.at : t.at+t.count]
	}
	return nil
}

func compressionName(c int) string {
	switch c {
	case 2:
		return "fax without line ends"
	case 6:
		return "JPEG as before 1995"
	case 34925:
		return "LZMA"
	case 50000:
		return "Zstandard"
	case 50001:
		return "WebP"
	}
	return "number " + strconv.Itoa(c)
}

func (h *tiffHeader) readChunks(fields map[int]field, w, ht int) error {
	c := &h.chunks
	c.w, c.h = w, ht
	if rows, ok := fields[tagRows]; ok {
		if n := h.file.value(rows, 0); n > 0 && n < int64(ht) {
			c.h = int(n)
		}
	}
	c.offsets, c.counts = fields[tagOffsets], fields[tagCounts]
	if t, ok := fields[tagTileOffsets]; ok {
		tw, th := h.file.value(fields[tagTileWidth], 0), h.file.value(fields[tagTileHeight], 0)
		if tw > 0 && th > 0 {
			if tw > maxTile || th > maxTile {
				return unsupported("this TIFF has tiles of %d x %d pixels; %d is the most that is read here", tw, th, maxTile)
			}
			c.w, c.h, c.tiled = int(tw), int(th), true
			c.offsets, c.counts = t, fields[tagTileCounts]
		} else if c.offsets.count == 0 {
			return damaged("the TIFF's tiles are %d x %d pixels", tw, th)
		}
	}
	c.across, c.down = (w+c.w-1)/c.w, (ht+c.h-1)/c.h
	n := int64(c.across) * int64(c.down)
	if h.planar {
		n *= int64(h.samples)
	}
	most := int64(maxChunks)
	if h.compression == tiffJPEG {
		most = maxPieces
	}
	if n > most {
		return unsupported("this TIFF is cut into %d pieces; %d is the most that is read here", n, most)
	}
	c.total = int(n)
	if !h.file.held(c.offsets, n) {
		return damaged("the TIFF does not say where its picture data is")
	}
	return nil
}

// needed are the samples that make a color.
func (h *tiffHeader) needed() int {
	switch h.photometric {
	case tiffRGB, tiffYCbCr:
		return 3
	case tiffCMYK:
		return 4
	}
	return 1
}

// channels are those of the Image.
func (h *tiffHeader) channels() int {
	switch {
	case h.alpha != 0:
		return 4
	case h.photometric == tiffWhiteIsZero, h.photometric == tiffBlackIsZero:
		return 1
	}
	return 3
}

// cost: rows of one chunk as stored and as samples, what the decompressors
// keep, and a JPEG piece as a picture of its own.
func (h *tiffHeader) cost(d *Decoder, info Info, _ int) int64 {
	perRow := int64(h.chunks.w) * int64(h.samples)
	bytes := 3*max(perRow*int64(h.bits)/8+8, perRow) + 4*int64(h.chunks.w) + 192<<10
	if h.compression == tiffFax3 || h.compression == tiffFax4 {
		bytes += int64(h.chunks.total) * (2*int64(h.chunks.w) + 1024) // x/image/ccitt takes rows for each
	}
	if h.compression == tiffJPEG {
		piece := int64(h.chunks.w+31) * int64(h.chunks.h+31)
		bytes += 3*piece + int64(h.chunks.w)*3*96 + 2*longestPiece
		if d.lib == nil && !d.cheapest {
			bytes += 7 * piece
		}
	}
	return bytes
}
