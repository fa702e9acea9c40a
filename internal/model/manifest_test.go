package model_test

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/goshawk-ai/goshawk/internal/model"
	"github.com/goshawk-ai/goshawk/internal/picture"
	"github.com/goshawk-ai/goshawk/internal/problem"
)

// full is a manifest that says everything.
const full = `apiVersion: goshawk/v1
kind: Model
name: flowers
description: Five flowers
license: Apache-2.0
model: model.onnx
input:
  tensor: input
  layout: NCHW
  color: BGR
preprocess:
  resize: {mode: short-side, size: 256, filter: bicubic, antialias: false}
  crop: {size: [224, 192], rounding: down}
  rescale: 1/255
  mean: [0.485, 0.456, 0.406]
  std: 0.5
  background: [1, 2, 3]
  exact: true
output:
  tensor: logits
  activation: sigmoid
  temperature: 1.5
  labels: names/labels.txt
  top_k: 3
  embedding: features
probe: {image: probe.png, label: tulip}
parity: parity/
serving: {latency_objective: 50ms, instances: 2, threads: 3, max_batch_size: 4, max_delay: 2ms, weight: 3, max_queue_size: 90, priority_levels: 5, default_priority: 2, run_timeout: 7s, isolation: process}
`

// least is the shortest manifest.
const least = `apiVersion: goshawk/v1
kind: Model
name: m
model: model.onnx
preprocess: {preset: imagenet}
output: {labels: labels.txt}
`

func TestAManifestIsReadWhole(t *testing.T) {
	got, _, err := model.ParseManifest("goshawk.yaml", []byte(full))
	if err != nil {
		t.Fatal(err)
	}
	want := model.Manifest{
		Kind: model.KindModel, Name: "flowers", Description: "Five flowers", License: "Apache-2.0", Model: "model.onnx",
		Input: model.Input{Tensor: "input", Layout: picture.NCHW, Color: picture.BGR},
		Preprocess: model.Preprocess{
			Resize:  picture.Resize{Mode: picture.ShortSide, Width: 256, Height: 256, Filter: picture.Bicubic},
			Crop:    picture.Crop{Height: 224, Width: 192, Floor: true},
			Rescale: 1. / 255, Mean: [3]float64{0.485, 0.456, 0.406}, Std: [3]float64{0.5, 0.5, 0.5},
			Background: [3]uint8{1, 2, 3}, Exact: true, Written: true,
		},
		Output: model.Output{Tensor: "logits", Activation: model.Sigmoid, Temperature: 1.5, Labels: "names/labels.txt", TopK: 3, Embedding: "features"},
		Probe:  &model.Probe{Image: "probe.png", Label: "tulip"}, Parity: "parity",
		Serving: model.Serving{
			LatencyObjective: 50 * time.Millisecond, Instances: 2, Threads: 3, MaxBatchSize: 4, MaxDelay: 2 * time.Millisecond,
			Weight: 3, MaxQueueSize: 90, PriorityLevels: 5, DefaultPriority: 2, RunTimeout: 7 * time.Second, Isolation: model.OwnChild,
		},
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(model.Preprocess{})); diff != "" {
		t.Errorf("the manifest differs from what was written (-want +got):\n%s", diff)
	}
}

func TestTheShortestManifestHasDefaults(t *testing.T) {
	m, _, err := model.ParseManifest("goshawk.yaml", []byte(least))
	if err != nil {
		t.Fatal(err)
	}
	p := m.Preprocess
	if p.Resize.Mode != picture.ShortSide || p.Resize.Height != 256 || p.Crop.Width != 224 || p.Std[0] != 0.229 || p.Background != [3]uint8{255, 255, 255} {
		t.Errorf("preset imagenet gave %+v; want short side 256, centre 224, ImageNet's numbers, white under transparency", p)
	}
	if o := m.Output; o.Activation != model.Softmax || o.Temperature != 1 || o.TopK != 5 {
		t.Errorf("output is %+v, want softmax, temperature 1, five answers where nothing is said", o)
	}
	if p.Written {
		t.Error("Written is true; the numbers are the preset's, and an integer model must not get them")
	}
}

