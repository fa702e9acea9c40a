package fleet

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/goshawk-ai/goshawk/internal/calibrate"
	"github.com/goshawk-ai/goshawk/internal/infer"
	"github.com/goshawk-ai/goshawk/internal/model"
	"github.com/goshawk-ai/goshawk/internal/picture"
	"github.com/goshawk-ai/goshawk/internal/problem"
	"github.com/goshawk-ai/goshawk/internal/wording"
)

// Options of a Fleet.
type Options struct {
	Backend infer.Backend
	// Apart loads each model into a process of its own, for those that ask for it
	// or could kill this one; nil refuses them.
	Apart infer.Backend
	// RemoteHosts are the servers that a package may name as where its model is:
	// HOST:PORT, or HOST for all its ports.
	RemoteHosts []string
	RemoteKey   string // that those are sent, over TLS or to this machine only; "" sends none
	Source      Source
	Decoder     *picture.Decoder
	Checker     *Checker // nil loads strangers' packages without a check: for tests
	Logger      *slog.Logger
	Registerer  prometheus.Registerer // nil registers nothing
	Default     string                // the reference that a request without one means; readiness waits for it
	Explicit    bool                  // only the default, the required and what Load names are loaded
	// Plan says how a package is to be run here, before it is loaded and when
	// Replan asks; nil is as its manifest says, and else one thread a run.
	Plan     func(p *model.Package) calibrate.Plan
	Loaded   func(m *Model)  // told before requests can reach the version, and when its plan has changed; may be nil
	Unloaded func(v Version) // told after a version's memory was given back; may be nil
	Overruns int             // runs in a row that had to be ended until a model is unhealthy; 0 is 3
	Required []string        // names that readiness waits for, beside those of required versions
	// Budget bounds what all models together take, in bytes (see Model.Bytes); 0 is
	// no bound. Who is not used sleeps then, the least recently used first.
	Budget int64
	Now    func() time.Time // what cold starts are timed by; nil is time.Now
	Proof  time.Duration    // that another server may take to show that its model answers; 0 is 10 s
}

// Fleet is the loaded models. Start loads them, Acquire hands them out, Close
// gives everything back.
type Fleet struct {
	o       Options
	routes  atomic.Pointer[routes]
	wake    chan struct{} // one place: the loop looks again
	stop    context.CancelCauseFunc
	done    chan struct{}  // closed when the loop has ended
	drains  sync.WaitGroup // retired models that somebody still uses
	metrics *collector
	scale   *scale
	hooks   *hooks
	hungry  atomic.Bool // somebody waits for memory

	// Only the loop uses these.
	look     time.Duration // after which it looks again; 0 is when something happens
	standard string        // key of the version that the default means
	inquiry  *inquiry      // the last check that was begun

	mu       sync.Mutex
	entries  map[string]*entry // guarded by mu; by NAME@DIGEST; written by the loop only
	changed  chan struct{}     // guarded by mu; closed and replaced when a state changed
	off      map[string]bool   // guarded by mu; names that somebody unloaded
	again    map[string]bool   // guarded by mu; names whose failed versions are to be tried once more
	seen     map[string]bool   // guarded by mu; names that were here before
	draining map[string]int    // guarded by mu; by name, models that were retired and are in use
	leaving  map[string]*entry // guarded by mu; those models by NAME@DIGEST
	broken   map[*entry]error  // guarded by mu; ready ones that will not answer again, and why
	renewed  map[*entry]*Model // guarded by mu; ready ones, and the same model loaded anew for another plan

	turn     time.Duration // guarded by mu; as the constants of these names
	patience time.Duration // guarded by mu
	relief   time.Duration // guarded by mu

	resident  map[*entry]bool  // guarded by mu; those whose memory is not given back yet
	dismissed map[*entry]bool  // guarded by mu; those of them that are to sleep
	pins      map[*entry]bool  // guarded by mu; those that must not
	weights   map[string]int64 // guarded by mu; by digest, what a version took when it was loaded
	wakes     int64            // guarded by mu; how often one that slept was loaded
	sleeps    int64            // guarded by mu; how often one was put to sleep for another
	refusals  int64            // guarded by mu; how often there was no memory for one
}

// routes is an immutable table: what a reference means now. NAME, NAME@ALIAS,
// NAME@sha256:HEX and NAME/N are in it.
type routes struct{ to map[string]*entry }

var errClosed = errors.New("the server is shutting down")

// New makes a Fleet, which does nothing before Start.
func New(o Options) *Fleet {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	o.Proof = cmp.Or(o.Proof, proof)
	f := &Fleet{
		o: o, wake: make(chan struct{}, 1), done: make(chan struct{}),
		entries: map[string]*entry{}, changed: make(chan struct{}),
		off: map[string]bool{}, again: map[string]bool{}, seen: map[string]bool{}, draining: map[string]int{},
		leaving: map[string]*entry{}, broken: map[*entry]error{}, renewed: map[*entry]*Model{},
		resident: map[*entry]bool{}, dismissed: map[*entry]bool{}, pins: map[*entry]bool{}, weights: map[string]int64{},
		scale: newScale(o.Backend), turn: turn, patience: patience, relief: relief,
	}
	f.hooks = &hooks{f.freed, o.Now}
	f.routes.Store(&routes{})
	f.metrics = newCollector(f)
	return f
}

