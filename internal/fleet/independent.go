package fleet

import (
	"bytes"
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/goshawk-ai/goshawk/internal/infer"
	"github.com/goshawk-ai/goshawk/internal/tensor"
)

// agreement is how far a row's numbers may be from those it gets alone, as a part
// of the largest of them: sums of the same numbers in another order differ so much.
const agreement = 1e-5

// Joins tells whether rows of different requests may share a run of the model:
// its first axis is a batch, and Independent has found that no row's answer
// depends on the others.
func (m *Model) Joins() bool { return m.joins.Load() }

// Independent finds out whether rows may share a run, by running two of them alone
// and together and comparing every output. A model that is in doubt (it refuses the
// rows that are made up here, say) may not. It fails with ctx's cause alone.
func (m *Model) Independent(ctx context.Context) (bool, error) {
	if m.Rows != 0 || !m.Batched() || m.Pictures() && len(m.inputShape(1)) != 4 {
		return false, nil
	}
	if m.Joins() {
		return true, nil
	}
	ok, err := m.independent(ctx)
	if ctx.Err() != nil {
		return false, context.Cause(ctx)
	}
	if err != nil {
		if _, refused := errors.AsType[*infer.Error](err); !refused {
			return false, err
		}
		return false, nil
	}
	m.joins.Store(ok)
	return ok, nil
}

func (m *Model) independent(ctx context.Context) (bool, error) {
	both, err := m.invented()
	if err != nil {
		return false, err
	}
	together, err := m.all(ctx, both)
	if err != nil {
		return false, err
	}
	for i := range 2 {
		row := make([]*tensor.Tensor, len(both))
		for k, t := range both {
			row[k] = t.Rows(i, i+1)
		}
		alone, err := m.all(ctx, row)
		if err != nil {
			return false, err
		}
		for k, t := range together {
			if len(t.Shape) == 0 || t.Shape[0] != 2 || !agree(t.Rows(i, i+1), alone[k]) {
				return false, nil
			}
		}
	}
	return true, nil
}

// all runs the model for all its outputs.
func (m *Model) all(ctx context.Context, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
	out, err := m.Wanted(nil)
	if err != nil {
		return nil, err
	}
	return out, m.Session.Run(ctx, in, out)
}

// invented makes two rows that differ: pictures of noise; else small numbers of
// both signs, and 0 and 1 where the type has no fractions, or 1 alone where the
// model divides integers.
func (m *Model) invented() ([]*tensor.Tensor, error) {
	if m.Pictures() {
		in, err := tensor.New(m.Binding.Input.Name, m.Binding.Input.Type, m.inputShape(2), maxInput)
		if err != nil {
			return nil, err
		}
		n := m.Binding.Recipe.RowBytes()
		if err := noise(1).fill(&m.Binding.Recipe, in.Data, 1); err != nil {
			return nil, err
		}
		return []*tensor.Tensor{in}, noise(2).fill(&m.Binding.Recipe, in.Data[n:], 1)
	}
	specs := slices.Clone(m.Inputs)
	for i := range specs {
		specs[i].Shape = append([]int64{2}, specs[i].Shape[1:]...)
	}
	in, _, err := zeros(specs)
	if err != nil {
		return nil, err
	}
	random := rand.New(rand.NewPCG(1, 2))
	for _, t := range in {
		invent(t, random)
	}
	if m.Apart != "" {
		ones(in)
	}
	return in, nil
}

func invent(t *tensor.Tensor, random *rand.Rand) {
	switch size := t.Type.Size(); t.Type {
	case tensor.String:
	case tensor.Float32:
		for i := range tensor.View[float32](t.Data) {
			tensor.View[float32](t.Data)[i] = float32(random.NormFloat64())
		}
	case tensor.Float64:
		for i := range tensor.View[float64](t.Data) {
			tensor.View[float64](t.Data)[i] = random.NormFloat64()
		}
	case tensor.Float16, tensor.BFloat16:
		// A sign, an exponent near that of 1, and any fraction.
		high := map[tensor.Type]uint32{tensor.Float16: 0x3800, tensor.BFloat16: 0x3f00}[t.Type]
		for i := range tensor.View[uint16](t.Data) {
			tensor.View[uint16](t.Data)[i] = uint16(high | random.Uint32N(2)<<15 | random.Uint32N(0x80))
		}
	default:
		for i := 0; i < len(t.Data); i += size {
			t.Data[i] = byte(random.IntN(2)) // as everywhere here, the machine is little-endian
		}
	}
}

// agree compares a row of a run of two with the same row alone.
func agree(a, b *tensor.Tensor) bool {
	if a.Type != b.Type || !slices.Equal(a.Shape, b.Shape) {
		return false
	}
	if a.Type == tensor.String {
		return slices.EqualFunc(a.Strings, b.Strings, bytes.Equal)
	}
	if bytes.Equal(a.Data, b.Data) {
		return true
	}
	switch a.Type {
	case tensor.Float16, tensor.BFloat16, tensor.Float32, tensor.Float64:
	default:
		return false
	}
	one, two := make([]float64, len(a.Data)/a.Type.Size()), make([]float64, len(b.Data)/b.Type.Size())
	if len(one) != len(two) {
		return false
	}
	tensor.Widen(one, a)
	tensor.Widen(two, b)
	most := 0.0
	for _, v := range two {
		if v = math.Abs(v); v > most && !math.IsInf(v, 0) {
			most = v
		}
	}
	for i := range one {
		same := one[i] == two[i] || math.IsNaN(one[i]) && math.IsNaN(two[i])
		if !same && !(math.Abs(one[i]-two[i]) <= agreement*most) {
			return false
		}
	}
	return true
}
