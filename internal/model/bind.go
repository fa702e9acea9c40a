package model

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/goshawk-ai/goshawk/internal/tensor"
	"github.com/goshawk-ai/goshawk/internal/wording"
)

// Bind brings a package together with the inputs and outputs that its model
// declares, whether the runtime or InspectONNX says so. It fails with a problem
// of kind model-invalid that names the tensor and what was wanted of it.
func Bind(p *Package, inputs, outputs []tensor.Spec) (*Binding, error) {
	if p.Manifest.Kind == KindTensor {
		return nil, refuse("%s is of kind Tensor: it takes no pictures", p.Manifest.Name)
	}
	b := &binder{p: p, m: &p.Manifest}
	if err := b.input(inputs); err != nil {
		return nil, err
	}
	if err := b.output(outputs); err != nil {
		return nil, err
	}
	if err := b.Recipe.Validate(); err != nil {
		return nil, refuse("%s: %s", ManifestName, err)
	}
	return &b.Binding, nil
}

type binder struct {
	Binding
	p *Package
	m *Manifest
}

// notAPictureModel ends refusals of models that may be good for something else.
const notAPictureModel = "; models that take no pictures are of another kind (--kind tensor), served over /v2"

// pick finds a tensor by its name.
func pick(specs []tensor.Spec, name, field, what string) (*tensor.Spec, error) {
	for i := range specs {
		if specs[i].Name == name {
			return &specs[i], nil
		}
	}
	return nil, refuse("%s: %s names %s, which the model does not have; its %s are %s", ManifestName, field, wording.Quote(name), what, wording.QuoteAll(names(specs)))
}

func names(specs []tensor.Spec) []string {
	list := make([]string, len(specs))
	for i, s := range specs {
		list[i] = s.Name
	}
	return list
}

// shape writes a shape for a sentence: [N,3,224,224] float32.
func shape(s tensor.Spec) string {
	switch s.Kind {
	case "tensor":
	case "optional", "opaque value":
		return "an " + s.Kind
	default:
		return "a " + s.Kind
	}
	if !s.Ranked {
		return s.Type.String() + " without a shape"
	}
	parts := make([]string, len(s.Shape))
	for i, d := range s.Shape {
		switch {
		case d >= 0:
			parts[i] = strconv.FormatInt(d, 10)
		case i < len(s.Symbols) && s.Symbols[i] != "":
			parts[i] = wording.Cut(s.Symbols[i])
		default:
			parts[i] = "?"
		}
	}
	return s.Type.String() + " [" + strings.Join(parts, ",") + "]"
}

// batch settles how many rows a run has, from the first sizes of input and
// output: whichever is fixed binds the other.
func (b *binder) batch(out tensor.Spec, rows int64) error {
	switch {
	case rows == 0:
		return refuse("the output %s has batch size 0 (%s)", wording.Quote(out.Name), shape(out))
	case rows < 0, int(rows) == b.Batch:
		return nil
	case b.Batch == 0 && rows <= maxBatch:
		b.Batch = int(rows)
		return nil
	}
	return refuse("the input takes %s at a time and the output %s gives %d rows (%s)", pictures(b.Batch), wording.Quote(out.Name), rows, shape(out))
}

func pictures(n int) string {
	switch n {
	case 0:
		return "any number of pictures"
	case 1:
		return "1 picture"
	}
	return fmt.Sprintf("%d pictures", n)
}
