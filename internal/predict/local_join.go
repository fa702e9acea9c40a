package predict

import (
	"bytes"
	"context"
	"math/bits"
	"slices"
	"strconv"
	"time"

	"github.com/goshawk-ai/goshawk/internal/fleet"
	"github.com/goshawk-ai/goshawk/internal/schedule"
	"github.com/goshawk-ai/goshawk/internal/telemetry"
	"github.com/goshawk-ai/goshawk/internal/tensor"
)

// tensorJob is one run of a model on tensors, or a part of one.
type tensorJob struct {
	local  *Local
	ctx    context.Context //nolint:containedctx // lives exactly as long as the call of join
	model  *fleet.Model
	in     []*tensor.Tensor
	wanted []string
	rows   int
	part   *part
	queue  telemetry.Span // ends when the work begins
	err    error          // of this request alone
	caller presence
}

// join does the work, alone or with others that wait.
func (j *tensorJob) join(priority int) (err error) {
	size := 0
	for _, t := range j.in {
		size += len(t.Data)
	}
	r := schedule.Request{
		Key:  schedule.Key{Model: j.model.Version.Digest, Size: uint8(bits.Len64(uint64(size / max(1, j.rows)))), Tensors: true},
		Rows: j.rows, Priority: priority, Form: j.form(), Session: j.model,
	}
	_, j.queue = j.local.tracer.Start(j.ctx, "queue")
	if j.part.took.Queue, err = j.local.scheduler.Join(j.ctx, r, j); err != nil {
		return err
	}
	return j.err
}

// form is what rows that share a run have in common: the sizes after the first,
// and what is wanted of them. "" is for what shares none.
func (j *tensorJob) form() string {
	if !j.model.Joins() || !evenly(j.in) {
		return ""
	}
	form := make([]byte, 0, 64)
	for _, s := range j.model.Inputs {
		t := named(j.in, s.Name)
		for _, n := range t.Shape[1:] {
			form = append(strconv.AppendInt(form, n, 10), ',')
		}
		form = append(form, ';')
	}
	for _, name := range j.wanted {
		form = append(append(form, name...), 0)
	}
	return string(form)
}

// named finds a tensor; fleet.Model.Fit has seen that it is there.
func named(list []*tensor.Tensor, name string) *tensor.Tensor {
	return list[slices.IndexFunc(list, func(t *tensor.Tensor) bool { return t.Name == name })]
}

// Leave implements schedule.Joint.
func (j *tensorJob) Leave() { j.caller.leave() }

// Together implements schedule.Joint.
func (j *tensorJob) Together(ctx context.Context, _ int, others []schedule.Joint) error {
	j.queue.End(nil)
	if err := j.model.Marked(); err != nil {
		return err
	}
	all := []*tensorJob{j}
	for _, o := range others {
		o := o.(*tensorJob)
		o.queue.End(nil)
		all = append(all, o)
	}
	if len(all) == 1 {
		return j.alone(ctx)
	}
	in, all, err := gather(all)
	switch {
	case err != nil:
		return err
	case len(all) == 1:
		return all[0].alone(ctx)
	}
	err = compute(ctx, all, in)
	if err == nil || ctx.Err() != nil {
		return err
	}
	// One's rows may be the cause, which must not be the others' misfortune.
	at := 0
	for i, o := range all {
		own := make([]*tensor.Tensor, len(in))
		for k, t := range in {
			own[k] = t.Rows(at, at+o.rows)
		}
		o.err = compute(ctx, all[i:i+1], own)
		at += o.rows
	}
	return nil
}

// gather copies the rows of those who are still there: whoever leaves during the
// run takes his away with him.
func gather(all []*tensorJob) (in []*tensor.Tensor, here []*tensorJob, err error) {
	for _, o := range all {
		o.caller.Lock()
		defer o.caller.Unlock()
		if !o.caller.gone {
			here = append(here, o)
		}
	}
	if len(here) == 0 {
		return nil, nil, errGone
	}
	for _, first := range here[0].in {
		same := make([]*tensor.Tensor, len(here))
		for i, o := range here {
			same[i] = named(o.in, first.Name)
		}
		t, err := tensor.Concat(same)
		if err != nil {
			return nil, nil, err
		}
		if len(here) > 1 {
			for i, text := range t.Strings {
				t.Strings[i] = bytes.Clone(text)
			}
		}
		in = append(in, t)
	}
	return in, here, nil
}

// alone is the run of one, on its caller's memory.
func (j *tensorJob) alone(ctx context.Context) error {
	return j.caller.with(func() error {
		out, took, err := j.run(ctx, j.in)
		if err == nil {
			j.answer(out, took, Run{Rows: j.rows, Infer: took})
		}
		return err
	})
}

func (j *tensorJob) answer(out []*tensor.Tensor, took time.Duration, led Run) {
	j.part.out, j.part.took.Infer, j.part.led = out, took, led
}

func (j *tensorJob) run(ctx context.Context, in []*tensor.Tensor) ([]*tensor.Tensor, time.Duration, error) {
	out, err := j.model.Wanted(j.wanted)
	if err != nil {
		return nil, 0, err
	}
	took, err := j.local.infer(ctx, j.model, tensor.Size(in), func() error { return j.model.RunTensors(ctx, in, out) })
	return out, took, err
}

// compute makes one run of several requests' rows, which are in in, and gives each
// its part. The first who is still there counts as who led it.
func compute(ctx context.Context, all []*tensorJob, in []*tensor.Tensor) error {
	rows, total := make([]int, len(all)), 0
	for i, o := range all {
		rows[i] = o.rows
		total += o.rows
	}
	out, took, err := all[0].run(ctx, in)
	if err != nil {
		return err
	}
	parts, err := all[0].model.Split(out, rows)
	if err != nil {
		return err
	}
	led := Run{Rows: total, Infer: took}
	for i, o := range all {
		if o.caller.with(func() error { o.answer(parts[i], took, led); return nil }) == nil {
			led = Run{}
		}
	}
	return nil
}
