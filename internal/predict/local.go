package predict

import (
	"context"
	"crypto/sha256"
	"math/bits"
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
	key := schedule.Key{Model: m.Version.Digest, Size: uint8(bits.Len64(uint64(plan.Bytes)))}
	_, queue := l.tracer.Start(ctx, "queue")
	raw.Queue, err = l.scheduler.Do(ctx, schedule.Request{Key: key}, func(ctx context.Context, lane int) error {
		queue.End(nil)
		return l.onLane(ctx, &l.lanes[lane], m, encoded, info, plan, func(slot *fleet.Slot, decode, preprocess time.Duration) (err error) {
			raw.Decode, raw.Preprocess = decode, preprocess
			if raw.Infer, err = l.stage(ctx, "infer", func() error { return m.Infer(ctx, slot) }); err != nil {
				return err
			}
			raw.Scores = append(raw.Scores, slot.Logits...)
			raw.Embedding = append(raw.Embedding, slot.Embedding...)
			return nil
		})
	})
	return err
}

// onLane is what a lane does: pixels, tensor, and what infer makes of them.
func (l *Local) onLane(ctx context.Context, memory *laneMemory, m *fleet.Model, encoded []byte, info picture.Info, plan picture.Plan,
	infer func(slot *fleet.Slot, decode, preprocess time.Duration) error,
) error {
	// Here and not before the queue: what waits holds no pixels, and under
	// overload the newest would stand behind the others' reservations.
	if err := l.budget.Acquire(ctx, plan.Bytes); err != nil {
		return err
	}
	defer l.budget.Release(plan.Bytes)
	if plan.Bytes > kept {
		defer memory.giveBack(plan.Bytes)
	}
	slot, err := m.Slot()
	if err != nil {
		return err
	}
	defer m.Return(slot)
	decode, err := l.stage(ctx, "decode", func() error {
		return l.decoder.Decode(ctx, encoded, info, plan, &memory.image)
	})
	if err != nil {
		return err
	}
	preprocess, err := l.stage(ctx, "preprocess", func() error {
		return m.Binding.Recipe.Fill(slot.Row, &memory.image, &memory.scratch)
	})
	if err != nil {
		return err
	}
	return infer(slot, decode, preprocess)
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
