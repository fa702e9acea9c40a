package fleet_test

import (
	"context"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/goshawk-ai/goshawk/internal/fleet"
	"github.com/goshawk-ai/goshawk/internal/fleet/fleettest"
	"github.com/goshawk-ai/goshawk/internal/infer/ort/orttest"
	"github.com/goshawk-ai/goshawk/internal/model"
	"github.com/goshawk-ai/goshawk/internal/picture"
	"github.com/goshawk-ai/goshawk/internal/problem"
)

// shelf is a small real Source: packages in folders, aliases in a map.
type shelf struct {
	tb      testing.TB
	changed chan struct{}
	opening func() // called by Open; may be nil

	mu       sync.Mutex
	versions []fleet.Version   // guarded by mu
	dirs     map[string]string // guarded by mu; by digest
}

func newShelf(tb testing.TB) *shelf {
	return &shelf{tb: tb, changed: make(chan struct{}, 1), dirs: map[string]string{}}
}

// put adds a version; the aliases leave the versions that had them.
func (s *shelf) put(p fleettest.Package, aliases ...string) fleet.Version {
	s.tb.Helper()
	dir := p.Write(s.tb)
	opened, err := model.Open(os.DirFS(dir))
	if err != nil {
		s.tb.Fatal(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	v := fleet.Version{Name: opened.Manifest.Name, Digest: opened.Digest, Number: 1, Aliases: aliases, BuiltIn: true, Added: time.Unix(int64(len(s.versions)), 0)}
	for i := range s.versions {
		if s.versions[i].Name != v.Name {
			continue
		}
		v.Number++
		if len(aliases) > 0 {
			s.versions[i].Aliases = nil
		}
	}
	s.versions = append(s.versions, v)
	s.dirs[v.Digest] = dir
	s.tell()
	return v
}

// edit changes the versions and tells the fleet.
func (s *shelf) edit(f func(v []fleet.Version) []fleet.Version) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.versions = f(s.versions)
	s.tell()
}

func (s *shelf) tell() {
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

func (s *shelf) Versions() []fleet.Version {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]fleet.Version, len(s.versions))
	copy(list, s.versions)
	return list
}

func (s *shelf) Resolve(ref string) (fleet.Version, error) {
	name, rest, _ := strings.Cut(ref, "@")
	for _, v := range s.Versions() {
		if v.Name == name && (strings.HasPrefix(v.Digest, rest) && rest != "" || rest == "" && len(v.Aliases) > 0) {
			return v, nil
		}
	}
	return fleet.Version{}, problem.ModelNotFound.New("there is no model %q", ref)
}

func (s *shelf) Open(_ context.Context, digest string) (*model.Package, error) {
	if s.opening != nil {
		s.opening()
	}
	dir, _ := s.Directory(digest)
	return model.Open(os.DirFS(dir))
}

func (s *shelf) Directory(digest string) (string, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	dir, ok := s.dirs[digest]
	return dir, ok
}

func (s *shelf) Changed() <-chan struct{} { return s.changed }

// start runs a fleet over the shelf until the test ends.
func (s *shelf) start(o fleet.Options) *fleet.Fleet {
	s.tb.Helper()
	decoder, err := picture.NewDecoder("go")
	if err != nil {
		s.tb.Fatal(err)
	}
	if o.Backend == nil {
		o.Backend = orttest.Open(s.tb)
	}
	o.Source, o.Decoder = s, decoder
	f := fleet.New(o)
	if err := f.Start(s.tb.Context()); err != nil {
		s.tb.Fatal(err)
	}
	s.tb.Cleanup(f.Close)
	return f
}

// settled waits until a condition on the fleet holds.
func settled(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(2 * time.Millisecond) {
		if holds() {
			return
		}
	}
	t.Fatalf("not within a minute: %s", what)
}

// stateOf is the state of a version in the list of models.
func stateOf(f *fleet.Fleet, v fleet.Version) fleet.State {
	for _, s := range f.Models() {
		if s.Digest == v.Digest {
			return s.State
		}
	}
	return ""
}

// tiny is the test package with a description, so that each has a digest of its own.
func tiny(name, license string) fleettest.Package {
	return fleettest.Package{Name: name, Rest: "description: " + license + "\n"}
}
