package model

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/goshawk-ai/goshawk/internal/picture"
	"github.com/goshawk-ai/goshawk/internal/tensor"
	"github.com/goshawk-ai/goshawk/internal/wording"
)

// Bounds of an export's text files; ImageNet-21k's config.json has 1.3 MB.
const (
	maxConfig = 16 << 20
	maxPaper  = 1 << 20
)

// export makes a package of a Hugging Face export: config.json, a
// preprocessor_config.json (timm's have pretrained_cfg instead) and the ONNX
// file. Only these are read, by name; everything else in the folder stays there.
func (i *importer) export(dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	config, err := i.json(root, "config.json")
	if err != nil {
		return err
	}
	if config == nil {
		return i.noPackage(root)
	}
	file, err := findONNX(root)
	if err != nil {
		return err
	}
	data, err := readRoot(root, file, i.o.Limits.Bytes)
	if err != nil {
		return err
	}
	info, err := InspectONNX(data)
	if err != nil {
		return err
	}
	if err := isClassifier(config); err != nil {
		return err
	}
	return i.describe(root, config, info, data)
}

// describe writes what the export says as a package.
func (i *importer) describe(root *os.Root, config *settings, info ONNXInfo, data []byte) error {
	name, err := i.name()
	if err != nil {
		return err
	}
	m := Manifest{Kind: KindModel, Name: name, Description: i.o.Description, License: i.o.License, Model: modelName}
	if m.Preprocess, err = i.exported(root, config, info); err != nil {
		return err
	}
	labels, err := i.exportedLabels(config)
	if err != nil {
		return err
	}
	m.Input = Input{Tensor: hasNamed(info.Inputs, "pixel_values"), Layout: i.exportedLayout(info), Color: presetColor(m.Preprocess)}
	m.Output = Output{Tensor: hasNamed(info.Outputs, "logits"), Labels: labelsName, TopK: 5, Temperature: 1}
	if m.Output.Activation, err = activation(config, info, m.Output.Tensor); err != nil {
		return err
	}
	if err := i.make(m, labels, data); err != nil {
		return err
	}
	return i.papers(root)
}

// exportedLayout says NCHW where every size is symbolic, as optimum writes:
// transformers' pictures are channels first unless a file says otherwise.
func (i *importer) exportedLayout(info ONNXInfo) picture.Layout {
	in := info.Inputs[0]
	if i.o.Layout == "" && len(in.Shape) == 4 && in.Shape[1] < 0 && in.Shape[3] < 0 {
		return picture.NCHW
	}
	return i.o.Layout
}

func hasNamed(specs []tensor.Spec, name string) string {
	if slices.ContainsFunc(specs, func(s tensor.Spec) bool { return s.Name == name }) {
		return name
	}
	return ""
}

// json reads a file of settings; nil where there is none.
func (i *importer) json(root *os.Root, name string) (*settings, error) {
	if _, err := root.Lstat(name); err != nil {
		return nil, nil //nolint:nilerr // a file that is not there is an answer
	}
	data, err := readRoot(root, name, maxConfig)
	if err != nil {
		return nil, err
	}
	return parseSettings(name, data)
}

