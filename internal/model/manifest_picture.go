package model

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	yaml "go.yaml.in/yaml/v3"

	"github.com/goshawk-ai/goshawk/internal/picture"
	"github.com/goshawk-ai/goshawk/internal/wording"
)

// preprocess reads the picture's way. A preset comes first, wherever it stands
// in the file; what is written overrides it key by key.
func (r *manifestReader) preprocess(n *yaml.Node) error {
	p := &r.m.Preprocess
	if n.Kind == yaml.MappingNode {
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == "preset" {
				if err := r.preset(n.Content[i+1]); err != nil {
					return err
				}
			}
		}
	}
	// A preset's crop is made for its size: a file that writes the one and not
	// the other still gets both, and Bind says when they do not fit the model.
	err := r.mapping(n, "preprocess", map[string]field{
		"preset":     func(*yaml.Node) error { return nil },
		"resize":     r.resize,
		"crop":       r.crop,
		"rescale":    r.rescale,
		"mean":       r.channels(&p.Mean, "preprocess.mean"),
		"std":        r.channels(&p.Std, "preprocess.std"),
		"background": r.background,
		"exact":      r.boolean(&p.Exact, "preprocess.exact"),
	})
	if err != nil {
		return err
	}
	return r.geometry(n)
}

func (r *manifestReader) preset(n *yaml.Node) error {
	var name string
	if err := r.text(&name, "preprocess.preset")(n); err != nil {
		return err
	}
	preset, known := findPreset(name)
	if !known {
		return r.fail(n, "there is no preset %s; there are %s", wording.Quote(name), presetNames())
	}
	exact, background := r.m.Preprocess.Exact, r.m.Preprocess.Background
	r.m.Preprocess = preset
	r.m.Preprocess.Exact, r.m.Preprocess.Background = exact, background
	return nil
}

func (r *manifestReader) resize(n *yaml.Node) error {
	s := &r.m.Preprocess.Resize
	if s.Filter == "" {
		s.Filter, s.Antialias = picture.Bilinear, true
	}
	err := r.mapping(n, "preprocess.resize", map[string]field{
		"mode":      choice(r.document, &s.Mode, "preprocess.resize.mode", picture.ShortSide, picture.Exact, picture.Letterbox),
		"size":      r.size(&s.Height, &s.Width, "preprocess.resize.size"),
		"filter":    choice(r.document, &s.Filter, "preprocess.resize.filter", picture.Nearest, picture.Bilinear, picture.Bicubic, picture.Lanczos),
		"antialias": r.boolean(&s.Antialias, "preprocess.resize.antialias"),
	})
	if err != nil {
		return err
	}
	if s.Mode == picture.NoResize {
		return r.fail(n, "preprocess.resize needs a mode: short-side, exact or letterbox")
	}
	return nil
}

// A rounding says where a centre crop begins when an odd number of pixels is
// left: as torchvision does, or as Hugging Face's and Keras' code does.
type rounding string

const (
	roundEven rounding = "even"
	roundDown rounding = "down"
)

func (r *manifestReader) crop(n *yaml.Node) error {
	var c picture.Crop
	rounding := roundEven
	err := r.mapping(n, "preprocess.crop", map[string]field{
		"size":     r.size(&c.Height, &c.Width, "preprocess.crop.size"),
		"fraction": r.positive(&c.Fraction, "preprocess.crop.fraction", 1),
		"rounding": choice(r.document, &rounding, "preprocess.crop.rounding", roundEven, roundDown),
	})
	if err != nil {
		return err
	}
	c.Floor = rounding == roundDown
	if (c.Height == 0) == (c.Fraction == 0) {
		return r.fail(n, "preprocess.crop needs either size or fraction")
	}
	r.m.Preprocess.Crop = c
	return nil
}

// size reads 224 or [height, width].
func (r *manifestReader) size(height, width *int, where string) field {
	return func(n *yaml.Node) error {
		if n.Kind == yaml.ScalarNode {
			if err := r.integer(height, where, 1, maxSide)(n); err != nil {
				return err
			}
			*width = *height
			return nil
		}
		if n.Kind != yaml.SequenceNode || len(n.Content) != 2 {
			return r.fail(n, "%s must be a number of pixels or [height, width], not %s", where, kindOf(n))
		}
		if err := r.integer(height, where, 1, maxSide)(n.Content[0]); err != nil {
			return err
		}
		return r.integer(width, where, 1, maxSide)(n.Content[1])
	}
}

