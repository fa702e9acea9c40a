package model

import (
	"math"
	"strings"

	"github.com/goshawk-ai/goshawk/internal/picture"
	"github.com/goshawk-ai/goshawk/internal/wording"
)

// A processor is one of transformers' image processors: what its settings are
// when a file leaves them out, and which of its steps are its own. Read from
// huggingface/transformers 4.57.1 (models/*/image_processing_*.py, with and
// without _fast) and 5.23.0 (with and without _pil), and run with both:
// test/golden/make_processors.py. Where the two releases differ in what is left
// out, the setting is among must: nothing is guessed.
type processor struct {
	size      extent
	square    bool // a bare number as size means both sides
	resample  int  // Pillow's code
	crop      int  // side of the centre crop; 0: none unless switched on
	cropSide  int  // where the crop is off by default
	mean, std [3]float64
	normalize bool
	cropPct   float64
	own       ownSteps
	must      []string // settings that a file has to name
}

// ownSteps are what a processor does in a way of its own.
type ownSteps int

const (
	plain        ownSteps = iota
	convNext              // crop_pct below 384 pixels, no crop above
	poolFormer            // crop_pct of whatever size is given
	levit                 // the short side is 256/224 of what is given
	efficientNet          // an offset of 1 after scaling, a second division by std
	mobileViT             // blue first
)

var (
	clipMean = [3]float64{0.48145466, 0.4578275, 0.40821073}
	clipStd  = [3]float64{0.26862954, 0.26130258, 0.27577711}
)

func sides(n int) extent { return extent{height: n, width: n} }
func short(n int) extent { return extent{short: n} }

var processors = map[string]processor{
	"ViT":          {size: sides(224), square: true, resample: 2, mean: all(0.5), std: all(0.5), normalize: true},
	"DINOv3ViT":    {size: sides(224), square: true, resample: 2, mean: imagenetMean, std: imagenetStd, normalize: true},
	"DeiT":         {size: sides(256), square: true, resample: 3, crop: 224, mean: all(0.5), std: all(0.5), normalize: true},
	"Beit":         {square: true, resample: 3, cropSide: 224, mean: all(0.5), std: all(0.5), normalize: true, must: []string{"size", "do_center_crop"}},
	"Siglip":       {size: sides(224), resample: 3, mean: all(0.5), std: all(0.5), normalize: true},
	"Pvt":          {size: sides(224), square: true, mean: imagenetMean, std: imagenetStd, normalize: true, must: []string{"resample"}},
	"Segformer":    {size: sides(512), square: true, resample: 2, mean: imagenetMean, std: imagenetStd, normalize: true},
	"CLIP":         {size: short(224), resample: 3, crop: 224, mean: clipMean, std: clipStd, normalize: true},
	"Bit":          {size: short(224), resample: 3, crop: 224, mean: clipMean, std: clipStd, normalize: true},
	"MobileNetV1":  {size: short(256), resample: 2, crop: 224, mean: all(0.5), std: all(0.5), normalize: true},
	"MobileNetV2":  {size: short(256), resample: 2, crop: 224, mean: all(0.5), std: all(0.5), normalize: true},
	"ConvNext":     {size: short(384), mean: all(0.5), std: all(0.5), normalize: true, cropPct: 0.875, own: convNext, must: []string{"resample"}},
	"PoolFormer":   {size: short(224), resample: 3, crop: 224, mean: imagenetMean, std: imagenetStd, normalize: true, cropPct: 0.9, own: poolFormer},
	"Levit":        {size: short(224), resample: 3, crop: 224, mean: imagenetMean, std: imagenetStd, normalize: true, own: levit},
	"EfficientNet": {size: sides(346), square: true, cropSide: 289, mean: all(0.5), std: all(0.5), normalize: true, own: efficientNet, must: []string{"resample"}},
	"MobileViT":    {size: short(224), crop: 256, mean: all(0.5), std: all(0.5), own: mobileViT, must: []string{"resample"}},
}

