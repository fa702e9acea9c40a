package model

import (
	"slices"
	"strings"

	"github.com/goshawk-ai/goshawk/internal/picture"
)

// A preset is a usual way of preparing pictures, under the name that people
// know it by.
type preset struct {
	name, says string
	resize     picture.Resize
	crop       int
	rescale    float64
	mean, std  [3]float64
	color      picture.Color
}

func side(mode picture.Mode, size int, filter picture.Filter) picture.Resize {
	return picture.Resize{Mode: mode, Width: size, Height: size, Filter: filter, Antialias: true}
}

func all(v float64) [3]float64 { return [3]float64{v, v, v} }

var (
	imagenetMean = [3]float64{0.485, 0.456, 0.406}
	imagenetStd  = [3]float64{0.229, 0.224, 0.225}
)

// The presets. Sizes: torchvision's references (256/224, since 2021 232/224),
// timm's crop fraction 0.875 (299/341), the CLIP and CIFAR-10 papers' figures.
var presets = []preset{
	{"imagenet", "torchvision's classic: short side 256, centre 224, bilinear", side(picture.ShortSide, 256, picture.Bilinear), 224, 1. / 255, imagenetMean, imagenetStd, picture.RGB},
	{"imagenet-bicubic", "the same with bicubic, as timm's networks want", side(picture.ShortSide, 256, picture.Bicubic), 224, 1. / 255, imagenetMean, imagenetStd, picture.RGB},
	{"imagenet-232", "torchvision's second weights: short side 232, centre 224, bilinear", side(picture.ShortSide, 232, picture.Bilinear), 224, 1. / 255, imagenetMean, imagenetStd, picture.RGB},
	{"inception", "short side 341, centre 299, bicubic, values from -1 to 1", side(picture.ShortSide, 341, picture.Bicubic), 299, 1. / 255, all(0.5), all(0.5), picture.RGB},
	{"mobilenet", "short side 256, centre 224, bilinear, values from -1 to 1", side(picture.ShortSide, 256, picture.Bilinear), 224, 1. / 255, all(0.5), all(0.5), picture.RGB},
	{"vit", "224 x 224 whatever the proportions, bilinear, values from -1 to 1", side(picture.Exact, 224, picture.Bilinear), 0, 1. / 255, all(0.5), all(0.5), picture.RGB},
	{"clip", "short side 224, centre 224, bicubic, CLIP's mean", side(picture.ShortSide, 224, picture.Bicubic), 224, 1. / 255, [3]float64{0.48145466, 0.4578275, 0.40821073}, [3]float64{0.26862954, 0.26130258, 0.27577711}, picture.RGB},
	{"caffe", "short side 256, centre 224, blue first, only the mean taken off", side(picture.ShortSide, 256, picture.Bilinear), 224, 1, [3]float64{104, 117, 123}, all(1), picture.BGR},
	{"cifar10", "32 x 32 whatever the proportions, CIFAR-10's mean", side(picture.Exact, 32, picture.Bilinear), 0, 1. / 255, [3]float64{0.4914, 0.4822, 0.4465}, [3]float64{0.2470, 0.2435, 0.2616}, picture.RGB},
	{"unit", "224 x 224 whatever the proportions, bilinear, values from 0 to 1", side(picture.Exact, 224, picture.Bilinear), 0, 1. / 255, all(0), all(1), picture.RGB},
}

// Presets lists the names and what they stand for, for help and reference.
func Presets() [][2]string {
	list := make([][2]string, len(presets))
	for i, p := range presets {
		list[i] = [2]string{p.name, p.says}
	}
	return list
}

func findPreset(name string) (Preprocess, bool) {
	i := slices.IndexFunc(presets, func(p preset) bool { return p.name == name })
	if i < 0 {
		return Preprocess{}, false
	}
	p := presets[i]
	return Preprocess{
		Preset: p.name, Resize: p.resize, Crop: picture.Crop{Width: p.crop, Height: p.crop},
		Rescale: p.rescale, Mean: p.mean, Std: p.std, Background: [3]uint8{255, 255, 255}, color: p.color,
	}, true
}

func presetNames() string {
	names := make([]string, len(presets))
	for i, p := range presets {
		names[i] = p.name
	}
	return strings.Join(names, ", ")
}
