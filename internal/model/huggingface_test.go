package model_test

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/goshawk-ai/goshawk/internal/infer/backendtest/onnxgen"
	"github.com/goshawk-ai/goshawk/internal/model"
	"github.com/goshawk-ai/goshawk/internal/picture"
	"github.com/goshawk-ai/goshawk/internal/problem"
	"github.com/goshawk-ai/goshawk/internal/tensor"
)

// optimum is an ONNX file as optimum writes it: every size symbolic.
func optimum() string {
	return string(onnxgen.Model{Graph: onnxgen.Graph{
		Inputs:  []onnxgen.Value{{Name: "pixel_values", Type: tensor.Float32, Shape: []any{"batch_size", "num_channels", "height", "width"}}},
		Outputs: []onnxgen.Value{{Name: "logits", Type: tensor.Float32, Shape: []any{"batch_size", 3}}},
		Nodes:   []onnxgen.Node{{Op: "Gemm", Out: []string{"logits"}}},
	}}.Bytes())
}

const threeLabels = `"architectures": ["ViTForImageClassification"], "model_type": "vit", "id2label": {"0": "cat", "2": "bird", "1": "dog, domestic dog"}`

// export is an export's folder with these settings.
func export(preprocessor string) map[string]string {
	return map[string]string{
		"config.json": "{" + threeLabels + "}", "preprocessor_config.json": preprocessor,
		"onnx/model.onnx": optimum(), "onnx/model_quantized.onnx": "x", "model.safetensors": "x",
		"README.md": "# card\n", "tokenizer.json": "{}",
	}
}

func importFiles(t *testing.T, files map[string]string, o model.ImportOptions) (*model.Package, string, error) {
	t.Helper()
	dst := filepath.Join(t.TempDir(), "p")
	p, err := model.Import(t.Context(), write(t, filepath.Join(t.TempDir(), "vit-base"), files), dst, o)
	return p, dst, err
}

