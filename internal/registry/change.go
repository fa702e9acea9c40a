package registry

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/goshawk-ai/goshawk/internal/fleet"
	"github.com/goshawk-ai/goshawk/internal/model"
	"github.com/goshawk-ai/goshawk/internal/problem"
)

// AddOptions of a new version.
type AddOptions struct {
	NoAlias bool // leave the alias default where it is
}

// Add copies the package in packageDir into the registry as the newest version
// of its name. Whoever adds it has checked it. A package that is there already is
// not added twice; then only the alias moves.
func (r *Registry) Add(ctx context.Context, packageDir string, o AddOptions) (fleet.Version, error) {
	st, err := newStage(r.dir)
	if err != nil {
		return fleet.Version{}, err
	}
	p, err := model.Import(ctx, packageDir, st.path(bundleDir, packageInDir), model.ImportOptions{})
	var v fleet.Version
	if err == nil {
		v, err = r.take(st.path(bundleDir, packageInDir), p, o)
	}
	return v, errors.Join(err, st.close())
}

// take moves a package, which lies on the same file system and was read as p, to
// its place and makes it a version. The package comes first, and is durable,
// before registry.json names it.
func (r *Registry) take(from string, p *model.Package, o AddOptions) (v fleet.Version, err error) {
	err = r.change(func(s *state) error {
		name := p.Manifest.Name
		if r.builtIn[p.Digest] == nil {
			if err := r.place(from, p.Digest); err != nil {
				return storage(r.dir, err)
			}
		}
		s.add(name, p.Digest, false, r.stamp())
		if m := s.model(name); !o.NoAlias {
			m.point(fleet.DefaultAlias, p.Digest, r.stamp())
		}
		return nil
	})
	if err != nil {
		return fleet.Version{}, err
	}
	return r.Resolve(p.Manifest.Name + "@" + p.Digest)
}

func (r *Registry) place(from, digest string) error {
	to := packagePath(r.dir, digest)
	if _, err := os.Stat(to); err == nil {
		return nil // the same files: it is named by their digest
	}
	if err := r.disk.seal(from); err != nil {
		return err
	}
	if err := r.disk.move(from, to); err != nil {
		return err
	}
	return os.Chmod(to, 0o555) //nolint:gosec // a folder needs x to be read
}

// Remove takes a version out and deletes its package. It refuses a built-in one,
// and one that an alias points to while its name has others: the alias must be
// moved first, so that removing never changes what a name means. The last version
// of a name takes the name with it.
func (r *Registry) Remove(ref string) (fleet.Version, error) {
	var gone fleet.Version
	err := r.change(func(s *state) error {
		m, v, err := s.resolve(ref)
		if err != nil {
			return err
		}
		gone = m.describe(*v, r.required)
		return s.remove(m.Name, v.Digest)
	})
	if err != nil {
		return fleet.Version{}, err
	}
	if r.now.Load().uses(gone.Digest) {
		return gone, nil
	}
	// registry.json does not name it any more: if this fails, the next Open sweeps.
	if err := erase(packagePath(r.dir, gone.Digest)); err != nil {
		r.o.Logger.Warn("a removed package could not be deleted yet", "digest", gone.Digest, "cause", err.Error())
	}
	return gone, nil
}

// Alias points NAME@alias to the version that ref means.
func (r *Registry) Alias(ref, alias string) (fleet.Version, error) {
	if err := checkAlias(alias); err != nil {
		return fleet.Version{}, err
	}
	return r.pointed(func(s *state) (*modelRecord, string, string, error) {
		m, v, err := s.resolve(ref)
		if err != nil {
			return nil, "", "", err
		}
		return m, alias, v.Digest, nil
	})
}

// Rollback points NAME@alias (default where ref has none) to what it pointed to
// before.
func (r *Registry) Rollback(name, alias string) (fleet.Version, error) {
	return r.pointed(func(s *state) (*modelRecord, string, string, error) {
		m, digest, err := s.before(name, alias)
		return m, alias, digest, err
	})
}

