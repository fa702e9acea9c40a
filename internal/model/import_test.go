package model_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goshawk-ai/goshawk/internal/infer/backendtest/onnxgen"
	"github.com/goshawk-ai/goshawk/internal/model"
	"github.com/goshawk-ai/goshawk/internal/picture"
	"github.com/goshawk-ai/goshawk/internal/tensor"
)

// classifier is a tiny model with this input; it ends in op when there is one.
func classifier(typ tensor.Type, op string, shape ...any) []byte {
	m := onnxgen.Model{Graph: onnxgen.Graph{
		Inputs:  []onnxgen.Value{{Name: "input", Type: typ, Shape: shape}},
		Outputs: []onnxgen.Value{{Name: "logits", Type: tensor.Float32, Shape: []any{"N", 3}}},
		Nodes:   []onnxgen.Node{{Op: "Gemm", In: []string{"input"}, Out: []string{"logits"}}},
	}}
	if op != "" {
		m.Nodes[0].Op = op
	}
	return m.Bytes()
}

func labelFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "names.txt")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestABareModelBecomesAPackage(t *testing.T) {
	o := model.ImportOptions{Labels: labelFile(t, "cat\ttabby\r\ndog\nbird"), Preset: "imagenet", Description: "a \"test\"", License: "MIT"}
	p, dst, err := add(t, "My Model v2.ONNX", classifier(tensor.Float32, "", "N", 3, 224, 224), o)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dst, "goshawk.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	want := `apiVersion: goshawk/v1
kind: Model
name: my-model-v2
description: "a \"test\""
license: "MIT"
model: model.onnx
preprocess:
  resize: {mode: short-side, size: 256, filter: bilinear, antialias: true}
  crop: {size: [224, 224]}
  rescale: 1/255
  mean: [0.485, 0.456, 0.406]
  std: [0.229, 0.224, 0.225]
  background: [255, 255, 255]
output:
  activation: softmax
  labels: labels.txt
  top_k: 5
`
	if string(text) != want {
		t.Errorf("goshawk.yaml is\n%s\nwant\n%s", text, want)
	}
	if len(p.Labels) != 3 || p.Labels[0] != (model.Label{Name: "cat", Description: "tabby"}) || len(p.Notes) != 0 {
		t.Errorf("labels %v, notes %v", p.Labels, p.Notes)
	}
	again, _, err := add(t, "p.zip", zipOf(t, entries(read(t, dst))), model.ImportOptions{})
	if err != nil || again.Digest != p.Digest {
		t.Errorf("what Import made is imported as %v, %v; want the same digest %s", again, err, p.Digest)
	}
}

// read takes a folder's files.
func read(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	list, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range list {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		files[filepath.Base(path)] = string(data)
	}
	return files
}

// TestAPresetIsFittedToTheModel: size, type and end of a bare model decide what
// is written for it.
func TestAPresetIsFittedToTheModel(t *testing.T) {
	for _, c := range []struct {
		name, preset string
		data         []byte
		check        func(m model.Manifest) bool
		note         string
	}{
		{"larger", "imagenet", classifier(tensor.Float32, "", "N", 3, 299, 299), func(m model.Manifest) bool {
			return m.Preprocess.Resize.Height == 341 && m.Preprocess.Crop.Width == 299
		}, "the model takes 299 x 299, so the short side is made 341, in the proportion of the preset imagenet"},
		{"not square", "cifar10", classifier(tensor.Float32, "", "N", 3, 48, 96), func(m model.Manifest) bool {
			return m.Preprocess.Resize.Height == 48 && m.Preprocess.Resize.Width == 96
		}, ""},
		{"channels last", "vit", classifier(tensor.Float32, "", "N", 20, 30, 3), func(m model.Manifest) bool {
			return m.Preprocess.Resize.Height == 20 && m.Preprocess.Resize.Width == 30
		}, ""},
		{"open", "vit", classifier(tensor.Float32, "", "N", 3, "H", "W"), func(m model.Manifest) bool { return m.Preprocess.Resize.Height == 224 }, ""},
		{"integers", "cifar10", classifier(tensor.Uint8, "", "N", 3, 32, 32), func(m model.Manifest) bool {
			return m.Preprocess.Rescale == 1 && m.Preprocess.Std[0] == 1
		}, "the model takes uint8, so pixels are given as they are, 0 to 255, without the preset's rescale, mean and std"},
		{"blue first", "caffe", classifier(tensor.Float32, "", "N", 3, 224, 224), func(m model.Manifest) bool {
			return m.Input.Color == picture.BGR && m.Preprocess.Mean[0] == 104
		}, ""},
		{"softmax inside", "vit", classifier(tensor.Float32, "Softmax", "N", 3, 32, 32), func(m model.Manifest) bool { return m.Output.Activation == model.None }, ""},
		{"sigmoid inside", "vit", classifier(tensor.Float32, "Sigmoid", "N", 3, 32, 32), func(m model.Manifest) bool { return m.Output.Activation == model.None }, ""},
		{"log-softmax inside", "vit", classifier(tensor.Float32, "LogSoftmax", "N", 3, 32, 32), func(m model.Manifest) bool { return m.Output.Activation == model.Softmax }, ""},
	} {
		p, _, err := add(t, "m.onnx", c.data, model.ImportOptions{Labels: labelFile(t, "a\nb\nc\n"), Preset: c.preset})
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if !c.check(p.Manifest) {
			t.Errorf("%s: got %+v", c.name, p.Manifest)
		}
		if got := strings.Join(p.Notes, "; "); got != c.note {
			t.Errorf("%s: notes %q, want %q: the person should hear of it", c.name, got, c.note)
		}
		info, err := model.InspectONNX(c.data)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := model.Bind(p, info.Inputs, info.Outputs); err != nil {
			t.Errorf("%s: what was written does not fit the model: %v", c.name, err)
		}
	}
}

// TestRepeatedLabelsAreToldApart: ImageNet's list has two cranes.
func TestRepeatedLabelsAreToldApart(t *testing.T) {
	o := model.ImportOptions{Labels: labelFile(t, "crane\ncrane (0)\ncrane\n"), Preset: "vit"}
	p, _, err := add(t, "m.onnx", classifier(tensor.Float32, "", "N", 3, 32, 32), o)
	if err != nil {
		t.Fatal(err)
	}
	if p.Labels[0].Name != "crane (0)'" || p.Labels[1].Name != "crane (0)" || p.Labels[2].Name != "crane (2)" {
		t.Errorf("labels are %v, want all three different", p.Labels)
	}
	if len(p.Notes) != 1 || p.Notes[0] != `more than one class is called "crane"; their numbers were added to tell them apart` {
		t.Errorf("notes are %q", p.Notes)
	}
}

func TestImportSaysWhatIsWrong(t *testing.T) {
	good, labels := classifier(tensor.Float32, "", "N", 3, 224, 224), labelFile(t, "a\nb\nc\n")
	pack := zipOf(t, entries(tiny()))
	softmax := tiny()
	softmax["model.onnx"] = string(classifier(tensor.Float32, "Softmax", "N", 3, 32, 32))
	tensorKind := map[string]string{"goshawk.yaml": "apiVersion: goshawk/v1\nkind: Tensor\nname: t\nmodel: m.onnx\n", "m.onnx": string(good)}
	for _, c := range []struct {
		name string
		data []byte
		o    model.ImportOptions
		want string
	}{
		{"m.onnx", good, model.ImportOptions{Preset: "imagenet"}, "a bare model needs its labels: a file with one a line, in the order of the classes, as --labels FILE; models that take no pictures are of another kind (--kind tensor), served over /v2"},
		{"m.onnx", good, model.ImportOptions{Labels: labels}, "how pictures are prepared for the model cannot be guessed; say it with --preset (imagenet, imagenet-bicubic, imagenet-232, inception, mobilenet, vit, clip, caffe, cifar10, unit), or write a goshawk.yaml"},
		{"m.onnx", good, model.ImportOptions{Labels: labels, Preset: "x"}, `there is no preset "x"; there are imagenet, imagenet-bicubic, imagenet-232, inception, mobilenet, vit, clip, caffe, cifar10, unit`},
		{"m.onnx", good, model.ImportOptions{Labels: "/nowhere/l", Preset: "vit"}, `the label file "/nowhere/l" cannot be read: no such file or directory`},
		{"m.onnx", good, model.ImportOptions{Labels: "/dev/zero", Preset: "vit"}, `the label file "/dev/zero" is no regular file`},
		{"m.onnx", good, model.ImportOptions{Labels: labelFile(t, "a\n\nb\n"), Preset: "vit"}, "names.txt:2: the label is empty; leaving it out would shift all that follow, so write what the class is"},
		{"m.onnx", good, model.ImportOptions{Labels: labels, Preset: "vit", Name: "My Model"}, `the name "My Model" is not allowed; a name has 1 to 64 of a-z, 0-9, dot, underscore and hyphen, and begins with a letter or digit`},
		{"猫.onnx", good, model.ImportOptions{Labels: labels, Preset: "vit"}, `no name can be made of "猫.onnx"; give one with --name`},
		{"m.onnx", classifier(tensor.Float32, "", "N", 3, 48, 96), model.ImportOptions{Labels: labels, Preset: "imagenet"}, "the preset imagenet makes squares and the model takes 48 x 96 (height x width); write a goshawk.yaml that says how"},
		{"m.onnx", []byte("hello there"), model.ImportOptions{}, "the model file is not an ONNX model: it looks like text"},
		{"m.onnx", nil, model.ImportOptions{}, "the model file is empty"},
		{"m.onnx", good, model.ImportOptions{Limits: model.Limits{Files: 1, Bytes: 10, Ratio: 1}}, "the model has " + itoa(len(good)) + " bytes; at most 10 are taken"},
		{"p.zip", pack, model.ImportOptions{Name: "other", Preset: "vit"}, `"p.zip" is a package and says --name, --preset itself, in its goshawk.yaml`},
		{"p.zip", pack, model.ImportOptions{Kind: model.KindTensor}, "goshawk.yaml says kind: Model, and --kind tensor was asked for"},
		{"p.zip", zipOf(t, entries(softmax)), model.ImportOptions{}, `goshawk.yaml: output.activation is softmax and the model's output "logits" is made by Softmax already; say activation: none`},
		{"p.zip", zipOf(t, entries(tensorKind)), model.ImportOptions{Kind: model.KindModel}, "goshawk.yaml says kind: Tensor, and --kind model was asked for"},
		{"p.zip", zipOf(t, []entry{{name: "a/saved_model.pb"}, {name: "a/variables/x"}}), model.ImportOptions{}, `"p.zip" is a TensorFlow SavedModel; convert it to ONNX`},
		{"p.zip", zipOf(t, []entry{{name: "m.weights.h5"}, {name: "metadata.json"}}), model.ImportOptions{}, `"p.zip" holds a Keras model; convert it to ONNX`},
	} {
		_, _, err := add(t, c.name, c.data, c.o)
		if err == nil || err.Error() != c.want {
			t.Errorf("%s %+v:\n got %v\nwant %s", c.name, c.o, err, c.want)
		}
	}
	if _, err := model.Import(t.Context(), "/nowhere/m.onnx", filepath.Join(t.TempDir(), "p"), model.ImportOptions{}); err == nil || err.Error() != `there is no file or folder "/nowhere/m.onnx"` {
		t.Errorf("got %v", err)
	}
	if _, err := model.Import(t.Context(), "/dev/zero", filepath.Join(t.TempDir(), "p"), model.ImportOptions{}); err == nil || err.Error() != `"/dev/zero" is a device; a file or a folder is wanted` {
		t.Errorf("got %v", err)
	}
}

