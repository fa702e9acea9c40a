package app

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/goshawk-ai/goshawk/internal/config"
	"github.com/goshawk-ai/goshawk/internal/fleet"
	"github.com/goshawk-ai/goshawk/internal/model"
	"github.com/goshawk-ai/goshawk/internal/problem"
	"github.com/goshawk-ai/goshawk/internal/registry"
	"github.com/goshawk-ai/goshawk/internal/registry/folder"
	"github.com/goshawk-ai/goshawk/internal/wording"
)

// sources are all the models that there are: what requests brought stands in the
// place of the rest; what is under --data comes before the repository.
type sources struct {
	data       *registry.Registry
	repository *folder.Source // nil without --models
	loads      *folder.Loads  // nil where no request can bring any
	fleet      atomic.Pointer[fleet.Fleet]
	entered    atomic.Bool // see taken

	changed chan struct{}
	stop    context.CancelFunc // of forward; nil before start
	done    chan struct{}
}

var _ interface {
	fleet.Source
	fleet.Located
} = (*sources)(nil)

// newSources reads the model repository, where there is one.
func newSources(ctx context.Context, c *config.Config, data *registry.Registry, o folder.Options) (*sources, error) {
	s := &sources{data: data, changed: make(chan struct{}, 1)}
	if !data.Held() { // a command beside whoever serves
		return s, nil
	}
	loads, err := folder.OpenLoads(filepath.Join(c.Data, "cache", "loads"), s.inUse)
	if err != nil {
		return nil, fmt.Errorf("cannot use the data directory %q: %w", c.Data, err)
	}
	s.loads = loads
	if c.Models.Repository == "" {
		return s, nil
	}
	dir, err := c.RepositoryDir()
	if err != nil {
		return nil, err
	}
	if o.Cache, err = folder.OpenCache(filepath.Join(c.Data, "cache", "models")); err != nil {
		return nil, err
	}
	o.InUse, o.Later = s.inUse, true
	if c.Models.Control == config.Poll {
		o.Poll = c.Models.Poll
	}
	s.repository, err = folder.Open(ctx, dir, o)
	return s, err
}

// start passes changes on, and looks for them in the repository.
func (s *sources) start(ctx context.Context, f *fleet.Fleet) {
	s.fleet.Store(f)
	if s.repository != nil {
		s.repository.Start(ctx)
	}
	ctx, s.stop = context.WithCancel(ctx)
	s.done = make(chan struct{})
	var repository <-chan struct{} // nil blocks
	if s.repository != nil {
		repository = s.repository.Changed()
	}
	go func() {
		defer close(s.done)
		for {
			select {
			case <-ctx.Done():
				return
			case <-s.data.Changed():
			case <-repository:
			}
			s.tell()
		}
	}()
}

func (s *sources) close() error {
	if s.stop != nil {
		s.stop()
		<-s.done
	}
	if s.repository == nil {
		return nil
	}
	return s.repository.Close()
}

