package fleet

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/goshawk-ai/goshawk/internal/problem"
)

// loop owns the entries: it alone adds, loads and retires them. Requests only
// read the table of routes.
func (f *Fleet) loop(ctx context.Context) {
	defer close(f.done)
	tick := time.NewTimer(time.Minute)
	defer tick.Stop()
	for {
		wanted := f.sync(ctx)
		if ctx.Err() != nil {
			return
		}
		if f.next(ctx, wanted) {
			continue // the source may have changed meanwhile
		}
		var look <-chan time.Time
		if f.look > 0 {
			look = time.After(f.look)
		}
		tick.Reset(f.pause())
		select {
		case <-ctx.Done():
			return
		case <-f.o.Source.Changed():
		case <-f.wake:
		case <-tick.C:
		case <-look:
		}
	}
}

// next loads the most urgent of those that are to be loaded, and reports whether
// there is something to do at once. One that waits for memory lets nobody pass:
// others would take what is being given back for its sake.
func (f *Fleet) next(ctx context.Context, wanted []*entry) (busy bool) {
	f.look = 0
	f.hungry.Store(len(wanted) > 0) // before anybody is looked at: who becomes idle meanwhile is not missed
	for _, e := range wanted {
		if f.inquires(ctx, e) {
			continue
		}
		need, err := f.need(ctx, e)
		if err != nil {
			if ctx.Err() == nil {
				f.fail(e, err)
			}
			return true
		}
		what, err := f.admit(e, need)
		if what == waits && f.late(e) {
			what, err = refused, f.noTime(e)
		}
		switch what {
		case admitted:
			f.load(ctx, e)
			return true
		case dozes:
			e.rest(nil)
			f.announce()
		case refused:
			f.turnAway(e, err)
			return true
		case waits:
			return f.dismisses()
		}
	}
	f.hungry.Store(f.trim())
	return f.dismisses()
}

// late tells whether an entry has waited for memory for too long. What readiness
// depends on waits for as long as it takes.
func (f *Fleet) late(e *entry) bool {
	f.mu.Lock()
	pinned, patience := f.pins[e], f.patience
	f.mu.Unlock()
	now := time.Now()
	if e.hungry.IsZero() {
		e.hungry = now
	}
	f.lookIn(patience)
	return !pinned && now.Sub(e.hungry) >= patience
}

// dismisses tells whether somebody is to be put to sleep now.
func (f *Fleet) dismisses() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.dismissed) > 0
}

// turnAway lets those who wait for an entry go, since there is no memory for it.
// What readiness depends on has failed then, and so has what never fits.
func (f *Fleet) turnAway(e *entry, why error) {
	f.mu.Lock()
	f.refusals++
	pinned := f.pins[e]
	f.mu.Unlock()
	if pinned || !errors.Is(why, problem.Overloaded) {
		f.fail(e, why)
		return
	}
	f.o.Logger.Warn("model not loaded", "model", e.name(), "version", e.digest, "reason", sentence(why))
	e.rest(why)
	f.announce()
}

func (f *Fleet) fail(e *entry, err error) {
	f.o.Logger.Error("model failed to load", "model", e.name(), "version", e.digest, "reason", sentence(err), "cause", fmt.Sprint(err))
	e.set(Failed, nil, err)
	f.announce()
}

// pause is how long nothing is due: a minute, or until a failed load is tried again.
func (f *Fleet) pause() time.Duration {
	rest := time.Minute
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, e := range f.entries {
		e.mu.Lock()
		if e.state == Failed && !e.retry.IsZero() {
			rest = min(rest, max(0, time.Until(e.retry)))
		}
		e.mu.Unlock()
	}
	return rest
}