func TestAnExportBecomesAPackage(t *testing.T) {
	files := export(`{"image_processor_type": "ViTImageProcessor"}`)
	p, dst, err := importFiles(t, files, model.ImportOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if p.Manifest.Name != "vit-base" || p.Manifest.Input.Tensor != "pixel_values" || p.Manifest.Input.Layout != picture.NCHW || p.Manifest.Output.Tensor != "logits" {
		t.Errorf("got %+v", p.Manifest)
	}
	want := []model.Label{{Name: "cat"}, {Name: "dog, domestic dog"}, {Name: "bird"}}
	if diff := cmp.Diff(want, p.Labels); diff != "" {
		t.Errorf("labels, -want +got:\n%s", diff)
	}
	got := read(t, dst)
	for _, name := range []string{"goshawk.yaml", "model.onnx", "labels.txt", "README.md"} {
		if got[name] == "" {
			t.Errorf("%s is missing in the package", name)
		}
	}
	if len(got) != 4 {
		t.Errorf("the package holds %d files; what serving does not need must stay outside", len(got))
	}
	info, err := model.InspectONNX([]byte(optimum()))
	if err != nil {
		t.Fatal(err)
	}
	if b, err := model.Bind(p, info.Inputs, info.Outputs); err != nil || b.Recipe.Height != 224 || b.Classes != 3 {
		t.Errorf("%+v, %v: what was written must fit the model", b, err)
	}
	inFolder := map[string]string{}
	for name, text := range files {
		inFolder["vit-base/"+name] = text
	}
	zipped, _, err := add(t, "vit-base.zip", zipOf(t, entries(inFolder)), model.ImportOptions{})
	if err != nil || zipped.Digest != p.Digest {
		t.Errorf("as an archive: %v, %v; want the same package", zipped, err)
	}
}

// TestProcessorsAreUnderstood: what each of transformers' processors does with
// such a file, by its code.
func TestProcessorsAreUnderstood(t *testing.T) {
	type recipe struct {
		mode      picture.Mode
		size      int
		filter    picture.Filter
		crop      int
		rescale   float64
		mean, std float64 // of the first channel
	}
	const r = 1. / 255
	for _, c := range []struct {
		json string
		want recipe
	}{
		{`{"image_processor_type": "ViTImageProcessor"}`, recipe{picture.Exact, 224, picture.Bilinear, 0, r, 0.5, 0.5}},
		{`{}`, recipe{picture.Exact, 224, picture.Bilinear, 0, r, 0.5, 0.5}}, // config.json says vit
		{`{"feature_extractor_type": "ViTFeatureExtractor", "size": 384, "resample": 3, "image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}`, recipe{picture.Exact, 384, picture.Bicubic, 0, r, 0.485, 0.229}},
		{`{"image_processor_type": "ViTImageProcessorFast", "crop_size": null, "default_to_square": true, "do_center_crop": null, "do_convert_rgb": null, "do_normalize": true, "do_rescale": true, "do_resize": true, "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5], "resample": 2, "rescale_factor": 0.00392156862745098, "size": {"height": 224, "width": 224}}`, recipe{picture.Exact, 224, picture.Bilinear, 0, r, 0.5, 0.5}},
		{`{"image_processor_type": "DeiTImageProcessor"}`, recipe{picture.Exact, 256, picture.Bicubic, 224, r, 0.5, 0.5}},
		{`{"image_processor_type": "DeiTFeatureExtractor", "do_center_crop": true, "crop_size": 224, "size": 256, "resample": 3}`, recipe{picture.Exact, 256, picture.Bicubic, 224, r, 0.5, 0.5}},
		{`{"image_processor_type": "BeitImageProcessor", "do_center_crop": false, "size": {"height": 224, "width": 224}}`, recipe{picture.Exact, 224, picture.Bicubic, 0, r, 0.5, 0.5}},
		{`{"image_processor_type": "SiglipImageProcessor"}`, recipe{picture.Exact, 224, picture.Bicubic, 0, r, 0.5, 0.5}},
		{`{"image_processor_type": "CLIPImageProcessor", "do_convert_rgb": true}`, recipe{picture.ShortSide, 224, picture.Bicubic, 224, r, 0.48145466, 0.26862954}},
		{`{"image_processor_type": "BitImageProcessor", "size": {"shortest_edge": 256}, "crop_size": {"height": 224, "width": 224}, "image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}`, recipe{picture.ShortSide, 256, picture.Bicubic, 224, r, 0.485, 0.229}},
		{`{"image_processor_type": "MobileNetV2ImageProcessor", "size": 256}`, recipe{picture.ShortSide, 256, picture.Bilinear, 224, r, 0.5, 0.5}},
		{`{"image_processor_type": "MobileNetV1ImageProcessor"}`, recipe{picture.ShortSide, 256, picture.Bilinear, 224, r, 0.5, 0.5}},
		{`{"image_processor_type": "ConvNextImageProcessor", "size": {"shortest_edge": 224}, "crop_pct": 0.875, "resample": 3}`, recipe{picture.ShortSide, 256, picture.Bicubic, 224, r, 0.5, 0.5}},
		{`{"image_processor_type": "ConvNextFeatureExtractor", "size": 224, "crop_pct": null, "resample": 3}`, recipe{picture.ShortSide, 256, picture.Bicubic, 224, r, 0.5, 0.5}},
		{`{"image_processor_type": "ConvNextImageProcessor", "size": {"shortest_edge": 256}, "crop_pct": 0.95, "resample": 3}`, recipe{picture.ShortSide, 269, picture.Bicubic, 256, r, 0.5, 0.5}},
		{`{"image_processor_type": "ConvNextImageProcessor", "crop_pct": 0.95, "resample": 3}`, recipe{picture.Exact, 384, picture.Bicubic, 0, r, 0.5, 0.5}},
		{`{"image_processor_type": "PoolFormerImageProcessor"}`, recipe{picture.ShortSide, 248, picture.Bicubic, 224, r, 0.485, 0.229}},
		{`{"image_processor_type": "PoolFormerImageProcessor", "size": {"height": 224, "width": 224}, "crop_pct": 0.95}`, recipe{picture.ShortSide, 235, picture.Bicubic, 224, r, 0.485, 0.229}},
		{`{"image_processor_type": "LevitImageProcessor"}`, recipe{picture.ShortSide, 256, picture.Bicubic, 224, r, 0.485, 0.229}},
		{`{"image_processor_type": "SegformerImageProcessor", "do_reduce_labels": true}`, recipe{picture.Exact, 512, picture.Bilinear, 0, r, 0.485, 0.229}},
		{`{"image_processor_type": "PvtImageProcessor", "resample": 0}`, recipe{picture.Exact, 224, picture.Nearest, 0, r, 0.485, 0.229}},
		{`{"image_processor_type": "ViTImageProcessor", "resample": 1}`, recipe{picture.Exact, 224, picture.Lanczos, 0, r, 0.5, 0.5}},
		{`{"image_processor_type": "ViTImageProcessor", "do_rescale": false, "do_normalize": false}`, recipe{picture.Exact, 224, picture.Bilinear, 0, 1, 0, 1}},
		{`{"image_processor_type": "ViTImageProcessor", "rescale_factor": 0.5, "image_mean": 3, "image_std": [2]}`, recipe{picture.Exact, 224, picture.Bilinear, 0, 0.5, 3, 2}},
		{`{"image_processor_type": "ViTImageProcessor", "do_pad": false, "pad_size": null, "data_format": "channels_first"}`, recipe{picture.Exact, 224, picture.Bilinear, 0, r, 0.5, 0.5}},
		// EfficientNet: x * scale - 1, minus mean, divided by std twice.
		{`{"image_processor_type": "EfficientNetImageProcessor", "size": {"height": 224, "width": 224}, "resample": 0, "rescale_offset": false, "image_mean": [0.485, 0.456, 0.406], "image_std": [0.5, 0.5, 0.5], "include_top": true}`, recipe{picture.Exact, 224, picture.Nearest, 0, r, 0.485, 0.25}},
		{`{"image_processor_type": "EfficientNetImageProcessor", "resample": 3, "rescale_offset": true, "rescale_factor": 0.5, "include_top": false, "do_center_crop": true}`, recipe{picture.Exact, 346, picture.Bicubic, 289, 0.5, 1.5, 0.5}},
		{`{"image_processor_type": "MobileViTImageProcessor", "size": {"shortest_edge": 288}, "resample": 2}`, recipe{picture.ShortSide, 288, picture.Bilinear, 256, r, 0, 1}},
	} {
		p, _, err := importFiles(t, export(c.json), model.ImportOptions{})
		if err != nil {
			t.Errorf("%s: %v", c.json, err)
			continue
		}
		w := p.Manifest.Preprocess
		got := recipe{w.Resize.Mode, w.Resize.Height, w.Resize.Filter, w.Crop.Height, w.Rescale, w.Mean[0], w.Std[0]}
		if diff := cmp.Diff(c.want, got, cmpopts.EquateApprox(0, 1e-12), cmp.AllowUnexported(recipe{})); diff != "" {
			t.Errorf("%s: -want +got:\n%s", c.json, diff)
		}
		if w.Crop.Height > 0 && !w.Crop.Floor {
			t.Errorf("%s: the crop is rounded as torchvision's; transformers rounds down", c.json)
		}
		if bgr := strings.Contains(c.json, "MobileViT"); bgr != (p.Manifest.Input.Color == picture.BGR) {
			t.Errorf("%s: color is %q", c.json, p.Manifest.Input.Color)
		}
	}
}

// TestSettingsThatCannotBeKeptAreRefusedByName: passing one over would change
// the numbers in silence.
func TestSettingsThatCannotBeKeptAreRefusedByName(t *testing.T) {
	const file = "preprocessor_config.json"
	for _, c := range []struct{ json, want string }{
		{`[]`, file + " is no JSON object"},
		{`{"a": NaN}`, file + " is no JSON object"},
		{`{"image_processor_type": "DonutImageProcessor"}`, file + `: the image processor "Donut" is not known; write a goshawk.yaml that says how pictures are prepared`},
		{`{"resample": 4}`, file + ": resample 4 (box) is not supported; 0 nearest, 1 lanczos, 2 bilinear and 3 bicubic are"},
		{`{"resample": 5}`, file + ": resample 5 (hamming) is not supported; 0 nearest, 1 lanczos, 2 bilinear and 3 bicubic are"},
		{`{"resample": 9}`, file + ": resample 9 is not supported; 0 nearest, 1 lanczos, 2 bilinear and 3 bicubic are"},
		{`{"resample": 2.5}`, file + ": resample must be a whole number, not 2.5"},
		{`{"do_resize": false}`, file + ": do_resize is false: pictures of any size would reach the model as they are"},
		{`{"do_resize": "yes"}`, file + `: do_resize must be true or false, not "yes"`},
		{`{"do_pad": true, "size_divisor": 32}`, file + ": the setting do_pad = true is not supported; write a goshawk.yaml that says how pictures are prepared"},
		{`{"do_thumbnail": true}`, file + ": the setting do_thumbnail = true is not supported; write a goshawk.yaml that says how pictures are prepared"},
		{`{"do_flip_channel_order": true}`, file + ": do_flip_channel_order is not supported with the image processor ViT"},
		{`{"auto_map": {"AutoImageProcessor": "x.Y"}}`, file + `: the setting auto_map = {"AutoImageProcessor": "x.Y"} is not supported; write a goshawk.yaml that says how pictures are prepared`},
		{`{"crop_pct": 0.9}`, file + ": the setting crop_pct = 0.9 is not supported; write a goshawk.yaml that says how pictures are prepared"},
		{`{"image_processor_type": "ConvNextImageProcessor", "crop_pct": 1.5, "resample": 3}`, file + ": crop_pct is 1.5; it must be at most 1"},
		{`{"image_processor_type": "ConvNextImageProcessor", "crop_pct": 0, "resample": 3}`, file + ": crop_pct must be a number greater than 0, not 0"},
		{`{"image_processor_type": "CLIPImageProcessor", "do_center_crop": false}`, file + ": size.shortest_edge without a centre crop leaves the other side to the picture"},
		{`{"image_processor_type": "MobileViTImageProcessor", "resample": 2}`, file + ": the centre crop takes 256 x 256 of 224 x 224 (height x width), which would be padded; that is not supported"},
		{`{"image_processor_type": "EfficientNetImageProcessor"}`, file + ": resample is missing, and releases 4 and 5 of transformers differ in what that means for the image processor EfficientNet; write it"},
		{`{"image_processor_type": "ConvNextImageProcessor", "resample": null}`, file + ": resample is missing, and releases 4 and 5 of transformers differ in what that means for the image processor ConvNext; write it"},
		{`{"image_processor_type": "BeitImageProcessor", "size": 224}`, file + ": do_center_crop is missing, and releases 4 and 5 of transformers differ in what that means for the image processor Beit; write it"},
		{`{"image_processor_type": "ConvNextImageProcessor", "resample": 3, "size": {"height": 224, "width": 224}}`, file + ": size must be one number or shortest_edge for the image processor ConvNext"},
		{`{"image_processor_type": "SiglipImageProcessor", "size": 224}`, file + ": size.shortest_edge without a centre crop leaves the other side to the picture"},
		{`{"do_center_crop": true, "crop_size": 200}`, file + ": do_center_crop is true, which the image processor ViT passes over in some releases of transformers and does in others; write a goshawk.yaml that says how pictures are prepared"},
		{`{"image_processor_type": "MobileViTImageProcessor", "resample": 2, "size": 256, "do_normalize": true}`, file + ": do_normalize is true, which the image processor MobileViT passes over in some releases of transformers and does in others; write a goshawk.yaml that says how pictures are prepared"},
		{`{"do_normalize": null}`, file + ": do_normalize is null, which switches it off in some releases of transformers and leaves it on in others; write true or false"},
		{`{"image_processor_type": "PoolFormerImageProcessor", "crop_pct": null}`, file + ": crop_pct is null, which means none in some releases of transformers and 0.9 in others; write a goshawk.yaml that says how pictures are prepared"},
		{`{"size": {"longest_edge": 224}}`, file + ": size.longest_edge is not supported; height and width, or shortest_edge, are"},
		{`{"size": {"height": 224}}`, file + ": size must be from 1 to 8192 pixels, as height and width or as shortest_edge"},
		{`{"size": {"height": 224, "width": 0}}`, file + ": size must be from 1 to 8192 pixels, as height and width or as shortest_edge"},
		{`{"size": 1000000}`, file + ": size must be from 1 to 8192 pixels, as height and width or as shortest_edge"},
		{`{"size": "large"}`, file + `: size must be a number of pixels or an object with height and width, not "large"`},
		{`{"image_mean": [1, 2]}`, file + ": image_mean must be a number or a list of 1 or 3, not [1, 2]"},
		{`{"image_std": [1, 0, 1]}`, file + ": image_std holds 0, which fits no picture"},
		{`{"rescale_factor": -1}`, file + ": rescale_factor must be a number greater than 0, not -1"},
	} {
		_, _, err := importFiles(t, export(c.json), model.ImportOptions{})
		if err == nil || err.Error() != c.want {
			t.Errorf("%s:\n got %v\nwant %s", c.json, err, c.want)
		}
	}
}

func TestExportsThatAreNoneOfOursAreRefused(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(map[string]string)
		o      model.ImportOptions
		want   string
	}{
		{"no classifier", func(f map[string]string) { f["config.json"] = `{"architectures": ["ViTModel"]}` }, model.ImportOptions{}, `config.json: the export is a "ViTModel", no image classifier; models that take no pictures are of another kind (--kind tensor), served over /v2`},
		{"no ONNX", func(f map[string]string) { delete(f, "onnx/model.onnx"); delete(f, "onnx/model_quantized.onnx") }, model.ImportOptions{}, "the export has a config.json and no ONNX model; export it with onnx/model.onnx"},
		{"several", func(f map[string]string) { delete(f, "onnx/model.onnx"); f["onnx/model_fp16.onnx"] = "x" }, model.ImportOptions{}, `the export has no model.onnx and several others: "onnx/model_fp16.onnx", "onnx/model_quantized.onnx"; give one of them alone`},
		{"no config", func(f map[string]string) { delete(f, "config.json") }, model.ImportOptions{}, `"vit-base" holds a PyTorch model; export it to ONNX`},
		{"no preprocessor", func(f map[string]string) { delete(f, "preprocessor_config.json") }, model.ImportOptions{}, "the export has no preprocessor_config.json, which says how pictures are prepared; say it with --preset (imagenet, imagenet-bicubic, imagenet-232, inception, mobilenet, vit, clip, caffe, cifar10, unit)"},
		{"both", func(map[string]string) {}, model.ImportOptions{Preset: "vit"}, "the export says itself how pictures are prepared; leave --preset out"},
		{"no labels", func(f map[string]string) { f["config.json"] = `{"model_type": "vit"}` }, model.ImportOptions{}, "config.json names no labels (id2label); give them as --labels FILE"},
		{"a gap", func(f map[string]string) {
			f["config.json"] = `{"model_type": "vit", "id2label": {"0": "a", "2": "b"}}`
		}, model.ImportOptions{}, `config.json: id2label has 2 classes and the class number "2"; the numbers must be 0 to 1`},
		{"an empty name", func(f map[string]string) {
			f["config.json"] = `{"model_type": "vit", "id2label": {"0": " ", "1": "b"}}`
		}, model.ImportOptions{}, "config.json: class 0: the label is empty; leaving it out would shift all that follow, so write what the class is"},
		{"counts", func(f map[string]string) {
			f["config.json"] = `{"model_type": "vit", "num_labels": 3, "id2label": {"0": "a", "1": "b"}}`
		}, model.ImportOptions{}, "config.json: num_labels is 3 and id2label has 2"},
		{"regression", func(f map[string]string) { f["config.json"] = "{" + threeLabels + `, "problem_type": "regression"}` }, model.ImportOptions{}, `config.json: problem_type is "regression", no classification`},
		{"broken", func(f map[string]string) { f["config.json"] = "{" }, model.ImportOptions{}, "config.json is no JSON object"},
		{"weights outside", func(f map[string]string) {
			f["onnx/model.onnx"] = string(around(call("", "Relu") + field(5, field(5, field(8, "w")+field(13, field(1, "location"), field(2, "model.onnx_data"))))))
		}, model.ImportOptions{}, `the weights "w" lie outside the model file, in "model.onnx_data"; export the model as one file, with the weights inside`},
	} {
		files := export(`{}`)
		c.change(files)
		if _, _, err := importFiles(t, files, c.o); err == nil || err.Error() != c.want {
			t.Errorf("%s:\n got %v\nwant %s", c.name, err, c.want)
		}
	}
	dir := write(t, filepath.Join(t.TempDir(), "e"), export(`{}`))
	if err := os.Remove(filepath.Join(dir, "config.json")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/etc/passwd", filepath.Join(dir, "config.json")); err != nil {
		t.Fatal(err)
	}
	if _, err := model.Import(t.Context(), dir, filepath.Join(t.TempDir(), "p"), model.ImportOptions{}); err == nil || err.Error() != `"config.json" is a symbolic link; a package holds regular files only` {
		t.Errorf("a link as config.json: %v", err)
	}
}

