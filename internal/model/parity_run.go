package model

import (
	"github.com/goshawk-ai/goshawk/internal/problem"
	"github.com/goshawk-ai/goshawk/internal/tensor"
	"github.com/goshawk-ai/goshawk/internal/wording"
)

// Certificate reads the package's certificate; nil where it carries none.
func (p *Package) Certificate() (*Certificate, error) {
	if p.Manifest.Parity == "" {
		return nil, nil
	}
	return ReadCertificate(p.FS, p.Manifest.Parity)
}

// FillRow writes the case's tensor into one row of the model's input, in the
// type that the model takes: training sides keep float32 whatever they export.
// row is aligned and Recipe.RowBytes long.
func (c *Case) FillRow(row []byte, b *Binding) error {
	values := numbers(c.Tensor)
	if size := b.Recipe.Type.Size(); size == 0 || len(row) != len(values)*size {
		return problem.ModelInvalid.New("logits: case %s: the certificate's tensor is %s %v, the model takes %s %v",
			wording.Quote(c.Name), c.Tensor.Type, c.Tensor.Shape, b.Recipe.Type, b.Recipe.Shape())
	}
	for i, v := range values {
		narrow(row, b.Recipe.Type, i, v)
	}
	return nil
}

func narrow(row []byte, t tensor.Type, i int, v float64) {
	switch t {
	case tensor.Float16:
		tensor.View[uint16](row)[i] = tensor.ToFloat16(float32(v))
	case tensor.BFloat16:
		tensor.View[uint16](row)[i] = tensor.ToBFloat16(float32(v))
	case tensor.Float32:
		tensor.View[float32](row)[i] = float32(v)
	case tensor.Float64:
		tensor.View[float64](row)[i] = v
	case tensor.Uint8:
		row[i] = uint8(v)
	case tensor.Int8:
		tensor.View[int8](row)[i] = int8(v)
	case tensor.Int32:
		tensor.View[int32](row)[i] = int32(v)
	case tensor.Int64:
		tensor.View[int64](row)[i] = int64(v)
	}
}
