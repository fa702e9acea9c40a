package schedule

import "time"

// Key groups requests that cost about the same: a model, and a size of picture or
// of tensors. There are as many keys as loaded models times a few sizes.
type Key struct {
	Model   string
	Size    uint8 // as bits.Len64 gives it
	Tensors bool
}

// item is a request in a queue or on a lane.
type item struct {
	key      Key
	rows     int
	priority int
	form     string    // requests of one model and an equal form may share a run; "" shares none
	session  any       // and of one session
	deadline time.Time // zero where there is none

	line      *line
	level     int
	arrived   time.Time
	predicted time.Duration
	prev      *item
	next      *item
	queued    bool

	lane    int   // of whoever leads a run
	along   *item // the next in the same run, or among those that were turned away
	started time.Time
	expects time.Duration // of the run that it leads

	owner *ticket
}

// Reasons for which a request never reached a lane.
type reason int

const (
	overfull reason = iota // refused at once
	stale                  // turned away, having waited for too long
	expired                // its deadline passed
	gone                   // its caller went away
	reasons
)

// queue is a list of items, oldest first.
type queue struct {
	head, tail *item
	backlog    time.Duration // predicted service of everything in it
}

func (q *queue) push(it *item) {
	it.prev, it.next = q.tail, nil
	if q.tail != nil {
		q.tail.next = it
	} else {
		q.head = it
	}
	q.tail = it
	q.backlog += it.predicted
}

func (q *queue) remove(it *item) {
	if it.prev != nil {
		it.prev.next = it.next
	} else {
		q.head = it.next
	}
	if it.next != nil {
		it.next.prev = it.prev
	} else {
		q.tail = it.prev
	}
	it.prev, it.next = nil, nil
	q.backlog -= it.predicted
}

// sizes are the sizes of keys that are told apart.
const sizes = 65

// line is one model: its queues, its costs, its account of lane time.
type line struct {
	model  string
	policy Policy
	levels []queue
	length int // in all queues
	rows   int
	held   int  // lanes
	left   bool // it was unloaded, and goes when its last request does

	// paid is the lane time that the model had, divided by its weight, on the
	// scale of core.clock: who has paid least is served next.
	paid  float64
	place int // in core.waiting; -1 where nothing is queued

	costs [2 * sizes]time.Duration // of a row, smoothed; 0 where none was measured

	busy    time.Duration // of lanes, altogether
	runs    uint64
	ran     uint64 // rows
	dropped [reasons]uint64
}

// unknown is what a row of a new key is taken to cost until one was measured.
const unknown = 10 * time.Millisecond

func (k Key) index() int {
	i := min(int(k.Size), sizes-1)
	if k.Tensors {
		i += sizes
	}
	return i
}

func (l *line) cost(key Key) time.Duration {
	if d := l.costs[key.index()]; d > 0 {
		return d
	}
	return unknown
}

// learn takes over what a row took.
func (l *line) learn(key Key, took time.Duration) {
	at := &l.costs[key.index()]
	if *at > 0 {
		took = *at + (took-*at)/8
	}
	*at = max(took, 1)
}

// configure sets the policy. What waits keeps its order, in the levels that there
// are now.
func (l *line) configure(p Policy) {
	before := l.levels
	l.policy = p
	if len(before) == p.levels() {
		return
	}
	l.levels = make([]queue, p.levels())
	for i := range before {
		for it := before[i].head; it != nil; it = before[i].head {
			before[i].remove(it)
			it.level = p.level(it.priority)
			l.levels[it.level].push(it)
		}
	}
}

// ahead is the predicted service of what is served before a new request.
func (l *line) ahead(level int) (sum time.Duration) {
	for i := range l.levels[:level+1] {
		sum += l.levels[i].backlog
	}
	return sum
}

// backlog is the predicted service of everything that waits.
func (l *line) backlog() time.Duration { return l.ahead(len(l.levels) - 1) }

// oldest is the one that has waited longest, in whichever level.
func (l *line) oldest() (first *item) {
	for i := range l.levels {
		if it := l.levels[i].head; it != nil && (first == nil || it.arrived.Before(first.arrived)) {
			first = it
		}
	}
	return first
}

// limit is how many lanes the model may hold.
func (l *line) limit(lanes int) int {
	if n := l.policy.Instances; n > 0 {
		return min(n, lanes)
	}
	return lanes
}

// full says that enough waits for a whole batch, or has waited long enough for one.
func (l *line) full(now time.Time) bool {
	p := &l.policy
	return p.MaxDelay <= 0 || l.rows >= p.MaxBatch || now.Sub(l.oldest().arrived) >= p.MaxDelay
}

// first is who is served next: of the highest level the oldest, as long as
// nobody there waits too long. Under overload somebody will wait in vain whatever
// the order is; then the newest first keeps most callers quick, and the first
// request after the overload does not stand behind its ruins. (Adaptive LIFO:
// B. Maurer, "Fail at Scale", ACM Queue 13(8), 2015.)
func (l *line) first(fair time.Duration, now time.Time) (it *item, newest bool) {
	for i := range l.levels {
		q := &l.levels[i]
		if q.head == nil {
			continue
		}
		if now.Sub(q.head.arrived) > fair {
			return q.tail, true
		}
		return q.head, false
	}
	return nil, false
}
