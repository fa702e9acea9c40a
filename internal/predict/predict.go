package predict

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/goshawk-ai/goshawk/internal/fleet"
	"github.com/goshawk-ai/goshawk/internal/interpret"
	"github.com/goshawk-ai/goshawk/internal/problem"
	"github.com/goshawk-ai/goshawk/internal/telemetry"
)

// Catalog knows the loaded models. The fleet is one.
type Catalog interface {
	// AcquireContext gives the model that a reference means now, waiting while it
	// is being loaded, and keeps it until release.
	AcquireContext(ctx context.Context, ref string) (m *fleet.Model, release func(), err error)
}

// Options of a Predictor.
type Options struct {
	Engine   Engine
	Catalog  Catalog
	Default  string        // the model that a request without one means
	Width    int           // pictures of one request that are under way at a time
	Pictures int           // encoded ones in one request for tensors; 0 is no bound
	Timeout  time.Duration // of one request, once its body was read; 0 is none
	Metrics  *Metrics
	Tracer   telemetry.Tracer
}

// Predictor answers requests. It is safe for concurrent use.
type Predictor struct {
	Options
	pool   sync.Pool // *workspace
	ledger ledger
}

// workspace is what one picture's answer needs besides the engine's memory.
type workspace struct {
	raw           Raw
	probabilities []float64
	best          []interpret.Candidate
}

// New makes a Predictor.
func New(o Options) *Predictor {
	if o.Tracer == nil {
		o.Tracer = telemetry.NoTracer{}
	}
	o.Width = max(o.Width, 1)
	return &Predictor{Options: o, pool: sync.Pool{New: func() any { return new(workspace) }}}
}

// Run answers a request. All its pictures go to the same version, chosen once.
// A single picture that fails is Run's error; among several each fails alone,
// in its place. The answer owns its memory; nothing of the request is kept.
func (p *Predictor) Run(ctx context.Context, r Request) (*Answer, error) {
	began := time.Now()
	if len(r.Pictures) == 0 {
		return nil, problem.InvalidRequest.New("the request holds no picture")
	}
	ctx, cancel := p.bounded(ctx)
	defer cancel()
	ref := r.Model
	if ref == "" {
		ref = p.Default
	}
	m, release, err := p.Catalog.AcquireContext(ctx, ref)
	if err != nil {
		return nil, err
	}
	defer release()
	if !m.Pictures() {
		return nil, problem.InvalidRequest.New("the model %q takes tensors and no pictures; it is served at /v2/models/%s/infer", m.Version.Name, m.Version.Name)
	}
	answer := &Answer{
		ID:      newID("pred_"),
		Model:   Model{Name: m.Version.Name, Version: m.Version.Digest},
		Results: make([]Result, len(r.Pictures)),
	}
	var sum stages
	if len(r.Pictures) == 1 {
		if err := p.one(ctx, m, &r, 0, answer, &sum); err != nil {
			return nil, err
		}
	} else if err := p.several(ctx, m, &r, answer, &sum); err != nil {
		return nil, err
	}
	answer.Timings = sum.timings(r.Read, r.Read+time.Since(began))
	return answer, nil
}

// several runs the pictures Width at a time. Only the caller's going away (or
// its deadline) ends the whole request.
func (p *Predictor) several(ctx context.Context, m *fleet.Model, r *Request, answer *Answer, sum *stages) error {
	var all sync.WaitGroup
	next := make(chan int)
	for range min(p.Width, len(r.Pictures)) {
		all.Go(func() {
			for i := range next {
				if err := p.guarded(ctx, m, r, i, answer, sum); err != nil {
					answer.Results[i].Error = problem.Of(err)
				}
			}
		})
	}
	for i := range r.Pictures {
		next <- i
	}
	close(next)
	all.Wait()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}

// guarded is one, on a goroutine of ours.
func (p *Predictor) guarded(ctx context.Context, m *fleet.Model, r *Request, i int, answer *Answer, sum *stages) (err error) {
	defer func() {
		if err != nil {
			answer.Results[i].Predictions = nil
		}
	}()
	defer caught(&err)
	return p.one(ctx, m, r, i, answer, sum)
}

// caught is deferred on goroutines of ours, where a panic would end the process
// and not the request alone: it makes the panic the request's error.
func caught(err *error) {
	if cause := recover(); cause != nil {
		*err = problem.Internal.New("something went wrong here; the request id finds it in the log").
			Because(fmt.Errorf("panic: %v\n%s", cause, debug.Stack()))
	}
}

// one answers the i-th picture into its place.
func (p *Predictor) one(ctx context.Context, m *fleet.Model, r *Request, i int, answer *Answer, sum *stages) error {
	result := &answer.Results[i]
	result.Name = r.Pictures[i].Name
	if bad := r.Pictures[i].Err; bad != nil {
		p.Metrics.picture(m.Version, nil, bad)
		return bad
	}
	w := p.pool.Get().(*workspace)
	defer p.pool.Put(w)
	began := time.Now()
	ctx, span := p.Tracer.Start(ctx, "predict")
	err := p.Engine.Classify(ctx, m.Version.Name+"@"+m.Version.Digest, r.Pictures[i].Data, &w.raw)
	result.SHA256 = hex.EncodeToString(w.raw.SHA256[:])
	result.Format, result.Width, result.Height = w.raw.Format, w.raw.Width, w.raw.Height
	if err == nil {
		sum.add(&w.raw)
		result.Predictions, err = w.interpret(m, r)
	}
	p.Metrics.picture(m.Version, &w.raw, err)
	p.ledger.note(m.Version, 1, []Run{w.raw.Led}, TensorStages{w.raw.Queue, w.raw.Decode + w.raw.Preprocess, w.raw.Infer}, time.Since(began), err)
	span.End(err)
	return err
}

// interpret turns the scores into the predictions that the request wants.
func (w *workspace) interpret(m *fleet.Model, r *Request) ([]Prediction, error) {
	if cap(w.probabilities) < len(w.raw.Scores) {
		w.probabilities = make([]float64, len(w.raw.Scores))
	}
	w.probabilities = w.probabilities[:len(w.raw.Scores)]
	b := &m.Binding
	if err := interpret.Probabilities(w.probabilities, w.raw.Scores, b.Activation, b.Temperature); err != nil {
		bad, _ := errors.AsType[*interpret.NotFiniteError](err)
		return nil, problem.Internal.New("the model %q gave no usable number for this picture (class %d is %v)",
			m.Version.Name, bad.Index, bad.Score).Because(err)
	}
	k := r.TopK
	if k <= 0 {
		k = b.TopK
	}
	w.best = interpret.Top(w.best, w.probabilities, k)
	labels := m.Package.Labels
	predictions := make([]Prediction, 0, len(w.best))
	for _, c := range w.best {
		if c.Probability < r.Threshold {
			break // sorted: the rest is below it too
		}
		predictions = append(predictions, Prediction{Label: labels[c.Index].Name, Index: c.Index, Probability: c.Probability})
	}
	return predictions, nil
}
