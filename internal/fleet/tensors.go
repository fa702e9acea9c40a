package fleet

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/goshawk-ai/goshawk/internal/infer"
	"github.com/goshawk-ai/goshawk/internal/model"
	"github.com/goshawk-ai/goshawk/internal/problem"
	"github.com/goshawk-ai/goshawk/internal/tensor"
	"github.com/goshawk-ai/goshawk/internal/wording"
)

// Pictures tells whether the model takes pictures, or is one of kind Tensor.
func (m *Model) Pictures() bool { return m.Package.Manifest.Kind != model.KindTensor }

// warm runs a model of kind Tensor once, on zeros and empty strings, with one
// for every open size; on ones where it divides integers. A model whose sizes are
// all fixed must take that. Another may refuse it for a reason of its own, which
// its callers know and we don't.
func (m *Model) warm(ctx context.Context, say func(string)) error {
	if err := servable("input", m.Inputs); err != nil {
		return err
	}
	if err := servable("output", m.Outputs); err != nil {
		return err
	}
	in, open, err := zeros(m.Inputs)
	if err != nil {
		return err
	}
	out := make([]*tensor.Tensor, len(m.Outputs))
	for i := range out {
		out[i] = &tensor.Tensor{Name: m.Outputs[i].Name}
	}
	if m.Apart != "" {
		ones(in)
	}
	say("running the model on its first tensors")
	began := time.Now()
	err = m.Session.Run(ctx, in, out)
	m.FirstTime = time.Since(began)
	if native, ok := errors.AsType[*infer.Error](err); ok && open && native.Code != infer.OutOfMemory {
		return nil
	}
	if err != nil {
		return m.runProblem(ctx, err)
	}
	m.Answered(m.FirstTime, tensor.Size(in))
	return nil
}

// servable refuses what no tensor can carry: a sequence, a map, a type unknown here.
func servable(what string, specs []tensor.Spec) error {
	for _, s := range specs {
		if s.Kind != "tensor" || s.Type == tensor.Invalid {
			return problem.ModelInvalid.New("the %s %q is no tensor of a type that is served here (%s)", what, wording.Cut(s.Name), wording.Cut(s.Kind))
		}
	}
	return nil
}

// ones sets every integer to 1, by which everything can be divided.
func ones(list []*tensor.Tensor) {
	for _, t := range list {
		switch t.Type {
		case tensor.Uint8, tensor.Uint16, tensor.Uint32, tensor.Uint64, tensor.Int8, tensor.Int16, tensor.Int32, tensor.Int64:
			for size, i := t.Type.Size(), 0; i < len(t.Data); i += size {
				t.Data[i] = 1 // as everywhere here, the machine is little-endian
			}
		}
	}
}

// zeros makes an input of each kind, and says whether a size was open.
func zeros(specs []tensor.Spec) (list []*tensor.Tensor, open bool, err error) {
	for _, s := range specs {
		shape := slices.Clone(s.Shape)
		open = open || !s.Ranked
		for i, n := range shape {
			if n < 0 {
				shape[i], open = 1, true
			}
		}
		t, err := tensor.New(s.Name, s.Type, shape, maxInput)
		if err != nil {
			return nil, open, problem.ModelInvalid.New("the input %q cannot be made: %v", wording.Cut(s.Name), err)
		}
		list = append(list, t)
	}
	return list, open, nil
}