// sync brings entries and routes in line with the source and says what should be
// loaded, most urgent first.
func (f *Fleet) sync(ctx context.Context) []*entry {
	versions := f.o.Source.Versions()
	if ctx.Err() == nil && f.o.Default != "" {
		f.standard = ""
		if v, err := f.resolve(f.o.Default); err == nil {
			f.standard = key(v)
		}
	}
	f.mu.Lock()
	leaving := f.enter(versions)
	table := f.table(versions)
	leaving = append(leaving, f.supersede(versions, table)...)
	f.pin(versions, table)
	for _, e := range leaving {
		if e.is(Ready) {
			f.leaving[e.key()] = e
		}
	}
	f.mu.Unlock()
	// The table first: whoever finds an entry retired looks for its successor there.
	f.routes.Store(table)
	for _, e := range leaving {
		f.drain(e)
	}
	f.announce()
	return f.wanted()
}

// enter makes entries for new versions, takes over moved aliases and gives what
// is to be drained because somebody unloaded it. f.mu is held.
func (f *Fleet) enter(versions []Version) (leaving []*entry) {
	leaving = append(f.condemned(), f.doze()...)
	leaving = append(leaving, f.exchanged()...)
	needed := f.needed(versions)
	for _, v := range versions {
		f.meet(v, needed)
		state := Loading
		switch {
		case f.off[v.Name]:
			state = Unloaded
		case dormant(v) && key(v) != f.standard:
			state = Sleeping
		}
		e := f.entries[key(v)]
		switch {
		case v.Refused != nil:
			if state != Unloaded {
				state = Failed
			}
			f.entries[key(v)] = newEntry(v, state, f.hooks)
			f.entries[key(v)].why = v.Refused
		case e == nil:
			f.entries[key(v)] = newEntry(v, state, f.hooks)
			f.entries[key(v)].wanted = f.again[v.Name] && state == Loading
		case state == Unloaded && !e.is(Unloaded):
			f.entries[key(v)] = newEntry(v, Unloaded, f.hooks)
			leaving = append(leaving, e)
		default:
			e.renew(v, state, f.again[v.Name])
		}
	}
	clear(f.again)
	return leaving
}

// condemned puts failed entries in the place of those that broke while they were
// ready. Load tries such a version anew. One of another server is tried by itself
// after a while, and each time later: it may have been the server that hung, or the
// way to it. f.mu is held.
func (f *Fleet) condemned() (leaving []*entry) {
	for e, why := range f.broken {
		k := e.key()
		if f.entries[k] != e || !e.is(Ready) {
			continue // it went another way meanwhile
		}
		e.mu.Lock()
		failed := newEntry(e.version, Failed, f.hooks)
		failed.why, failed.pkg = why, e.pkg
		if e.model.Package.Manifest.Remote != nil {
			failed.relapses = e.relapses + 1
			failed.retry = time.Now().Add(min(f.relief<<min(2*e.relapses, 20), longestRelief))
		}
		e.mu.Unlock()
		f.entries[k] = failed
		leaving = append(leaving, e)
	}
	clear(f.broken)
	return leaving
}

// meet decides what becomes of a name that was never here: readiness may depend on
// it, on whichever of its versions. f.mu is held.
func (f *Fleet) meet(v Version, needed []string) {
	if f.seen[v.Name] {
		return
	}
	f.seen[v.Name] = true
	names := func(ref string) bool { return ref == v.Name || strings.HasPrefix(ref, v.Name+"@") }
	if f.o.Explicit && !slices.ContainsFunc(needed, names) {
		f.off[v.Name] = true
	}
}

// dormant versions are loaded only when somebody asks for them.
func dormant(v Version) bool { return len(v.Aliases) == 0 && !v.Required && !v.Eager }

