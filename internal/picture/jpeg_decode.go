package picture

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/jpeg"

	"github.com/goshawk-ai/goshawk/internal/picture/turbo"
)

// Bytes that the decoders hold of one 8x8 block: libjpeg keeps coefficients as
// int16, and only where there are several scans; Go's keeps int32 of
// progressive pictures, and the samples of all.
const (
	turboCoefficients = 64 * 2
	goCoefficients    = 64 * 4
	goSamples         = 64
)

func (h *jpegHeader) cost(d *Decoder, info Info, _ int) int64 {
	switch {
	case d.cheapest: // libjpeg's is, but for a picture of a few rows
		return min(h.turboCost(info), h.goCost(info))
	case d.lib == nil:
		return h.goCost(info)
	}
	return h.turboCost(info)
}

func (h *jpegHeader) turboCost(info Info) int64 {
	// libjpeg's own rows: a strip of some MCU rows a component, coefficients
	// and samples, each at most 8 x 4 rows high and twice over.
	bytes := int64(info.header.width)*int64(len(h.components))*96 + 64<<10
	if h.multi {
		for _, c := range h.components {
			bytes += c.blocks * turboCoefficients
		}
	}
	return bytes
}

// goCost follows makeImg, reconstruct and the conversions of Go's image/jpeg.
func (h *jpegHeader) goCost(info Info) int64 {
	bytes := int64(info.header.width)*4 + 256<<10
	for _, c := range h.components {
		bytes += c.blocks * goSamples
		if h.progressive() {
			bytes += c.blocks * goCoefficients
		}
	}
	if len(h.components) == 4 || h.storedRGB() {
		bytes += int64(info.header.width) * int64(info.header.height) * 4
	}
	return bytes
}

// storedRGB tells, as libjpeg does, whether three components are RGB.
func (h *jpegHeader) storedRGB() bool {
	if len(h.components) != 3 || h.jfif {
		return false
	}
	c := h.components
	return h.adobe == 0 || h.adobe < 0 && c[0].id == 'R' && c[1].id == 'G' && c[2].id == 'B'
}

func (h *jpegHeader) decode(j *job) error {
	if j.d.lib == nil {
		return h.decodeGo(j)
	}
	return h.decodeTurbo(j)
}

// decodeTurbo takes whatever libjpeg made whole. It warns of damage inside the
// data, where it goes on with grey, as every viewer does; data that ends too
// early was refused by Inspect. After anything but a warning the pixels may be
// those of the picture before, whoever sent it.
func (h *jpegHeader) decodeTurbo(j *job) error {
	format := turbo.RGB
	switch len(h.components) {
	case 1:
		format = turbo.Gray
	case 4:
		format = turbo.CMYK
	}
	err := j.d.lib.Decode(j.img.Pix, j.data[:h.end], j.img.Width, j.img.Height, format)
	if said, ok := errors.AsType[*turbo.Error](err); ok && !said.Warning {
		return j.broken(err, "the JPEG cannot be decoded: %s", cutText(said.Message))
	} else if !ok && err != nil {
		return err
	}
	if format == turbo.CMYK {
		invertedCMYK(j.img)
	}
	return nil
}

// invertedCMYK turns four channels into three, in place. As Pillow does, it
// takes every CMYK JPEG for inverted, as Adobe's are: others are not met.
func invertedCMYK(img *Image) {
	pix := img.Pix
	for i, o := 0, 0; i+3 < len(pix); i, o = i+4, o+3 {
		k := pix[i+3]
		pix[o], pix[o+1], pix[o+2] = inked(pix[i], k), inked(pix[i+1], k), inked(pix[i+2], k)
	}
	img.Channels = 3
	img.Pix = pix[:img.Width*img.Height*3]
}

// inked is the light that is left of an inverted ink c under inverted black k,
// with Pillow's rounding: k - (255-c)*k/255.
func inked(c, k byte) byte {
	t := uint32(255-c)*uint32(k) + 128
	return k - byte((t+t>>8)>>8)
}

// decodeGo is the way of a machine without libturbojpeg. Go's decoder holds the
// whole picture in planes; shrinking happens when they become pixels.
func (h *jpegHeader) decodeGo(j *job) error {
	if h.arithmetic() {
		return unsupported("this JPEG is coded arithmetically, a rare variant that Go's decoder does not read; libjpeg-turbo does")
	}
	data := j.data[:h.end]
	if !h.multi {
		// Go's decoder takes a second scan of everything where libjpeg stops.
		scans, end, _ := walkScans(j.data, h.scan, 1)
		if scans > 1 {
			return damaged("the JPEG has a second scan of the same data")
		}
		data = j.data[:end]
	}
	m, err := jpeg.Decode(&stoppable{ctx: j.ctx, Reader: bytes.NewReader(data)})
	if err != nil {
		return goProblem(j, err)
	}
	if m.Bounds().Dx() != j.info.header.width || m.Bounds().Dy() != j.info.header.height {
		return damaged("the JPEG's headers disagree about its size")
	}
	switch m := m.(type) {
	case *image.Gray:
		shrinkPlane(j.img, m.Pix, m.Stride, 1, j.info, j.scale)
	case *image.YCbCr:
		return h.fromPlanes(j, m)
	case *image.RGBA:
		shrinkPlane(j.img, m.Pix, m.Stride, 4, j.info, j.scale)
	case *image.CMYK:
		shrinkPlane(j.img, m.Pix, m.Stride, 4, j.info, j.scale)
		for i := range j.img.Pix {
			j.img.Pix[i] = 255 - j.img.Pix[i]
		}
		invertedCMYK(j.img)
	default:
		return damaged("the JPEG has colors that cannot be decoded")
	}
	return nil
}

func goProblem(j *job, err error) error {
	if _, ok := errors.AsType[jpeg.UnsupportedError](err); ok && j.stopped() == nil {
		return unsupported("this is a variant of JPEG that Go's decoder does not read (%s); libjpeg-turbo may", cutText(err.Error())).Because(err)
	}
	return j.broken(err, "the JPEG cannot be decoded: %s", cutText(err.Error()))
}

// stoppable makes a decoder that knows no context end with it.
type stoppable struct {
	ctx context.Context //nolint:containedctx // io.Reader takes none, and this is one call's reader
	*bytes.Reader
}

func (s *stoppable) Read(p []byte) (int, error) {
	if err := context.Cause(s.ctx); err != nil {
		return 0, err
	}
	return s.Reader.Read(p[:min(len(p), 4096)])
}