// geometry checks what can be checked without the model.
func (r *manifestReader) geometry(n *yaml.Node) error {
	s, c := r.m.Preprocess.Resize, r.m.Preprocess.Crop
	switch {
	case s.Mode == picture.NoResize:
		return r.fail(n, "preprocess.resize is missing; pictures have any size, the model has one")
	case s.Mode == picture.ShortSide && s.Height != s.Width:
		return r.fail(n, "preprocess.resize.size is one number with mode short-side, not [%d, %d]", s.Height, s.Width)
	case s.Mode == picture.ShortSide && c.Height == 0 && c.Fraction == 0:
		return r.fail(n, "preprocess.crop is missing; with mode short-side the other side depends on the picture")
	case s.Height > 0 && c.Height > 0 && (c.Height > s.Height || c.Width > s.Width):
		return r.fail(n, "preprocess.crop takes %d x %d of a picture that preprocess.resize makes %d x %d (height x width)", c.Height, c.Width, s.Height, s.Width)
	case s.Height*s.Width > maxPixels && s.Mode != picture.ShortSide:
		return r.fail(n, "preprocess.resize makes %d x %d pixels; at most %d are made", s.Height, s.Width, maxPixels)
	}
	return nil
}

// rescale reads a number or a fraction like 1/255.
func (r *manifestReader) rescale(n *yaml.Node) error {
	const where = "preprocess.rescale"
	r.m.Preprocess.Written = true
	over, under, fraction := strings.Cut(n.Value, "/")
	if n.Kind != yaml.ScalarNode || !fraction {
		return r.positive(&r.m.Preprocess.Rescale, where, 1e6)(n)
	}
	a, errA := strconv.ParseFloat(strings.TrimSpace(over), 64)
	b, errB := strconv.ParseFloat(strings.TrimSpace(under), 64)
	v := a / b
	if errA != nil || errB != nil || math.IsNaN(v) || v <= 0 || v > 1e6 {
		return r.fail(n, "%s is %s; it must be a number greater than 0, or a fraction like 1/255", where, wording.Quote(n.Value))
	}
	r.m.Preprocess.Rescale = v
	return nil
}

// channels reads one number for all channels, or three. One for a grey picture
// may stand in brackets.
func (r *manifestReader) channels(into *[3]float64, where string) field {
	return func(n *yaml.Node) error {
		r.m.Preprocess.Written = true
		values := n.Content
		switch {
		case n.Kind == yaml.ScalarNode:
			values = []*yaml.Node{n, n, n}
		case n.Kind != yaml.SequenceNode:
			return r.fail(n, "%s must be a number or a list of three, not %s", where, kindOf(n))
		case len(values) == 1:
			values = []*yaml.Node{values[0], values[0], values[0]}
		case len(values) != 3:
			return r.fail(n, "%s has %d numbers; it must have 1 or 3", where, len(values))
		}
		for i, v := range values {
			if err := r.number(&into[i], fmt.Sprintf("%s[%d]", where, i))(v); err != nil {
				return err
			}
			if strings.HasSuffix(where, "std") && into[i] <= 0 {
				return r.fail(v, "%s[%d] is %s; the deviation is divided by and must be greater than 0", where, i, wording.Cut(v.Value))
			}
			if math.Abs(into[i]) > 1e6 {
				return r.fail(v, "%s[%d] is %s; more than a million fits no picture", where, i, wording.Cut(v.Value))
			}
		}
		return nil
	}
}

// background reads white, black, gray or [r, g, b].
func (r *manifestReader) background(n *yaml.Node) error {
	const where = "preprocess.background"
	b := &r.m.Preprocess.Background
	if n.Kind == yaml.ScalarNode {
		level, known := map[string]uint8{"white": 255, "gray": 128, "black": 0}[n.Value]
		if !known {
			return r.fail(n, "%s must be white, gray, black or [red, green, blue], not %s", where, kindOf(n))
		}
		*b = [3]uint8{level, level, level}
		return nil
	}
	if n.Kind != yaml.SequenceNode || len(n.Content) != 3 {
		return r.fail(n, "%s must be white, gray, black or [red, green, blue], not %s", where, kindOf(n))
	}
	for i, v := range n.Content {
		var level int
		if err := r.integer(&level, fmt.Sprintf("%s[%d]", where, i), 0, 255)(v); err != nil {
			return err
		}
		b[i] = uint8(level)
	}
	return nil
}
