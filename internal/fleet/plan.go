package fleet

import (
	"context"
	"errors"

	"github.com/goshawk-ai/goshawk/internal/calibrate"
	"github.com/goshawk-ai/goshawk/internal/infer"
	"github.com/goshawk-ai/goshawk/internal/model"
	"github.com/goshawk-ai/goshawk/internal/problem"
)

// plan says how a package is to be run.
func (f *Fleet) plan(p *model.Package) calibrate.Plan {
	if f.o.Plan == nil {
		return calibrate.Make(calibrate.Space{Cores: 1, MaxBatch: 1, Fixed: Manual(p)}, nil)
	}
	return f.o.Plan(p)
}

// Manual are the settings that a package's own manifest fixes.
func Manual(p *model.Package) calibrate.Fixed {
	s := p.Manifest.Serving
	return calibrate.Fixed{Threads: s.Threads, Instances: s.Instances, Batch: s.MaxBatchSize, Delay: s.MaxDelay}
}

// CPU names this machine's processor.
func CPU() string { return cpuModel() }

// Plan is how the model is run, and why so.
func (m *Model) Plan() calibrate.Plan {
	if p := m.plan.Load(); p != nil {
		return *p
	}
	return calibrate.Plan{}
}

// follow takes a plan over, but for a batch where rows may not share a run, and
// for the last core where a run may not end.
func (m *Model) follow(ctx context.Context, p calibrate.Plan) error {
	if p.Batch > 1 {
		shares, err := m.Independent(ctx)
		if err != nil {
			return err
		}
		if !shares {
			p = p.Narrow()
		}
	}
	switch {
	case m.loops:
		p = p.Spare("the model has a loop")
	case m.Package.Manifest.Remote != nil:
		p = p.Spare("another server computes the model")
	}
	m.plan.Store(&p)
	return nil
}

func (f *Fleet) loaded(m *Model) {
	if f.o.Loaded != nil {
		f.o.Loaded(m)
	}
}

// Replan asks again how the version that a reference means is to be run, and does
// so from now on. Where that takes a session of its own kind, the model is loaded
// anew beside the one that serves, proved, and put in its place; requests under
// way end on the old one.
func (f *Fleet) Replan(ctx context.Context, ref string) (calibrate.Plan, error) {
	e, err := f.find(ref)
	if err != nil {
		return calibrate.Plan{}, err
	}
	m, leave, ok := e.acquire(false)
	if !ok {
		return calibrate.Plan{}, problem.ModelUnhealthy.New("the model %q is not loaded", e.name())
	}
	defer leave()
	plan := f.plan(m.Package)
	if plan.Threads == m.Plan().Threads || m.Package.Manifest.Remote != nil {
		if err := m.follow(ctx, plan); err != nil {
			return calibrate.Plan{}, err
		}
		f.loaded(m)
		return m.Plan(), nil
	}
	next, err := f.anew(ctx, m, plan)
	if err != nil {
		return calibrate.Plan{}, err
	}
	return next.Plan(), f.exchange(ctx, e, next)
}

// anew loads a model once more, as a plan wants it, and proves that it answers.
func (f *Fleet) anew(ctx context.Context, m *Model, plan calibrate.Plan) (*Model, error) {
	by := f.engines()
	by.threads = plan.Threads
	f.scale.Lock() // as open does
	defer f.scale.Unlock()
	anew, err := load(infer.Aside(ctx), opening{engines: by, scale: f.scale}, m.Package, m.Version)
	if err != nil {
		return nil, err
	}
	anew.obey(m.Report)
	if err = anew.follow(ctx, plan); err == nil {
		_, err = anew.Probe(ctx, f.o.Decoder)
	}
	if err != nil {
		return nil, errors.Join(err, anew.close())
	}
	anew.weigh(f.scale)
	return anew, nil
}

// exchange has the loop put a model into another's place, and waits until it is
// there.
func (f *Fleet) exchange(ctx context.Context, e *entry, anew *Model) error {
	f.mu.Lock()
	if _, taken := f.renewed[e]; taken {
		f.mu.Unlock()
		return errors.Join(problem.Overloaded.New("the model %q is being changed already", e.name()), anew.close())
	}
	f.renewed[e] = anew
	f.mu.Unlock()
	f.kick()
	err := f.until(ctx, func() (bool, error) {
		f.mu.Lock()
		defer f.mu.Unlock()
		return f.renewed[e] != anew, nil
	})
	if err == nil {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.renewed[e] != anew { // the loop was quicker
		return nil
	}
	delete(f.renewed, e)
	return errors.Join(err, anew.close())
}

// exchanged puts what was loaded anew into its place. f.mu is held.
func (f *Fleet) exchanged() (leaving []*entry) {
	for e, m := range f.renewed {
		delete(f.renewed, e)
		k := e.key()
		if f.entries[k] != e || !e.is(Ready) {
			f.drains.Go(func() { _ = m.close() }) // its version went another way meanwhile
			continue
		}
		e.mu.Lock()
		next := newEntry(e.version, Ready, f.hooks)
		next.pkg, next.model, next.woken = e.pkg, m, e.woken
		next.watch, next.begun, next.over, next.since = e.watch, e.begun, e.over, e.since
		e.mu.Unlock()
		m.overruns, m.condemn = f.o.Overruns, func(why error) { f.condemn(next, why) }
		f.entries[k] = next
		f.resident[next] = f.resident[e]
		f.loaded(m)
		f.heed(next, m)
		leaving = append(leaving, e)
	}
	return leaving
}

// succeeded tells whether the same version is served by another entry: what was
// learnt of it stays.
func (f *Fleet) succeeded(e *entry) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	other := f.entries[e.key()]
	return other != nil && other != e && other.is(Ready)
}
