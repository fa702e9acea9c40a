package predict

import (
	"context"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/goshawk-ai/goshawk/internal/fleet"
	"github.com/goshawk-ai/goshawk/internal/picture"
	"github.com/goshawk-ai/goshawk/internal/problem"
	"github.com/goshawk-ai/goshawk/internal/tensor"
)

// part is what one piece of a request came to.
type part struct {
	out  []*tensor.Tensor
	took TensorStages
	led  Run
}

// Infer implements Engine.
func (l *Local) Infer(ctx context.Context, version string, call *TensorCall) error {
	m, release, err := l.catalog.AcquireContext(ctx, version)
	if err != nil {
		return err
	}
	defer release()
	if encoded := m.Encoded(call.In); encoded != nil {
		return l.inferPictures(ctx, m, encoded, call)
	}
	if err := m.Fit(call.In); err != nil {
		return err
	}
	call.Rows = m.BatchOf(call.In)
	size := l.piece(m, call)
	if size == 0 || size >= call.Rows {
		return l.stack(ctx, 1, call, func(ctx context.Context, _ int, p *part) error {
			return l.inferTensors(ctx, m, call, call.In, p)
		})
	}
	return l.stack(ctx, (call.Rows+size-1)/size, call, func(ctx context.Context, i int, p *part) error {
		in := make([]*tensor.Tensor, len(call.In))
		for k, t := range call.In {
			in[k] = t.Rows(i*size, min((i+1)*size, call.Rows))
		}
		return l.inferTensors(ctx, m, call, in, p)
	})
}

// piece is how many rows of a request go into one run; 0 is all of them. A model
// that takes one row at a time gets one: the check has found that its answer to a
// row depends on the others. A request that is larger than a batch is split.
func (l *Local) piece(m *fleet.Model, call *TensorCall) int {
	if m.Rows == 1 {
		return 1
	}
	if !m.Joins() || !evenly(call.In) {
		return 0
	}
	return l.scheduler.Policy(m.Version.Digest).MaxBatch
}

// evenly tells whether all inputs have the same number of rows.
func evenly(in []*tensor.Tensor) bool {
	return !slices.ContainsFunc(in, func(t *tensor.Tensor) bool {
		return len(t.Shape) == 0 || t.Shape[0] < 1 || t.Shape[0] != in[0].Shape[0]
	})
}

// inferTensors has a lane run the model on a piece of a request.
func (l *Local) inferTensors(ctx context.Context, m *fleet.Model, call *TensorCall, in []*tensor.Tensor, p *part) error {
	if _, err := m.Wanted(call.Wanted); err != nil {
		return err
	}
	j := &tensorJob{local: l, ctx: ctx, model: m, in: in, wanted: call.Wanted, rows: 1, part: p}
	if m.Batched() {
		j.rows = int(in[0].Shape[0])
	}
	return j.join(call.Priority)
}

// inferPictures gives each picture a lane of its own, from its bytes to its
// outputs, as Classify does: the answer is the same in whatever company it came,
// and no more tensors exist at a time than there are lanes.
func (l *Local) inferPictures(ctx context.Context, m *fleet.Model, encoded [][]byte, call *TensorCall) error {
	if _, err := m.Wanted(call.Wanted); err != nil {
		return err
	}
	call.Rows = len(encoded)
	form := pictures + "\x00" + strings.Join(call.Wanted, "\x00")
	return l.stack(ctx, len(encoded), call, func(ctx context.Context, i int, p *part) error {
		err := l.inferPicture(ctx, m, encoded[i], call, form, p)
		if err != nil && len(encoded) > 1 {
			err = problem.Of(err).With("picture", i)
		}
		return err
	})
}

func (l *Local) inferPicture(ctx context.Context, m *fleet.Model, encoded []byte, call *TensorCall, form string, p *part) error {
	info, err := picture.Inspect(encoded, l.limits)
	if err != nil {
		return err
	}
	plan := l.decoder.Plan(info, &m.Binding.Recipe)
	if err := l.decoder.Fits(info, plan); err != nil {
		return err
	}
	j := l.picture(ctx, m, encoded, info, plan)
	defer j.release()
	j.wanted, j.form = call.Wanted, form
	if err := j.join(call.Priority); err != nil {
		return err
	}
	*p = part{j.out, TensorStages{j.queued, j.decoding + j.preprocessing, j.inferring}, j.led}
	return nil
}

// stack computes the n pieces of a request, as many at a time as can be under way,
// and puts their rows together. The first failure ends the others.
func (l *Local) stack(ctx context.Context, n int, call *TensorCall, piece func(ctx context.Context, i int, p *part) error) error {
	parts := make([]part, n)
	if n == 1 {
		if err := piece(ctx, 0, &parts[0]); err != nil {
			return err
		}
	} else {
		all, ctx := errgroup.WithContext(ctx)
		all.SetLimit(atOnce * (l.scheduler.Lanes() + 1))
		for i := range n {
			all.Go(func() (err error) {
				defer caught(&err)
				return piece(ctx, i, &parts[i])
			})
		}
		if err := all.Wait(); err != nil {
			return err
		}
	}
	for _, p := range parts {
		call.Stages.Queue += p.took.Queue
		call.Stages.Input += p.took.Input
		call.Stages.Infer += p.took.Infer
		call.Led = append(call.Led, p.led)
	}
	for i := range parts[0].out {
		rows := make([]*tensor.Tensor, n)
		for r := range parts {
			rows[r] = parts[r].out[i]
		}
		whole, err := tensor.Concat(rows)
		if err != nil {
			return problem.Internal.New("the model gives outputs of different shapes for different rows, which cannot be put together: %v", err).Because(err)
		}
		call.Out = append(call.Out, whole)
	}
	return nil
}

// atOnce is how many pieces of one request wait for each lane: enough for them to
// share runs, and not so many that others wait behind all of them.
const atOnce = 8