// table routes every reference. An alias goes on to the version that served it
// until the one that it points to now is ready, so that no answer is missing
// during a change; so does a number, whose files may have been replaced, or are
// not to be told any more since the whole model is refused. f.mu is held.
func (f *Fleet) table(versions []Version) *routes {
	before := f.routes.Load().to
	t := &routes{to: make(map[string]*entry, 3*len(versions))}
	for _, v := range versions {
		e := f.entries[key(v)]
		t.to[key(v)] = e
		if v.Number > 0 {
			t.to[numbered(v)] = f.heir(before[numbered(v)], e)
			t.to[t.to[numbered(v)].key()] = t.to[numbered(v)] // that the source may have forgotten
		}
		for _, alias := range v.Aliases {
			target := f.heir(before[v.Name+"@"+alias], e)
			t.to[v.Name+"@"+alias], t.to[target.key()] = target, target
			if alias == DefaultAlias {
				t.to[v.Name] = target
			}
		}
	}
	for _, e := range slices.Collect(maps.Values(t.to)) { // who answers under a name does so under its number
		if n := e.numbered(); n != "" && t.to[n] == nil {
			t.to[n] = e
		}
	}
	refused := refusedWhole(versions)
	for ref, e := range before {
		if name, _, numbered := strings.Cut(ref, "/"); numbered && refused[name] && !f.off[name] && e.is(Ready) && f.entries[e.key()] == e {
			t.to[ref], t.to[e.key()] = e, e
		}
	}
	return t
}

// refusedWhole are the names of which no version can be served: their source did
// not get so far as to see which there are.
func refusedWhole(versions []Version) map[string]bool {
	names := map[string]bool{}
	for _, v := range versions {
		whole, seen := names[v.Name]
		names[v.Name] = v.Refused != nil && v.Number == 0 && (whole || !seen)
	}
	return names
}

// heir is who answers for a reference: e, or whoever did before while e cannot.
// f.mu is held.
func (f *Fleet) heir(before, e *entry) *entry {
	if before != nil && before.is(Ready) && f.entries[before.key()] == before && (e.is(Loading) || e.is(Failed)) {
		return before
	}
	return e
}

// DefaultAlias is what a bare name means.
const DefaultAlias = "default"

func (e *entry) key() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return key(e.version)
}

// numbered is NAME/N, "" for what has no number.
func (e *entry) numbered() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.version.Number == 0 {
		return ""
	}
	return numbered(e.version)
}

// supersede replaces what need not stay loaded and gives what is to be drained:
// versions that are gone from the source and that nobody has taken the place of,
// that no alias leads to any more, or that were woken and then not used for a
// while. f.mu is held.
func (f *Fleet) supersede(versions []Version, t *routes) (leaving []*entry) {
	listed := make(map[string]Version, len(versions))
	for _, v := range versions {
		listed[key(v)] = v
	}
	served, routed := make(map[*entry]bool, len(t.to)), make(map[*entry]bool, len(t.to))
	for ref, e := range t.to {
		routed[e] = true
		// Digests and numbers lead to every version; only aliases keep one loaded.
		if v, byDigest := listed[ref]; (!byDigest || !dormant(v) || ref == f.standard) && !strings.Contains(ref, "/") {
			served[e] = true
		}
	}
	old := time.Now().Add(-idleTime)
	for k, e := range f.entries {
		v, here := listed[k]
		switch {
		case !here && routed[e]: // its successor is not ready
			continue
		case !here:
			delete(f.entries, k)
			delete(f.weights, e.digest)
		case !served[e] && e.spent(old):
			f.entries[k] = newEntry(v, Sleeping, f.hooks)
			t.to[k], t.to[numbered(v)] = f.entries[k], f.entries[k]
		default:
			continue
		}
		leaving = append(leaving, e)
	}
	return leaving
}

// wanted lists what is to be loaded: the default, then what is required, then
// what somebody waits for, then the oldest.
func (f *Fleet) wanted() []*entry {
	first := f.routes.Load().to[f.o.Default]
	f.mu.Lock()
	defer f.mu.Unlock()
	var list []*entry
	for _, e := range f.entries {
		if e.is(Loading) {
			list = append(list, e)
		}
	}
	rank := func(e *entry) int {
		switch {
		case e == first:
			return 0
		case e.version.Required:
			return 1
		case e.isWanted():
			return 2
		}
		return 3
	}
	slices.SortFunc(list, func(a, b *entry) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), a.version.Added.Compare(b.version.Added), cmp.Compare(key(a.version), key(b.version)))
	})
	return list
}

