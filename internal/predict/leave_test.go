package predict_test

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"time"

	"github.com/goshawk-ai/goshawk/internal/fleet"
	"github.com/goshawk-ai/goshawk/internal/fleet/fleettest"
	"github.com/goshawk-ai/goshawk/internal/infer"
	"github.com/goshawk-ai/goshawk/internal/predict"
	"github.com/goshawk-ai/goshawk/internal/schedule"
	"github.com/goshawk-ai/goshawk/internal/tensor"
)

// gated holds each run of several rows until it is let go.
type gated struct {
	infer.Session
	began, pass chan struct{}
}

func (g *gated) Run(ctx context.Context, in, out []*tensor.Tensor) error {
	if in[0].Shape[0] > 1 {
		g.began <- struct{}{}
		<-g.pass
	}
	return g.Session.Run(ctx, in, out)
}

// TestWhoseTimeIsOverInASharedRunIsAnsweredThen has two requests share a run, and
// the time of either end while it is under way. What was his he may use for
// something else at once, and the other's answer is the same as alone.
func TestWhoseTimeIsOverInASharedRunIsAnsweredThen(t *testing.T) {
	models := &folders{}
	v := models.add(t, fleettest.Package{Name: "tiny"}.Write(t))
	f, decoder := newFleet(t, models, fleet.Options{Default: v.Name})
	m := joinable(t, f, v.Name)
	ref := v.Name + "@" + v.Digest
	late := errors.New("its time is over")

	// A caller asks, and gives a function that spoils what is his.
	type caller struct {
		ask    func(ctx context.Context, e *local) error
		spoil  func()
		scores func() []float32
	}
	encoded := func(seed uint64) caller {
		data, raw := photo(seed, 9, 9), &predict.Raw{}
		return caller{
			func(ctx context.Context, e *local) error { return e.Classify(ctx, ref, data, raw) },
			func() { clear(data); raw.Scores = append(raw.Scores[:0], 7, 7, 7) },
			func() []float32 { return raw.Scores },
		}
	}
	numbers := func(seed uint64) caller {
		in := rowsOf("input", []uint64{seed}, 3, 8, 8)
		call := &predict.TensorCall{In: []*tensor.Tensor{in}}
		return caller{
			func(ctx context.Context, e *local) error { return e.Infer(ctx, ref, call) },
			func() { clear(in.Data); call.In[0] = nil },
			func() []float32 { return tensor.View[float32](call.Out[0].Data) },
		}
	}
	for what, kind := range map[string]func(uint64) caller{"pictures": encoded, "tensors": numbers} {
		for i, leaves := range []string{"the one who leads", "the one who goes along"} {
			t.Run(what+", "+leaves, func(t *testing.T) {
				alone := kind(2)
				known := engineOver(f, decoder, 1)
				defer known.scheduler.Close()
				if err := alone.ask(t.Context(), known); err != nil {
					t.Fatal(err)
				}
				session := &gated{m.Session, make(chan struct{}), make(chan struct{})}
				m.Session = session
				defer func() { m.Session = session.Session }()
				e := engineOver(f, decoder, 1)
				e.scheduler.Configure(v.Digest, schedule.Policy{MaxBatch: 8})
				release := waiting(e)
				callers, results := []caller{kind(2), kind(2)}, []chan error{make(chan error, 1), make(chan error, 1)}
				callers[i] = kind(1)
				ctx, leave := context.WithCancelCause(t.Context())
				for k, c := range callers {
					of := t.Context()
					if k == i {
						of = ctx
					}
					go func() { results[k] <- c.ask(of, e) }()
					for e.scheduler.Queued() <= k {
						runtime.Gosched()
					}
				}
				release()
				<-session.began
				leave(late)
				select {
				case err := <-results[i]:
					if !errors.Is(err, late) {
						t.Errorf("he got %v, want the cause with which his context ended", err)
					}
				case <-time.After(20 * time.Second):
					t.Error("his time is over, and he waits for the run of another")
				}
				callers[i].spoil()
				close(session.pass)
				stayer := callers[1-i]
				if err := <-results[1-i]; err != nil {
					t.Fatalf("who stayed: %v", err)
				}
				if got, want := stayer.scores(), alone.scores(); !near(got, want) {
					t.Errorf("who stayed got %v, alone %v", got, want)
				}
				e.scheduler.Close()
			})
		}
	}
}