func TestWhatIsWrittenOverridesThePreset(t *testing.T) {
	text := strings.Replace(least, "{preset: imagenet}", "{resize: {size: 300}, mean: 0.5, preset: imagenet}", 1)
	m, _, err := model.ParseManifest("goshawk.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if p := m.Preprocess; p.Resize.Height != 300 || p.Resize.Mode != picture.ShortSide || p.Crop.Height != 224 || p.Mean[2] != 0.5 || p.Std[2] != 0.225 {
		t.Errorf("got %+v; want the written 300 and 0.5, and all else from the preset though it stands last", p)
	}
}

// TestEveryMistakeIsNamedWithItsPlace changes one thing at a time.
func TestEveryMistakeIsNamedWithItsPlace(t *testing.T) {
	for _, c := range []struct{ old, new, want string }{
		{"kind: Model", "kind: Ensemble", `goshawk.yaml:2:7: kind Ensemble is not in this release; Model and Tensor are`},
		{"kind: Model", "kind: Teapot", `goshawk.yaml:2:7: kind must be Model or Tensor, not the text "Teapot"`},
		{"kind: Model\n", "", `goshawk.yaml: kind is missing; write kind: Model`},
		{"name: m\n", "", `goshawk.yaml: name is missing`},
		{"name: m", "name: [a, b]", `goshawk.yaml:3:7: name must be text, not a list`},
		{"name: m", "name: {a: b}", `goshawk.yaml:3:7: name must be text, not a mapping`},
		{"name: m", "name:", `goshawk.yaml:3:6: name is empty`},
		{"name: m", "name: ''", `goshawk.yaml:3:7: name is empty`},
		{"name: m", "name: 12", `goshawk.yaml:3:7: name must be text, not the number "12"; put it in quotes: "12"`},
		{"name: m", "name: no", `goshawk.yaml:3:7: name must be text, and YAML reads no as a truth value; put it in quotes: "no"`},
		{"name: m", "name: Big", `goshawk.yaml:3:7: the name "Big" is not allowed; a name has 1 to 64 of a-z, 0-9, dot, underscore and hyphen, and begins with a letter or digit`},
		{"name: m", "name: m\nname: n", `goshawk.yaml:4:1: the field "name" stands here a second time (first in line 3)`},
		{"name: m", "name: m\nlicence: x", `goshawk.yaml:4:1: unknown field "licence"; did you mean "license"?`},
		{"name: m", "name: m\nzzzzzzzz: x", `goshawk.yaml:4:1: unknown field "zzzzzzzz"`},
		{"name: m", "name: m\ndescription: 1e3", `goshawk.yaml:4:14: description must be text, not the number "1e3"; put it in quotes: "1e3"`},
		{"name: m", "name: m\ndescription: 2001-01-01", `goshawk.yaml:4:14: description must be text, not the date "2001-01-01"; put it in quotes: "2001-01-01"`},
		{"name: m", "name: m\ndescription: \"a\\x07b\"", `goshawk.yaml:4:14: description holds a control character`},
		{"name: m", "name: !!str m", `goshawk.yaml:3:7: the tag "!!str" is not allowed; values here are plain text, numbers, true or false`},
		{"name: m", "name: &a m", `goshawk.yaml:3:7: the anchor &a is not allowed; write values out`},
		{"name: m", "name: m\n? [a]\n: b", `goshawk.yaml:4:3: the name of a field is wanted here, a list was found`},
		{"name: m", "name: m\n<<: {a: b}", `goshawk.yaml:4:1: unknown field "<<"`},
		{"name: m", "name: m\n\tx: y", `goshawk.yaml:3: this is no YAML: found a tab character that violates indentation`},
		{"apiVersion: goshawk/v1\n", "", `goshawk.yaml: apiVersion is missing; write apiVersion: goshawk/v1`},
		{"goshawk/v1", "goshawk/v9", `goshawk.yaml:1:13: apiVersion goshawk/v9 is not known to this release, which reads goshawk/v1`},
		{"goshawk/v1", "v1", `goshawk.yaml:1:13: apiVersion must be goshawk/v1, not the text "v1"`},
		{"apiVersion: goshawk/v1", "apiVersion: goshawk/v1.3\nspeed: 3", `goshawk.yaml:2:1: unknown field "speed"; the file is written for goshawk/v1.3 and this release knows goshawk/v1: use a release that knows goshawk/v1.3`},
		{"model: model.onnx\n", "", `goshawk.yaml: model is missing; it names the model file, as in model: model.onnx`},
		{"model.onnx", "/etc/passwd", `goshawk.yaml:4:8: model is "/etc/passwd": an absolute path lies outside the package`},
		{"model.onnx", "a/../../b", `goshawk.yaml:4:8: model is "a/../../b": a path with .. leads outside the package`},
		{"model.onnx", `a\b`, `goshawk.yaml:4:8: model is "a\\b": a path in a package has no backslash`},
		{"model.onnx", "C:/x", `goshawk.yaml:4:8: model is "C:/x": an absolute path lies outside the package`},
		{"model.onnx", "./", `goshawk.yaml:4:8: model is "./": it names no file`},
		{"preprocess: {preset: imagenet}\n", "", `goshawk.yaml: preprocess is missing; how a picture becomes the model's input cannot be guessed (a preset will do: imagenet, imagenet-bicubic, imagenet-232, inception, mobilenet, vit, clip, caffe, cifar10, unit)`},
		{"{preset: imagenet}", "[1]", `goshawk.yaml:5:13: preprocess must be a mapping of fields, not a list`},
		{"imagenet", "imagnet", `goshawk.yaml:5:22: there is no preset "imagnet"; there are imagenet, imagenet-bicubic, imagenet-232, inception, mobilenet, vit, clip, caffe, cifar10, unit`},
		{"labels: labels.txt", "tensor: x", `goshawk.yaml: output.labels is missing; it names the label file, as in labels: labels.txt`},
		{"labels: labels.txt", "labels: []", `goshawk.yaml:6:18: output.labels is empty`},
		{"labels: labels.txt", "labels: {a: b}", `goshawk.yaml:6:18: output.labels must be the name of a file or a list, not a mapping`},
		{"labels: labels.txt", "labels: [a, b, a]", `goshawk.yaml:6:25: the label "a" stands in line 6 already; tell the two apart`},
		{"labels: labels.txt", "labels: [yes, no]", `goshawk.yaml:6:19: a label must be text, and YAML reads yes as a truth value; put it in quotes: "yes"`},
		{"labels: labels.txt", "labels: [{name: a, colour: b}]", `goshawk.yaml:6:29: unknown field "colour" in a label`},
		{"labels: labels.txt", "labels: l, top_k: five", `goshawk.yaml:6:28: output.top_k must be a whole number, not the text "five"`},
		{"labels: labels.txt", "labels: l, top_k: 0x10", `goshawk.yaml:6:28: output.top_k must be a whole number, not the number "0x10"`},
		{"labels: labels.txt", "labels: l, top_k: 0", `goshawk.yaml:6:28: output.top_k is 0; it must be from 1 to 1000`},
		{"labels: labels.txt", "labels: l, top_k: 99999999999999999999", `goshawk.yaml:6:28: output.top_k must be a whole number, not the number "99999999999999999999"`},
		{"labels: labels.txt", "labels: l, temperature: 0", `goshawk.yaml:6:34: output.temperature is 0; it must be greater than 0 and at most 1000`},
		{"labels: labels.txt", "labels: l, temperature: .inf", `goshawk.yaml:6:34: output.temperature must be a finite decimal number, not .inf`},
		{"labels: labels.txt", "labels: l, activation: relu", `goshawk.yaml:6:33: output.activation must be softmax, sigmoid or none, not the text "relu"`},
		{"labels.txt}", "l}\nprobe: {image: p.png}", `goshawk.yaml:7:8: probe needs both image and label`},
		{"labels.txt}", "l}\nserving: {max_delay: 5}", `goshawk.yaml:7:22: serving.max_delay must be a duration like 50ms, not the number "5"`},
		{"labels.txt}", "l}\nserving: {max_delay: -5ms}", `goshawk.yaml:7:22: serving.max_delay is -5ms; it must be greater than 0 and at most 1h`},
		{"labels.txt}", "l}\nserving: {instances: 1000}", `goshawk.yaml:7:22: serving.instances is 1000; it must be from 1 to 256`},
		{"labels.txt}", "l}\nserving: {weight: 0}", `goshawk.yaml:7:19: serving.weight is 0; it must be from 1 to 1000`},
		{"labels.txt}", "l}\nserving: {priority_levels: 65}", `goshawk.yaml:7:28: serving.priority_levels is 65; it must be from 1 to 64`},
		{"labels.txt}", "l}\nserving: {priority_levels: 2, default_priority: 3}", `goshawk.yaml:7:10: serving.default_priority is 3, and there are 2 priority_levels`},
		{"labels.txt}", "l}\nserving: {isolation: vm}", `goshawk.yaml:7:22: serving.isolation must be none or process, not the text "vm"`},
		{"labels.txt}", "l}\ninput: {layout: HWC}", `goshawk.yaml:7:17: input.layout must be NCHW or NHWC, not the text "HWC"`},
		{"labels.txt}", "l}\n---\na: b", `goshawk.yaml:7:1: a second YAML document begins here; one file has one document`},
		{"labels.txt}", "\xff}", `goshawk.yaml:6:18: the text is not UTF-8; save the file as UTF-8`},
	} {
		if !strings.Contains(least, c.old) {
			t.Fatalf("the test itself is wrong: %q is not in the manifest", c.old)
		}
		mistake(t, strings.Replace(least, c.old, c.new, 1), c.want)
	}
}

