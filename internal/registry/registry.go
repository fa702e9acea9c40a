package registry

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/goshawk-ai/goshawk/internal/fleet"
	"github.com/goshawk-ai/goshawk/internal/model"
	"github.com/goshawk-ai/goshawk/internal/problem"
	"github.com/goshawk-ai/goshawk/internal/wording"
)

// Options of a Registry.
type Options struct {
	Required []string // names whose default version readiness waits for
	Logger   *slog.Logger
	// Taken is called before a process that added a model or moved an alias through
	// the spool is told so: ref means v now. It may wait until v serves. It may be nil.
	Taken func(ctx context.Context, ref string, v fleet.Version)
	// Calibrate measures a model for another process. Nil refuses.
	Calibrate func(ctx context.Context, q Calibration) (json.RawMessage, error)
	Now       func() time.Time // nil is time.Now
}

// Registry is an open data directory. It is safe for concurrent use.
type Registry struct {
	dir      string
	o        Options
	required map[string]bool
	builtIn  map[string]fs.FS // by digest
	lock     *os.File         // guarded by writing; nil when it was opened to be read only, and after Close
	disk     disk
	changed  chan struct{}
	now      atomic.Pointer[state] // an immutable state
	writing  sync.Mutex            // held while now is being replaced
	verified model.Verified

	stop    context.CancelFunc // of the spool's loop; nil before Start
	done    chan struct{}
	side    sync.WaitGroup // requests that are under way beside the loop
	besides sync.Map       // their ids
}

var _ interface {
	fleet.Source
	fleet.Located
} = (*Registry)(nil)

// Open takes the data directory, which it makes where there is none, and brings
// in the built-in packages. It fails with a *LockedError when another process
// holds it. What a crash left half done is cleaned up.
func Open(dir string, builtIn []BuiltIn, o Options) (*Registry, error) {
	return openOn(disk{}, dir, builtIn, o)
}

func openOn(d disk, dir string, builtIn []BuiltIn, o Options) (*Registry, error) {
	if err := prepare(dir); err != nil {
		return nil, err
	}
	lock, err := takeLock(dir)
	if err != nil {
		return nil, err
	}
	r, err := read(dir, builtIn, o)
	if err == nil {
		r.lock, r.disk = lock, d
		err = r.settle()
	}
	if err != nil {
		return nil, errors.Join(err, unlock(lock))
	}
	return r, nil
}

// View reads the data directory beside whoever holds it. What it gives is as of
// now, and every change fails.
func View(dir string, builtIn []BuiltIn, o Options) (*Registry, error) {
	if _, err := os.Stat(filepath.Join(dir, formatFile)); err == nil {
		if err := checkFormat(dir); err != nil {
			return nil, err
		}
	}
	return read(dir, builtIn, o)
}

// read makes the registry's state from registry.json and the built-in packages.
func read(dir string, builtIn []BuiltIn, o Options) (*Registry, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	r := &Registry{dir: dir, o: o, required: map[string]bool{}, builtIn: map[string]fs.FS{}, changed: make(chan struct{}, 1)}
	for _, name := range o.Required {
		r.required[name] = true
	}
	s, err := readState(filepath.Join(dir, stateFile))
	if err != nil {
		return nil, err
	}
	if err := r.carry(s, builtIn); err != nil {
		return nil, err
	}
	r.now.Store(s)
	return r, nil
}

func readState(path string) (*state, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return &state{Format: stateFormat}, nil
	}
	if err != nil {
		return nil, unusable(filepath.Dir(path), err)
	}
	s := new(state)
	if err := json.Unmarshal(data, s); err != nil {
		return nil, fmt.Errorf("read the registry: %s is damaged: %w", path, err)
	}
	if err := s.check(); err != nil {
		return nil, fmt.Errorf("read the registry: %s is damaged: %w", path, err)
	}
	return s, nil
}

// settle writes what Open changed, if anything, and removes what nothing refers to.
func (r *Registry) settle() error {
	now, err := r.now.Load().marshal()
	if err != nil {
		return err
	}
	before, err := os.ReadFile(filepath.Join(r.dir, stateFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read the registry: %w", err)
	}
	if !bytes.Equal(before, now) {
		if err := r.save(r.now.Load()); err != nil {
			return err
		}
	}
	if err := r.sweep(); err != nil {
		return err
	}
	return cleanStages(r.dir)
}

// sweep removes packages that no version names: a crash came between the package
// and registry.json.
func (r *Registry) sweep() error {
	known := map[string]bool{}
	for _, m := range r.now.Load().Models {
		for _, v := range m.Versions {
			known[packagePath(r.dir, v.Digest)] = true
		}
	}
	all, err := filepath.Glob(filepath.Join(r.dir, packagesDir, "*"))
	if err != nil {
		return err
	}
	for _, path := range all {
		if !known[path] {
			if err := erase(path); err != nil {
				return fmt.Errorf("clean up the data directory: %w", err)
			}
		}
	}
	return nil
}

// Close ends the spool's loop and gives the data directory free.
func (r *Registry) Close() error {
	if r.stop != nil {
		r.stop()
		<-r.done
		r.side.Wait()
	}
	r.writing.Lock()
	defer r.writing.Unlock()
	if r.lock == nil {
		return nil
	}
	lock := r.lock
	r.lock = nil
	return unlock(lock)
}

// Dir is the data directory.
func (r *Registry) Dir() string { return r.dir }

// Versions lists all versions by name and number.
func (r *Registry) Versions() []fleet.Version { return r.now.Load().versions(r.required) }

// Resolve finds the version of a reference, or fails with problem.ModelNotFound.
func (r *Registry) Resolve(ref string) (fleet.Version, error) {
	m, v, err := r.now.Load().resolve(ref)
	if err != nil {
		return fleet.Version{}, err
	}
	return m.describe(*v, r.required), nil
}

// Changed is sent a value after the list of versions or an alias changed.
func (r *Registry) Changed() <-chan struct{} { return r.changed }

// Open reads the package of a digest.
func (r *Registry) Open(_ context.Context, digest string) (*model.Package, error) {
	fsys, err := r.files(digest)
	if err != nil {
		return nil, err
	}
	p, err := r.verified.Open(fsys, digest)
	if err != nil {
		return nil, err
	}
	if p.Digest != digest {
		return nil, problem.ModelInvalid.New("the package %s has changed on disk: its files now give %s; remove it and add it again", short(digest), short(p.Digest))
	}
	return p, nil
}

// Held tells whether this process may change the directory: others only look.
func (r *Registry) Held() bool {
	r.writing.Lock()
	defer r.writing.Unlock()
	return r.lock != nil
}

// Kind reads what the package of a digest is for, without its other files; it
// is "" where that cannot be read.
func (r *Registry) Kind(digest string) model.Kind {
	fsys, err := r.files(digest)
	if err != nil {
		return ""
	}
	m, err := model.Peek(fsys)
	if err != nil {
		return ""
	}
	return m.Kind
}

func (r *Registry) files(digest string) (fs.FS, error) {
	if fsys, ok := r.builtIn[digest]; ok {
		return fsys, nil
	}
	dir, ok := r.Directory(digest)
	if !ok {
		return nil, problem.ModelNotFound.New("the package %s is not here", wording.Cut(digest))
	}
	return os.DirFS(dir), nil
}

// Directory is where a package lies that is not built in.
func (r *Registry) Directory(digest string) (string, bool) {
	if !isDigest(digest) {
		return "", false
	}
	dir := packagePath(r.dir, digest)
	info, err := os.Stat(dir)
	return dir, err == nil && info.IsDir()
}