// processorOf maps config.json's model_type, for files without a processor's name.
var processorOf = map[string]string{
	"vit": "ViT", "vit_msn": "ViT", "swin": "ViT", "swinv2": "ViT", "swiftformer": "ViT", "dinat": "ViT", "ijepa": "ViT",
	"dinov3_vit": "DINOv3ViT", "deit": "DeiT", "beit": "Beit", "data2vec-vision": "Beit",
	"siglip": "Siglip", "pvt": "Pvt", "pvt_v2": "Pvt", "segformer": "Segformer", "clip": "CLIP",
	"bit": "Bit", "dinov2": "Bit", "focalnet": "Bit", "hiera": "Bit",
	"mobilenet_v1": "MobileNetV1", "mobilenet_v2": "MobileNetV2", "convnext": "ConvNext", "convnextv2": "ConvNext",
	"cvt": "ConvNext", "resnet": "ConvNext", "regnet": "ConvNext", "poolformer": "PoolFormer", "levit": "Levit",
	"efficientnet": "EfficientNet", "mobilevit": "MobileViT", "mobilevitv2": "MobileViT",
}

// resamples are Pillow's codes.
var resamples = map[int]picture.Filter{0: picture.Nearest, 1: picture.Lanczos, 2: picture.Bilinear, 3: picture.Bicubic}

// inert are settings without an effect on a classifier's picture: every picture
// is made RGB here, and the tensor's layout is the model's.
var inert = []string{
	"_processor_class", "_valid_processor_keys", "data_format", "default_to_square", "device", "disable_grouping",
	"do_convert_rgb", "do_reduce_labels", "feature_extractor_type", "image_processor_type", "input_data_format",
	"processor_class", "reduce_labels", "return_tensors", "transformers_version", "use_fast", "num_channels",
}

// processorName finds the kind of processor that a file was written by.
func (s *settings) processorName(modelType string) string {
	name := s.text("image_processor_type")
	if name == "" {
		name = s.text("feature_extractor_type")
	}
	if name == "" {
		return processorOf[modelType]
	}
	for _, ending := range []string{"ImageProcessorFast", "ImageProcessorPil", "ImageProcessor", "FeatureExtractor"} {
		if short, found := strings.CutSuffix(name, ending); found {
			return short
		}
	}
	return name
}

// preprocess turns preprocessor_config.json into a recipe.
func (s *settings) preprocess(modelType string) (Preprocess, error) {
	name := s.processorName(modelType)
	p, known := processors[name]
	if s.err == nil && !known {
		s.fail("the image processor %s is not known; write a %s that says how pictures are prepared", wording.Quote(name), ManifestName)
	}
	for _, key := range p.must {
		if s.get(key) == nil {
			s.fail("%s is missing, and releases 4 and 5 of transformers differ in what that means for the image processor %s; write it", key, name)
		}
	}
	if s.err != nil {
		return Preprocess{}, s.err
	}
	out := Preprocess{Background: [3]uint8{255, 255, 255}, Rescale: 1, Std: all(1), Written: true}
	s.resize(&out, p, name)
	s.levels(&out, p, name)
	if s.err == nil && s.does("do_flip_channel_order", p.own == mobileViT) {
		if p.own != mobileViT {
			s.fail("do_flip_channel_order is not supported with the image processor %s", name)
		}
		out.color = picture.BGR
	}
	return out, s.rest(inert...)
}

// does reads a switch. One that is on where nothing is said must not be null:
// release 4 takes that for off, and release 5 for nothing said.
func (s *settings) does(key string, otherwise bool) bool {
	if otherwise && string(s.values[key]) == "null" {
		s.fail("%s is null, which switches it off in some releases of transformers and leaves it on in others; write true or false", key)
	}
	return s.boolean(key, otherwise)
}

// added refuses a switch that release 4 passes over and release 5 obeys.
func (s *settings) added(key, name string) {
	if s.boolean(key, false) {
		s.fail("%s is true, which the image processor %s passes over in some releases of transformers and does in others; write a %s that says how pictures are prepared", key, name, ManifestName)
	}
}