// TestEveryMistakeInPreprocessIsNamed does the same to the picture's way.
func TestEveryMistakeInPreprocessIsNamed(t *testing.T) {
	for _, c := range []struct{ preprocess, want string }{
		{"{rescale: 1}", `5:13: preprocess.resize is missing; pictures have any size, the model has one`},
		{"{resize: {size: 3}}", `5:22: preprocess.resize needs a mode: short-side, exact or letterbox`},
		{"{resize: {mode: zoom}}", `5:29: preprocess.resize.mode must be short-side, exact or letterbox, not the text "zoom"`},
		{"{resize: {mode: short-side, size: 9}}", `5:13: preprocess.crop is missing; with mode short-side the other side depends on the picture`},
		{"{resize: {mode: short-side, size: [8, 9]}, crop: {size: 8}}", `5:13: preprocess.resize.size is one number with mode short-side, not [8, 9]`},
		{"{resize: {mode: exact, size: [1, 2, 3]}}", `5:42: preprocess.resize.size must be a number of pixels or [height, width], not a list`},
		{"{resize: {mode: exact, size: 1000000}}", `5:42: preprocess.resize.size is 1000000; it must be from 1 to 8192`},
		{"{resize: {mode: exact, size: 8192}}", `5:13: preprocess.resize makes 8192 x 8192 pixels; at most 4194304 are made`},
		{"{resize: {mode: exact, size: 32}, crop: {size: 64}}", `5:13: preprocess.crop takes 64 x 64 of a picture that preprocess.resize makes 32 x 32 (height x width)`},
		{"{resize: {mode: exact, filter: box}}", `5:44: preprocess.resize.filter must be nearest, bilinear, bicubic or lanczos, not the text "box"`},
		{"{resize: {mode: exact, antialias: yes}}", `5:47: preprocess.resize.antialias must be true or false, not the text "yes"`},
		{"{preset: vit, crop: {}}", `5:33: preprocess.crop needs either size or fraction`},
		{"{preset: vit, crop: {size: 3, fraction: 0.5}}", `5:33: preprocess.crop needs either size or fraction`},
		{"{preset: vit, crop: {size: -32}}", `5:40: preprocess.crop.size is -32; it must be from 1 to 8192`},
		{"{preset: vit, crop: {fraction: 1.1}}", `5:44: preprocess.crop.fraction is 1.1; it must be greater than 0 and at most 1`},
		{"{preset: vit, rescale: 1/0}", `5:36: preprocess.rescale is "1/0"; it must be a number greater than 0, or a fraction like 1/255`},
		{"{preset: vit, rescale: x/2}", `5:36: preprocess.rescale is "x/2"; it must be a number greater than 0, or a fraction like 1/255`},
		{"{preset: vit, rescale: 0}", `5:36: preprocess.rescale is 0; it must be greater than 0 and at most 1e+06`},
		{"{preset: vit, rescale: -1/255}", `5:36: preprocess.rescale is "-1/255"; it must be a number greater than 0, or a fraction like 1/255`},
		{"{preset: vit, mean: [.nan, 0, 0]}", `5:34: preprocess.mean[0] must be a finite decimal number, not .nan`},
		{"{preset: vit, mean: [1, 2]}", `5:33: preprocess.mean has 2 numbers; it must have 1 or 3`},
		{"{preset: vit, mean: a}", `5:33: preprocess.mean[0] must be a number, not the text "a"`},
		{"{preset: vit, mean: {a: 1}}", `5:33: preprocess.mean must be a number or a list of three, not a mapping`},
		{"{preset: vit, mean: 1e9}", `5:33: preprocess.mean[0] is 1e9; more than a million fits no picture`},
		{"{preset: vit, std: [1, 0, 1]}", `5:36: preprocess.std[1] is 0; the deviation is divided by and must be greater than 0`},
		{"{preset: vit, background: red}", `5:39: preprocess.background must be white, gray, black or [red, green, blue], not the text "red"`},
		{"{preset: vit, background: [0, 0, 256]}", `5:46: preprocess.background[2] is 256; it must be from 0 to 255`},
		{"{preset: vit, color: RGB}", `5:27: unknown field "color" in preprocess`},
	} {
		mistake(t, strings.Replace(least, "{preset: imagenet}", c.preprocess, 1), "goshawk.yaml:"+c.want)
	}
}