func TestAnExportsOutputsAreUnderstood(t *testing.T) {
	with := func(config string) map[string]string {
		files := export(`{}`)
		files["config.json"] = "{" + threeLabels + config + "}"
		return files
	}
	for config, want := range map[string]model.Activation{
		"": model.Softmax, `, "problem_type": null`: model.Softmax,
		`, "problem_type": "single_label_classification"`: model.Softmax,
		`, "problem_type": "multi_label_classification"`:  model.Sigmoid,
	} {
		p, _, err := importFiles(t, with(config), model.ImportOptions{})
		if err != nil || p.Manifest.Output.Activation != want {
			t.Errorf("%s: %v, %v; want %s", config, p, err, want)
		}
	}
	twice := with("")
	twice["config.json"] = `{"model_type": "vit", "id2label": {"0": "crane", "1": "LABEL_1", "2": "crane"}}`
	p, _, err := importFiles(t, twice, model.ImportOptions{})
	if err != nil || p.Labels[0].Name != "crane (0)" || p.Labels[2].Name != "crane (2)" {
		t.Errorf("%+v, %v; want the two cranes told apart", p, err)
	}
	twice["config.json"] = `{"model_type": "vit", "id2label": {"0": "LABEL_0", "1": "LABEL_1", "2": "LABEL_2"}}`
	if p, _, err = importFiles(t, twice, model.ImportOptions{}); err != nil || len(p.Notes) != 1 {
		t.Errorf("%+v, %v; want a note that the labels are placeholders", p, err)
	}
	if p, _, err = importFiles(t, twice, model.ImportOptions{Labels: labelFile(t, "a\nb\nc\n")}); err != nil || p.Labels[2].Name != "c" {
		t.Errorf("%+v, %v; want the labels that were given", p, err)
	}
}