func itoa(n int) string {
	if n < 10 {
		return string(rune('0' + n))
	}
	return itoa(n/10) + itoa(n%10)
}

func TestAModelOfTensorsNeedsNoPictureSettings(t *testing.T) {
	data := classifier(tensor.Float32, "", "N", 17)
	p, _, err := add(t, "sums.onnx", data, model.ImportOptions{Kind: model.KindTensor})
	if err != nil || p.Manifest.Kind != model.KindTensor || p.Manifest.Name != "sums" || p.Labels != nil {
		t.Fatalf("got %+v, %v", p, err)
	}
	p, _, err = add(t, "p.tar", tarOf(t, []entry{{name: "goshawk.yaml", body: "apiVersion: goshawk/v1\nkind: Tensor\nname: t\nmodel: m.onnx\n"}, {name: "m.onnx", body: string(data)}}), model.ImportOptions{})
	if err != nil || p.Manifest.Kind != model.KindTensor {
		t.Fatalf("a package of kind Tensor: %+v, %v", p, err)
	}
}

func TestACancelledImportStops(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	hungUp := errors.New("hung up")
	cancel(hungUp)
	dir := t.TempDir()
	src := write(t, filepath.Join(dir, "src"), tiny())
	if _, err := model.Import(ctx, src, filepath.Join(dir, "p"), model.ImportOptions{}); !errors.Is(err, hungUp) {
		t.Errorf("got %v, want the cause", err)
	}
	if _, err := os.Lstat(filepath.Join(dir, "p")); err == nil {
		t.Error("the folder is left behind")
	}
}
