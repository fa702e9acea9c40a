package calibrate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Target is a model that can be loaded to be measured, beside the one that serves.
type Target interface {
	// Load makes a session with so many threads a run.
	Load(ctx context.Context, threads int) (Runner, error)
}

// Runner is such a session.
type Runner interface {
	// Prepare makes what runs of so many rows need, for so many at a time.
	Prepare(ctx context.Context, instances, batch int) error
	// Run runs the model once as one of the instances; each is in one call at a time.
	Run(ctx context.Context, instance int) error
	Close() error
}

// ErrUnfit is what a Runner's error wraps when the model can be run, but not with
// the setting: it takes no such batch, or too much memory for it.
var ErrUnfit = errors.New("the model cannot be run so")

// DefaultBudget is how long a measurement takes unless somebody says it otherwise.
const DefaultBudget = 4 * time.Second

// MinBudget is the least that gives numbers which mean something.
const MinBudget = 500 * time.Millisecond

// MostBusy is the part of the machine that others may use for a measurement to
// mean much.
const MostBusy = 0.25

// Options of Measure.
type Options struct {
	Space  Space
	Budget time.Duration             // DefaultBudget
	Say    func(x Setting, p Sample) // told of each sample; may be nil
}

// Measure measures a model within its budget, which it exceeds by one repetition
// and one load at most, and gives the table. It ends with ctx's cause when ctx
// ends; a target that fails ends it too.
func Measure(ctx context.Context, target Target, o Options) (table []Point, err error) {
	l := &loop{target: target, o: o, search: newSearch(o.Space), sessions: map[int]Runner{}}
	if l.o.Budget <= 0 {
		l.o.Budget = DefaultBudget
	}
	l.until = time.Now().Add(l.o.Budget)
	// A search takes some sixty repetitions before its last stage.
	l.slice = max(20*time.Millisecond, l.o.Budget/64)
	defer func() { err = errors.Join(err, l.close()) }()
	if err := l.run(ctx); err != nil {
		return nil, err
	}
	return l.search.table(), nil
}

// loop measures what the search asks for.
type loop struct {
	target   Target
	o        Options
	search   *search
	sessions map[int]Runner // by threads
	until    time.Time
	slice    time.Duration // of one repetition
}

func (l *loop) run(ctx context.Context) error {
	for round := l.search.next(); len(round) > 0; round = l.search.next() {
		if l.search.stage < finals && len(l.search.order) > 0 && time.Until(l.until) < l.cost(round) {
			l.search.hurry()
			continue
		}
		if err := l.keep(round); err != nil {
			return err
		}
		if over, err := l.round(ctx, round); over || err != nil {
			return err
		}
	}
	return nil
}

// cost is how long a round will take, if a run of a setting that is not known yet
// takes twice as long as the best one's.
func (l *loop) cost(round []Setting) (sum time.Duration) {
	for _, x := range round {
		run := l.search.point(x).Run
		if run == 0 {
			run = 2 * l.search.point(l.search.best).Run
		}
		sum += max(l.slice+run, (leastRuns+1)*run)
	}
	return sum
}

// round measures each of a round's settings, and says whether the time was over
// before its end.
func (l *loop) round(ctx context.Context, round []Setting) (over bool, err error) {
	for _, x := range round {
		if !time.Now().Before(l.until) && len(l.search.order) > 0 {
			return true, nil
		}
		sample, err := l.sample(ctx, x)
		switch {
		case ctx.Err() != nil:
			return true, context.Cause(ctx)
		case errors.Is(err, ErrUnfit) && x != l.search.best:
			l.search.unfit(x)
			return false, nil
		case err != nil:
			return true, fmt.Errorf("measure %v: %w", x, err)
		}
		l.search.add(x, sample)
		if l.o.Say != nil {
			l.o.Say(x, sample)
		}
	}
	l.search.close()
	return false, nil
}

// keep closes the sessions that a round does not need: each holds the model's
// weights once more.
func (l *loop) keep(round []Setting) error {
	var errs []error
	for threads, r := range l.sessions {
		if !slices.ContainsFunc(round, func(x Setting) bool { return x.Threads == threads }) {
			delete(l.sessions, threads)
			errs = append(errs, r.Close())
		}
	}
	return errors.Join(errs...)
}

func (l *loop) close() error { return l.keep(nil) }

func (l *loop) session(ctx context.Context, threads int) (Runner, error) {
	if r := l.sessions[threads]; r != nil {
		return r, nil
	}
	r, err := l.target.Load(ctx, threads)
	if err == nil {
		l.sessions[threads] = r
	}
	return r, err
}

// sample runs all instances for a slice of time, two runs each at least after a
// first one that is not counted: it allocates what the others reuse, and lets the
// instances fall out of step.
func (l *loop) sample(ctx context.Context, x Setting) (Sample, error) {
	r, err := l.session(ctx, x.Threads)
	if err != nil {
		return Sample{}, err
	}
	if err := r.Prepare(ctx, x.Instances, x.Batch); err != nil {
		return Sample{}, err
	}
	parts := make([]Sample, x.Instances)
	errs := make([]error, x.Instances)
	var all sync.WaitGroup
	for i := range parts {
		all.Go(func() { parts[i], errs[i] = l.instance(ctx, r, i, x.Batch) })
	}
	all.Wait()
	if ctx.Err() != nil {
		return Sample{}, context.Cause(ctx)
	}
	if err := cmp.Or(errs...); err != nil { // the first: the others say the same
		return Sample{}, err
	}
	var sum Sample
	for _, p := range parts {
		sum.Rate += p.Rate
		sum.Took = append(sum.Took, p.Took...)
	}
	return sum, nil
}

// The runs of one repetition of an instance.
const (
	leastRuns = 2
	mostRuns  = 100_000
)

func (l *loop) instance(ctx context.Context, r Runner, i, batch int) (Sample, error) {
	if err := r.Run(ctx, i); err != nil {
		return Sample{}, err
	}
	var s Sample
	began := time.Now()
	for at := began; len(s.Took) < leastRuns || at.Sub(began) < l.slice && len(s.Took) < mostRuns; {
		if err := r.Run(ctx, i); err != nil {
			return Sample{}, err
		}
		now := time.Now()
		s.Took = append(s.Took, now.Sub(at))
		at = now
	}
	s.Rate = float64(len(s.Took)*batch) / max(time.Since(began).Seconds(), 1e-9)
	return s, nil
}
