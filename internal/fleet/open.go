package fleet

import (
	"context"
	"errors"
	"fmt"

	"github.com/goshawk-ai/goshawk/internal/infer"
	"github.com/goshawk-ai/goshawk/internal/model"
	"github.com/goshawk-ai/goshawk/internal/problem"
)

// fetch opens a version's package, once for each load.
func (f *Fleet) fetch(ctx context.Context, e *entry) (*model.Package, error) {
	if e.fetched != nil {
		return e.fetched, nil
	}
	p, err := f.o.Source.Open(ctx, e.digest)
	if err != nil {
		return nil, err
	}
	e.fetched = p
	e.mu.Lock()
	e.pkg = p
	e.watch.lap(Fetch)
	e.mu.Unlock()
	return p, nil
}

// open loads a version and proves that it answers.
func (f *Fleet) open(ctx context.Context, v Version, e *entry, watch *stopwatch) (*Model, error) {
	p, err := f.fetch(ctx, e)
	e.fetched = nil
	if err != nil {
		return nil, err
	}
	report, err := f.verdict(ctx, e, v)
	if err != nil {
		return nil, err
	}
	plan := f.plan(p)
	by := f.engines()
	by.threads = plan.Threads
	ctx, cancel := proving(ctx, p, f.o.Proof)
	defer cancel()
	f.scale.Lock() // nothing else is loaded or unloaded while this is weighed
	defer f.scale.Unlock()
	ctx = infer.Aside(ctx)
	m, err := load(ctx, opening{engines: by, scale: f.scale, watch: watch}, p, v)
	if err != nil {
		return nil, err
	}
	m.obey(report)
	if err := m.follow(ctx, plan); err != nil {
		return nil, errors.Join(err, m.close())
	}
	if _, err := m.Probe(ctx, f.o.Decoder); err != nil {
		return nil, errors.Join(err, m.close())
	}
	m.weigh(f.scale)
	return m, nil
}

func (f *Fleet) engines() engines {
	return engines{here: f.o.Backend, apart: f.o.Apart, hosts: f.o.RemoteHosts, key: f.o.RemoteKey}
}

// unchecked tells whether a package has to be checked, and no report of it is kept.
// Built-in packages are ours; a test has checked them.
func (f *Fleet) unchecked(v Version) bool {
	_, located := f.o.Source.(Located)
	return !v.BuiltIn && f.o.Checker != nil && located && f.kept(v) == nil
}

func (f *Fleet) kept(v Version) *Report {
	return f.o.Checker.Kept(v.Digest, f.o.Backend.Name()+" "+f.o.Backend.Version(), f.o.Decoder.Name())
}

// checked gives the report of a stranger's package: the kept one, else that of a
// new check.
func (f *Fleet) checked(ctx context.Context, v Version) (*Report, error) {
	located, ok := f.o.Source.(Located)
	if v.BuiltIn || f.o.Checker == nil || !ok {
		return nil, nil
	}
	if r := f.kept(v); r != nil {
		return r, nil
	}
	dir, ok := located.Directory(v.Digest)
	if !ok {
		return nil, problem.ModelNotFound.New("the package %s is not here any more", v.Digest)
	}
	r, err := f.o.Checker.Check(ctx, dir)
	if err != nil {
		return nil, err
	}
	if r.Digest != "" && r.Digest != v.Digest {
		return nil, fmt.Errorf("the package %s has changed on disk: its files now give %s", v.Digest, r.Digest)
	}
	return r, r.Err()
}

// obey takes over what the check found out and the package does not say.
func (m *Model) obey(r *Report) {
	m.Report = r
	if r == nil {
		return
	}
	m.Rows = r.Rows
	if r.Activation != "" {
		m.Binding.Activation = r.Activation
	}
}
