package fleet

import (
	"context"

	"github.com/goshawk-ai/goshawk/internal/model"
	"github.com/goshawk-ai/goshawk/internal/picture"
	"github.com/goshawk-ai/goshawk/internal/problem"
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
	if err := c.FillRow(s.Row, &m.Binding); err != nil {
		return err
	}
	if err := m.Infer(ctx, s); err != nil {
		return err
	}
	return c.CompareLogits(s.Logits)
}
