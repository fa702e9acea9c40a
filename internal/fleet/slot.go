package fleet

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/goshawk-ai/goshawk/internal/infer"
	"github.com/goshawk-ai/goshawk/internal/problem"
	"github.com/goshawk-ai/goshawk/internal/tensor"
	"github.com/goshawk-ai/goshawk/internal/wording"
)

// Slot is the memory of one run: the input's row, which a recipe fills, and the
// outputs. Whoever takes one with Model.Slot gives it back with Model.Return, in
// the same function. It is for one goroutine at a time.
type Slot struct {
	Row       []byte    // of the picture, in the input tensor
	Logits    []float32 // [Classes], valid until the next Infer
	Embedding []float32 // [Width]

	in, out []*tensor.Tensor
	model   *Model
}

// Slot takes a slot from the pool, or makes one. The pool holds as many as were
// ever in use at a time.
func (m *Model) Slot() (*Slot, error) {
	m.mu.Lock()
	if n := len(m.free); n > 0 {
		s := m.free[n-1]
		m.free = m.free[:n-1]
		m.mu.Unlock()
		return s, nil
	}
	m.mu.Unlock()
	return m.newSlot()
}

// Return gives a slot back.
func (m *Model) Return(s *Slot) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.free = append(m.free, s)
}

func (m *Model) newSlot() (*Slot, error) {
	in, err := tensor.New(m.Binding.Input.Name, m.Binding.Input.Type, m.inputShape(m.rows()), maxInput)
	if err != nil {
		return nil, fmt.Errorf("make the input of %q: %w", m.Version.Name, err)
	}
	s := &Slot{Row: in.Data[:m.Binding.Recipe.RowBytes()], in: []*tensor.Tensor{in}, model: m}
	views := []*[]float32{&s.Logits, &s.Embedding}
	for i, o := range m.outputs {
		t, err := tensor.New(o.name, o.typ, o.shape, maxInput)
		if err != nil {
			return nil, fmt.Errorf("make the output %q of %q: %w", o.name, m.Version.Name, err)
		}
		s.out = append(s.out, t)
		if o.typ == tensor.Float32 {
			*views[i] = tensor.View[float32](t.Data)[:o.row]
		} else {
			*views[i] = make([]float32, o.row)
		}
	}
	m.slots.Add(int64(len(in.Data)))
	for _, t := range s.out {
		m.slots.Add(int64(len(t.Data)))
	}
	return s, nil
}

// Infer runs the model on Row and sets Logits and Embedding. It fails with
// ctx's cause, or with a problem that names the model. Numbers that are not
// finite are no failure here: interpret judges them.
func (m *Model) Infer(ctx context.Context, s *Slot) error {
	if err := m.Session.Run(ctx, s.in, s.out); err != nil {
		return m.runProblem(ctx, err)
	}
	views := [...][]float32{s.Logits, s.Embedding}
	for i, t := range s.out {
		if t.Type != tensor.Float32 {
			tensor.Widen(views[i], t)
		}
	}
	return nil
}

// runProblem says why a run failed, without repeating what only the runtime understands.
func (m *Model) runProblem(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if errors.Is(err, infer.ErrClosed) {
		return problem.ModelUnhealthy.New("the model %q was unloaded", m.Version.Name).Because(err)
	}
	var native *infer.Error
	if !errors.As(err, &native) {
		return fmt.Errorf("run the model %q: %w", m.Version.Name, err)
	}
	if native.Code == infer.Unavailable {
		return problem.ModelUnhealthy.New("the model %q cannot answer: %s", m.Version.Name, wording.Cut(native.Message)).
			With("retry_after_seconds", max(1, int(math.Ceil(native.Retry.Seconds())))).Because(err)
	}
	if native.Code == infer.OutOfMemory {
		return problem.Internal.New("the model %q needs more memory for a picture than it may take", m.Version.Name).Because(err)
	}
	return problem.Internal.New("the model %q failed on this picture: %s", m.Version.Name, wording.Cut(native.Message)).Because(err)
}

// loadProblem says why the runtime refused a model.
func loadProblem(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	native, ok := errors.AsType[*infer.Error](err)
	if !ok {
		return fmt.Errorf("load the model: %w", err)
	}
	switch native.Code {
	case infer.OutOfMemory:
		return problem.ModelInvalid.New("loading the model needs more memory than it may take").Because(err)
	case infer.Unavailable:
		return problem.ModelUnhealthy.New("the model cannot be reached: %s", wording.Cut(native.Message)).Because(err)
	case infer.Unsupported:
		return problem.ModelInvalid.New("the runtime lacks something that the model needs: %s", wording.Cut(native.Message)).Because(err)
	default:
		return problem.ModelInvalid.New("the runtime refuses the model: %s", wording.Cut(native.Message)).Because(err)
	}
}
