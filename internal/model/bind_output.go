package model

import (
	"slices"
	"strconv"

	"github.com/goshawk-ai/goshawk/internal/tensor"
	"github.com/goshawk-ai/goshawk/internal/wording"
)

// output settles which output holds the scores and what they mean.
func (b *binder) output(specs []tensor.Spec) error {
	if len(specs) == 0 {
		return refuse("the model has no output")
	}
	out, err := b.scores(specs)
	if err != nil {
		return err
	}
	if err := isScores(*out); err != nil {
		return err
	}
	b.Logits = *out
	classes, err := b.width(*out, "scores")
	if err != nil {
		return err
	}
	if err := b.classes(classes); err != nil {
		return err
	}
	o := b.m.Output
	b.Activation, b.Temperature = o.Activation, o.Temperature
	b.TopK = min(o.TopK, len(b.p.Labels))
	if o.Embedding == "" {
		return nil
	}
	return b.embedding(specs)
}

func (b *binder) scores(specs []tensor.Spec) (*tensor.Spec, error) {
	if name := b.m.Output.Tensor; name != "" {
		return pick(specs, name, "output.tensor", "outputs")
	}
	rest := slices.DeleteFunc(slices.Clone(specs), func(s tensor.Spec) bool { return s.Name == b.m.Output.Embedding })
	if len(rest) == 1 {
		return &rest[0], nil
	}
	return nil, refuse("the model has %d outputs: %s; say which holds the scores, as output.tensor in %s", len(specs), wording.QuoteAll(names(specs)), ManifestName)
}

// isScores refuses what is no row of numbers.
func isScores(out tensor.Spec) error {
	switch {
	case out.Kind == "sequence of maps":
		return refuse("the output %s is a sequence of maps, as scikit-learn's exporter writes; export with the option zipmap off", wording.Quote(out.Name))
	case out.Kind != "tensor":
		return refuse("the output %s is %s, no tensor of scores", wording.Quote(out.Name), shape(out))
	}
	switch out.Type {
	case tensor.Float32, tensor.Float16, tensor.BFloat16, tensor.Float64:
		return nil
	case tensor.Int64, tensor.Int32:
		return refuse("the output %s is %s: scores are expected, and these are class numbers; export the model without its ArgMax", wording.Quote(out.Name), shape(out))
	}
	return refuse("the output %s is %s; scores are float32, float16, bfloat16 or float64", wording.Quote(out.Name), shape(out))
}

// width is the number of values a picture, 0 where a run must show it. Sizes of
// 1 around it don't count: [N,10,1,1] is [N,10].
func (b *binder) width(out tensor.Spec, what string) (int, error) {
	if !out.Ranked {
		return 0, nil
	}
	switch len(out.Shape) {
	case 0:
		return 0, refuse("the output %s is one number for all pictures; a row of %s each is expected", wording.Quote(out.Name), what)
	case 1:
		if b.Batch != 1 {
			return 0, refuse("the output %s is %s and has no batch dimension, while the input takes %s", wording.Quote(out.Name), shape(out), pictures(b.Batch))
		}
		return int(max(0, out.Shape[0])), nil
	}
	if err := b.batch(out, out.Shape[0]); err != nil {
		return 0, err
	}
	width := int64(1)
	for _, d := range out.Shape[1:] {
		if d == 1 {
			continue
		}
		if width != 1 {
			return 0, refuse("the output %s is %s: a map or a sequence, no row of %s; this is not a classifier", wording.Quote(out.Name), shape(out), what)
		}
		width = d
	}
	if width == 0 {
		return 0, refuse("the output %s is %s and holds nothing", wording.Quote(out.Name), shape(out))
	}
	return int(max(0, width)), nil
}

func (b *binder) classes(n int) error {
	labels := len(b.p.Labels)
	switch {
	case n == 1 && b.m.Output.Activation == Softmax:
		return refuse("the model has 1 output, and softmax over one value is always 1; with one label, output.activation: sigmoid is what a yes-or-no model wants")
	case n > 0 && n != labels:
		return refuse("the model's output %s has %s and there %s%s", wording.Quote(b.Logits.Name), counted(n, "class", "classes"), labelCount(labels), where(b.m.Output.Labels))
	}
	b.Classes = n
	return nil
}

func counted(n int, one, more string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + more
}

func labelCount(n int) string {
	if n == 1 {
		return "is 1 label"
	}
	return "are " + strconv.Itoa(n) + " labels"
}

func where(file string) string {
	if file == "" {
		return ""
	}
	return " in " + file
}

func (b *binder) embedding(specs []tensor.Spec) error {
	out, err := pick(specs, b.m.Output.Embedding, "output.embedding", "outputs")
	if err != nil {
		return err
	}
	if out.Name == b.Logits.Name {
		return refuse("%s: output.embedding and output.tensor are the same output, %s", ManifestName, wording.Quote(out.Name))
	}
	if err := isScores(*out); err != nil {
		return err
	}
	if _, err := b.width(*out, "values"); err != nil {
		return err
	}
	e := *out
	b.Embedding = &e
	return nil
}
