package fleet

import (
	"context"
	"slices"

	"github.com/goshawk-ai/goshawk/internal/problem"
	"github.com/goshawk-ai/goshawk/internal/wording"
)

// Load puts a model into service: all its versions as their aliases say, those
// that failed once more. It waits until what the bare name means answers, and
// fails with the reason when it cannot.
func (f *Fleet) Load(ctx context.Context, name string) error {
	if !f.known(name) {
		return notHere(name)
	}
	f.mu.Lock()
	delete(f.off, name)
	f.again[name] = true
	f.mu.Unlock()
	f.kick()
	return f.until(ctx, func() (bool, error) {
		f.mu.Lock()
		pending := f.again[name]
		f.mu.Unlock()
		if pending {
			return false, nil
		}
		s, err := f.Status(name)
		if err != nil {
			return true, err
		}
		switch s.State {
		case Ready, Sleeping:
			return true, nil
		case Failed:
			return true, problem.ModelInvalid.New("the model %q cannot be served: %s", name, s.Reason)
		default:
			return false, nil
		}
	})
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

func (e *entry) name() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.version.Name
}
