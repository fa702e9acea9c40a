package fleet

import (
	"context"
	"fmt"
	"slices"

	"github.com/goshawk-ai/goshawk/internal/problem"
	"github.com/goshawk-ai/goshawk/internal/tensor"
	"github.com/goshawk-ai/goshawk/internal/wording"
)

// Batch is the memory of one run of several pictures, as Slot is of one. Whoever
// takes one with Model.Batch gives it back with Model.ReturnBatch, in the same
// function. It is for one goroutine at a time.
type Batch struct {
	model *Model
	rows  int // that there is room for
	in    tensor.Tensor
	out   []tensor.Tensor // logits, then embedding
	wide  [2][]float32    // the same as float32, where the model gives another type
	data  []byte          // of all rows of in
	outs  [][]byte        // of all rows of out
}

// Batch takes a batch of at least so many rows from the pool, or makes one of
// exactly as many.
func (m *Model) Batch(rows int) (*Batch, error) {
	m.mu.Lock()
	for i, b := range m.batches {
		if b.rows >= rows {
			m.batches = slices.Delete(m.batches, i, i+1)
			m.mu.Unlock()
			return b, nil
		}
	}
	m.mu.Unlock()
	return m.newBatch(rows)
}

// ReturnBatch gives a batch back. One that is smaller than what is asked for by
// now is dropped when a larger one comes.
func (m *Model) ReturnBatch(b *Batch) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.batches = slices.DeleteFunc(m.batches, func(other *Batch) bool { return other.rows < b.rows })
	if len(m.batches) == 0 || m.batches[0].rows == b.rows {
		m.batches = append(m.batches, b)
	}
}

func (m *Model) newBatch(rows int) (*Batch, error) {
	in, err := tensor.New(m.Binding.Input.Name, m.Binding.Input.Type, m.inputShape(rows), maxInput)
	if err != nil {
		return nil, fmt.Errorf("make an input of %d rows for %q: %w", rows, m.Version.Name, err)
	}
	b := &Batch{model: m, rows: rows, in: *in, data: in.Data}
	for i, o := range m.outputs {
		shape := slices.Clone(o.shape)
		shape[0] = int64(rows)
		t, err := tensor.New(o.name, o.typ, shape, maxInput)
		if err != nil {
			return nil, fmt.Errorf("make the output %q of %d rows for %q: %w", o.name, rows, m.Version.Name, err)
		}
		b.out, b.outs = append(b.out, *t), append(b.outs, t.Data)
		if o.typ != tensor.Float32 {
			b.wide[i] = make([]float32, rows*o.row)
		}
	}
	return b, nil
}

// Row is the memory of the i-th picture, which a recipe fills.
func (b *Batch) Row(i int) []byte {
	n := b.model.Binding.Recipe.RowBytes()
	return b.data[i*n : (i+1)*n : (i+1)*n]
}

// view lets the input be rows from to to.
func (b *Batch) view(from, to int) []*tensor.Tensor {
	n := b.model.Binding.Recipe.RowBytes()
	b.in.Data, b.in.Shape[0] = b.data[from*n:to*n], int64(to-from)
	return []*tensor.Tensor{&b.in}
}

// Infer runs the model on rows from to to, and sets their Scores. It fails as
// Model.Infer does.
func (b *Batch) Infer(ctx context.Context, from, to int) error {
	out := make([]*tensor.Tensor, len(b.out))
	for i := range b.out {
		t := &b.out[i]
		size := len(b.outs[i]) / b.rows
		t.Data, t.Shape[0] = b.outs[i][from*size:to*size], int64(to-from)
		out[i] = t
	}
	if err := b.model.Session.Run(ctx, b.view(from, to), out); err != nil {
		return b.model.runProblem(ctx, err)
	}
	for i, t := range out {
		if t.Type != tensor.Float32 {
			n := b.model.outputs[i].row
			tensor.Widen(b.wide[i][from*n:to*n], t)
		}
	}
	return nil
}

// Scores are the logits and the embedding (empty where there is none) of the i-th
// row, valid until the next Infer.
func (b *Batch) Scores(i int) (logits, embedding []float32) {
	var of [2][]float32
	for k, o := range b.model.outputs {
		all := b.wide[k]
		if all == nil {
			all = tensor.View[float32](b.outs[k])
		}
		of[k] = all[i*o.row : (i+1)*o.row]
	}
	return of[0], of[1]
}

// InferRows runs rows from to to for outputs of the caller's choice (none: all).
// Each row gets its part of them, [1,…]; the parts share memory that is theirs.
func (b *Batch) InferRows(ctx context.Context, from, to int, outputs []string) ([][]*tensor.Tensor, error) {
	m := b.model
	out, err := m.Wanted(outputs)
	if err != nil {
		return nil, err
	}
	if err := m.RunTensors(ctx, b.view(from, to), out); err != nil {
		return nil, err
	}
	return m.Split(out, slices.Repeat([]int{1}, to-from))
}

// Split takes the outputs of one run apart: the first so many rows of each, and so
// on. It fails where an output has not one row for each of the run.
func (m *Model) Split(out []*tensor.Tensor, rows []int) ([][]*tensor.Tensor, error) {
	total := 0
	for _, n := range rows {
		total += n
	}
	parts := make([][]*tensor.Tensor, len(rows))
	for _, t := range out {
		if len(t.Shape) == 0 || t.Shape[0] != int64(total) {
			return nil, problem.InvalidRequest.New("the output %q of the model %q is %v, which gives no row its part; ask for others", wording.Cut(t.Name), m.Version.Name, t.Shape)
		}
		at := 0
		for i, n := range rows {
			parts[i] = append(parts[i], t.Rows(at, at+n))
			at += n
		}
	}
	return parts, nil
}
