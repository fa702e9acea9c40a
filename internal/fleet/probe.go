package fleet

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/goshawk-ai/goshawk/internal/interpret"
	"github.com/goshawk-ai/goshawk/internal/picture"
	"github.com/goshawk-ai/goshawk/internal/problem"
	"github.com/goshawk-ai/goshawk/internal/wording"
)

// Probe shows that the model works: it answers the package's probe picture with
// its label or, where there is none, a picture of noise with usable numbers. It
// returns the label that won. A model of kind Tensor has no probe but its first run.
func (m *Model) Probe(ctx context.Context, decoder *picture.Decoder) (string, error) {
	if !m.Pictures() {
		return "", nil
	}
	slot, err := m.Slot()
	if err != nil {
		return "", err
	}
	defer m.Return(slot)
	probe := m.Package.Manifest.Probe
	if probe == nil {
		err = noise(1).fill(&m.Binding.Recipe, slot.Row, 1)
	} else {
		err = m.fillFrom(ctx, decoder, probe.Image, slot.Row)
	}
	if err != nil {
		return "", err
	}
	if err := m.Infer(ctx, slot); err != nil {
		return "", err
	}
	best, err := m.winner(slot.Logits)
	if err != nil || probe == nil {
		return best, err
	}
	if best != probe.Label {
		return best, problem.ModelInvalid.New("the probe picture %q is taken for %s; its label in goshawk.yaml is %s", probe.Image, wording.Quote(best), wording.Quote(probe.Label))
	}
	return best, nil
}

// winner is the label of the best class, if all scores are usable.
func (m *Model) winner(scores []float32) (string, error) {
	probabilities := make([]float64, len(scores))
	if err := interpret.Probabilities(probabilities, scores, m.Binding.Activation, m.Binding.Temperature); err != nil {
		return "", unusable(err)
	}
	top := interpret.Top(nil, probabilities, 1)
	if len(top) == 0 || top[0].Index >= len(m.Package.Labels) {
		return "", problem.ModelInvalid.New("the model gives %d scores for %d labels", len(scores), len(m.Package.Labels))
	}
	return m.Package.Labels[top[0].Index].Name, nil
}

func unusable(err error) error {
	bad, ok := errors.AsType[*interpret.NotFiniteError](err)
	if !ok {
		return err
	}
	return problem.ModelInvalid.New("the model gives no usable number: the score of class %d is %v for a test picture", bad.Index, bad.Score).Because(err)
}

// fillFrom decodes a picture of the package into an input's row, as a client's
// picture is.
func (m *Model) fillFrom(ctx context.Context, decoder *picture.Decoder, name string, row []byte) error {
	data, err := fs.ReadFile(m.Package.FS, name)
	if err != nil {
		return fmt.Errorf("read the picture %q of the package: %w", name, err)
	}
	info, err := picture.Inspect(data, picture.DefaultLimits)
	if err != nil {
		return problem.ModelInvalid.New("the picture %q of the package cannot be used: %v", name, err).Because(err)
	}
	var img picture.Image
	if err := decoder.Decode(ctx, data, info, decoder.Plan(info, &m.Binding.Recipe), &img); err != nil {
		return problem.ModelInvalid.New("the picture %q of the package cannot be used: %v", name, err).Because(err)
	}
	return m.Binding.Recipe.Fill(row, &img, new(picture.Scratch))
}
