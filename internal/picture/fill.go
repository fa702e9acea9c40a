package picture

import (
	"fmt"

	"github.com/goshawk-ai/goshawk/internal/picture/turbo"
)

// freak is the shrink beyond which source pixels are left out before the filter
// sees them: only strips of 100,000 pixels and more come to it, and their tables
// would cost more than the picture.
const freak = 512

// Fill makes one row of the tensor, RowBytes long, of a decoded picture: it is
// turned as EXIF says, laid over the background, resized, cropped, its values
// normalized and laid out. dst must be aligned for the tensor's type. With a
// Scratch that has seen the recipe and the size it does not allocate; s may be nil.
func (r *Recipe) Fill(dst []byte, img *Image, s *Scratch) error {
	if s == nil {
		s = new(Scratch)
	}
	p, err := s.prepare(r)
	if err != nil {
		return err
	}
	return p.Fill(dst, img, s)
}

// Fill is Recipe.Fill without looking the recipe up.
func (p *Prepared) Fill(dst []byte, img *Image, s *Scratch) error {
	run := resample
	if turbo.Native {
		run = (*turbo.Resample).Run
	}
	return p.fill(dst, img, s, run)
}

func (p *Prepared) fill(dst []byte, img *Image, s *Scratch, run func(*turbo.Resample) error) error {
	r := &p.recipe
	if len(dst) != r.RowBytes() {
		return fmt.Errorf("fill: the row has %d bytes, the recipe makes %d", len(dst), r.RowBytes())
	}
	w, h, err := img.displayed()
	if err != nil {
		return err
	}
	f, err := r.frame(w, h)
	if err != nil {
		return err
	}
	x := visible(f.width, f.left, f.x, r.Width)
	y := visible(f.height, f.top, f.y, r.Height)
	if x.n < r.Width || y.n < r.Height {
		p.pad(dst, f)
	}
	if x.n == 0 || y.n == 0 {
		return nil
	}
	defer s.settle()
	s.job.Gray, s.job.Planes, s.job.Source = p.gray, p.planes, p.source
	if img.Channels == 1 {
		s.job.Gray, s.job.Source = false, [3]int{}
	}
	s.job.Table, s.job.Elem, s.job.Background = p.table, p.elem, r.Background
	s.job.PlaneStep, s.job.RowStep, s.job.ColStep = p.planeStep, p.rowStep, p.colStep
	s.job.Dst = dst[(y.at*p.rowStep+x.at*p.colStep)*p.elem:]
	img.view(&s.job)
	s.job.X = *s.axis(r.axis(w, f.width, x, &s.job.Origin, &s.job.StepX))
	s.job.Y = *s.axis(r.axis(h, f.height, y, &s.job.Origin, &s.job.StepY))
	s.buffers()
	if err := run(&s.job); err != nil {
		return fmt.Errorf("fill: %w", err)
	}
	return nil
}

// axis says which table an axis needs. A freak's pixels are thinned out, which
// changes where the axis begins and how far its pixels lie apart.
func (r *Recipe) axis(in, out int, p part, origin, step *int) axisKey {
	if every := in / out / (freak / 2); in/out >= freak {
		*origin += every / 2 * *step
		*step *= every
		in /= every
	}
	return axisKey{in: in, out: out, lo: p.lo, n: p.n, filter: r.Resize.Filter, antialias: r.Resize.Antialias}
}

// displayed checks that the image is whole and gives its size after orientation.
func (img *Image) displayed() (w, h int, err error) {
	w, h = img.Width, img.Height
	if w < 1 || h < 1 || img.Channels != 1 && img.Channels != 3 && img.Channels != 4 || len(img.Pix) < w*h*img.Channels {
		return 0, 0, fmt.Errorf("fill: an image of %d x %d pixels and %d channels has %d bytes", w, h, img.Channels, len(img.Pix))
	}
	if img.Orientation >= 5 && img.Orientation <= 8 {
		w, h = h, w
	}
	return w, h, nil
}

// view sets where the displayed pixels lie among the stored ones. The cases are
// EXIF's: which corner of the stored picture is its top left when displayed, and
// whether rows are columns. Whatever is none of them is displayed as stored.
func (img *Image) view(job *turbo.Resample) {
	c := img.Channels
	right, down := c, img.Width*c
	lastX, lastY := (img.Width-1)*right, (img.Height-1)*down
	job.Pix, job.Channels = img.Pix, c
	set := func(origin, x, y int) { job.Origin, job.StepX, job.StepY = origin, x, y }
	switch img.Orientation {
	case 2:
		set(lastX, -right, down)
	case 3:
		set(lastX+lastY, -right, -down)
	case 4:
		set(lastY, right, -down)
	case 5:
		set(0, down, right)
	case 6:
		set(lastY, -down, right)
	case 7:
		set(lastX+lastY, -down, -right)
	case 8:
		set(lastX, down, -right)
	default:
		set(0, right, down)
	}
}

// RGB is the picture as displayed, in new memory: height rows of width R,G,B,
// transparent pixels laid over the background. It is what a certificate's rgb holds.
func (img *Image) RGB(background [3]uint8) (rgb []byte, width, height int, err error) {
	w, h, err := img.displayed()
	if err != nil {
		return nil, 0, 0, err
	}
	var from turbo.Resample
	img.view(&from)
	rgb = make([]byte, 0, 3*w*h)
	for y := range h {
		for x := range w {
			p := img.Pix[from.Origin+x*from.StepX+y*from.StepY:]
			switch img.Channels {
			case 1:
				rgb = append(rgb, p[0], p[0], p[0])
			case 3:
				rgb = append(rgb, p[:3]...)
			default:
				rgb = append(rgb, uint8(over(p[0], p[3], background[0])), uint8(over(p[1], p[3], background[1])), uint8(over(p[2], p[3], background[2])))
			}
		}
	}
	return rgb, w, h, nil
}
