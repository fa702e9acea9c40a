package fleet

import (
	"sync"
	"time"

	"github.com/goshawk-ai/goshawk/internal/model"
)

// State is where a version is in its life.
type State string

// The states. Those without an alias sleep until they are asked for.
const (
	Loading  State = "loading"
	Ready    State = "ready"
	Failed   State = "failed"
	Sleeping State = "sleeping"
	Unloaded State = "unloaded" // by somebody's word; only Load changes that
)

// entry is one version in the fleet. When a model is unloaded its entry is
// retired and a new one takes its place, so that whoever still holds the old
// model and whoever wakes the new one never meet.
type entry struct {
	digest  string
	release func() // put, made once: an Acquire allocates nothing

	mu      sync.Mutex
	version Version        // guarded by mu; aliases move
	state   State          // guarded by mu
	why     error          // guarded by mu; of Failed
	pkg     *model.Package // guarded by mu; nil until it was opened
	model   *Model         // guarded by mu; only when Ready
	refs    int            // guarded by mu
	retired bool           // guarded by mu; no new reference may be taken
	wanted  bool           // guarded by mu; somebody asked for it while it slept
	woken   bool           // guarded by mu; loaded for that reason alone
	used    time.Time      // guarded by mu; the last release
	tries   int            // guarded by mu; loads in a row that found nobody who computes the model
	retry   time.Time      // guarded by mu; of Failed: when the next one is due; zero: never
	drained chan struct{}  // closed when retired and no reference is left
}

func newEntry(v Version, s State) *entry {
	e := &entry{digest: v.Digest, version: v, state: s, used: time.Now(), drained: make(chan struct{})}
	e.release = e.put
	return e
}

// acquire takes a reference if the model can be used.
func (e *entry) acquire() (*Model, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.model == nil || e.retired {
		return nil, false
	}
	e.refs++
	return e.model, true
}

// join takes a reference beside others, though the entry be retired.
func (e *entry) join() (*Model, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.model == nil || e.retired && e.refs == 0 {
		return nil, false
	}
	e.refs++
	return e.model, true
}

func (e *entry) put() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.refs--
	e.used = time.Now()
	if e.retired && e.refs == 0 {
		close(e.drained)
	}
}

// retire lets no new reference be taken. It reports false when that was so already.
func (e *entry) retire() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.retired {
		return false
	}
	e.retired = true
	if e.refs == 0 {
		close(e.drained)
	}
	return true
}

func (e *entry) set(s State, m *Model, why error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.state, e.model, e.why, e.wanted, e.retry = s, m, why, false, time.Time{}
	if s == Ready {
		e.tries = 0
	}
}

// later makes a failed load one that is tried again, after pauses that grow.
func (e *entry) later() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.retry = time.Now().Add(min(firstPause<<min(e.tries, 10), longestPause))
	e.tries++
}

// retries tells whether a failed load is tried again.
func (e *entry) retries() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return !e.retry.IsZero()
}

// The pauses before another try to load a model whose server is away.
const (
	firstPause   = 500 * time.Millisecond
	longestPause = 30 * time.Second
)

func (e *entry) is(s State) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.state == s
}

// spent says whether a model that no alias leads to may go: at once when it lost
// its alias, after a while when it was woken by its digest.
func (e *entry) spent(since time.Time) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.state == Ready && (!e.woken || e.refs == 0 && e.used.Before(since))
}
