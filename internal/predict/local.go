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
)

// Local is the engine of this process.
type Local struct {
	catalog   Catalog
	scheduler *schedule.Scheduler
	budget    *schedule.Budget
	decoder   *picture.Decoder
	limits    picture.Limits
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
}

// NewLocal makes the engine. It owns none of its parts.
func NewLocal(o LocalOptions) *Local {
	return &Local{o.Catalog, o.Scheduler, o.Budget, o.Decoder, o.Limits, make([]laneMemory, o.Scheduler.Lanes())}
}

// large is where a picture's pixels are given back to the system after use
// instead of being kept for the next one.
const large = 64e6

// Classify implements Engine. The header is read and the memory reserved before
// the request queues; decoding and inference run on one lane, without a switch
// of threads between them.
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
	if err := l.budget.Acquire(ctx, plan.Bytes); err != nil {
		return err
	}
	defer l.budget.Release(plan.Bytes)
	key := schedule.Key{Model: m.Version.Digest, Size: uint8(bits.Len64(uint64(plan.Bytes)))}
	raw.Queue, err = l.scheduler.Do(ctx, key, func(ctx context.Context, lane int) error {
		return l.compute(ctx, &l.lanes[lane], m, encoded, info, plan, raw)
	})
	return err
}

// compute is what a lane does: pixels, tensor, scores.
func (l *Local) compute(ctx context.Context, memory *laneMemory, m *fleet.Model, encoded []byte, info picture.Info, plan picture.Plan, raw *Raw) error {
	began := time.Now()
	if err := l.decoder.Decode(ctx, encoded, info, plan, &memory.image); err != nil {
		return err
	}
	if plan.Bytes > large {
		defer func() {
			memory.image.Pix = nil
			debug.FreeOSMemory()
		}()
	}
	decoded := time.Now()
	slot, err := m.Slot()
	if err != nil {
		return err
	}
	defer m.Return(slot)
	if err := m.Binding.Recipe.Fill(slot.Row, &memory.image, &memory.scratch); err != nil {
		return err
	}
	filled := time.Now()
	if err := m.Infer(ctx, slot); err != nil {
		return err
	}
	raw.Scores = append(raw.Scores, slot.Logits...)
	raw.Embedding = append(raw.Embedding, slot.Embedding...)
	raw.Decode, raw.Preprocess, raw.Infer = decoded.Sub(began), filled.Sub(decoded), time.Since(filled)
	return nil
}
