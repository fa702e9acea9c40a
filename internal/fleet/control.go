package fleet

import (
	"context"
	"slices"

	"github.com/goshawk-ai/goshawk/internal/problem"
	"github.com/goshawk-ai/goshawk/internal/wording"
)

// Load puts a model into service: all its versions as their aliases say, those
// that failed once more. It waits until every version that is to be loaded
// answers, and fails with the reason of one that cannot. A version that answers
// in the place of such a one goes on.
func (f *Fleet) Load(ctx context.Context, name string) error {
	if !f.known(name) {
		return notHere(name)
	}
	f.mu.Lock()
	delete(f.off, name)
	f.again[name], f.seen[name] = true, true
	f.mu.Unlock()
	f.kick()
	return f.until(ctx, func() (bool, error) {
		f.mu.Lock()
		pending := f.again[name]
		f.mu.Unlock()
		if pending {
			return false, nil
		}
		return f.arrived(name)
	})
}

// arrived says whether every version of a name is where the source wants it.
// What answers for the name meanwhile is another question: it may be an older one.
func (f *Fleet) arrived(name string) (bool, error) {
	var why error
	for _, v := range f.o.Source.Versions() {
		if v.Name != name {
			continue
		}
		f.mu.Lock()
		e := f.entries[key(v)]
		f.mu.Unlock()
		if e == nil {
			f.kick() // the loop has not heard of it yet
			return false, nil
		}
		switch s := e.status(); {
		case s.State == Loading:
			return false, nil
		case s.State == Sleeping && e.reason() != nil:
			return true, e.reason()
		case s.State == Unloaded:
			return true, problem.ModelUnhealthy.New("the model %q was unloaded again meanwhile", name)
		case s.State == Failed && why == nil && e.retries():
			why = problem.ModelUnhealthy.New("the model %q cannot be served yet: %s", name, s.Reason)
		case s.State == Failed && why == nil:
			why = problem.ModelInvalid.New("the model %q cannot be served: %s", name, s.Reason)
		}
	}
	return true, why
}

// Unload takes all versions of a model out of service. It waits until the
// requests that use them have ended and their memory was given back. Nothing but
// Load brings them back, whatever the source says meanwhile.
func (f *Fleet) Unload(ctx context.Context, name string) error {
	if !f.known(name) {
		return notHere(name)
	}
	f.mu.Lock()
	f.off[name] = true
	delete(f.again, name)
	f.mu.Unlock()
	f.kick()
	return f.until(ctx, func() (bool, error) {
		f.mu.Lock()
		defer f.mu.Unlock()
		if !f.off[name] {
			return true, problem.ModelUnhealthy.New("the model %q was loaded again meanwhile", name)
		}
		for _, e := range f.entries {
			if e.name() == name && !e.is(Unloaded) {
				return false, nil
			}
		}
		return f.draining[name] == 0, nil
	})
}

func (f *Fleet) known(name string) bool {
	return slices.ContainsFunc(f.o.Source.Versions(), func(v Version) bool { return v.Name == name })
}

func notHere(name string) error {
	return problem.ModelNotFound.New("there is no model %q", wording.Cut(name))
}

// until waits for a state that the loop brings about.
func (f *Fleet) until(ctx context.Context, done func() (bool, error)) error {
	for {
		changed := f.watch()
		if ok, err := done(); ok {
			return err
		}
		select {
		case <-changed:
		case <-f.done:
			return errClosed
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// reason is why an entry failed, or could not be woken.
func (e *entry) reason() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.why
}

func (e *entry) name() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.version.Name
}
