package oddmodels

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/goshawk-ai/goshawk/internal/model"
	"github.com/goshawk-ai/goshawk/internal/problem"
)

// A Case is one file, added in one way.
type Case struct {
	Name   string // the file's, and how it is added where that is not the usual way
	File   string
	Wanted string // what the README says a good server answers

	labels   int    // how many; 10 are CIFAR-10's
	manifest string // for a bare model that is added as a package
}

var row = regexp.MustCompile("(?m)^\\| `([^`]+)` \\| \\d+ \\| .* \\| (.+) \\|$")

// Cases reads the folder's README. Packages are added as they are, a bare
// model as `models add FILE --labels L --preset cifar10` would: ten labels (as
// many as it has classes where the README does not speak of their number) and
// the preset whose exact resize fits any size. Where the README says "only with
// … in the configuration", the file comes a second time, as a package that says
// so.
func Cases(dir string) ([]Case, error) {
	text, err := os.ReadFile(filepath.Join(dir, "README.md"))
	if err != nil {
		return nil, err
	}
	var cases []Case
	for _, m := range row.FindAllStringSubmatch(string(text), -1) {
		c := Case{Name: m[1], File: filepath.Join(dir, m[1]), Wanted: m[2], labels: 10}
		if c.Name == "many-classes.onnx" {
			c.labels = 21843
		}
		cases = append(cases, c)
		for _, v := range variants {
			if v.file == c.Name {
				again := c
				again.Name, again.labels, again.manifest = c.Name+" ("+v.how+")", v.labels, v.manifest
				cases = append(cases, again)
			}
		}
	}
	return cases, nil
}

const (
	unprepared = "apiVersion: goshawk/v1\nkind: Model\nname: odd\nmodel: model.onnx\n"
	usual      = unprepared + "preprocess: {preset: cifar10}\n"
)

var variants = []struct {
	file, how string
	labels    int
	manifest  string
}{
	{"two-outputs.onnx", "output named", 10, usual + "output: {tensor: logits, labels: labels.txt}\n"},
	{"two-outputs.onnx", "probabilities named", 10, usual + "output: {tensor: probs, activation: none, labels: labels.txt}\n"},
	{"no-shape-input.onnx", "layout said", 10, usual + "input: {layout: NCHW}\noutput: {labels: labels.txt}\n"},
	{"ambiguous-layout.onnx", "layout and size said", 10, unprepared +
		"input: {layout: NCHW}\npreprocess: {resize: {mode: exact, size: 3}, rescale: 1/255}\noutput: {labels: labels.txt}\n"},
	{"sigmoid-single.onnx", "one label", 1, usual + "output: {activation: none, labels: labels.txt}\n"},
	{"wrong-declared-output.onnx", "as many labels as it declares", 1000, usual + "output: {labels: labels.txt}\n"},
	{"one-class.onnx", "one label", 1, usual + "output: {activation: sigmoid, labels: labels.txt}\n"},
}

// A Step is a further check of a package that passed the ones before.
type Step func(context.Context, *model.Package, model.ONNXInfo) error

// Answer adds a case as an empty registry would, in the folder work, which is
// the case's own. refused is the sentence, or "" when it is accepted.
func (c *Case) Answer(ctx context.Context, work string, steps ...Step) (refused string, err error) {
	p, err := c.add(ctx, work)
	if err != nil {
		return sentence(err)
	}
	data, err := p.Model()
	if err != nil {
		return sentence(err)
	}
	info, err := model.InspectONNX(data)
	if err != nil {
		return sentence(err)
	}
	if _, err := model.Bind(p, info.Inputs, info.Outputs); err != nil {
		return sentence(err)
	}
	for _, s := range steps {
		if err := s(ctx, p, info); err != nil {
			return sentence(err)
		}
	}
	return "", nil
}

func (c *Case) add(ctx context.Context, work string) (*model.Package, error) {
	src, o, err := c.Source(work)
	if err != nil {
		return nil, err
	}
	return model.Import(ctx, src, filepath.Join(work, "package"), o)
}

// Source is what 'models add' would be given for the case: a path and the
// options. What the case needs beside the file is written into the folder work.
func (c *Case) Source(work string) (string, model.ImportOptions, error) {
	if !strings.HasSuffix(c.File, ".onnx") {
		return c.File, model.ImportOptions{}, nil
	}
	labels := filepath.Join(work, "labels.txt")
	if c.manifest == "" {
		err := os.WriteFile(labels, []byte(classes(c.labels)), 0o644)
		return c.File, model.ImportOptions{Labels: labels, Preset: "cifar10"}, err
	}
	src := filepath.Join(work, "source")
	data, err := os.ReadFile(c.File)
	if err != nil {
		return "", model.ImportOptions{}, err
	}
	if err := os.Mkdir(src, 0o755); err != nil {
		return "", model.ImportOptions{}, err
	}
	for name, text := range map[string][]byte{"model.onnx": data, "goshawk.yaml": []byte(c.manifest), "labels.txt": []byte(classes(c.labels))} {
		if err := os.WriteFile(filepath.Join(src, name), text, 0o644); err != nil {
			return "", model.ImportOptions{}, err
		}
	}
	return src, model.ImportOptions{}, nil
}

func classes(n int) string {
	if n == 10 {
		return "airplane\nautomobile\nbird\ncat\ndeer\ndog\nfrog\nhorse\nship\ntruck\n"
	}
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "class %d\n", i)
	}
	return b.String()
}

// sentence is what a person reads. An error that is no refusal is a fault of
// ours or of the test.
func sentence(err error) (string, error) {
	if p := problem.Of(err); p.Kind == problem.ModelInvalid {
		return p.Detail, nil
	}
	return "", err
}