// readRoot reads a regular file by the rules of packages.
func readRoot(root *os.Root, name string, limit int64) ([]byte, error) {
	f, _, err := openRegular(root, name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readOpen(f, name, limit)
}

// noPackage says what a folder lacks, by what it has.
func (i *importer) noPackage(root *os.Root) error {
	entries, err := fs.ReadDir(root.FS(), ".")
	if err != nil {
		return err
	}
	what := wording.Quote(strings.TrimSuffix(path.Base(i.src), "/"))
	for _, e := range entries {
		switch name := e.Name(); {
		case name == "saved_model.pb":
			return refuse("%s is a TensorFlow SavedModel; convert it to ONNX", what)
		case name == "data.pkl" || name == "pytorch_model.bin" || strings.HasSuffix(name, ".pt") || strings.HasSuffix(name, ".safetensors"):
			return refuse("%s holds a PyTorch model; export it to ONNX", what)
		case strings.HasSuffix(name, ".h5"):
			return refuse("%s holds a Keras model; convert it to ONNX", what)
		}
	}
	return refuse("%s is missing in %s; it says how pictures are prepared and what the outputs mean (a Hugging Face export has config.json instead; a bare model is added by its .onnx file)", ManifestName, what)
}

// findONNX takes the model where exporters put it, or the only one that there is.
func findONNX(root *os.Root) (string, error) {
	var found []string
	for _, dir := range []string{"onnx", "."} {
		entries, err := fs.ReadDir(root.FS(), dir)
		if err != nil {
			continue
		}
		for _, e := range entries {
			name := path.Join(dir, e.Name())
			if e.Name() == "model.onnx" {
				return name, nil
			}
			if strings.HasSuffix(name, ".onnx") {
				found = append(found, name)
			}
		}
	}
	switch len(found) {
	case 0:
		return "", refuse("the export has a config.json and no ONNX model; export it with onnx/model.onnx")
	case 1:
		return found[0], nil
	}
	return "", refuse("the export has no model.onnx and several others: %s; give one of them alone", wording.QuoteAll(found))
}

// isClassifier refuses what the exporter says is none.
func isClassifier(config *settings) error {
	v := config.get("architectures")
	var list []string
	if v == nil {
		return nil
	}
	if json.Unmarshal(v, &list) != nil {
		return refuse("%s: architectures must be a list of names, not %s", config.file, show(v))
	}
	for _, a := range list {
		if strings.Contains(a, "ImageClassification") || strings.HasPrefix(a, "Timm") {
			return nil
		}
	}
	if len(list) == 0 {
		return nil
	}
	return refuse("%s: the export is a %s, no image classifier%s", config.file, wording.QuoteAll(list), notAPictureModel)
}

// activation follows problem_type.
func activation(config *settings, info ONNXInfo, output string) (Activation, error) {
	if a := endsIn(info, output); a == None {
		return a, nil
	}
	switch kind := config.text("problem_type"); kind {
	case "", "single_label_classification":
		return Softmax, config.err
	case "multi_label_classification":
		return Sigmoid, nil
	default:
		return "", refuse("%s: problem_type is %s, no classification", config.file, wording.Quote(kind))
	}
}

// exported finds the picture's way: a preprocessor's file, timm's settings, or
// the preset that was given.
func (i *importer) exported(root *os.Root, config *settings, info ONNXInfo) (Preprocess, error) {
	s, err := i.processorFile(root)
	if err != nil {
		return Preprocess{}, err
	}
	timm := config.get("pretrained_cfg")
	if (s != nil || timm != nil) && i.o.Preset != "" {
		return Preprocess{}, refuse("the export says itself how pictures are prepared; leave --preset out")
	}
	switch {
	case s != nil:
		return s.preprocess(config.text("model_type"))
	case timm != nil:
		t, err := parseSettings("config.json: pretrained_cfg", timm)
		if err != nil {
			return Preprocess{}, err
		}
		h, w := i.sides(info)
		return t.timm(h, w)
	case i.o.Preset != "":
		return i.preset(info)
	}
	return Preprocess{}, refuse("the export has no preprocessor_config.json, which says how pictures are prepared; say it with --preset (%s)", presetNames())
}

// processorFile reads preprocessor_config.json, or its part of the newer
// processor_config.json.
func (i *importer) processorFile(root *os.Root) (*settings, error) {
	s, err := i.json(root, "preprocessor_config.json")
	if s != nil || err != nil {
		return s, err
	}
	if s, err = i.json(root, "processor_config.json"); s == nil || err != nil {
		return nil, err
	}
	if part := s.get("image_processor"); part != nil {
		return parseSettings("processor_config.json: image_processor", part)
	}
	return nil, nil
}

// timm reads pretrained_cfg as timm.data does. h and w are the model's sides,
// 0 where open: a network that was exported at its test size is prepared so.
func (s *settings) timm(h, w int) (Preprocess, error) {
	size := s.timmSize("input_size", extent{height: 224, width: 224})
	pct := s.number("crop_pct", 0.875)
	if test := s.timmSize("test_input_size", extent{}); test.height > 0 && h == test.height && w == test.width && size != test {
		size, pct = test, s.number("test_crop_pct", pct)
	}
	name := s.text("interpolation")
	filter := picture.Filter(name)
	switch name {
	case "":
		filter = picture.Bicubic
	case "nearest", "bilinear", "bicubic", "lanczos":
	default:
		s.fail("interpolation %s is not supported; nearest, bilinear, bicubic and lanczos are", wording.Quote(name))
	}
	if pct > 1 {
		s.fail("crop_pct is %g; it must be at most 1", pct)
	}
	out := Preprocess{
		Background: [3]uint8{255, 255, 255}, Rescale: 1. / 255, Written: true,
		Mean: s.triple("mean", imagenetMean), Std: s.triple("std", imagenetStd),
		Crop: picture.Crop{Height: size.height, Width: size.width},
	}
	scaled := extent{height: int(float64(size.height) / pct), width: int(float64(size.width) / pct)}
	out.Resize = picture.Resize{Mode: picture.ShortSide, Height: scaled.height, Width: scaled.width, Filter: filter, Antialias: true}
	switch mode := s.text("crop_mode"); {
	case mode == "squash":
		out.Resize.Mode = picture.Exact
	case mode != "" && mode != "center":
		s.fail("crop_mode %s is not supported; center and squash are", wording.Quote(mode))
	case size.height != size.width:
		s.fail("input_size is %d x %d with crop_mode center; only squares are supported there", size.height, size.width)
	}
	return out, s.err
}

// timmSize reads [channels, height, width].
func (s *settings) timmSize(key string, otherwise extent) extent {
	v := s.get(key)
	if v == nil {
		return otherwise
	}
	var list []int
	if json.Unmarshal(v, &list) != nil || len(list) != 3 {
		s.fail("%s must be [channels, height, width], not %s", key, show(v))
		return otherwise
	}
	return s.bounded(key, extent{height: list[1], width: list[2]})
}

// exportedLabels reads id2label, or timm's label_names.
func (i *importer) exportedLabels(config *settings) ([]Label, error) {
	if i.o.Labels != "" {
		return i.labels()
	}
	labels, err := idLabels(config)
	if err == nil && labels == nil {
		labels, err = timmLabels(config)
	}
	if err != nil {
		return nil, err
	}
	if labels == nil {
		return nil, refuse("%s names no labels (id2label); give them as --labels FILE", config.file)
	}
	for n, l := range labels {
		labels[n] = Label{strings.TrimSpace(l.Name), strings.TrimSpace(l.Description)}
		if why := badLabel(labels[n]); why != "" {
			return nil, refuse("%s: class %d: %s", config.file, n, why)
		}
	}
	if labels[0].Name == "LABEL_0" {
		i.notes = append(i.notes, "the labels are the exporter's placeholders (LABEL_0, …); add the model with --labels FILE to give it real ones")
	}
	return i.tellApart(labels), nil
}

func idLabels(config *settings) ([]Label, error) {
	v := config.get("id2label")
	if v == nil {
		return nil, nil
	}
	var named map[string]string
	if json.Unmarshal(v, &named) != nil || len(named) == 0 || len(named) > maxLabels {
		return nil, refuse("%s: id2label must be an object of class numbers and names, not %s", config.file, show(v))
	}
	labels := make([]Label, len(named))
	for key, name := range named {
		n, err := strconv.Atoi(key)
		if err != nil || n < 0 || n >= len(labels) || strconv.Itoa(n) != key {
			return nil, refuse("%s: id2label has %d classes and the class number %s; the numbers must be 0 to %d", config.file, len(labels), wording.Quote(key), len(labels)-1)
		}
		labels[n].Name = name
	}
	var count int
	if v := config.get("num_labels"); v != nil && json.Unmarshal(v, &count) == nil && count != len(labels) {
		return nil, refuse("%s: num_labels is %d and id2label has %d", config.file, count, len(labels))
	}
	return labels, nil
}

func timmLabels(config *settings) ([]Label, error) {
	v := config.get("label_names")
	if v == nil {
		return nil, nil
	}
	var list []string
	if json.Unmarshal(v, &list) != nil || len(list) == 0 || len(list) > maxLabels {
		return nil, refuse("%s: label_names must be a list of names, not %s", config.file, show(v))
	}
	described := map[string]string{}
	if v := config.get("label_descriptions"); v != nil && json.Unmarshal(v, &described) != nil {
		return nil, refuse("%s: label_descriptions must be an object of names and texts, not %s", config.file, show(v))
	}
	labels := make([]Label, len(list))
	for n, name := range list {
		labels[n] = Label{Name: name, Description: described[name]}
	}
	return labels, nil
}

// papers keeps the model card and the licence beside the model.
func (i *importer) papers(root *os.Root) error {
	for _, name := range []string{"README.md", "LICENSE", "LICENSE.txt", "LICENSE.md", "NOTICE"} {
		if info, err := root.Lstat(name); err != nil || !info.Mode().IsRegular() || info.Size() > maxPaper {
			continue
		}
		data, err := readRoot(root, name, maxPaper)
		if err != nil {
			return err
		}
		if err := os.WriteFile(path.Join(i.dst, name), data, 0o644); err != nil {
			return fmt.Errorf("write %s: %w", name, err)
		}
	}
	return nil
}