func (s *sources) tell() {
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

// inUse tells of a package that a model is served from.
func (s *sources) inUse(digest string) bool {
	f := s.fleet.Load()
	return f != nil && slices.ContainsFunc(f.Models(), func(m fleet.Status) bool { return m.Digest == digest })
}

// Changed is sent a value after a list changed.
func (s *sources) Changed() <-chan struct{} { return s.changed }

// Versions lists all versions by name and number.
func (s *sources) Versions() []fleet.Version {
	names := map[string]bool{}
	list := s.data.Versions()
	for _, v := range list {
		names[v.Name] = true
	}
	told := map[string]bool{}
	if s.repository != nil {
		for _, v := range s.repository.Versions() {
			switch {
			case !names[v.Name]:
				list = append(list, v)
			case !told[v.Name]:
				told[v.Name] = true
				list = append(list, fleet.Version{Name: v.Name, Refused: problem.ModelInvalid.New(
					"the model repository has a model of this name too; the one under --data is served")})
			}
		}
	}
	if s.loads != nil {
		for _, name := range s.loads.Names() {
			list = slices.DeleteFunc(list, func(v fleet.Version) bool { return v.Name == name })
			list = append(list, s.loads.Of(name)...)
		}
	}
	slices.SortStableFunc(list, func(a, b fleet.Version) int {
		if c := strings.Compare(a.Name, b.Name); c != 0 {
			return c
		}
		return a.Number - b.Number
	})
	return list
}

// Resolve finds the version of a reference, or fails with problem.ModelNotFound.
func (s *sources) Resolve(ref string) (fleet.Version, error) {
	name, _, _ := strings.Cut(ref, "@")
	if s.loads != nil {
		if list := s.loads.Of(name); len(list) > 0 {
			return folder.Resolve(list, ref)
		}
	}
	return s.lasting(ref)
}

// lasting is Resolve without what requests brought.
func (s *sources) lasting(ref string) (fleet.Version, error) {
	name, _, _ := strings.Cut(ref, "@")
	if s.repository == nil || slices.ContainsFunc(s.data.Versions(), func(v fleet.Version) bool { return v.Name == name }) {
		return s.data.Resolve(ref)
	}
	v, err := s.repository.Resolve(ref)
	if errors.Is(err, problem.ModelNotFound) && !s.complete() {
		return v, problem.ModelUnhealthy.New("the model repository is being read for the first time; %s may be in it, try again in a moment", wording.Quote(name)).
			With("retry_after_seconds", 1)
	}
	return v, err
}

// complete tells whether everything that there is has been read once.
func (s *sources) complete() bool {
	if s.repository == nil {
		return true
	}
	select {
	case <-s.repository.Read():
		return true
	default:
		return false
	}
}

// taken tells whether the fleet knows what was read first: it looks a moment
// later, and until then it has no model of the repository.
func (s *sources) taken() bool {
	f := s.fleet.Load()
	if s.entered.Load() || s.repository == nil {
		return true
	}
	if f == nil || !s.complete() {
		return false
	}
	known := map[string]bool{}
	for _, m := range f.Models() {
		known[m.Name] = true
	}
	for _, v := range s.repository.Versions() {
		if !known[v.Name] {
			return false
		}
	}
	s.entered.Store(true)
	return true
}

// await waits until that is so.
func (s *sources) await(ctx context.Context, f *fleet.Fleet) error {
	for {
		changed := f.Changed()
		if s.taken() {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// places are those that keep packages by digest, without the registry, which
// has more than it keeps: the built-in ones.
func (s *sources) places() []place {
	var list []place
	if s.loads != nil {
		list = append(list, s.loads)
	}
	if s.repository != nil {
		list = append(list, s.repository)
	}
	return list
}

type place interface {
	Open(ctx context.Context, digest string) (*model.Package, error)
	Directory(digest string) (string, bool)
}

// Open reads the package of a digest.
func (s *sources) Open(ctx context.Context, digest string) (*model.Package, error) {
	for _, p := range s.places() {
		if _, here := p.Directory(digest); here {
			return p.Open(ctx, digest)
		}
	}
	return s.data.Open(ctx, digest)
}

// Directory is where a package lies that is not built in.
func (s *sources) Directory(digest string) (string, bool) {
	for _, p := range s.places() {
		if dir, here := p.Directory(digest); here {
			return dir, true
		}
	}
	return s.data.Directory(digest)
}

// refresh drops what a request brought for a name, and reads the repository's
// files of it now.
func (s *sources) refresh(ctx context.Context, name string) {
	s.loads.Put(name, nil)
	if s.repository != nil {
		s.repository.Refresh(ctx, name)
	}
	s.tell()
}

// base is the lasting model of a name; nil where there is none that can be opened.
func (s *sources) base(ctx context.Context, name string) (*folder.Base, error) {
	if s.repository != nil {
		s.repository.Refresh(ctx, name)
	}
	v, err := s.lasting(name)
	if errors.Is(err, problem.ModelNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	b := &folder.Base{Version: v}
	if s.repository != nil {
		if _, unknown := s.repository.Resolve(name); unknown == nil && !slices.ContainsFunc(s.data.Versions(), func(d fleet.Version) bool { return d.Name == name }) {
			b.Source = s.repository
		}
	}
	if v.Refused == nil {
		b.Package, err = s.Open(ctx, v.Digest)
	}
	return b, err
}