func mistake(t *testing.T, text, want string) {
	t.Helper()
	_, _, err := model.ParseManifest("goshawk.yaml", []byte(text))
	if err == nil {
		t.Errorf("accepted, want %q for\n%s", want, text)
		return
	}
	if !errors.Is(err, problem.ModelInvalid) {
		t.Errorf("%v is no problem of kind model-invalid", err)
	}
	if err.Error() != want {
		t.Errorf("for\n%s\n got %s\nwant %s", text, err, want)
	}
}

func TestABatchOfNoneIsSomethingElseThanNone(t *testing.T) {
	const tensors = "apiVersion: goshawk/v1\nkind: Tensor\nname: m\nmodel: model.onnx\n"
	for text, want := range map[string]model.Serving{
		tensors: {}, tensors + "serving: {max_batch_size: 0}\n": {Unbatched: true}, tensors + "serving: {max_batch_size: 1}\n": {MaxBatchSize: 1},
	} {
		m, _, err := model.ParseManifest("goshawk.yaml", []byte(text))
		if err != nil || m.Serving != want {
			t.Errorf("%s: %+v, %v; want %+v", text, m.Serving, err, want)
		}
		again, _, err := model.ParseManifest("goshawk.yaml", m.Marshal())
		if err != nil || again.Serving != want {
			t.Errorf("written and read again: %+v, %v; want %+v", again.Serving, err, want)
		}
	}
	if _, _, err := model.ParseManifest("goshawk.yaml", []byte(least+"serving: {max_batch_size: 0}\n")); err == nil || !strings.Contains(err.Error(), "for kind Tensor") {
		t.Errorf("of pictures: %v; want a refusal that says for what it is", err)
	}
}

