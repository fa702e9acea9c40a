package fleet

import (
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"slices"
	"sync"
	"time"

	"github.com/goshawk-ai/goshawk/internal/infer"
	"github.com/goshawk-ai/goshawk/internal/problem"
	"github.com/goshawk-ai/goshawk/internal/units"
)

// Bytes is what the model takes: what its session took when it was made, what its
// first runs added, and the slots that there are now. A model on another server
// takes nothing here.
func (m *Model) Bytes() int64 { return m.session + m.runs + m.slots.Load() }

// scale weighs loads by what the process has allocated before and after. Nothing
// else may be loaded or unloaded meanwhile; what requests allocate in that time
// is counted too, and is little: their memory is Go's, or in the arena already.
type scale struct {
	sync.Mutex
	of infer.Scale // nil weighs nothing
}

func newScale(b infer.Backend) *scale {
	of, _ := b.(infer.Scale)
	return &scale{of: of}
}

func (s *scale) used() int64 {
	if s == nil || s.of == nil {
		return 0
	}
	return s.of.Used()
}

// took is what was allocated since used gave before, not less than least.
func (s *scale) took(before, least int64) int64 { return max(s.used()-before, least) }

// What bounds the waiting for memory. A model that requests never leave alone
// keeps its place for a turn; then it finishes what it has begun and sleeps, so
// that no other waits for ever.
const (
	turn     = time.Second
	patience = 10 * time.Second
	stayAway = time.Second // of whoever was turned away
)

// admission is what becomes of an entry that wants to be loaded.
type admission int

const (
	admitted admission = iota
	waits              // for memory that is on its way
	dozes              // nobody asked for it, and nobody sleeps for its sake
	refused
)

