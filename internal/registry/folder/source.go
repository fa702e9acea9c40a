package folder

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/goshawk-ai/goshawk/internal/fleet"
	"github.com/goshawk-ai/goshawk/internal/model"
	"github.com/goshawk-ai/goshawk/internal/problem"
	"github.com/goshawk-ai/goshawk/internal/wording"
)

// Options of a Source.
type Options struct {
	Cache  *Cache
	Poll   time.Duration // between two looks; 0 looks only when Refresh asks
	Later  bool          // Start reads the directory for the first time, and Open does not wait for that
	Most   int           // models that are looked at, of a directory that has more; 0 is 10,000
	Logger *slog.Logger
	// InUse tells of a package that a model is still served from, which stays in
	// the cache although the directory has it no longer. It may be nil.
	InUse func(digest string) bool
}

// Source is a directory of models. It is a fleet.Source.
type Source struct {
	dir     string
	root    *os.Root
	o       Options
	changed chan struct{}
	now     atomic.Pointer[[]fleet.Version] // sorted by name and number

	mu    sync.Mutex
	items map[string]*item // guarded by mu; by entry of the directory
	last  map[string]int   // guarded by mu; by entry, the highest number that was given to one without its own
	lost  bool             // guarded by mu; the directory could not be read at the last look
	full  bool             // guarded by mu; it had more than is looked at

	read chan struct{}      // closed when the directory was read once
	stop context.CancelFunc // of the loop; nil before Start
	done chan struct{}
}

var _ interface {
	fleet.Source
	fleet.Located
} = (*Source)(nil)

// item is an entry of the directory.
type item struct {
	name     string // the model's
	taken    string // the print that versions were made of
	versions []version

	seen string // the print of the last look
	gone bool   // it was missing at the last look
}

const (
	maxModels  = 10_000                  // of the directory that are looked at
	maxOthers  = 10 * maxModels          // entries that are none, until the rest is left alone
	settle     = time.Second             // between two looks that must agree
	quiet      = 2 * time.Second         // after which a file counts as written when it is first seen
	memoryFile = "repository-index.json" // what became of which file, beside the packages
)

// Open reads the directory for the first time, unless that is for later.
func Open(ctx context.Context, dir string, o Options) (*Source, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	o.Most = cmp.Or(o.Most, maxModels)
	root, err := openRoot(dir)
	if err != nil {
		return nil, err
	}
	s := &Source{dir: dir, root: root, o: o, changed: make(chan struct{}, 1), items: map[string]*item{}, last: map[string]int{}, read: make(chan struct{})}
	s.now.Store(&[]fleet.Version{})
	s.recall()
	if !o.Later {
		s.first(ctx)
	}
	if ctx.Err() != nil {
		return nil, errors.Join(context.Cause(ctx), root.Close())
	}
	return s, nil
}

// first reads the directory once. A model that is being written just now is waited
// for, once.
func (s *Source) first(ctx context.Context) {
	if s.look(ctx, choice{first: true}) {
		select {
		case <-time.After(s.pause()):
		case <-ctx.Done():
		}
		s.look(ctx, choice{})
	}
	if ctx.Err() == nil {
		close(s.read)
	}
}

// Read is closed when the directory was read for the first time.
func (s *Source) Read() <-chan struct{} { return s.read }

// pause is the time between two looks at what is being written.
func (s *Source) pause() time.Duration {
	if s.o.Poll > 0 {
		return min(s.o.Poll, settle)
	}
	return settle
}

// Start begins to look for changes, until Close, if that is wanted at all.
func (s *Source) Start(ctx context.Context) {
	ctx, s.stop = context.WithCancel(ctx)
	s.done = make(chan struct{})
	go func() {
		defer close(s.done)
		if s.o.Later {
			s.first(ctx)
		}
		if s.o.Poll <= 0 {
			return
		}
		next := time.NewTimer(s.o.Poll)
		defer next.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-next.C:
			}
			wait := s.o.Poll
			if s.look(ctx, choice{}) {
				wait = s.pause()
			}
			next.Reset(wait)
		}
	}()
}

