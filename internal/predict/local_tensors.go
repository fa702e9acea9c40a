package predict

import (
	"context"
	"math/bits"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/goshawk-ai/goshawk/internal/fleet"
	"github.com/goshawk-ai/goshawk/internal/picture"
	"github.com/goshawk-ai/goshawk/internal/problem"
	"github.com/goshawk-ai/goshawk/internal/schedule"
	"github.com/goshawk-ai/goshawk/internal/tensor"
)

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
	call.Rows, call.Runs = m.BatchOf(call.In), 1
	if m.Rows == 1 && call.Rows > 1 {
		return l.inferRows(ctx, m, call)
	}
	call.Out, call.Stages, err = l.inferTensors(ctx, m, call.In, call.Wanted)
	return err
}

// inferTensors is one run of the model on a lane.
func (l *Local) inferTensors(ctx context.Context, m *fleet.Model, in []*tensor.Tensor, wanted []string) (out []*tensor.Tensor, took TensorStages, err error) {
	if out, err = m.Wanted(wanted); err != nil {
		return nil, took, err
	}
	size := 0
	for _, t := range in {
		size += len(t.Data)
	}
	key := schedule.Key{Model: m.Version.Digest, Size: uint8(bits.Len64(uint64(size))), Tensors: true}
	took.Queue, err = l.scheduler.Do(ctx, schedule.Request{Key: key}, func(ctx context.Context, _ int) error {
		took.Infer, err = l.stage(ctx, "infer", func() error { return m.RunTensors(ctx, in, out) })
		return err
	})
	return out, took, err
}

// inferRows runs a model that takes one row at a time on each of a request's:
// the check has found that its answer to a row depends on the others.
func (l *Local) inferRows(ctx context.Context, m *fleet.Model, call *TensorCall) error {
	call.Runs = call.Rows
	return l.stack(ctx, call.Rows, call, func(ctx context.Context, i int) ([]*tensor.Tensor, TensorStages, error) {
		return l.inferTensors(ctx, m, []*tensor.Tensor{call.In[0].Row(i, call.Rows)}, call.Wanted)
	})
}

// inferPictures gives each picture a lane of its own, from its bytes to its
// outputs, as Classify does: the answer is the same in whatever company it came,
// and no more tensors exist at a time than there are lanes.
func (l *Local) inferPictures(ctx context.Context, m *fleet.Model, encoded [][]byte, call *TensorCall) error {
	if _, err := m.Wanted(call.Wanted); err != nil {
		return err
	}
	call.Rows, call.Runs = len(encoded), len(encoded)
	return l.stack(ctx, len(encoded), call, func(ctx context.Context, i int) ([]*tensor.Tensor, TensorStages, error) {
		out, took, err := l.inferPicture(ctx, m, encoded[i], call.Wanted)
		if err != nil && len(encoded) > 1 {
			err = problem.Of(err).With("picture", i)
		}
		return out, took, err
	})
}

func (l *Local) inferPicture(ctx context.Context, m *fleet.Model, encoded []byte, wanted []string) (out []*tensor.Tensor, took TensorStages, err error) {
	info, err := picture.Inspect(encoded, l.limits)
	if err != nil {
		return nil, took, err
	}
	plan := l.decoder.Plan(info, &m.Binding.Recipe)
	if err := l.decoder.Fits(info, plan); err != nil {
		return nil, took, err
	}
	key := schedule.Key{Model: m.Version.Digest, Size: uint8(bits.Len64(uint64(plan.Bytes)))}
	took.Queue, err = l.scheduler.Do(ctx, schedule.Request{Key: key}, func(ctx context.Context, lane int) error {
		return l.onLane(ctx, &l.lanes[lane], m, encoded, info, plan, func(slot *fleet.Slot, decode, preprocess time.Duration) error {
			took.Input = decode + preprocess
			took.Infer, err = l.stage(ctx, "infer", func() (err error) {
				out, err = m.InferRow(ctx, slot, wanted)
				return err
			})
			return err
		})
	})
	return out, took, err
}

// stack computes n one-row results, as many at a time as there are lanes, and
// puts each output's rows together. The first failure ends the others.
func (l *Local) stack(ctx context.Context, n int, call *TensorCall, row func(ctx context.Context, i int) ([]*tensor.Tensor, TensorStages, error)) error {
	rows, took := make([][]*tensor.Tensor, n), make([]TensorStages, n)
	if n == 1 {
		var err error
		if rows[0], took[0], err = row(ctx, 0); err != nil {
			return err
		}
	} else {
		all, ctx := errgroup.WithContext(ctx)
		all.SetLimit(l.scheduler.Lanes() + 1)
		for i := range n {
			all.Go(func() (err error) {
				rows[i], took[i], err = row(ctx, i)
				return err
			})
		}
		if err := all.Wait(); err != nil {
			return err
		}
	}
	for _, t := range took {
		call.Stages.Queue += t.Queue
		call.Stages.Input += t.Input
		call.Stages.Infer += t.Infer
	}
	for i := range rows[0] {
		parts := make([]*tensor.Tensor, n)
		for r := range rows {
			parts[r] = rows[r][i]
		}
		whole, err := tensor.Concat(parts)
		if err != nil {
			return problem.Internal.New("the model gives outputs of different shapes for different rows, which cannot be put together: %v", err).Because(err)
		}
		call.Out = append(call.Out, whole)
	}
	return nil
}