// Start begins to load the models: the default and the required ones first. It
// returns at once; WaitReady waits. It may be called once.
func (f *Fleet) Start(ctx context.Context) error {
	if f.o.Registerer != nil {
		if err := f.o.Registerer.Register(f.metrics); err != nil {
			return err
		}
	}
	ctx, f.stop = context.WithCancelCause(ctx)
	go f.loop(ctx)
	return nil
}

// Close stops loading, waits until every model was released and unloads them.
func (f *Fleet) Close() {
	if f.stop == nil {
		return
	}
	f.stop(errClosed)
	<-f.done
	f.routes.Store(&routes{})
	f.mu.Lock()
	all := f.entries
	f.entries = map[string]*entry{}
	f.mu.Unlock()
	for _, e := range all {
		f.drain(e)
	}
	f.drains.Wait()
	if f.o.Registerer != nil {
		f.o.Registerer.Unregister(f.metrics)
	}
}

// Acquire gives the model that a reference means now; "" is the default. It
// stays loaded until release, which must be called exactly once. It fails with
// problem.ModelNotFound, or with problem.ModelUnhealthy which says why. A version
// that sleeps is woken, and Acquire fails until it is awake; see AcquireContext.
func (f *Fleet) Acquire(ref string) (m *Model, release func(), err error) {
	return f.acquire(ref, nil)
}

func (f *Fleet) acquire(ref string, c *claim) (m *Model, release func(), err error) {
	if ref == "" {
		ref = f.o.Default
	}
	for {
		e, err := f.find(ref)
		if err == nil {
			if m, release, ok := e.acquire(c == nil || c.request); ok {
				return m, release, nil
			}
		}
		if m, release, ok := f.joinLeaving(ref); ok {
			return m, release, nil
		}
		if err != nil {
			return nil, nil, err
		}
		if err := f.unavailable(e, c); err != nil {
			return nil, nil, err
		}
	}
}

// joinLeaving gives a model that has left the table while somebody still uses it,
// by NAME@DIGEST. A request that chose its version a moment ago asks for it so: it
// must neither fail nor wake the version again.
func (f *Fleet) joinLeaving(ref string) (m *Model, release func(), ok bool) {
	f.mu.Lock()
	e := f.leaving[ref]
	f.mu.Unlock()
	if e == nil {
		return nil, nil, false
	}
	m, ok = e.join()
	return m, e.release, ok
}

// AcquireContext is Acquire that waits while the model is being loaded. It fails
// with problem.ModelUnhealthy too where the model is computed elsewhere and
// whoever does it is gone, and with problem.Overloaded where there is no memory
// for it.
func (f *Fleet) AcquireContext(ctx context.Context, ref string) (m *Model, release func(), err error) {
	c := claim{request: true}
	defer c.drop()
	return f.await(ctx, ref, &c)
}

// Look is AcquireContext for somebody who wants to know what the model is. It is
// no request, and what it finds is no answer.
func (f *Fleet) Look(ctx context.Context, ref string) (m *Model, release func(), err error) {
	c := claim{}
	defer c.drop()
	return f.await(ctx, ref, &c)
}

func (f *Fleet) await(ctx context.Context, ref string, c *claim) (m *Model, release func(), err error) {
	for {
		changed := f.watch()
		m, release, err := f.acquire(ref, c)
		if !soon(err) {
			if err == nil {
				if err := m.await(ctx); err != nil {
					release()
					return nil, nil, err
				}
			}
			return m, release, err
		}
		select {
		case <-changed:
		case <-f.done:
			return nil, nil, err
		case <-ctx.Done():
			return nil, nil, context.Cause(ctx)
		}
	}
}

// claim is a caller's place beside an entry that it waits for: a model for which
// somebody waits is in use as soon as it is there.
type claim struct {
	request bool
	e       *entry
	turned  int // how many were turned away before
}

// on moves the claim to an entry.
func (c *claim) on(e *entry) {
	if c.e != e {
		c.drop()
		c.e, c.turned = e, e.claim(c.request)
	}
}

func (c *claim) drop() {
	if c.e != nil {
		c.e.unclaim(c.request)
		c.e = nil
	}
}

// find looks a reference up in the table, and asks the source for the forms that
// are not in it (shortened digests).
func (f *Fleet) find(ref string) (*entry, error) {
	if e := f.routes.Load().to[ref]; e != nil {
		return e, nil
	}
	v, err := f.resolve(ref)
	if err != nil {
		return nil, err
	}
	if e := f.routes.Load().to[key(v)]; e != nil {
		return e, nil
	}
	if f.ended() {
		return nil, problem.ModelUnhealthy.New("the model %q was unloaded: %v", v.Name, errClosed)
	}
	f.kick() // the source knows it, the loop has not heard of it yet
	return nil, waiting(v)
}

