package model

import (
	"context"
	"fmt"

	"github.com/goshawk-ai/goshawk/internal/picture"
	"github.com/goshawk-ai/goshawk/internal/problem"
	"github.com/goshawk-ai/goshawk/internal/tensor"
)

// Certificate reads the package's certificate; nil where it carries none.
func (p *Package) Certificate() (*Certificate, error) {
	if p.Manifest.Parity == "" {
		return nil, nil
	}
	return ReadCertificate(p.FS, p.Manifest.Parity)
}

// Input is the case's tensor as the model's input: of the binding's type, with a
// batch axis, repeated where the model wants a fixed number of rows.
func (c *Case) Input(b *Binding) (*tensor.Tensor, error) {
	rows := max(b.Batch, 1)
	values := numbers(c.Tensor)
	if want, err := tensor.Elements(b.Recipe.Shape()); err != nil || int64(len(values)) != want {
		return nil, problem.ModelInvalid.New("tensor: case %s: has the shape %v in training, the package makes %v", c.Name, c.Tensor.Shape, b.Recipe.Shape())
	}
	t, err := tensor.New(b.Input.Name, b.Recipe.Type, append([]int64{int64(rows)}, b.Recipe.Shape()...), int64(rows)*int64(b.Recipe.RowBytes()))
	if err != nil {
		return nil, fmt.Errorf("case %s: %w", c.Name, err)
	}
	for row := range rows {
		for i, v := range values {
			narrow(t, row*len(values)+i, v)
		}
	}
	return t, nil
}

// narrow stores a value in the tensor's type, which the training side's may exceed.
func narrow(t *tensor.Tensor, i int, v float64) {
	switch t.Type {
	case tensor.Float16:
		tensor.View[uint16](t.Data)[i] = tensor.ToFloat16(float32(v))
	case tensor.BFloat16:
		tensor.View[uint16](t.Data)[i] = tensor.ToBFloat16(float32(v))
	case tensor.Float32:
		tensor.View[float32](t.Data)[i] = float32(v)
	case tensor.Float64:
		tensor.View[float64](t.Data)[i] = v
	case tensor.Uint8:
		t.Data[i] = uint8(v)
	case tensor.Int8:
		tensor.View[int8](t.Data)[i] = int8(v)
	case tensor.Int32:
		tensor.View[int32](t.Data)[i] = int32(v)
	case tensor.Int64:
		tensor.View[int64](t.Data)[i] = int64(v)
	}
}

// Check runs every case through its three stages. decode makes the pixels of a
// case's picture, whole, as serving would; infer gives the logits of one row.
// The first difference that decides is the error; what only warns is listed.
func (c *Certificate) Check(ctx context.Context, b *Binding, decoder string,
	decode func(ctx context.Context, data []byte) (*picture.Image, picture.Format, error),
	infer func(ctx context.Context, input *tensor.Tensor) ([]float32, error),
) (warnings []string, err error) {
	for _, one := range c.Cases {
		img, format, err := decode(ctx, one.Picture)
		if err != nil {
			warnings = append(warnings, fmt.Sprintf("picture: case %s: %s is not read here: %v", one.Name, one.File, err))
		} else if w := one.ComparePicture(b, img, format, decoder); w != "" {
			warnings = append(warnings, w)
		}
		if err := one.CompareTensor(b); err != nil {
			return warnings, err
		}
		input, err := one.Input(b)
		if err != nil {
			return warnings, err
		}
		logits, err := infer(ctx, input)
		if err != nil {
			return warnings, fmt.Errorf("logits: case %s: %w", one.Name, err)
		}
		if err := one.CompareLogits(logits); err != nil {
			return warnings, err
		}
	}
	return warnings, nil
}