// before is the version that an alias pointed to before the present one.
func (s *state) before(name, alias string) (*modelRecord, string, error) {
	m, _, err := s.resolve(name + "@" + alias)
	if err != nil {
		return nil, "", err
	}
	a := m.alias(alias)
	for _, old := range slices.Backward(a.History) {
		if old.Digest != a.Digest && m.version(old.Digest) != nil {
			return m, old.Digest, nil
		}
	}
	return nil, "", problem.InvalidRequest.New("the alias %s@%s has pointed to no other version that is still here", m.Name, alias)
}

func (r *Registry) pointed(choose func(*state) (m *modelRecord, alias, digest string, err error)) (fleet.Version, error) {
	var v fleet.Version
	err := r.change(func(s *state) error {
		m, alias, digest, err := choose(s)
		if err != nil {
			return err
		}
		m.point(alias, digest, r.stamp())
		v = m.describe(*m.version(digest), r.required)
		return nil
	})
	return v, err
}

// History lists where an alias has pointed, oldest first.
func (r *Registry) History(name, alias string) ([]Move, error) {
	m, _, err := r.now.Load().resolve(name + "@" + alias)
	if err != nil {
		return nil, err
	}
	var list []Move
	for _, h := range m.alias(alias).History {
		list = append(list, Move(h))
	}
	return list, nil
}

// Move is one step of an alias.
type Move struct {
	Digest string
	At     time.Time
}

// change makes the next state of a copy of the present one, writes it, and only
// then shows it. One at a time; readers never wait.
func (r *Registry) change(edit func(*state) error) error {
	r.writing.Lock()
	defer r.writing.Unlock()
	if r.lock == nil {
		return errors.New("the data directory is not held by this process, so nothing can be changed")
	}
	next := r.now.Load().clone()
	if err := edit(next); err != nil {
		return err
	}
	if err := r.save(next); err != nil {
		r.recover()
		return err
	}
	r.now.Store(next)
	select {
	case r.changed <- struct{}{}:
	default:
	}
	return nil
}

// recover finds out what a failed write left on disk and goes on from there, and
// removes a package that it does not name: on a full disk its room is needed.
func (r *Registry) recover() {
	s, err := readState(filepath.Join(r.dir, stateFile))
	if err != nil {
		return // the present state stays; the next Open says what is wrong
	}
	r.now.Store(s)
	_ = r.sweep()
}

func (r *Registry) save(s *state) error {
	data, err := s.marshal()
	if err != nil {
		return err
	}
	return storage(r.dir, r.disk.replace(filepath.Join(r.dir, stateFile), data, 0o600))
}

func (r *Registry) stamp() time.Time { return r.o.Now().UTC().Truncate(time.Millisecond) }

func (s *state) uses(digest string) bool {
	return slices.ContainsFunc(s.Models, func(m *modelRecord) bool { return m.version(digest) != nil })
}

// carry brings the built-in packages into the state: new ones are added, those of
// another release go, and aliases that pointed to them follow to the present one.
func (r *Registry) carry(s *state, list []BuiltIn) error {
	present := map[string]string{} // name to digest
	for _, b := range list {
		p, err := model.Open(b.FS)
		if err != nil {
			return fmt.Errorf("open a built-in model: %w", err)
		}
		name := p.Manifest.Name
		r.builtIn[p.Digest] = b.FS
		if b.Required {
			r.required[name] = true
		}
		present[name] = p.Digest
		s.add(name, p.Digest, true, r.stamp())
		if m := s.model(name); m.alias(fleet.DefaultAlias) == nil {
			m.point(fleet.DefaultAlias, p.Digest, r.stamp())
		}
	}
	for _, m := range s.Models {
		r.succeed(m, present[m.Name])
	}
	return nil
}

// succeed takes the built-in versions of other releases out of a name.
func (r *Registry) succeed(m *modelRecord, present string) {
	former := func(v versionRecord) bool { return v.BuiltIn && v.Digest != present }
	for _, v := range m.Versions {
		if !former(v) {
			continue
		}
		m.Aliases = slices.DeleteFunc(m.Aliases, func(a aliasRecord) bool { return a.Digest == v.Digest && present == "" })
		for _, a := range slices.Clone(m.Aliases) {
			if a.Digest == v.Digest {
				m.point(a.Name, present, r.stamp())
			}
		}
	}
	m.Versions = slices.DeleteFunc(m.Versions, former)
}
