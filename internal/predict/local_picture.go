package predict

import (
	"context"
	"math/bits"
	"sync"
	"time"

	"github.com/goshawk-ai/goshawk/internal/fleet"
	"github.com/goshawk-ai/goshawk/internal/picture"
	"github.com/goshawk-ai/goshawk/internal/schedule"
	"github.com/goshawk-ai/goshawk/internal/telemetry"
	"github.com/goshawk-ai/goshawk/internal/tensor"
)

// pictureJob is one picture's work on a lane, from its bytes to its outputs.
type pictureJob struct {
	local   *Local
	ctx     context.Context //nolint:containedctx // lives exactly as long as the call of join
	model   *fleet.Model
	encoded []byte
	info    picture.Info
	plan    picture.Plan
	form    string         // which pictures may share its run
	queue   telemetry.Span // ends when the work begins

	raw    *Raw             // takes the scores; nil where outputs are wanted
	wanted []string         // outputs
	out    []*tensor.Tensor // one row of each

	err                                        error // of this picture alone
	queued, decoding, preprocessing, inferring time.Duration
	led                                        Run

	caller presence
}

// pictures is the form of those whose scores are wanted; of those of whom outputs
// are, it is followed by their names.
const pictures = "pictures"

var pictureJobs = sync.Pool{New: func() any { return new(pictureJob) }}

// picture makes the work on one; whoever called it calls release.
func (l *Local) picture(ctx context.Context, m *fleet.Model, encoded []byte, info picture.Info, plan picture.Plan) *pictureJob {
	j := pictureJobs.Get().(*pictureJob)
	j.local, j.ctx, j.model, j.encoded, j.info, j.plan = l, ctx, m, encoded, info, plan
	return j
}

func (j *pictureJob) release() {
	if j.caller.gone {
		return // a run may look at it still
	}
	*j = pictureJob{}
	pictureJobs.Put(j)
}

// join does the work, alone or with others that wait.
func (j *pictureJob) join(priority int) (err error) {
	r := schedule.Request{
		Key:  schedule.Key{Model: j.model.Version.Digest, Size: uint8(bits.Len64(uint64(j.plan.Bytes)))},
		Rows: 1, Priority: priority, Session: j.model,
	}
	if j.model.Joins() {
		r.Form = j.form
	}
	_, j.queue = j.local.tracer.Start(j.ctx, "queue")
	if j.queued, err = j.local.scheduler.Join(j.ctx, r, j); err != nil {
		return err
	}
	return j.err
}

// Leave implements schedule.Joint.
func (j *pictureJob) Leave() { j.caller.leave() }

// Together implements schedule.Joint.
func (j *pictureJob) Together(ctx context.Context, lane int, others []schedule.Joint) error {
	j.queue.End(nil)
	if err := j.model.Marked(); err != nil {
		return err
	}
	if len(others) == 0 {
		return j.caller.with(func() error { return j.alone(ctx, &j.local.lanes[lane]) })
	}
	all := []*pictureJob{j}
	for _, o := range others {
		o := o.(*pictureJob)
		o.queue.End(nil)
		all = append(all, o)
	}
	return j.local.together(ctx, &j.local.lanes[lane], all)
}

func (j *pictureJob) alone(ctx context.Context, memory *laneMemory) error {
	l, m := j.local, j.model
	return l.onLane(ctx, memory, m, j.encoded, j.info, j.plan, func(slot *fleet.Slot, decode, preprocess time.Duration) (err error) {
		j.decoding, j.preprocessing = decode, preprocess
		j.inferring, err = l.infer(ctx, m, int64(len(slot.Row)), func() (err error) {
			if j.raw == nil {
				j.out, err = m.InferRow(ctx, slot, j.wanted)
				return err
			}
			return m.Infer(ctx, slot)
		})
		if err != nil {
			return err
		}
		if j.raw != nil {
			j.raw.Scores = append(j.raw.Scores, slot.Logits...)
			j.raw.Embedding = append(j.raw.Embedding, slot.Embedding...)
		}
		j.led = Run{1, decode + preprocess, j.inferring}
		return nil
	})
}

// infer times a run of the model on so many bytes, and lets it know how that ended.
func (l *Local) infer(ctx context.Context, m *fleet.Model, size int64, run func() error) (time.Duration, error) {
	took, err := l.stage(ctx, "infer", run)
	switch {
	case err == nil:
		m.Answered(took, size)
	case ctx.Err() != nil:
		m.Overran(took, size)
	}
	return took, err
}

// together runs the pictures of several requests at once, each in a row of its
// own. One that cannot be decoded, or whose caller has gone, fails alone.
func (l *Local) together(ctx context.Context, memory *laneMemory, all []*pictureJob) error {
	batch, err := all[0].model.Batch(len(all))
	if err != nil {
		return err
	}
	defer all[0].model.ReturnBatch(batch)
	in := all[:0:len(all)]
	var input time.Duration
	for _, j := range all {
		if j.err = j.caller.with(func() error { return j.fill(memory, batch.Row(len(in))) }); j.err == nil {
			in = append(in, j)
			input += j.decoding + j.preprocessing
		}
	}
	if len(in) == 0 {
		return nil
	}
	err = l.compute(ctx, batch, in, 0, len(in), input)
	if err == nil || ctx.Err() != nil || len(in) == 1 {
		return err
	}
	// One row may be the cause, which must not be the others' misfortune.
	for i, j := range in {
		j.err = l.compute(ctx, batch, in, i, i+1, j.decoding+j.preprocessing)
	}
	return nil
}

// fill decodes the picture into its row.
func (j *pictureJob) fill(memory *laneMemory, row []byte) error {
	l, ctx := j.local, j.ctx
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return l.pixels(ctx, memory, j.plan, func() (err error) {
		j.decoding, j.preprocessing, err = l.prepare(ctx, memory, j.model, j.encoded, j.info, j.plan, row)
		return err
	})
}

// compute runs rows from to to, and gives each picture what is its.
func (l *Local) compute(ctx context.Context, batch *fleet.Batch, in []*pictureJob, from, to int, input time.Duration) error {
	lead := in[from]
	var parts [][]*tensor.Tensor
	took, err := l.infer(ctx, lead.model, int64(to-from)*int64(len(batch.Row(from))), func() (err error) {
		if lead.raw != nil {
			return batch.Infer(ctx, from, to)
		}
		parts, err = batch.InferRows(ctx, from, to, lead.wanted)
		return err
	})
	if err != nil {
		return err
	}
	led := Run{to - from, input, took}
	for i, j := range in[from:to] {
		err := j.caller.with(func() error {
			j.inferring, j.led = took, led
			if j.raw == nil {
				j.out = parts[i]
				return nil
			}
			logits, embedding := batch.Scores(from + i)
			j.raw.Scores = append(j.raw.Scores, logits...)
			j.raw.Embedding = append(j.raw.Embedding, embedding...)
			return nil
		})
		if err == nil {
			led = Run{} // the first who is still there counts as who led it
		}
	}
	return nil
}
