package schedule

import "time"

// Key groups requests that cost about the same: a model, and a size of picture or
// of tensors. There are as many keys as loaded models times a few sizes.
type Key struct {
	Model   string
	Size    uint8
	Tensors bool
}

// settings bound the queue. The bound is in time and not in places: 128 places
// of a slow model are seconds of work, and whoever is served after that has
// already gone (goodput fell to a quarter of the peak with such a queue).
type settings struct {
	lanes   int
	maxWait time.Duration // predicted wait above which a request is refused
	fair    time.Duration // wait of the oldest from which on the newest is served first
	places  int           // a second bound, for memory
}

// item is a request in the queue.
type item struct {
	key       Key
	arrived   time.Time
	predicted time.Duration
	started   time.Time
	prev      *item
	next      *item
	queued    bool
	owner     *ticket
}

// core is the pure state machine: events in, decisions out. Its caller holds a
// lock and tells it the time.
type core struct {
	settings
	costs    map[Key]time.Duration // smoothed service time
	policies map[string]Policy
	head     *item // oldest
	tail     *item // newest
	length   int
	backlog  time.Duration // predicted service of everything queued
	running  []*item       // by lane; nil where idle
}

// unknown is what a request of a new key is taken to cost until one was measured.
const unknown = 10 * time.Millisecond

func newCore(s settings) *core {
	return &core{settings: s, costs: map[Key]time.Duration{}, policies: map[string]Policy{}, running: make([]*item, s.lanes)}
}

func (c *core) cost(key Key) time.Duration {
	if d, ok := c.costs[key]; ok {
		return d
	}
	return unknown
}

// wait predicts how long a request that arrives now would queue. A lane whose
// work is over its time by more than the bound may be held for ever (by a model
// that does not end on some picture) and is not counted on.
func (c *core) wait(now time.Time) time.Duration {
	left := c.backlog
	idle := false
	var lanes, over time.Duration
	for _, r := range c.running {
		if r == nil {
			idle = true
			lanes++
			continue
		}
		ran := now.Sub(r.started)
		if late := ran - r.predicted; late > c.maxWait {
			over = max(over, late)
			continue
		}
		lanes++
		left += max(0, r.predicted-ran)
	}
	switch {
	case idle && c.length == 0:
		return 0
	case lanes == 0:
		return over
	}
	return left / lanes
}

// full says whether a request that arrives now is one too many, and what it
// would wait.
func (c *core) full(now time.Time) (bool, time.Duration) {
	wait := c.wait(now)
	return wait > c.maxWait || c.length >= c.places, wait
}

// arrive queues a request.
func (c *core) arrive(it *item, now time.Time) {
	it.arrived, it.predicted, it.queued = now, c.cost(it.key), true
	it.prev, it.next = c.tail, nil
	if c.tail != nil {
		c.tail.next = it
	} else {
		c.head = it
	}
	c.tail = it
	c.length++
	c.backlog += it.predicted
}

// leave takes a queued request out, wherever it stands.
func (c *core) leave(it *item) {
	if !it.queued {
		return
	}
	if it.prev != nil {
		it.prev.next = it.next
	} else {
		c.head = it.next
	}
	if it.next != nil {
		it.next.prev = it.prev
	} else {
		c.tail = it.prev
	}
	it.prev, it.next, it.queued = nil, nil, false
	c.length--
	c.backlog -= it.predicted
}

// begin takes the request that the lane serves next: the oldest, as long as
// nobody waits too long. Under overload somebody will wait in vain whatever the
// order is; then the newest first keeps most callers quick, and the first
// request after the overload does not stand behind its ruins. (Adaptive LIFO:
// B. Maurer, "Fail at Scale", ACM Queue 13(8), 2015.)
func (c *core) begin(lane int, now time.Time) *item {
	it := c.head
	if it == nil {
		return nil
	}
	if now.Sub(it.arrived) > c.fair {
		it = c.tail
	}
	c.leave(it)
	it.started = now
	c.running[lane] = it
	return it
}

// stale gives the oldest request when it has waited longer than anybody should.
func (c *core) stale(now time.Time) *item { return c.olderThan(c.maxWait, now) }

// ruin gives the request that makes room for a new one when the queue is full:
// the oldest, once it has waited so long that the newest are served first. It
// would wait in vain. Nil means that the new one is refused.
func (c *core) ruin(now time.Time) *item { return c.olderThan(c.fair, now) }

func (c *core) olderThan(age time.Duration, now time.Time) *item {
	if c.head != nil && now.Sub(c.head.arrived) > age {
		return c.head
	}
	return nil
}

// end frees the lane and learns what the request cost. Failures teach nothing:
// a damaged picture is cheap and says nothing about the next one.
func (c *core) end(lane int, now time.Time, failed bool) {
	it := c.running[lane]
	c.running[lane] = nil
	if it == nil || failed {
		return
	}
	took := now.Sub(it.started)
	if old, ok := c.costs[it.key]; ok {
		took = old + (took-old)/8
	}
	c.costs[it.key] = took
}

// forget drops what is known of a model that was unloaded.
func (c *core) forget(model string) {
	for key := range c.costs {
		if key.Model == model {
			delete(c.costs, key)
		}
	}
}
