package predict

import (
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
}

// join does the work, alone or with others that wait.
func (j *tensorJob) join(priority int) (err error) {
	size := 0
	for _, t := range j.in {
		size += len(t.Data)
	}
	r := schedule.Request{
		Key:  schedule.Key{Model: j.model.Version.Digest, Size: uint8(bits.Len64(uint64(size / max(1, j.rows)))), Tensors: true},
		Rows: j.rows, Priority: priority, Form: j.form(),
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

// Together implements schedule.Joint.
func (j *tensorJob) Together(ctx context.Context, _ int, others []schedule.Joint) error {
	j.queue.End(nil)
	if err := j.model.Marked(); err != nil {
		return err
	}
	if len(others) == 0 {
		return j.alone(ctx)
	}
	all := []*tensorJob{j}
	for _, o := range others {
		o := o.(*tensorJob)
		o.queue.End(nil)
		all = append(all, o)
	}
	err := j.together(ctx, all)
	if err == nil || ctx.Err() != nil {
		return err
	}
	// One's rows may be the cause, which must not be the others' misfortune.
	for _, o := range all {
		o.err = o.alone(ctx)
	}
	return nil
}

func (j *tensorJob) alone(ctx context.Context) error {
	out, took, err := j.run(ctx, j.in)
	if err == nil {
		j.part.out, j.part.took.Infer, j.part.led = out, took, Run{Rows: j.rows, Infer: took}
	}
	return err
}

func (j *tensorJob) run(ctx context.Context, in []*tensor.Tensor) ([]*tensor.Tensor, time.Duration, error) {
	out, err := j.model.Wanted(j.wanted)
	if err != nil {
		return nil, 0, err
	}
	took, err := j.local.infer(ctx, j.model, func() error { return j.model.RunTensors(ctx, in, out) })
	return out, took, err
}

// together makes one run of several requests' rows.
func (j *tensorJob) together(ctx context.Context, all []*tensorJob) error {
	in := make([]*tensor.Tensor, len(j.in))
	rows, total := make([]int, len(all)), 0
	for k, t := range j.in {
		same := make([]*tensor.Tensor, len(all))
		for i, o := range all {
			same[i] = named(o.in, t.Name)
		}
		var err error
		if in[k], err = tensor.Concat(same); err != nil {
			return err
		}
	}
	for i, o := range all {
		rows[i] = o.rows
		total += o.rows
	}
	out, took, err := j.run(ctx, in)
	if err != nil {
		return err
	}
	parts, err := j.model.Split(out, rows)
	if err != nil {
		return err
	}
	for i, o := range all {
		o.part.out, o.part.took.Infer = parts[i], took
	}
	j.part.led = Run{Rows: total, Infer: took}
	return nil
}
