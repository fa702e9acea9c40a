package fleet

import (
	"context"

	"github.com/goshawk-ai/goshawk/internal/model"
	"github.com/goshawk-ai/goshawk/internal/picture"
	"github.com/goshawk-ai/goshawk/internal/problem"
	"github.com/goshawk-ai/goshawk/internal/tensor"
	"github.com/goshawk-ai/goshawk/internal/wording"
)

// Parity holds the package's certificate against what is computed here, stage by
// stage, each from the certificate's own input. A difference at tensor or logits
// is the error, whose sentence says where it begins; one of the decoder's is in
// the stage's Detail only. A package without a certificate has no stages.
func (m *Model) Parity(ctx context.Context, decoder *picture.Decoder) ([]Stage, error) {
	dir := m.Package.Manifest.Parity
	if dir == "" {
		return nil, nil
	}
	certificate, err := model.ReadCertificate(m.Package.FS, dir)
	if err != nil {
		return nil, err
	}
	var stages []Stage
	for _, c := range certificate.Cases {
		differs, err := m.parityPicture(ctx, decoder, c)
		if err != nil {
			return stages, err
		}
		stages = append(stages, Stage{Case: c.Name, Name: "picture", OK: differs == "", Detail: differs})
		for _, s := range []struct {
			name  string
			check func() error
		}{
			{"tensor", func() error { return c.CompareTensor(&m.Binding) }},
			{"logits", func() error { return m.parityLogits(ctx, c) }},
		} {
			err := s.check()
			if err != nil {
				return append(stages, Stage{Case: c.Name, Name: s.name, Detail: sentence(err)}), err
			}
			stages = append(stages, Stage{Case: c.Name, Name: s.name, OK: true})
		}
	}
	return stages, nil
}

// parityPicture decodes the reference picture without shrinking.
func (m *Model) parityPicture(ctx context.Context, decoder *picture.Decoder, c *model.Case) (string, error) {
	refused := func(err error) error {
		return problem.ModelInvalid.New("picture: case %s: %v", wording.Quote(c.Name), err).Because(err)
	}
	info, err := picture.Inspect(c.Picture, picture.DefaultLimits)
	if err != nil {
		return "", refused(err)
	}
	exact := m.Binding.Recipe
	exact.Exact = true
	var img picture.Image
	if err := decoder.Decode(ctx, c.Picture, info, decoder.Plan(info, &exact), &img); err != nil {
		return "", refused(err)
	}
	return c.ComparePicture(&m.Binding, &img, info.Format, decoder.Name()), nil
}

// parityLogits runs the model on the training side's tensor.
func (m *Model) parityLogits(ctx context.Context, c *model.Case) error {
	s, err := m.Slot()
	if err != nil {
		return err
	}
	defer m.Return(s)
	if !narrow(s.Row, m.Binding.Input.Type, c.Tensor) {
		return problem.ModelInvalid.New("logits: case %s: the certificate's tensor is %s (%d bytes), the model takes %s (%d bytes)",
			wording.Quote(c.Name), c.Tensor.Type, len(c.Tensor.Data), m.Binding.Input.Type, len(s.Row))
	}
	if err := m.Infer(ctx, s); err != nil {
		return err
	}
	return c.CompareLogits(s.Logits)
}

// narrow copies a tensor into a row of another floating type. Training sides
// keep float32, whatever the exported model takes.
func narrow(row []byte, typ tensor.Type, t *tensor.Tensor) bool {
	if t.Type == typ {
		return copy(row, t.Data) == len(t.Data) && len(row) == len(t.Data)
	}
	if t.Type != tensor.Float32 || len(row)/max(1, typ.Size()) != len(t.Data)/4 {
		return false
	}
	values := tensor.View[float32](t.Data)
	switch typ {
	case tensor.Float16:
		for i, out := 0, tensor.View[uint16](row); i < len(out); i++ {
			out[i] = tensor.ToFloat16(values[i])
		}
	case tensor.BFloat16:
		for i, out := 0, tensor.View[uint16](row); i < len(out); i++ {
			out[i] = tensor.ToBFloat16(values[i])
		}
	case tensor.Float64:
		for i, out := 0, tensor.View[float64](row); i < len(out); i++ {
			out[i] = float64(values[i])
		}
	default:
		return false
	}
	return true
}