// admit says whether an entry may be loaded now. Where it needs memory that
// others hold it dismisses the least recently used of them, which sync then puts
// to sleep. Only the loop calls it.
func (f *Fleet) admit(e *entry, need int64) (admission, error) {
	if f.o.Budget <= 0 || need <= 0 {
		return admitted, nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	held, leaving := f.held()
	over := held - leaving + need - f.o.Budget
	switch {
	case held+need <= f.o.Budget:
		return admitted, nil
	case over <= 0:
		return waits, nil
	case need > f.o.Budget:
		return refused, f.tooLarge(need)
	case !f.demanding(e):
		return dozes, nil
	}
	list := f.victims(e)
	if sum := total(list); sum < over {
		return refused, f.noRoom(e, need, held-leaving-sum)
	}
	f.dismiss(list, over)
	return waits, nil
}

// trim dismisses what is above the budget: a model may turn out larger than it
// was thought to be. It reports whether there is such.
func (f *Fleet) trim() bool {
	if f.o.Budget <= 0 {
		return false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	held, leaving := f.held()
	over := held - leaving - f.o.Budget
	if over > 0 {
		f.dismiss(f.victims(nil), over)
	}
	return over > 0
}

// held is what all models hold, and the part that is being given back. f.mu is held.
func (f *Fleet) held() (all, leaving int64) {
	for e := range f.resident {
		bytes, retired := e.weight()
		all += bytes
		if retired || f.dismissed[e] {
			leaving += bytes
		}
	}
	return all, leaving
}

// victim is a model that could sleep.
type victim struct {
	*entry
	bytes       int64
	busy        bool
	used, since time.Time
}

func total(list []victim) (sum int64) {
	for _, v := range list {
		sum += v.bytes
	}
	return sum
}

// victims are the models that may sleep for e, in the order in which they should:
// the idle ones by their last use, then the busy ones by how long they had their
// place. f.mu is held.
func (f *Fleet) victims(e *entry) []victim {
	var list []victim
	incumbents := f.incumbents()
	for r := range f.resident {
		if r == e || f.dismissed[r] || f.pins[r] || incumbents[r] {
			continue
		}
		if v, ok := r.victim(); ok {
			list = append(list, v)
		}
	}
	slices.SortFunc(list, func(a, b victim) int {
		switch {
		case a.busy != b.busy:
			if b.busy {
				return -1
			}
			return 1
		case a.busy:
			return cmp.Or(a.since.Compare(b.since), cmp.Compare(a.digest, b.digest))
		}
		return cmp.Or(a.used.Compare(b.used), cmp.Compare(a.digest, b.digest))
	})
	return list
}

// dismiss picks victims for so many bytes. A busy one whose turn is not over is
// looked at again then. f.mu is held.
func (f *Fleet) dismiss(list []victim, over int64) {
	now := time.Now()
	for _, v := range list {
		if over <= 0 {
			return
		}
		if left := v.since.Add(f.turn).Sub(now); v.busy && left > 0 {
			f.lookIn(left)
			return
		}
		f.dismissed[v.entry] = true
		over -= v.bytes
	}
}

// lookIn makes the loop look again after so long.
func (f *Fleet) lookIn(d time.Duration) {
	if f.look == 0 || d < f.look {
		f.look = d
	}
}

// doze puts sleeping entries in the place of those that were dismissed. f.mu is held.
func (f *Fleet) doze() (leaving []*entry) {
	for e := range f.dismissed {
		k := e.key()
		if f.entries[k] != e || !e.is(Ready) {
			continue // it went another way meanwhile
		}
		f.entries[k] = e.asleep()
		f.sleeps++
		leaving = append(leaving, e)
	}
	clear(f.dismissed)
	return leaving
}

// pin notes what readiness depends on: what is required or the default, and who
// answers for it meanwhile. f.mu is held.
func (f *Fleet) pin(versions []Version, t *routes) {
	clear(f.pins)
	for _, ref := range f.needed(versions) {
		if e := t.to[ref]; e != nil {
			f.pins[e] = true
		}
	}
	for _, v := range versions {
		if v.Required || key(v) == f.standard {
			f.pins[f.entries[key(v)]] = true
		}
	}
}

// needed are the references that readiness depends on.
func (f *Fleet) needed(versions []Version) []string {
	var refs []string
	if f.o.Default != "" {
		refs = append(refs, f.o.Default)
	}
	refs = append(refs, f.o.Required...)
	for _, v := range versions {
		if v.Required && !slices.Contains(refs, v.Name) {
			refs = append(refs, v.Name) // an older version may answer for it
		}
	}
	return refs
}

// demanding tells whether others may sleep for an entry: somebody waits for it,
// readiness depends on it, or it takes another version's place. f.mu is held.
func (f *Fleet) demanding(e *entry) bool {
	return f.pins[e] || e.isWanted() || len(f.predecessors(e)) > 0
}

// incumbents are those who answer in the place of a version that is being loaded
// or has failed. Were they to sleep, nobody would answer. f.mu is held.
func (f *Fleet) incumbents() map[*entry]bool {
	set := map[*entry]bool{}
	for _, e := range f.entries {
		if e.is(Loading) || e.is(Failed) {
			for _, r := range f.predecessors(e) {
				set[r] = true
			}
		}
	}
	return set
}

// predecessors are those who answer for a reference that will mean e.
func (f *Fleet) predecessors(e *entry) (list []*entry) {
	e.mu.Lock()
	v := e.version
	e.mu.Unlock()
	to := f.routes.Load().to
	refs := []string{numbered(v)}
	for _, alias := range v.Aliases {
		refs = append(refs, v.Name+"@"+alias)
	}
	for _, ref := range refs {
		if r := to[ref]; r != nil && r != e {
			list = append(list, r)
		}
	}
	return list
}

// need estimates what an entry will take: what it took before, or else the size
// of its file, for which its package is opened.
func (f *Fleet) need(ctx context.Context, e *entry) (int64, error) {
	if f.o.Budget <= 0 {
		return 0, nil
	}
	f.mu.Lock()
	bytes, known := f.weights[e.digest]
	f.mu.Unlock()
	if known {
		return bytes, nil
	}
	p, err := f.fetch(ctx, e)
	if err != nil || p.Manifest.Remote != nil {
		return 0, err
	}
	info, err := fs.Stat(p.FS, p.Manifest.Model)
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// settle takes a loaded model into the account, or says why it cannot stay: it
// is larger than what its file promised.
func (f *Fleet) settle(e *entry, m *Model) error {
	bytes := m.Bytes()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.weights[e.digest] = bytes
	if f.o.Budget > 0 && bytes > 0 {
		held, leaving := f.held()
		others := held - leaving - total(f.victims(e))
		switch {
		case bytes > f.o.Budget:
			return f.tooLarge(bytes)
		case others+bytes > f.o.Budget:
			return f.noRoom(e, bytes, others)
		}
	}
	f.resident[e] = true
	return nil
}

func (f *Fleet) tooLarge(bytes int64) error {
	return problem.ModelInvalid.New("the model takes %s of memory, and all models together may take %v (memory.budget)", megabytes(bytes), units.Bytes(f.o.Budget))
}

func (f *Fleet) noRoom(e *entry, bytes, others int64) error {
	return problem.Overloaded.New("there is no memory for the model %q: it takes %s, and of the %v that all models may take (memory.budget) %s are held by those that must not sleep",
		e.name(), megabytes(bytes), units.Bytes(f.o.Budget), megabytes(others)).With("retry_after_seconds", int(stayAway.Seconds()))
}

func (f *Fleet) noTime(e *entry) error {
	return problem.Overloaded.New("there is no memory for the model %q now: others have not finished within %v what they hold it for", e.name(), patience).
		With("retry_after_seconds", int(stayAway.Seconds()))
}

// freed looks whether somebody waits for memory, when a model became idle.
func (f *Fleet) freed() {
	if f.hungry.Load() {
		f.kick()
	}
}

// megabytes is a number of bytes for people, who want three digits of it.
func megabytes(n int64) string {
	if n < 1e6 {
		return fmt.Sprintf("%.3g KB", float64(n)/1e3)
	}
	return fmt.Sprintf("%.1f MB", float64(n)/1e6)
}