// resolve asks the source, which knows no numbers.
func (f *Fleet) resolve(ref string) (Version, error) {
	if !strings.Contains(ref, "/") {
		return f.o.Source.Resolve(ref)
	}
	for _, v := range f.o.Source.Versions() {
		if numbered(v) == ref {
			return v, nil
		}
	}
	name, _, _ := strings.Cut(ref, "/")
	if _, err := f.o.Source.Resolve(name); errors.Is(err, problem.ModelUnhealthy) { // it cannot know yet
		return Version{}, err
	}
	return Version{}, problem.ModelNotFound.New("there is no model version %q", wording.Cut(ref))
}

// unavailable says why an entry cannot be used; nil means: look again, the table
// has a new one. c, which may be nil, is the caller's claim.
func (f *Fleet) unavailable(e *entry, c *claim) error {
	if c != nil {
		c.on(e)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case e.retired:
		if f.ended() {
			return problem.ModelUnhealthy.New("the model %q was unloaded: %v", e.version.Name, errClosed)
		}
		return nil
	case e.state == Ready: // it became so since acquire looked
		return nil
	case e.state == Failed && !e.retry.IsZero():
		return problem.ModelUnhealthy.New("the model %q cannot be served yet: %s", e.version.Name, sentence(e.why)).
			With("retry_after_seconds", 1+int(max(0, time.Until(e.retry)).Seconds())).Because(errors.Join(&loadingError{later: true}, e.why))
	case e.state == Failed:
		return problem.ModelUnhealthy.New("the model %q cannot be served: %s", e.version.Name, sentence(e.why)).Because(e.why)
	case e.state == Unloaded:
		return problem.ModelUnhealthy.New("the model %q is unloaded; POST /v2/repository/models/%s/load brings it back", e.version.Name, e.version.Name)
	case e.state == Sleeping && e.why != nil && (c != nil && c.turned != e.turned || time.Now().Before(e.until)):
		return e.why
	case !e.wanted:
		e.wanted = true
		f.kick()
	}
	return waiting(e.version)
}

// loadingError marks the problem that goes away by waiting: soon, or at one of the
// later tries.
type loadingError struct{ later bool }

// soon tells whether a request should wait for it.
func soon(err error) bool {
	l, ok := errors.AsType[*loadingError](err)
	return ok && !l.later
}

func (*loadingError) Error() string { return "the model is being loaded" }

func waiting(v Version) error {
	return problem.ModelUnhealthy.New("the model %q is being loaded; try again in a moment", v.Name).
		With("retry_after_seconds", 1).Because(&loadingError{})
}

func (f *Fleet) ended() bool {
	select {
	case <-f.done:
		return true
	default:
		return false
	}
}

// Ready is nil when the default model and the required ones can answer; else it
// says which cannot, and why. It wakes nothing: one that sleeps wakes by itself.
func (f *Fleet) Ready() error {
	for _, ref := range f.needed(f.o.Source.Versions()) {
		if err := f.able(ref); err != nil {
			return err
		}
	}
	return nil
}

// able says why a reference would get no answer.
func (f *Fleet) able(ref string) error {
	for {
		e, err := f.find(ref)
		if err != nil {
			return err
		}
		e.mu.Lock()
		state, retired, m := e.state, e.retired, e.model
		e.mu.Unlock()
		switch {
		case retired && !f.ended(): // the table has another one
		case state == Ready && !retired:
			return m.Ill()
		case state == Sleeping:
			return nil
		default:
			return f.unavailable(e, nil)
		}
	}
}

// WaitReady waits until Ready is nil. It gives up when a model failed that
// readiness needs, or with ctx's cause.
func (f *Fleet) WaitReady(ctx context.Context) error {
	for {
		changed := f.watch()
		err := f.Ready()
		if _, loading := errors.AsType[*loadingError](err); !loading {
			return err
		}
		select {
		case <-changed:
		case <-f.done:
			return err
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// Changed gives the channel that the next change of a state closes.
func (f *Fleet) Changed() <-chan struct{} { return f.watch() }

// watch gives the channel that the next change of a state closes.
func (f *Fleet) watch() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.changed
}

func (f *Fleet) announce() {
	f.mu.Lock()
	defer f.mu.Unlock()
	close(f.changed)
	f.changed = make(chan struct{})
}

// kick makes the loop look again.
func (f *Fleet) kick() {
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// key is NAME@DIGEST. What is refused has no digest, and is told apart by its
// number in a form that no reference has.
func key(v Version) string {
	if v.Refused != nil {
		return v.Name + "@refused:" + strconv.Itoa(v.Number)
	}
	return v.Name + "@" + v.Digest
}

// numbered is how the Open Inference Protocol names a version: NAME/N.
func numbered(v Version) string { return v.Name + "/" + strconv.Itoa(v.Number) }

// idleTime is how long a version without an alias stays loaded after its last use.
const idleTime = 10 * time.Minute