func TestATensorTakesNoPictureSettings(t *testing.T) {
	tensor := "apiVersion: goshawk/v1\nkind: Tensor\nname: m\nmodel: m.onnx\n"
	if _, _, err := model.ParseManifest("goshawk.yaml", []byte(tensor)); err != nil {
		t.Fatalf("a Tensor needs no more: %v", err)
	}
	mistake(t, tensor+"preprocess: {preset: vit}\n", `goshawk.yaml:5:13: preprocess is for kind Model; a Tensor takes and gives tensors as they are`)
	mistake(t, tensor+"output: {tensor: out, top_k: 3}\n", `goshawk.yaml:5:23: output.top_k is for kind Model; a Tensor takes and gives tensors as they are`)
	mistake(t, tensor+"output: {labels: l.txt}\n", `goshawk.yaml:5:9: the output of a Tensor names its tensor and its labels, or is left out`)
	m, _, err := model.ParseManifest("goshawk.yaml", []byte(tensor+"output: {tensor: out, labels: l.txt}\n"))
	if err != nil {
		t.Fatalf("an output with labels: %v", err)
	}
	if again, _, err := model.ParseManifest("goshawk.yaml", m.Marshal()); err != nil || again.Output != m.Output {
		t.Errorf("written and read again it is %+v, %v; want %+v", again.Output, err, m.Output)
	}
}

