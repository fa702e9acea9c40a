package picture

import (
	"strconv"

	"github.com/goshawk-ai/goshawk/internal/problem"
	"github.com/goshawk-ai/goshawk/internal/units"
)

// Inspect reads what the picture says about itself, and refuses it when it is
// none (problem.NotAPicture), is visibly damaged (PictureDamaged) or would cost
// more than the limits allow (PictureTooLarge, TooManyPixels). It allocates a
// few hundred bytes, never by what the picture claims. The Info belongs to
// these bytes.
func Inspect(data []byte, lim Limits) (Info, error) {
	if int64(len(data)) > lim.Bytes {
		return Info{}, problem.PictureTooLarge.New("the picture has %s; at most %s are read",
			units.Bytes(len(data)), units.Bytes(lim.Bytes)).With("limit_bytes", lim.Bytes)
	}
	inspect, err := sniff(data)
	if err != nil {
		return Info{}, err
	}
	info, err := inspect(data, lim)
	if err != nil {
		return Info{}, err
	}
	info.header.limit = lim.Decoded
	if least := leastCost(info); least > lim.Decoded {
		return Info{}, tooCostly(info, least)
	}
	return info, nil
}

// leastCost is the cost with the cheapest decoder at its cheapest: what is
// above the limit by this will not be decoded by any.
func leastCost(info Info) int64 {
	d := &Decoder{cheapest: true}
	scales := d.scales(info)
	return d.cost(info, scales[len(scales)-1])
}

func tooCostly(info Info, cost int64) error {
	return problem.TooManyPixels.New("decoding this %s of %d x %d pixels would take %d MB of memory; at most %s are spent on a picture: scale it down",
		info.Format.title(), info.header.width, info.header.height, (cost+999_999)/1_000_000, units.Bytes(info.header.limit)).
		With("limit_decoded_bytes", info.header.limit)
}

// checkSize holds a claimed size against the limit. Numbers come straight from
// files, so they may be anything up to 2^32.
func checkSize(f Format, w, h int64, lim Limits) error {
	if w < 1 || h < 1 {
		return damaged("the %s says that it is %d x %d pixels", f.title(), w, h)
	}
	if w > lim.Pixels/h {
		return problem.TooManyPixels.New("the %s has %d x %d = %s; at most %s are read: scale it down",
			f.title(), w, h, product(w, h), units.Pixels(lim.Pixels)).With("limit_pixels", lim.Pixels)
	}
	return nil
}

func product(w, h int64) string {
	if w > 1<<31 || h > 1<<31 {
		return "more pixels than can be"
	}
	return strconv.FormatInt(w*h, 10) + " pixels"
}

func tooMany(f Format, what string, limit int) error {
	return problem.TooManyPixels.New("the %s has more than %d %s, the most that are read: each costs time", f.title(), limit, what).
		With("limit_"+what, limit)
}

func damaged(format string, args ...any) *problem.Problem {
	return problem.PictureDamaged.New(format, args...)
}

// unsupported is for a variant of a format that is otherwise read: nothing is
// wrong with the picture.
func unsupported(format string, args ...any) *problem.Problem {
	return problem.NotAPicture.New(format, args...)
}

// title is the format's name for people.
func (f Format) title() string {
	switch f {
	case JPEG:
		return "JPEG"
	case PNG:
		return "PNG"
	case WebP:
		return "WebP"
	case GIF:
		return "GIF"
	case BMP:
		return "BMP"
	case TIFF:
		return "TIFF"
	}
	return "picture"
}
