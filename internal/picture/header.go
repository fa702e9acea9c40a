package picture

// header is what Inspect has learned and Decode needs: it makes Info valid for
// the inspected bytes only.
type header struct {
	width, height int   // as stored
	channels      int   // of the Image that comes out
	work          int   // channels while decoding, where it takes more (CMYK, WebP lossless)
	limit         int64 // Limits.Decoded at Inspect's time
	detail        detail
}

// detail is the part that only the format itself knows.
type detail interface {
	// cost is what decoding allocates beside the Image's own pixels.
	cost(d *Decoder, info Info, scale int) int64
	// decode writes img.Pix, which has the right length and holds another
	// picture's pixels. When it returns nil it has written every byte.
	decode(j *job) error
}

// sized makes the Info of a picture that is stored as w x h.
func sized(f Format, w, h, channels, orientation int, d detail) Info {
	info := Info{Format: f, Width: w, Height: h, Orientation: orientation}
	if orientation >= 5 {
		info.Width, info.Height = h, w
	}
	info.header = header{width: w, height: h, channels: channels, work: channels, detail: d}
	return info
}