func TestLabelsMayStandInTheManifest(t *testing.T) {
	text := strings.Replace(least, "labels.txt", "[rose, {name: tulip, description: of the Netherlands}, \"no\"]", 1)
	_, labels, err := model.ParseManifest("goshawk.yaml", []byte(text))
	want := []model.Label{{Name: "rose"}, {Name: "tulip", Description: "of the Netherlands"}, {Name: "no"}}
	if diff := cmp.Diff(want, labels); err != nil || diff != "" {
		t.Errorf("%v, -want +got:\n%s", err, diff)
	}
}

func TestANewerMinorIsReadWhenItSaysNothingNew(t *testing.T) {
	if _, _, err := model.ParseManifest("f", []byte(strings.Replace(least, "goshawk/v1", "goshawk/v1.7", 1))); err != nil {
		t.Errorf("refused with %v; only what is unknown in it must be refused", err)
	}
}

func TestByteOrderMarkAndWindowsLinesAreRead(t *testing.T) {
	text := "\ufeff" + strings.ReplaceAll(full, "\n", "\r\n")
	m, _, err := model.ParseManifest("f", []byte(text))
	if err != nil || m.Output.Labels != "names/labels.txt" {
		t.Errorf("got %v, labels %q; want it read as without them", err, m.Output.Labels)
	}
}

// TestHostileYAMLIsRefusedAtOnce must not take memory or time: the test's own
// deadline and a small heap would show it.
func TestHostileYAMLIsRefusedAtOnce(t *testing.T) {
	var bomb strings.Builder
	bomb.WriteString("a0: &a0 [x, x]\n")
	for i := 1; i < 40; i++ {
		fmt.Fprintf(&bomb, "a%d: &a%d [*a%d, *a%d]\n", i, i, i-1, i-1)
	}
	for name, text := range map[string]string{
		"aliases":    bomb.String() + least,
		"brackets":   "x: " + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000) + "\n" + least,
		"braces":     "x: " + strings.Repeat("{a: ", 12_000) + "\n",
		"indent":     indent(200) + least,
		"large":      least + strings.Repeat("#", 70_000),
		"long key":   strings.Repeat("k", 50_000) + ": v\n" + least,
		"NUL":        least + "\x00",
		"empty":      " \n",
		"comment":    "# nothing\n",
		"scalar":     "just words",
		"list":       "- a\n- b\n",
		"utf-16":     "\xff\xfea\x00:\x00b\x00",
		"long value": "name: " + strings.Repeat("x", 5000) + "\n" + least,
	} {
		_, _, err := model.ParseManifest("goshawk.yaml", []byte(text))
		if !errors.Is(err, problem.ModelInvalid) || len(err.Error()) > 500 {
			t.Errorf("%s: got %v, want a short refusal", name, err)
		}
	}
}

func indent(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "%sk:\n", strings.Repeat(" ", i))
	}
	return b.String() + strings.Repeat(" ", n) + "v\n"
}