// Fit checks that a request's inputs are what the model declares: the names, each
// once, the types and the shapes. It fails with problem.InvalidRequest, which
// names the input and what was wanted of it.
func (m *Model) Fit(in []*tensor.Tensor) error {
	for i, t := range in {
		at := slices.IndexFunc(m.Inputs, func(s tensor.Spec) bool { return s.Name == t.Name })
		if at < 0 {
			return problem.InvalidRequest.New("the model %q has no input %q; it has %s", m.Version.Name, wording.Cut(t.Name), names(m.Inputs))
		}
		if slices.ContainsFunc(in[:i], func(other *tensor.Tensor) bool { return other.Name == t.Name }) {
			return problem.InvalidRequest.New("the input %q is there twice", wording.Cut(t.Name))
		}
		if err := m.fits(&m.Inputs[at], t); err != nil {
			return err
		}
	}
	if len(in) == len(m.Inputs) {
		return nil
	}
	for _, s := range m.Inputs {
		if !slices.ContainsFunc(in, func(t *tensor.Tensor) bool { return t.Name == s.Name }) {
			return problem.InvalidRequest.New("the input %q of the model %q is missing; it has %s", wording.Cut(s.Name), m.Version.Name, names(m.Inputs))
		}
	}
	return nil
}

func (m *Model) fits(s *tensor.Spec, t *tensor.Tensor) error {
	if t.Type == tensor.String && m.Pictures() {
		return problem.InvalidRequest.New("the input %q is BYTES %v; the model %q takes encoded pictures as BYTES [N] or [N,1], or %s %v (-1 is any size)",
			wording.Cut(t.Name), t.Shape, m.Version.Name, s.Type.Protocol(), s.Shape)
	}
	if t.Type != s.Type {
		return problem.InvalidRequest.New("the input %q is of type %s; the model %q takes %s", wording.Cut(t.Name), t.Type.Protocol(), m.Version.Name, s.Type.Protocol())
	}
	if !s.Ranked {
		return nil
	}
	ok := len(t.Shape) == len(s.Shape)
	for i := 0; ok && i < len(t.Shape); i++ {
		ok = s.Shape[i] < 0 || t.Shape[i] == s.Shape[i]
	}
	if !ok {
		return problem.InvalidRequest.New("the input %q has the shape %v; the model %q takes %v (-1 is any size)", wording.Cut(t.Name), t.Shape, m.Version.Name, s.Shape)
	}
	return nil
}

// Wanted makes the outputs that a request names, all of the model's where it
// names none. The run fills them.
func (m *Model) Wanted(outputs []string) ([]*tensor.Tensor, error) {
	if len(outputs) == 0 {
		list := make([]*tensor.Tensor, len(m.Outputs))
		for i := range list {
			list[i] = &tensor.Tensor{Name: m.Outputs[i].Name}
		}
		return list, nil
	}
	list := make([]*tensor.Tensor, 0, min(len(outputs), len(m.Outputs)))
	for _, name := range outputs {
		if !slices.ContainsFunc(m.Outputs, func(s tensor.Spec) bool { return s.Name == name }) {
			return nil, problem.InvalidRequest.New("the model %q has no output %q; it has %s", m.Version.Name, wording.Cut(name), names(m.Outputs))
		}
		if slices.ContainsFunc(list, func(t *tensor.Tensor) bool { return t.Name == name }) {
			return nil, problem.InvalidRequest.New("the output %q is asked for twice", wording.Cut(name))
		}
		list = append(list, &tensor.Tensor{Name: name})
	}
	return list, nil
}

// RunTensors computes out, as infer.Session.Run does, and says what failed in a
// problem that names the model.
func (m *Model) RunTensors(ctx context.Context, in, out []*tensor.Tensor) error {
	err := m.Session.Run(ctx, in, out)
	if err == nil {
		return nil
	}
	native, ok := errors.AsType[*infer.Error](err)
	switch {
	case !ok || ctx.Err() != nil || native.Code == infer.Unavailable: // no fault of these inputs
	case native.Code == infer.BadInput:
		return problem.InvalidRequest.New("the model %q refuses these inputs: %s", m.Version.Name, wording.Cut(native.Message)).Because(err)
	case native.Code != infer.OutOfMemory && native.Code != infer.Unavailable:
		if symbol, a, b := m.disagreement(in); symbol != "" {
			return problem.InvalidRequest.New("the model %q failed on these inputs: it calls sizes of them %q that are %d and %d here", m.Version.Name, wording.Cut(symbol), a, b).Because(err)
		}
		if !m.Pictures() {
			return problem.Internal.New("the model %q failed on these inputs: %s", m.Version.Name, wording.Cut(native.Message)).Because(err)
		}
	}
	return m.runProblem(ctx, err)
}