// Close ends the loop. The packages stay.
func (s *Source) Close() error {
	if s.stop != nil {
		s.stop()
		<-s.done
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.root.Close()
}

// Refresh reads a model's files now, whatever the last look showed: who asks for
// it has written them.
func (s *Source) Refresh(ctx context.Context, name string) { s.look(ctx, choice{name: name}) }

// Versions lists all versions by name and number, those too that cannot be served.
func (s *Source) Versions() []fleet.Version { return slices.Clone(*s.now.Load()) }

// Changed is sent a value after the list changed.
func (s *Source) Changed() <-chan struct{} { return s.changed }

// Open reads the package of a digest.
func (s *Source) Open(ctx context.Context, digest string) (*model.Package, error) {
	return s.o.Cache.Open(ctx, digest)
}

// Directory is where a package lies.
func (s *Source) Directory(digest string) (string, bool) { return s.o.Cache.Directory(digest) }

// Resolve finds what NAME, NAME@default or NAME@sha256:HEX means.
func (s *Source) Resolve(ref string) (fleet.Version, error) { return Resolve(*s.now.Load(), ref) }

// Resolve finds a reference in a list of versions, which has no alias but default.
func Resolve(list []fleet.Version, ref string) (fleet.Version, error) {
	name, rest, qualified := strings.Cut(ref, "@")
	if !qualified {
		rest = fleet.DefaultAlias
	}
	found, here := []fleet.Version{}, false
	digest, byDigest := strings.ToLower(rest), strings.HasPrefix(rest, digestPrefix)
	for _, v := range list {
		if v.Name != name {
			continue
		}
		here = true
		if byDigest && len(rest) >= len(digestPrefix)+12 && strings.HasPrefix(v.Digest, digest) || !byDigest && slices.Contains(v.Aliases, rest) {
			found = append(found, v)
		}
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case !here:
		return fleet.Version{}, problem.ModelNotFound.New("there is no model %s", wording.Quote(name))
	case byDigest:
		return fleet.Version{}, problem.ModelNotFound.New("the model %q has no version %s, or more than one that begins so (at least 12 digits are wanted)", name, wording.Quote(rest))
	}
	return fleet.Version{}, problem.ModelNotFound.New("the model %q has no alias %s; models of the repository have none but default", name, wording.Quote(rest))
}

// A choice says what a look may take: on the first what has been quiet for a
// while, later what two looks agree on, and a model that somebody asked for now.
type choice struct {
	first bool
	name  string
}

// look compares the directory with what is known and takes what has changed. It
// says whether something is being written, so that another look is wanted soon.
func (s *Source) look(ctx context.Context, c choice) (unsettled bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	entries, err := s.entries()
	if err != nil {
		// A network's file system that is away for a while must not unload what is served.
		if !s.lost {
			s.o.Logger.Error("the model repository cannot be read; what is served goes on", "cause", err.Error())
		}
		s.lost = true
		return false
	}
	s.lost = false
	for entry, it := range s.items {
		if entries[entry] {
			it.gone = false
			continue
		}
		if it.gone || c.asks(entry, it) {
			delete(s.items, entry)
		} else {
			it.gone, unsettled = true, true
		}
	}
	for entry := range entries {
		if ctx.Err() != nil {
			return false
		}
		it := s.items[entry]
		if it == nil {
			it = &item{}
			s.items[entry] = it
		}
		if !s.meet(ctx, entry, it, c) {
			unsettled = true
		}
	}
	s.publish()
	return unsettled
}

// asks says whether a look is for this entry.
func (c choice) asks(entry string, it *item) bool {
	if c.name == "" {
		return false
	}
	dir, _ := stem(entry, true)
	file, _ := stem(entry, false)
	return it.name == c.name || it.name == "" || dir == c.name || file == c.name
}

// entries are the models of the directory.
func (s *Source) entries() (map[string]bool, error) {
	// Through the path, not through root: a directory that was put in the place
	// of the first, as by a new mount, is meant as well.
	root, err := openRoot(s.dir)
	if err != nil {
		return nil, err
	}
	f, err := root.Open(".")
	if err != nil {
		return nil, errors.Join(err, root.Close())
	}
	found, full, err := s.models(f)
	f.Close()
	if err != nil {
		return nil, errors.Join(err, root.Close())
	}
	before := s.root
	s.root = root
	before.Close()
	if full {
		s.stay(found)
	}
	if full && !s.full {
		s.o.Logger.Warn("the model repository has more than is looked at; the rest of it is not served", "models", s.o.Most, "entries", maxOthers)
	}
	s.full = full
	return found, nil
}

// models are those entries that are models, and whether there may be more of them.
func (s *Source) models(dir *os.File) (found map[string]bool, full bool, err error) {
	found = map[string]bool{}
	for others := 0; ; {
		list, err := dir.ReadDir(1000)
		for _, e := range list {
			switch _, ok := stem(e.Name(), e.IsDir() || e.Type()&fs.ModeSymlink != 0); {
			case !ok:
				others++
			case len(found) == s.o.Most:
				return found, true, nil
			default:
				found[e.Name()] = true
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return found, false, nil
		case err != nil:
			return nil, false, err
		case others > maxOthers:
			return found, true, nil
		}
	}
}

// stay adds what is served already and lies beyond what was looked at: which of
// too many come first is the file system's mood, and nobody removed these.
func (s *Source) stay(found map[string]bool) {
	for entry := range s.items {
		if _, err := s.root.Lstat(entry); err == nil {
			found[entry] = true
		}
	}
}

// meet looks at one entry and takes it if its time has come. It says false where
// it is being written.
func (s *Source) meet(ctx context.Context, entry string, it *item, c choice) (settled bool) {
	sight, err := look(s.root, entry)
	if errors.Is(err, fs.ErrNotExist) {
		return false // it went away meanwhile
	}
	if err != nil {
		it.refuse(entry, unreadable(err))
		it.seen, it.taken = "", ""
		return true
	}
	if sight.print == it.taken && s.whole(it) {
		it.seen = sight.print
		return true
	}
	agreed := it.seen == sight.print || c.first && time.Since(sight.last) > quiet
	it.seen = sight.print
	if c.asks(entry, it) || c.name == "" && agreed {
		return s.accept(ctx, entry, it, sight.print)
	}
	return c.name != "" // what was not asked for can wait
}

// whole says whether all packages of an item are still in the cache.
func (s *Source) whole(it *item) bool {
	return !slices.ContainsFunc(it.versions, func(v version) bool {
		if v.refused != nil {
			return false
		}
		_, ok := s.o.Cache.Directory(v.Digest)
		return !ok
	})
}

// accept makes packages of an entry's files and replaces its versions by them.
func (s *Source) accept(ctx context.Context, entry string, it *item, seen string) (settled bool) {
	name, list, numbered, err := s.take(ctx, entry)
	if ctx.Err() != nil {
		return true
	}
	after, lookErr := look(s.root, entry)
	if lookErr != nil || after.print != seen {
		return false // it was written to while it was read
	}
	it.taken = seen
	if err != nil {
		it.name = name
		it.refuse(entry, unreadable(err))
		s.o.Logger.Warn("a model of the repository cannot be served", "model", it.name, "reason", it.versions[0].refused.Error())
		return true
	}
	for i := range list {
		v := &list[i]
		if v.refused != nil {
			v.refused = unreadable(v.refused)
		}
		if !numbered {
			v.Number = s.number(entry, it, v.Digest)
		}
		v.Added = time.Now().UTC().Truncate(time.Millisecond)
		if at := slices.IndexFunc(it.versions, func(old version) bool { return old.Digest == v.Digest && old.Number == v.Number }); at >= 0 {
			v.Added = it.versions[at].Added
		}
	}
	it.name, it.versions = name, list
	s.o.Logger.Info("a model of the repository was read", "model", name, "versions", len(list))
	return true
}

// number is the version's of a package: the next one, if it is another than now.
// None is used twice, not even when the entry goes and comes back.
func (s *Source) number(entry string, it *item, digest string) int {
	for _, v := range it.versions {
		if v.Digest == digest && v.Number > 0 {
			return v.Number
		}
	}
	s.last[entry]++
	return s.last[entry]
}

// refuse makes the reason all that there is of an item.
func (it *item) refuse(entry string, why error) {
	if it.name == "" {
		it.name = strings.TrimSuffix(entry, onnxEnding)
	}
	it.name = strings.ToValidUTF8(it.name[:min(len(it.name), 128)], "?")
	it.versions = []version{{refused: why}}
}

// publish makes the list of versions and tells of it if it is another one.
func (s *Source) publish() {
	list := s.list()
	same := slices.EqualFunc(list, *s.now.Load(), func(a, b fleet.Version) bool {
		return a.Name == b.Name && a.Digest == b.Digest && a.Number == b.Number && slices.Equal(a.Aliases, b.Aliases) && fmt.Sprint(a.Refused) == fmt.Sprint(b.Refused)
	})
	if !same {
		s.now.Store(&list)
		s.remember()
		select {
		case s.changed <- struct{}{}:
		default:
		}
	}
	inUse := map[string]bool{}
	for _, it := range s.items {
		for _, v := range it.versions {
			inUse[v.Digest] = true
		}
	}
	s.sweep(inUse)
}

// list puts the versions of all entries together. Of two that make the same name
// the first by its own name is served, of those that can be: which one that is
// must not depend on who came first.
func (s *Source) list() []fleet.Version {
	entries := sortedKeys(s.items)
	slices.SortStableFunc(entries, func(a, b string) int { return s.items[a].rank() - s.items[b].rank() })
	owner := map[string]string{}
	told := map[string]bool{} // names with a line for what is not served
	var list []fleet.Version
	for _, entry := range entries {
		it := s.items[entry]
		if len(it.versions) == 0 {
			continue
		}
		first, twice := owner[it.name]
		switch {
		case !twice:
			owner[it.name] = entry
			told[it.name] = it.rank() > 0
			list = append(list, describe(it.name, it.versions)...)
		case !told[it.name]:
			told[it.name] = true
			list = append(list, fleet.Version{Name: it.name, Refused: it.second(entry, first)})
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

// rank puts what cannot be served at all behind the rest.
func (it *item) rank() int {
	if slices.ContainsFunc(it.versions, func(v version) bool { return v.refused == nil }) {
		return 0
	}
	return 1
}

// second says why an entry is not served whose name another has.
func (it *item) second(entry, first string) error {
	if it.rank() > 0 {
		return problem.ModelInvalid.New("%s: %v", wording.Quote(entry), it.versions[0].refused)
	}
	return problem.ModelInvalid.New("%s makes a model of this name as well as %s, which is served", wording.Quote(entry), wording.Quote(first))
}

// sweep removes from the cache what neither the directory nor a loaded model needs.
func (s *Source) sweep(needed map[string]bool) {
	err := s.o.Cache.sweep(func(digest string) bool { return needed[digest] || s.o.InUse != nil && s.o.InUse(digest) })
	if err != nil {
		s.o.Logger.Warn("the cache of models could not be cleaned up", "cause", err.Error())
	}
}

func sortedKeys(m map[string]*item) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func (s *Source) memory() string { return filepath.Join(s.o.Cache.dir, memoryFile) }
