package folder

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/goshawk-ai/goshawk/internal/fleet"
	"github.com/goshawk-ai/goshawk/internal/model"
	"github.com/goshawk-ai/goshawk/internal/problem"
	"github.com/goshawk-ai/goshawk/internal/wording"
)

// Loads are the models that came with requests: a configuration or files of the
// caller's own. Each stands in the place of the repository's model of its name,
// until it is dropped. Nothing of it outlives the process.
type Loads struct {
	cache *Cache
	inUse func(digest string) bool

	mu    sync.Mutex
	names map[string][]fleet.Version // guarded by mu
}

// Override is what a request brought.
type Override struct {
	Config string            // a model configuration in JSON
	Files  map[string][]byte // by path in the model's directory: 1/model.onnx
}

// Base is the model that the repository has of the name.
type Base struct {
	Version fleet.Version
	Package *model.Package
	Source  *Source // where it lies in a model repository; else nil
}

// OpenLoads empties the directory and takes it. inUse is as in Options.
func OpenLoads(dir string, inUse func(digest string) bool) (*Loads, error) {
	if err := os.RemoveAll(dir); err != nil {
		return nil, err
	}
	cache, err := OpenCache(dir)
	if err != nil {
		return nil, err
	}
	return &Loads{cache: cache, inUse: inUse, names: map[string][]fleet.Version{}}, nil
}

// Open reads the package of a digest.
func (l *Loads) Open(ctx context.Context, digest string) (*model.Package, error) {
	return l.cache.Open(ctx, digest)
}

// Directory is where a package lies.
func (l *Loads) Directory(digest string) (string, bool) { return l.cache.Directory(digest) }

// Of are the versions of a name; nil where no request brought any.
func (l *Loads) Of(name string) []fleet.Version {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.names[name])
}

// Names are those that requests brought.
func (l *Loads) Names() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	names := make([]string, 0, len(l.names))
	for name := range l.names {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Put replaces the versions of a name, by none if there are none, and gives
// those that it had.
func (l *Loads) Put(name string, versions []fleet.Version) (before []fleet.Version) {
	l.mu.Lock()
	defer l.mu.Unlock()
	before = l.names[name]
	if delete(l.names, name); len(versions) > 0 {
		l.names[name] = versions
	}
	return before
}

// Sweep removes what no name and no loaded model needs. Whoever makes versions
// and has not put them yet must keep others from calling it.
func (l *Loads) Sweep() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	needed := map[string]bool{}
	for _, list := range l.names {
		for _, v := range list {
			needed[v.Digest] = true
		}
	}
	return l.cache.sweep(func(digest string) bool { return needed[digest] || l.inUse != nil && l.inUse(digest) })
}

// Make makes packages of what a request brought. The files replace the model's
// directory; a configuration alone is put to the files that the base has. It
// fails where a single version cannot be served.
func (l *Loads) Make(ctx context.Context, name string, o Override, base *Base) ([]fleet.Version, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	var config *configuration
	if o.Config != "" {
		var err error
		if config, err = parseJSON(o.Config); err != nil {
			return nil, err
		}
	}
	list, err := l.versions(ctx, name, config, o, base)
	if err != nil {
		return nil, unreadable(err)
	}
	for i := range list {
		if list[i].refused != nil {
			return nil, unreadable(list[i].refused)
		}
		list[i].Added = time.Now().UTC().Truncate(time.Millisecond)
	}
	return describe(name, list), nil
}

func (l *Loads) versions(ctx context.Context, name string, config *configuration, o Override, base *Base) ([]version, error) {
	if len(o.Files) > 0 {
		return l.files(ctx, name, config, o.Files)
	}
	if base == nil {
		return nil, problem.ModelNotFound.New("there is no model %s whose files the configuration could be put to", wording.Quote(name))
	}
	if base.Source != nil {
		if list, ok, err := base.Source.reconfigured(ctx, l.cache, name, config); ok {
			return list, err
		}
	}
	if base.Package == nil {
		return nil, problem.ModelInvalid.New("the model %q cannot be served: %v", name, base.Version.Refused)
	}
	digest, err := l.cache.put(func(dst string) (*model.Package, error) { return reconfigure(dst, name, base.Package, config) })
	return []version{{Number: base.Version.Number, Digest: digest}}, err
}

