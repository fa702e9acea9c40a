package fleet

import (
	"slices"
	"sync"
	"time"

	"github.com/goshawk-ai/goshawk/internal/model"
)

// State is where a version is in its life.
type State string

// The states. A version that sleeps is loaded when it is asked for: those without
// an alias sleep from the beginning, others when their memory is needed.
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
	leave   func() // the same, of whoever only looked
	hooks   *hooks

	mu       sync.Mutex
	version  Version        // guarded by mu; aliases move
	state    State          // guarded by mu
	why      error          // guarded by mu; of Failed, or why a sleeping one could not be woken
	pkg      *model.Package // guarded by mu; nil until it was opened
	model    *Model         // guarded by mu; only when Ready
	refs     int            // guarded by mu
	claims   int            // guarded by mu; callers that wait for it
	askers   int            // guarded by mu; those of them that are requests
	retired  bool           // guarded by mu; no new reference may be taken
	wanted   bool           // guarded by mu; somebody asked for it while it slept
	woken    bool           // guarded by mu; loaded for that reason alone
	dozing   bool           // guarded by mu; sleeps for want of memory, whatever the source says
	asked    time.Time      // guarded by mu; when the first of them began to wait
	used     time.Time      // guarded by mu; the last release
	tries    int            // guarded by mu; loads in a row that found nobody who computes the model
	retry    time.Time      // guarded by mu; of Failed: when the next one is due; zero: never
	relapses int            // guarded by mu; how often its runs did not end, on another server
	since    time.Time      // guarded by mu; when it became Ready
	drained  chan struct{}  // closed when retired and no reference is left

	turned int       // guarded by mu; how often those who wanted it were turned away
	until  time.Time // guarded by mu; before then they are turned away at once

	watch *stopwatch // guarded by mu; of the load
	begun time.Time  // guarded by mu; when the first request took the model
	over  bool       // guarded by mu; the first request has been answered

	// Only the loop uses these.
	inquiry *inquiry       // its check; nil where none is made or wanted
	fetched *model.Package // opened, and not yet loaded
	hungry  time.Time      // when it began to wait for memory
}

// hooks are what entries ask of their fleet.
type hooks struct {
	freed func() // told when nobody uses a model any more
	now   func() time.Time
}

func newEntry(v Version, s State, h *hooks) *entry {
	e := &entry{digest: v.Digest, version: v, state: s, used: time.Now(), drained: make(chan struct{}), hooks: h}
	e.release, e.leave = func() { e.put(true) }, func() { e.put(false) }
	return e
}

// asleep is the entry that takes the place of one whose memory is needed.
func (e *entry) asleep() *entry {
	e.mu.Lock()
	defer e.mu.Unlock()
	s := newEntry(e.version, Sleeping, e.hooks)
	s.dozing, s.pkg = true, e.pkg
	return s
}

// acquire takes a reference if the model can be used, and says how it is given
// back.
func (e *entry) acquire(request bool) (m *Model, release func(), ok bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.model == nil || e.retired {
		return nil, nil, false
	}
	e.refs++
	if !request {
		return e.model, e.leave, true
	}
	if e.begun.IsZero() {
		e.begun = e.hooks.now()
	}
	return e.model, e.release, true
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

// put gives a reference back. answered says that it was a request's, and not
// only somebody's who looked at the model.
func (e *entry) put(answered bool) {
	e.mu.Lock()
	e.refs--
	e.used = time.Now()
	if answered && !e.over {
		e.firstAnswer()
	}
	idle := e.refs == 0
	if e.retired && idle {
		close(e.drained)
	}
	e.mu.Unlock()
	if idle {
		e.hooks.freed()
	}
}

// firstAnswer ends the cold start. Where nobody waited for the model, its first
// request began later, and the time until then is nobody's. e.mu is held.
func (e *entry) firstAnswer() {
	e.over = true
	if e.watch == nil {
		return
	}
	if !e.watch.Asked {
		e.watch.from(e.begun)
	}
	e.watch.lap(FirstAnswer)
}

// claim counts a caller that waits for the entry, and gives how many were turned
// away before it.
func (e *entry) claim(request bool) (turned int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.claims++
	if request {
		if e.askers++; e.asked.IsZero() {
			e.asked = e.hooks.now()
		}
	}
	return e.turned
}

func (e *entry) unclaim(request bool) {
	e.mu.Lock()
	e.claims--
	if request {
		if e.askers--; e.askers == 0 {
			e.asked = time.Time{}
		}
	}
	idle := e.claims == 0
	e.mu.Unlock()
	if idle {
		e.hooks.freed()
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

// begin starts the watch of a cold start, once, and ends the time that was spent
// waiting.
func (e *entry) begin() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.watch == nil {
		e.watch = newStopwatch(e.hooks.now, e.asked)
	}
	e.watch.lap(Wait)
}

func (e *entry) isWanted() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.wanted
}

func (e *entry) set(s State, m *Model, why error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.state, e.model, e.why, e.wanted, e.dozing, e.retry = s, m, why, false, false, time.Time{}
	if s == Ready {
		e.tries = 0
	}
	e.since, e.fetched, e.hungry = time.Now(), nil, time.Time{}
	if s == Failed {
		e.watch = nil
	}
	if e.watch != nil && e.askers == 0 {
		e.watch.Asked = false // whoever asked has gone
	}
}

// rest puts an entry that could not be loaded back to sleep, and turns away those
// who wait for it where there is a reason to.
func (e *entry) rest(why error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.state, e.dozing, e.wanted, e.why = Sleeping, true, false, why
	e.watch, e.fetched, e.hungry = nil, nil, time.Time{}
	if why != nil {
		e.turned++
		e.until = time.Now().Add(stayAway)
	}
}

// renew takes over what the source says now, and whether the version should be
// loaded.
func (e *entry) renew(v Version, state State, again bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	moved := !slices.Equal(e.version.Aliases, v.Aliases)
	e.version = v
	if again && state == Loading || moved {
		e.dozing = false
	}
	if again && state == Loading && e.state != Ready {
		e.wanted, e.until = true, time.Time{}
		if e.state == Sleeping {
			e.why = nil
		}
	}
	switch {
	case e.state == Unloaded:
		e.state = state
	case e.state == Sleeping && (state == Loading && !e.dozing || e.wanted):
		e.state = Loading
	case e.state == Failed && (again || !e.retry.IsZero() && !time.Now().Before(e.retry)):
		e.state, e.why, e.retry = state, nil, time.Time{}
	}
	e.woken = e.wanted && state == Sleeping || e.woken && state == Sleeping
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

// The pauses before a model of another server is tried again whose runs did not end.
const (
	relief        = 5 * time.Second
	longestRelief = time.Hour
)

func (e *entry) is(s State) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.state == s
}

// weight is what the model takes, and whether it is on its way out.
func (e *entry) weight() (bytes int64, retired bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.model == nil {
		return 0, e.retired
	}
	return e.model.Bytes(), e.retired
}

// victim describes the entry as one that could sleep, if it is.
func (e *entry) victim() (v victim, ok bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.state != Ready || e.retired || e.model == nil || e.model.Bytes() == 0 {
		return v, false
	}
	return victim{e, e.model.Bytes(), e.refs > 0 || e.claims > 0, e.used, e.since}, true
}

// spent says whether a model that no alias leads to may go: at once when it lost
// its alias, after a while when it was woken by its digest.
func (e *entry) spent(since time.Time) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.state == Ready && (!e.woken || e.refs == 0 && e.used.Before(since))
}