// TestTimmsSettingsAreUnderstood: they stand in config.json.
func TestTimmsSettingsAreUnderstood(t *testing.T) {
	files := func(cfg string, h, w any) map[string]string {
		m := onnxgen.Model{Graph: onnxgen.Graph{
			Inputs:  []onnxgen.Value{{Name: "x", Type: tensor.Float32, Shape: []any{"N", 3, h, w}}},
			Outputs: []onnxgen.Value{{Name: "y", Type: tensor.Float32, Shape: []any{"N", 2}}},
		}}
		return map[string]string{
			"config.json": fmt.Sprintf(`{"architecture": "convnext_tiny", "num_classes": 2, "label_names": ["n01", "n02"], "label_descriptions": {"n01": "tench, Tinca tinca"}, "pretrained_cfg": {%s}}`, cfg),
			"model.onnx":  string(m.Bytes()),
		}
	}
	const usual = `"input_size": [3, 224, 224], "test_input_size": [3, 288, 288], "test_crop_pct": 1.0, "interpolation": "bicubic", "crop_pct": 0.9, "crop_mode": "center", "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225], "num_classes": 2, "pool_size": [7, 7], "fixed_input_size": false, "first_conv": "stem.0", "classifier": "head.fc", "license": "apache-2.0"`
	for _, c := range []struct {
		cfg   string
		side  any
		mode  picture.Mode
		size  int
		crop  int
		wrong string
	}{
		{usual, "H", picture.ShortSide, 248, 224, ""},
		{usual, 224, picture.ShortSide, 248, 224, ""},
		{usual, 288, picture.ShortSide, 288, 288, ""},
		{strings.Replace(usual, "center", "squash", 1), 224, picture.Exact, 248, 224, ""},
		{`"input_size": [3, 224, 224]`, 224, picture.ShortSide, 256, 224, ""},
		{strings.Replace(usual, "center", "border", 1), 224, "", 0, 0, `config.json: pretrained_cfg: crop_mode "border" is not supported; center and squash are`},
		{strings.Replace(usual, "bicubic", "random", 1), 224, "", 0, 0, `config.json: pretrained_cfg: interpolation "random" is not supported; nearest, bilinear, bicubic and lanczos are`},
		{strings.Replace(usual, "[3, 224, 224]", "[3, 224, 192]", 1), 224, "", 0, 0, "config.json: pretrained_cfg: input_size is 224 x 192 with crop_mode center; only squares are supported there"},
		{strings.Replace(usual, "[3, 224, 224]", "[224, 224]", 1), 224, "", 0, 0, "config.json: pretrained_cfg: input_size must be [channels, height, width], not [224, 224]"},
		{strings.Replace(usual, `"crop_pct": 0.9`, `"crop_pct": 2`, 1), 224, "", 0, 0, "config.json: pretrained_cfg: crop_pct is 2; it must be at most 1"},
	} {
		p, _, err := importFiles(t, files(c.cfg, c.side, c.side), model.ImportOptions{})
		if c.wrong != "" {
			if err == nil || err.Error() != c.wrong {
				t.Errorf("got %v, want %s", err, c.wrong)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", c.cfg, err)
			continue
		}
		w := p.Manifest.Preprocess
		if w.Resize.Mode != c.mode || w.Resize.Height != c.size || w.Crop.Width != c.crop || w.Crop.Floor || w.Resize.Filter != picture.Bicubic || w.Mean[0] != 0.485 {
			t.Errorf("side %v: got %+v, want %s %d, crop %d as torchvision takes it", c.side, w, c.mode, c.size, c.crop)
		}
		if p.Labels[0] != (model.Label{Name: "n01", Description: "tench, Tinca tinca"}) {
			t.Errorf("labels are %v", p.Labels)
		}
	}
}

func TestTheNewerProcessorFileIsReadToo(t *testing.T) {
	files := maps.Clone(export(`{}`))
	delete(files, "preprocessor_config.json")
	files["processor_config.json"] = `{"image_processor": {"image_processor_type": "ViTImageProcessor", "size": {"height": 96, "width": 96}}}`
	p, _, err := importFiles(t, files, model.ImportOptions{})
	if err != nil || p.Manifest.Preprocess.Resize.Height != 96 {
		t.Errorf("%+v, %v; want 96 pixels", p, err)
	}
}

func FuzzPreprocessorConfig(f *testing.F) {
	f.Add(`{"image_processor_type": "ConvNextImageProcessor", "size": {"shortest_edge": 224}, "crop_pct": 0.875}`)
	f.Add(`{"image_processor_type": "EfficientNetImageProcessor", "rescale_offset": true}`)
	f.Fuzz(func(t *testing.T, text string) {
		_, _, err := importFiles(t, export(text), model.ImportOptions{})
		if err != nil && (strings.ContainsAny(err.Error(), "\n\x00\x1b") || strings.Contains(err.Error(), "goshawk.yaml:")) {
			t.Fatalf("%v: either the file is refused in its own words, or what is written of it is good", err)
		}
	})
}

// FuzzExportConfig takes any config.json, with timm's settings or without.
func FuzzExportConfig(f *testing.F) {
	f.Add("{"+threeLabels+"}", true)
	f.Add(`{"architecture": "x", "num_classes": 2, "label_names": ["n01", "n02"], "label_descriptions": {"n01": "a"}, "pretrained_cfg": {"input_size": [3, 64, 64], "crop_pct": 0.9}}`, false)
	f.Add(`{"id2label": {"0": "a", "1": "b"}, "num_labels": 2, "problem_type": "multi_label_classification"}`, true)
	f.Fuzz(func(t *testing.T, config string, preprocessor bool) {
		files := export(`{"image_processor_type": "ViTImageProcessor"}`)
		files["config.json"] = config
		if !preprocessor {
			delete(files, "preprocessor_config.json")
		}
		p, _, err := importFiles(t, files, model.ImportOptions{})
		switch {
		case err != nil && (!errors.Is(err, problem.ModelInvalid) || strings.ContainsAny(err.Error(), "\n\x00\x1b") || strings.Contains(err.Error(), "goshawk.yaml:")):
			t.Fatalf("%v: either the file is refused in its own words, or what is written of it is good", err)
		case err == nil && len(p.Labels) == 0:
			t.Fatal("accepted without labels")
		}
	})
}
