package predict

import (
	"context"
	"crypto/sha256"
	"runtime/debug"
	"time"

	"github.com/goshawk-ai/goshawk/internal/fleet"
	"github.com/goshawk-ai/goshawk/internal/picture"
	"github.com/goshawk-ai/goshawk/internal/schedule"
	"github.com/goshawk-ai/goshawk/internal/telemetry"
)

// Local is the engine of this process.
type Local struct {
	catalog   Catalog
	scheduler *schedule.Scheduler
	budget    *schedule.Budget
	decoder   *picture.Decoder
	limits    picture.Limits
	tracer    telemetry.Tracer
	lanes     []laneMemory
}

// laneMemory is what a lane keeps from picture to picture. Only the work that
// runs on the lane touches it.
type laneMemory struct {
	image   picture.Image
	scratch picture.Scratch
	_       [64]byte // two lanes never share a cache line
}

// LocalOptions are the parts of a Local engine.
type LocalOptions struct {
	Catalog   Catalog
	Scheduler *schedule.Scheduler
	Budget    *schedule.Budget // of decoded bytes
	Decoder   *picture.Decoder
	Limits    picture.Limits
	Tracer    telemetry.Tracer // nil traces nothing
}

// NewLocal makes the engine. It owns none of its parts.
func NewLocal(o LocalOptions) *Local {
	if o.Tracer == nil {
		o.Tracer = telemetry.NoTracer{}
	}
	return &Local{o.Catalog, o.Scheduler, o.Budget, o.Decoder, o.Limits, o.Tracer, make([]laneMemory, o.Scheduler.Lanes())}
}

// Pixels above kept are not kept for the lane's next picture, since no budget
// counts what lies idle; above large they are given back to the system at once.
const (
	kept  = 16e6
	large = 64e6
)

// Classify implements Engine. The header is read before the request queues;
// decoding and inference run on one lane, without a switch of threads between
// them.
func (l *Local) Classify(ctx context.Context, version string, encoded []byte, raw *Raw) error {
	raw.Scores, raw.Embedding = raw.Scores[:0], raw.Embedding[:0]
	raw.Format, raw.Width, raw.Height = "", 0, 0
	raw.SHA256 = sha256.Sum256(encoded)
	info, err := picture.Inspect(encoded, l.limits)
	if err != nil {
		return err
	}
	raw.Format, raw.Width, raw.Height = string(info.Format), info.Width, info.Height
	m, release, err := l.catalog.AcquireContext(ctx, version)
	if err != nil {
		return err
	}
	defer release()
	plan := l.decoder.Plan(info, &m.Binding.Recipe)
	if err := l.decoder.Fits(info, plan); err != nil {
		return err
	}
	j := l.picture(ctx, m, encoded, info, plan)
	defer j.release()
	j.raw, j.form = raw, pictures
	if err := j.join(0); err != nil {
		return err
	}
	raw.Queue, raw.Decode, raw.Preprocess, raw.Infer, raw.Led = j.queued, j.decoding, j.preprocessing, j.inferring, j.led
	return nil
}

// onLane is what a lane does: pixels, tensor, and what infer makes of them.
func (l *Local) onLane(ctx context.Context, memory *laneMemory, m *fleet.Model, encoded []byte, info picture.Info, plan picture.Plan,
	infer func(slot *fleet.Slot, decode, preprocess time.Duration) error,
) error {
	return l.pixels(ctx, memory, plan, func() error {
		slot, err := m.Slot()
		if err != nil {
			return err
		}
		defer m.Return(slot)
		decode, preprocess, err := l.prepare(ctx, memory, m, encoded, info, plan, slot.Row)
		if err != nil {
			return err
		}
		return infer(slot, decode, preprocess)
	})
}

// pixels lets work have the lane's memory for a decoded picture.
func (l *Local) pixels(ctx context.Context, memory *laneMemory, plan picture.Plan, work func() error) error {
	// Here and not before the queue: what waits holds no pixels, and under
	// overload the newest would stand behind the others' reservations.
	if err := l.budget.Acquire(ctx, plan.Bytes); err != nil {
		return err
	}
	defer l.budget.Release(plan.Bytes)
	if plan.Bytes > kept {
		defer memory.giveBack(plan.Bytes)
	}
	return work()
}

// prepare makes a picture a row of the model's input.
func (l *Local) prepare(ctx context.Context, memory *laneMemory, m *fleet.Model, encoded []byte, info picture.Info, plan picture.Plan, row []byte) (decode, preprocess time.Duration, err error) {
	decode, err = l.stage(ctx, "decode", func() error {
		return l.decoder.Decode(ctx, encoded, info, plan, &memory.image)
	})
	if err != nil {
		return decode, 0, err
	}
	preprocess, err = l.stage(ctx, "preprocess", func() error {
		return m.Binding.Recipe.Fill(row, &memory.image, &memory.scratch)
	})
	return decode, preprocess, err
}

func (m *laneMemory) giveBack(size int64) {
	m.image.Pix = nil
	if size > large {
		debug.FreeOSMemory()
	}
}

// stage times one step and makes it a span.
func (l *Local) stage(ctx context.Context, name string, step func() error) (time.Duration, error) {
	_, span := l.tracer.Start(ctx, name)
	began := time.Now()
	err := step()
	span.End(err)
	return time.Since(began), err
}
