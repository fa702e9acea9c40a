package picture

import (
	"context"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"

	"github.com/goshawk-ai/goshawk/internal/picture/turbo"
	"github.com/goshawk-ai/goshawk/internal/problem"
)

// Decoder makes pixels. It may be used by many goroutines at a time. Which
// library decodes JPEG is its only setting; the other formats are read by this
// package.
type Decoder struct {
	lib      *turbo.Library // nil: Go's image/jpeg
	cheapest bool           // only asked for costs: the least of any decoder
	scratch  sync.Pool      // *scratch
}

// NewDecoder makes the decoder that the setting jpeg_decoder names: turbo, go,
// or auto, which takes turbo where the library is installed.
func NewDecoder(kind string) (*Decoder, error) {
	if kind == "go" {
		return &Decoder{}, nil
	}
	if kind != "auto" && kind != "turbo" {
		return nil, fmt.Errorf("jpeg_decoder is %q; it can be auto, turbo or go", kind)
	}
	lib, err := turbo.Open()
	if err != nil && kind == "turbo" {
		return nil, fmt.Errorf("jpeg_decoder is turbo, but %w: install the package libturbojpeg0, or set jpeg_decoder to auto or go", err)
	}
	return &Decoder{lib: lib}, nil // lib is nil when there is none
}

// Name says what decodes JPEG, with its version: it is part of an answer's
// lineage, since decoders differ in single pixels.
func (d *Decoder) Name() string {
	switch {
	case d.lib == nil:
		return "go"
	case d.lib.Version() == "":
		return "libjpeg-turbo"
	}
	return "libjpeg-turbo " + d.lib.Version()
}

// Plan is how a picture will be decoded.
type Plan struct {
	Scale  int // 1, 2, 4 or 8: the picture is shrunk by it while decoding
	Width  int // as stored, after the scale
	Height int
	Bytes  int64 // what Decode allocates at its peak, the Image's pixels included
}

// scales are the divisors by which Decode can shrink this picture, ascending.
func (d *Decoder) scales(info Info) []int {
	if info.Format == JPEG {
		return []int{1, 2, 4, 8}
	}
	return []int{1}
}

// cost is what Decode will allocate at its peak with this scale: pixels,
// coefficients, tables. The encoded bytes are the caller's.
func (d *Decoder) cost(info Info, scale int) int64 {
	w, h := scaledSize(info, scale)
	return int64(w)*int64(h)*int64(info.header.work) + info.header.detail.cost(d, info, scale)
}

// scaledSize is the size after the scale, by libjpeg's rule: rounded up.
func scaledSize(info Info, scale int) (w, h int) {
	return (info.header.width + scale - 1) / scale, (info.header.height + scale - 1) / scale
}

// FullSize is the plan that shrinks nothing.
func (d *Decoder) FullSize(info Info) Plan {
	return Plan{Scale: 1, Width: info.header.width, Height: info.header.height, Bytes: d.cost(info, 1)}
}

// Fits says whether the plan is within the limit that Inspect was given. Decode
// asks it again.
func (d *Decoder) Fits(info Info, plan Plan) error {
	if cost := d.cost(info, plan.Scale); cost > info.header.limit {
		return tooCostly(info, cost)
	}
	return nil
}

// job is one call of Decode.
type job struct {
	ctx   context.Context //nolint:containedctx // lives exactly as long as the call of Decode that it is
	d     *Decoder
	data  []byte
	info  Info
	scale int
	img   *Image
	*scratch
}

// Decode makes the pixels of the picture that info was made of. It reuses
// img.Pix when that is large enough; where it fails the image is empty, so that
// nobody sees the picture that was there before. Damage is
// problem.PictureDamaged; a cancelled ctx ends the work at the next row (with libjpeg-turbo and WebP's
// lossy pictures: before it begins).
func (d *Decoder) Decode(ctx context.Context, data []byte, info Info, plan Plan, img *Image) (err error) {
	if info.header.detail == nil || !slices.Contains(d.scales(info), plan.Scale) {
		return fmt.Errorf("decode: the plan (scale %d) was not made for this picture", plan.Scale)
	}
	if err := context.Cause(ctx); err != nil {
		return err
	}
	if err := d.Fits(info, plan); err != nil {
		return err
	}
	w, h := scaledSize(info, plan.Scale)
	img.resize(w, h, info.header.work)
	img.Orientation = info.Orientation
	j := &job{ctx: ctx, d: d, data: data, info: info, scale: plan.Scale, img: img, scratch: d.borrow()}
	defer func() {
		d.scratch.Put(j.scratch)
		// Others' decoders are fed by strangers here: one that stumbles costs
		// its picture, not the process.
		if r := recover(); r != nil {
			err = damaged("the %s cannot be decoded", info.Format.title()).Because(fmt.Errorf("decoder panicked: %v\n%s", r, debug.Stack()))
		}
		if err != nil {
			*img = Image{Pix: img.Pix[:0]}
		}
	}()
	return info.header.detail.decode(j)
}

func (d *Decoder) borrow() *scratch {
	if s, ok := d.scratch.Get().(*scratch); ok {
		return s
	}
	return &scratch{}
}

// resize gives the image room. What Pix held is gone before more is allocated,
// so that the two are never wanted at the same time.
func (img *Image) resize(w, h, channels int) {
	n := w * h * channels
	if cap(img.Pix) < n {
		img.Pix = nil
		img.Pix = make([]byte, n)
	}
	img.Pix = img.Pix[:n]
	img.Width, img.Height, img.Channels = w, h, channels
}

// row is the y-th row of the image.
func (img *Image) row(y int) []byte {
	n := img.Width * img.Channels
	return img.Pix[y*n : (y+1)*n]
}

// stopped is asked between rows.
func (j *job) stopped() error { return context.Cause(j.ctx) }

// broken is the problem of a decoder's complaint, which stays for the log.
func (j *job) broken(err error, format string, args ...any) error {
	if stop := j.stopped(); stop != nil {
		return stop
	}
	p := problem.PictureDamaged.New(format, args...)
	if err != nil {
		p = p.Because(err)
	}
	return p
}