// load brings one version to Ready or Failed. Nothing that serves waits for it.
func (f *Fleet) load(ctx context.Context, e *entry) {
	e.mu.Lock()
	v, watch, woken := e.version, e.watch, e.dozing || e.woken
	e.mu.Unlock()
	began := time.Now()
	m, err := f.open(ctx, v, e, watch)
	if err == nil && ctx.Err() == nil {
		if err = f.settle(e, m); err != nil {
			f.unload(m, v)
			f.turnAway(e, err)
			return
		}
	}
	if ctx.Err() != nil {
		if m != nil {
			f.unload(m, v)
		}
		return
	}
	if err != nil {
		f.fail(e, err)
		if errors.Is(err, problem.ModelUnhealthy) {
			e.later()
		}
		return
	}
	m.overruns, m.condemn = f.o.Overruns, func(why error) { f.condemn(e, why) }
	f.loaded(m)
	watch.lap(WarmUp)
	e.set(Ready, m, nil)
	if woken {
		f.mu.Lock()
		f.wakes++
		f.mu.Unlock()
	}
	f.heed(e, m)
	f.o.Logger.Info("model ready", "model", v.Name, "version", v.Digest, "took_ms", ms(time.Since(began)), "classes", m.Classes, "rows", m.Rows, "bytes", m.Bytes())
}

// unload gives a model's memory back. It waits while another is being loaded and
// weighed.
func (f *Fleet) unload(m *Model, v Version) {
	f.scale.Lock()
	defer f.scale.Unlock()
	if err := m.close(); err != nil {
		f.o.Logger.Error("model failed to unload", "model", v.Name, "version", v.Digest, "cause", err.Error())
	}
}

// heed waits until whoever computes the model is gone for good, or the model is
// unloaded.
func (f *Fleet) heed(e *entry, m *Model) {
	if m.monitor == nil || m.monitor.Broken() == nil {
		return
	}
	f.drains.Go(func() {
		select {
		case <-m.monitor.Broken():
			f.condemn(e, m.Ill())
		case <-e.drained:
		}
	})
}

// condemn takes a version out of service until somebody loads it again.
func (f *Fleet) condemn(e *entry, why error) {
	f.o.Logger.Error("model marked unhealthy", "model", e.name(), "reason", sentence(why))
	f.mu.Lock()
	f.broken[e] = why
	f.mu.Unlock()
	f.kick()
}

// drain unloads an entry's model when the last reference is gone.
func (f *Fleet) drain(e *entry) {
	if !e.retire() {
		return
	}
	e.mu.Lock()
	m, v := e.model, e.version
	e.mu.Unlock()
	if m == nil {
		return
	}
	f.mu.Lock()
	f.draining[v.Name]++
	f.mu.Unlock()
	f.drains.Go(func() {
		defer f.drainedOne(v.Name)
		<-e.drained
		f.forget(e)
		f.unload(m, v)
		f.mu.Lock()
		delete(f.resident, e)
		f.mu.Unlock()
		if f.o.Unloaded != nil && !f.succeeded(e) {
			f.o.Unloaded(v)
		}
		debug.FreeOSMemory() // Go's part: its heap would grow to a multiple of what loads leave behind
	})
}

func (f *Fleet) forget(e *entry) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if k := e.key(); f.leaving[k] == e {
		delete(f.leaving, k)
	}
}

func (f *Fleet) drainedOne(name string) {
	f.mu.Lock()
	if f.draining[name]--; f.draining[name] == 0 {
		delete(f.draining, name)
	}
	f.mu.Unlock()
	f.announce()
	f.freed()
}