// disagreement finds an open size that the model gives one name and the inputs
// two values. Exporters are careless with names, so this alone refuses nothing;
// after a failed run it is whose fault that was.
func (m *Model) disagreement(in []*tensor.Tensor) (symbol string, a, b int64) {
	seen := map[string]int64{}
	for _, s := range m.Inputs {
		at := slices.IndexFunc(in, func(t *tensor.Tensor) bool { return t.Name == s.Name })
		if at < 0 || len(in[at].Shape) != len(s.Symbols) {
			continue
		}
		for i, name := range s.Symbols {
			size := in[at].Shape[i]
			if before, known := seen[name]; known && name != "" && before != size {
				return name, before, size
			}
			seen[name] = size
		}
	}
	return "", 0, 0
}

// Encoded gives the encoded pictures of a request that sends them in place of the
// input tensor: a String tensor of its name, [N] or [N,1], for a model that takes
// pictures. Otherwise it gives nil.
func (m *Model) Encoded(in []*tensor.Tensor) [][]byte {
	if !m.Pictures() || len(in) != 1 || in[0].Name != m.Binding.Input.Name || in[0].Type != tensor.String {
		return nil
	}
	shape := in[0].Shape
	if len(shape) == 0 || len(shape) > 2 || len(shape) == 2 && shape[1] != 1 || len(in[0].Strings) == 0 {
		return nil
	}
	return in[0].Strings
}

// Batched tells whether the first axis of every input and output is a batch, of
// any size, and the package does not say otherwise.
func (m *Model) Batched() bool {
	if m.Pictures() {
		return m.Binding.Batch == 0
	}
	if m.Package.Manifest.Serving.Unbatched {
		return false
	}
	open := func(s tensor.Spec) bool { return s.Ranked && len(s.Shape) > 0 && s.Shape[0] < 0 }
	return len(m.Inputs) > 0 && !slices.ContainsFunc(m.Inputs, func(s tensor.Spec) bool { return !open(s) }) &&
		!slices.ContainsFunc(m.Outputs, func(s tensor.Spec) bool { return !open(s) })
}

// BatchOf is how many rows a request that Fit holds; 1 where there is no batch.
func (m *Model) BatchOf(in []*tensor.Tensor) int {
	if !m.Batched() {
		return 1
	}
	return int(in[0].Shape[0])
}

// InferRow is Infer for outputs of the caller's choice (none: all). Each has one
// row, [1,…], and memory of its own.
func (m *Model) InferRow(ctx context.Context, s *Slot, outputs []string) ([]*tensor.Tensor, error) {
	out, err := m.Wanted(outputs)
	if err != nil {
		return nil, err
	}
	if err := m.RunTensors(ctx, s.in, out); err != nil {
		return nil, err
	}
	for _, t := range out {
		if len(s.in[0].Shape) == 3 { // the model has no axis for the batch
			t.Shape = append([]int64{1}, t.Shape...)
			continue
		}
		if len(t.Shape) == 0 || t.Shape[0] != int64(m.rows()) {
			return nil, problem.InvalidRequest.New("the output %q of the model %q is %v, which gives no picture its part; ask for others", wording.Cut(t.Name), m.Version.Name, t.Shape)
		}
		*t = *t.Row(0, m.rows())
	}
	return out, nil
}

func names(specs []tensor.Spec) string {
	if len(specs) == 0 {
		return "none"
	}
	list := make([]string, len(specs))
	for i, s := range specs {
		list[i] = s.Name
	}
	return wording.QuoteAll(list)
}