// resize reads the steps that change the picture's size.
func (s *settings) resize(out *Preprocess, p processor, name string) {
	code := int(s.number0("resample", p.resample))
	filter, known := resamples[code]
	if !known {
		called := map[int]string{4: " (box)", 5: " (hamming)"}[code] // Pillow has no others
		s.fail("resample %d%s is not supported; 0 nearest, 1 lanczos, 2 bilinear and 3 bicubic are", code, called)
		return
	}
	if !s.does("do_resize", true) {
		s.fail("do_resize is false: pictures of any size would reach the model as they are")
		return
	}
	square := p.square
	if v := s.get("default_to_square"); v != nil {
		square = s.boolean("default_to_square", square)
	}
	size := s.extent("size", square, p.size)
	if p.own == convNext && size.short == 0 {
		s.fail("size must be one number or shortest_edge for the image processor %s", name)
	}
	pct := p.fraction(s)
	crop := s.crop(p, name)
	if s.err != nil {
		return
	}
	if size, crop = p.steps(size, crop, pct); size.short > 0 && crop == (extent{}) {
		s.fail("size.shortest_edge without a centre crop leaves the other side to the picture")
		return
	}
	out.Resize = picture.Resize{Mode: picture.Exact, Height: size.height, Width: size.width, Filter: filter, Antialias: true}
	if size.short > 0 {
		out.Resize.Mode, out.Resize.Height, out.Resize.Width = picture.ShortSide, size.short, size.short
	}
	if crop.short > 0 {
		s.fail("crop_size must be height and width")
	}
	if crop.height > 0 {
		out.Crop = picture.Crop{Height: crop.height, Width: crop.width, Floor: true}
	}
	if r := out.Resize; crop.height > r.Height || crop.width > r.Width {
		s.fail("the centre crop takes %d x %d of %d x %d (height x width), which would be padded; that is not supported", crop.height, crop.width, r.Height, r.Width)
	}
}

// fraction reads how much of the resized picture the crop takes.
func (p processor) fraction(s *settings) float64 {
	if p.own != convNext && p.own != poolFormer {
		return 0
	}
	if p.own == poolFormer && string(s.values["crop_pct"]) == "null" {
		s.fail("crop_pct is null, which means none in some releases of transformers and 0.9 in others; write a %s that says how pictures are prepared", ManifestName)
	}
	pct := s.number("crop_pct", p.cropPct)
	if pct > 1 {
		s.fail("crop_pct is %g; it must be at most 1", pct)
	}
	return pct
}

// crop reads the centre crop; none is zero.
func (s *settings) crop(p processor, name string) extent {
	side := max(p.crop, p.cropSide)
	if side == 0 {
		s.added("do_center_crop", name)
	}
	if side == 0 || !s.does("do_center_crop", p.crop > 0) {
		s.get("crop_size") // without effect
		return extent{}
	}
	return s.extent("crop_size", true, sides(side))
}

// steps does what a processor does to its sizes. Quotients are rounded down.
func (p processor) steps(size, crop extent, pct float64) (extent, extent) {
	switch p.own {
	case convNext:
		if size.short >= 384 {
			return sides(size.short), extent{}
		}
		if size.short > 0 {
			return short(int(float64(size.short) / pct)), sides(size.short)
		}
	case poolFormer:
		switch {
		case size.short > 0:
			return short(int(float64(size.short) / pct)), crop
		case size.height == size.width:
			return short(int(float64(size.height) / pct)), crop
		}
		return extent{height: int(float64(size.height) / pct), width: int(float64(size.width) / pct)}, crop
	case levit:
		if size.short > 0 {
			ratio := float64(256) / 224
			return short(int(ratio * float64(size.short))), crop
		}
	}
	return size, crop
}

// number0 reads a whole number from 0.
func (s *settings) number0(key string, otherwise int) float64 {
	v := s.get(key)
	if v == nil || string(v) == "0" {
		if v != nil {
			return 0
		}
		return float64(otherwise)
	}
	n := s.number(key, float64(otherwise))
	if n != math.Trunc(n) {
		s.fail("%s must be a whole number, not %s", key, show(v))
	}
	return n
}

// levels reads the steps that change the numbers.
func (s *settings) levels(out *Preprocess, p processor, name string) {
	offset := 0.
	if s.does("do_rescale", true) {
		out.Rescale = s.number("rescale_factor", 1./255)
		if p.own == efficientNet && s.boolean("rescale_offset", false) {
			offset = 1 // once 127.5 times the factor, which is the same at the 1/127.5 that it is meant for
		}
	} else {
		s.get("rescale_factor")
		s.get("rescale_offset")
	}
	mean, std := s.triple("image_mean", p.mean), s.triple("image_std", p.std)
	if !p.normalize {
		s.added("do_normalize", name)
	} else if s.does("do_normalize", true) {
		out.Mean, out.Std = mean, std
	}
	for c := range 3 {
		out.Mean[c] += offset
	}
	if p.own == efficientNet && s.does("include_top", true) {
		// EfficientNet divides by the deviation once more for its classifier.
		for c := range 3 {
			out.Std[c] *= std[c]
		}
	}
	s.sane("image_mean", out.Mean)
	s.sane("image_std", out.Std)
}