// TestWhatIsWrittenIsReadBack is Marshal's law.
func TestWhatIsWrittenIsReadBack(t *testing.T) {
	for _, text := range []string{full, least} {
		roundTrip(t, text)
	}
	rapid.Check(t, func(t *rapid.T) {
		m := model.Manifest{
			Kind: model.KindModel, Name: rapid.StringMatching(`[a-z0-9][a-z0-9._-]{0,20}`).Draw(t, "name"), Model: "model.onnx",
			Description: words(t, "description"), License: words(t, "license"),
			Input: model.Input{Tensor: words(t, "tensor"), Layout: rapid.SampledFrom([]picture.Layout{"", picture.NCHW, picture.NHWC}).Draw(t, "layout")},
			Preprocess: model.Preprocess{
				Resize:  picture.Resize{Mode: picture.Exact, Height: rapid.IntRange(10, 99).Draw(t, "h"), Width: rapid.IntRange(10, 99).Draw(t, "w"), Filter: picture.Lanczos},
				Crop:    picture.Crop{Fraction: rapid.Float64Range(0.01, 1).Draw(t, "fraction"), Floor: rapid.Bool().Draw(t, "floor")},
				Rescale: rapid.SampledFrom([]float64{1, 1. / 255, 1. / 127.5, 0.017, 2}).Draw(t, "rescale"),
				Mean:    [3]float64{rapid.Float64Range(-9, 9).Draw(t, "mean"), 0, 1e-7}, Std: [3]float64{rapid.Float64Range(1e-3, 9).Draw(t, "std"), 1, 3}, Written: true,
			},
			Output: model.Output{Tensor: words(t, "output"), Activation: model.None, Temperature: rapid.Float64Range(0.01, 9).Draw(t, "temperature"), Labels: "labels.txt", TopK: 7},
		}
		back, _, err := model.ParseManifest("goshawk.yaml", m.Marshal())
		if err != nil {
			t.Fatalf("what we wrote is refused: %v\n%s", err, m.Marshal())
		}
		if diff := cmp.Diff(m, back, cmpopts.IgnoreUnexported(model.Preprocess{})); diff != "" {
			t.Fatalf("-written +read:\n%s", diff)
		}
	})
}

// words are texts that a manifest may hold, the nasty ones among them.
func words(t *rapid.T, label string) string {
	return rapid.OneOf(
		rapid.SampledFrom([]string{"", "no", "null", "1e3", "0x1f", "~", "- a", "a: b", "#x", "'", `"`, `\`, "a\nb", "é", "\u2028", "\U0001F408", "{}", "2001-01-01", "\u202e"}),
		rapid.StringMatching(`[!-~]{1,30}`),
	).Draw(t, label)
}

func roundTrip(t *testing.T, text string) {
	t.Helper()
	first, _, err := model.ParseManifest("f", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	written := first.Marshal()
	second, _, err := model.ParseManifest("f", written)
	if err != nil {
		t.Fatalf("%v\n%s", err, written)
	}
	if !bytes.Equal(written, second.Marshal()) {
		t.Errorf("writing is not stable:\n%s\n%s", written, second.Marshal())
	}
}

func TestPresetsAreUsable(t *testing.T) {
	for _, p := range model.Presets() {
		m, _, err := model.ParseManifest("f", []byte(strings.Replace(least, "imagenet", p[0], 1)))
		if err != nil {
			t.Errorf("preset %s: %v", p[0], err)
			continue
		}
		for c := range 3 {
			white := (255*m.Preprocess.Rescale - m.Preprocess.Mean[c]) / m.Preprocess.Std[c]
			black := -m.Preprocess.Mean[c] / m.Preprocess.Std[c]
			if math.IsNaN(white) || white <= black || white-black < 0.9 || p[1] == "" {
				t.Errorf("preset %s: channel %d goes from %g to %g (%q); black must be below white", p[0], c, black, white, p[1])
			}
		}
	}
}

func FuzzManifest(f *testing.F) {
	f.Add([]byte(full))
	f.Add([]byte(least))
	f.Add([]byte("a: &a [*a]\n"))
	f.Add([]byte("{{{{[[["))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, labels, err := model.ParseManifest("f", data)
		if err != nil {
			if !errors.Is(err, problem.ModelInvalid) || strings.ContainsAny(err.Error(), "\n\x00\x1b") || len(err.Error()) > 2000 {
				t.Fatalf("%q is no sentence for a person", err)
			}
			return
		}
		if labels != nil {
			m.Output.Labels = "labels.txt"
		}
		if _, _, err := model.ParseManifest("f", m.Marshal()); err != nil {
			t.Fatalf("accepted, but what is written of it is refused: %v\n%s", err, m.Marshal())
		}
	})
}