// files makes a model's directory of what came, and takes it as any other.
func (l *Loads) files(ctx context.Context, name string, config *configuration, files map[string][]byte) (list []version, err error) {
	stage, err := os.MkdirTemp(l.cache.dir, ".new-*")
	if err != nil {
		return nil, kept(err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(stage)) }()
	for path, data := range files {
		if !fs.ValidPath(path) || slices.ContainsFunc(strings.Split(path, "/"), hidden) {
			return nil, problem.ModelInvalid.New("%s is no file of a model's directory", wording.Quote(path))
		}
		if err := write(stage, path, data); err != nil {
			return nil, err
		}
	}
	root, err := os.OpenRoot(stage)
	if err != nil {
		return nil, kept(err)
	}
	defer root.Close()
	t, err := readLayout(l.cache, root, ".", name, config)
	if err != nil {
		return nil, err
	}
	return t.take(ctx)
}

// reconfigured takes a model in Triton's layout with another configuration.
func (s *Source) reconfigured(ctx context.Context, cache *Cache, name string, config *configuration) (list []version, ok bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for entry, it := range s.items {
		if it.name != name || entry != name || !isTriton(s.root, entry) {
			continue
		}
		if _, err := look(s.root, entry); err != nil {
			return nil, true, err
		}
		t, err := readLayout(cache, s.root, entry, name, config)
		if err != nil {
			return nil, true, err
		}
		list, err := t.take(ctx)
		return list, true, err
	}
	return nil, false, nil
}

// reconfigure copies a package and says in its manifest what the configuration
// says of serving. How pictures are prepared stays.
func reconfigure(dst, name string, p *model.Package, config *configuration) (*model.Package, error) {
	if err := config.fits(name); err != nil {
		return nil, err
	}
	data, err := p.Model()
	if err != nil {
		return nil, err
	}
	info, err := model.InspectONNX(data)
	if err != nil {
		return nil, err
	}
	if err := config.agrees(&info); err != nil {
		return nil, err
	}
	if err := os.CopyFS(dst, p.FS); err != nil {
		return nil, err
	}
	m := p.Manifest
	override(&m.Serving, config.serving())
	if len(p.Labels) > 0 && m.Output.Labels == "" { // they stood in the manifest
		m.Output.Labels = "triton/labels.txt"
		if err := write(dst, m.Output.Labels, labelFile(p.Labels)); err != nil {
			return nil, err
		}
	}
	if err := os.Remove(filepath.Join(dst, model.ManifestName)); err != nil {
		return nil, err
	}
	if err := write(dst, model.ManifestName, m.Marshal()); err != nil {
		return nil, err
	}
	at := path.Join("triton", config.file)
	if err := os.Remove(filepath.Join(dst, at)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if err := write(dst, at, []byte(config.text)); err != nil {
		return nil, err
	}
	return model.Open(os.DirFS(dst))
}

func override(s *model.Serving, by model.Serving) {
	if by.Instances > 0 {
		s.Instances = by.Instances
	}
	if by.Threads > 0 {
		s.Threads = by.Threads
	}
	if by.MaxBatchSize > 0 || by.Unbatched {
		s.MaxBatchSize, s.Unbatched = by.MaxBatchSize, by.Unbatched
	}
	if by.MaxDelay > 0 {
		s.MaxDelay = by.MaxDelay
	}
	if by.PriorityLevels > 0 {
		s.PriorityLevels, s.DefaultPriority = by.PriorityLevels, by.DefaultPriority
	}
}

func labelFile(labels []model.Label) []byte {
	var b strings.Builder
	for _, l := range labels {
		b.WriteString(l.Name)
		if l.Description != "" {
			b.WriteString("\t" + l.Description)
		}
		b.WriteByte('\n')
	}
	return []byte(b.String())
}
