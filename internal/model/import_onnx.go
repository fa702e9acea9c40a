package model

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/goshawk-ai/goshawk/internal/picture"
	"github.com/goshawk-ai/goshawk/internal/tensor"
	"github.com/goshawk-ai/goshawk/internal/wording"
)

// The names of the files that Import writes.
const (
	modelName  = "model.onnx"
	labelsName = "labels.txt"
)

// bare makes a package of a model file, labels and a preset.
func (i *importer) bare(f *os.File, length int64) error {
	if length > i.o.Limits.Bytes {
		return refuse("the model has %d bytes; at most %d are taken", length, i.o.Limits.Bytes)
	}
	data := make([]byte, length)
	if _, err := io.ReadFull(f, data); err != nil {
		return err
	}
	info, err := InspectONNX(data)
	if err != nil {
		return err
	}
	name, err := i.name()
	if err != nil {
		return err
	}
	m := Manifest{Kind: KindModel, Name: name, Description: i.o.Description, License: i.o.License, Model: modelName}
	if i.o.Kind == KindTensor {
		m.Kind = KindTensor
		return i.make(m, nil, data)
	}
	labels, err := i.labels()
	if err != nil {
		return err
	}
	if m.Preprocess, err = i.preset(info); err != nil {
		return err
	}
	m.Input = Input{Layout: i.o.Layout, Color: presetColor(m.Preprocess)}
	m.Output = Output{Labels: labelsName, TopK: 5, Temperature: 1, Activation: endsIn(info, "")}
	return i.make(m, labels, data)
}

// presetColor writes only what differs from RGB: one channel must stay grey.
func presetColor(p Preprocess) picture.Color {
	if p.color == picture.BGR {
		return picture.BGR
	}
	return ""
}

// endsIn chooses the activation by the operator that makes the scores: what
// ends in Softmax or Sigmoid gives probabilities already.
func endsIn(info ONNXInfo, output string) Activation {
	if output == "" && len(info.Outputs) == 1 {
		output = info.Outputs[0].Name
	}
	if op := info.Makers[output]; op == "Softmax" || op == "Sigmoid" {
		return None
	}
	return Softmax
}

// labels reads the label file. Lists from elsewhere repeat names (ImageNet has
// two cranes): those are told apart by their class number.
func (i *importer) labels() ([]Label, error) {
	if i.o.Labels == "" {
		return nil, refuse("a bare model needs its labels: a file with one a line, in the order of the classes, as --labels FILE%s", notAPictureModel)
	}
	base := filepath.Base(i.o.Labels)
	f, err := os.Open(i.o.Labels)
	if err != nil {
		return nil, refuse("the label file %s cannot be read: %s", wording.Quote(i.o.Labels), reason(err)).Because(err)
	}
	defer f.Close()
	if s, err := f.Stat(); err != nil || !s.Mode().IsRegular() {
		return nil, refuse("the label file %s is no regular file", wording.Quote(i.o.Labels))
	}
	text, err := io.ReadAll(io.LimitReader(f, maxLabelFile+1))
	if err != nil {
		return nil, err
	}
	labels, err := readLabels(base, text)
	if err != nil {
		return nil, err
	}
	return i.tellApart(labels), nil
}

// tellApart numbers labels that occur more than once.
func (i *importer) tellApart(labels []Label) []Label {
	count := make(map[string]int, len(labels))
	for _, l := range labels {
		count[l.Name]++
	}
	var twice []string
	for n := range labels {
		name := labels[n].Name
		if count[name] < 2 {
			continue
		}
		if !slices.Contains(twice, name) {
			twice = append(twice, name)
		}
		for labels[n].Name = fmt.Sprintf("%s (%d)", name, n); count[labels[n].Name] > 0; {
			labels[n].Name += "'"
		}
	}
	if len(twice) > 0 {
		i.notes = append(i.notes, fmt.Sprintf("more than one class is called %s; their numbers were added to tell them apart", wording.QuoteAll(twice)))
	}
	return labels
}

// preset fits a preset to the size that the model declares.
func (i *importer) preset(info ONNXInfo) (Preprocess, error) {
	if i.o.Preset == "" {
		return Preprocess{}, refuse("how pictures are prepared for the model cannot be guessed; say it with --preset (%s), or write a %s", presetNames(), ManifestName)
	}
	p, known := findPreset(i.o.Preset)
	if !known {
		return p, refuse("there is no preset %s; there are %s", wording.Quote(i.o.Preset), presetNames())
	}
	if len(info.Inputs) == 1 && isInteger(info.Inputs[0].Type) {
		p.Rescale, p.Mean, p.Std = 1, [3]float64{}, all(1)
		i.notes = append(i.notes, fmt.Sprintf("the model takes %s, so pixels are given as they are, 0 to 255, without the preset's rescale, mean and std", info.Inputs[0].Type))
	}
	h, w := i.sides(info)
	if h < 1 || w < 1 || h > maxSide || w > maxSide {
		return p, nil
	}
	return p, i.fit(&p, h, w)
}

func isInteger(t tensor.Type) bool {
	return t == tensor.Uint8 || t == tensor.Int8 || t == tensor.Int32 || t == tensor.Int64
}

// sides are the model's height and width, 0 where they are open or unclear.
func (i *importer) sides(info ONNXInfo) (h, w int) {
	in := info.Inputs[0]
	if len(info.Inputs) != 1 || len(in.Shape) != 4 {
		return 0, 0
	}
	layout := i.o.Layout
	if layout == "" {
		b := &binder{Binding: Binding{Input: in}, m: &Manifest{}}
		var err error
		if layout, err = b.readLayout(in.Shape[1:]); err != nil {
			return 0, 0 // Bind will say so
		}
	}
	if layout == picture.NHWC {
		return int(in.Shape[1]), int(in.Shape[2])
	}
	return int(in.Shape[2]), int(in.Shape[3])
}

// fit keeps a preset's proportion of crop to resize at the model's size.
func (i *importer) fit(p *Preprocess, h, w int) error {
	switch {
	case p.Resize.Mode != picture.ShortSide:
		p.Resize.Height, p.Resize.Width = h, w
	case h == p.Crop.Height && w == p.Crop.Width:
	case h != w:
		return refuse("the preset %s makes squares and the model takes %d x %d (height x width); write a %s that says how", i.o.Preset, h, w, ManifestName)
	default:
		side := int(float64(h) * float64(p.Resize.Height) / float64(p.Crop.Height))
		i.notes = append(i.notes, fmt.Sprintf("the model takes %d x %d, so the short side is made %d, in the proportion of the preset %s", h, w, side, i.o.Preset))
		p.Resize.Height, p.Resize.Width = side, side
		p.Crop = picture.Crop{Height: h, Width: w}
	}
	return nil
}

// make writes the package.
func (i *importer) make(m Manifest, labels []Label, model []byte) error {
	if err := os.Mkdir(i.dst, 0o755); err != nil {
		return err
	}
	var list strings.Builder
	for _, l := range labels {
		list.WriteString(l.Name)
		if l.Description != "" {
			list.WriteString("\t" + l.Description)
		}
		list.WriteByte('\n')
	}
	files := []struct {
		name string
		data []byte
	}{{ManifestName, m.Marshal()}, {modelName, model}}
	if labels != nil {
		files = append(files, struct {
			name string
			data []byte
		}{labelsName, []byte(list.String())})
	}
	errs := make([]error, 0, len(files))
	for _, f := range files {
		errs = append(errs, os.WriteFile(filepath.Join(i.dst, f.name), f.data, 0o644))
	}
	return errors.Join(errs...)
}
