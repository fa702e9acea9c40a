package schedule

import "time"

// settings bound the queues. The bound is in time and not in places: 128 places
// of a slow model are seconds of work, and whoever is served after that has
// already gone (goodput fell to a quarter of the peak with such a queue).
type settings struct {
	lanes   int
	maxWait time.Duration // predicted wait above which a request is refused
	fair    time.Duration // wait of the oldest from which on the newest is served first
	places  int           // a second bound, for memory: of each model's queue
}

// core is the pure state machine: events in, decisions out. Its caller holds a
// lock and tells it the time.
type core struct {
	settings
	lines   map[string]*line
	waiting []*line // those with something in their queues, in no order
	length  int     // of all queues
	running []*item // who leads the run, by lane; nil where idle
	idle    []int   // lanes; the one that was busy last is on top: its caches are warm

	// clock is the virtual time: what the model that was served last had paid.
	// (Start-time fair queueing: P. Goyal et al., SIGCOMM 1996.)
	clock float64
}

func newCore(s settings) *core {
	c := &core{settings: s, lines: map[string]*line{}, running: make([]*item, s.lanes)}
	for lane := s.lanes - 1; lane >= 0; lane-- {
		c.idle = append(c.idle, lane)
	}
	return c
}

// of gives a model's line, which it makes where there is none.
func (c *core) of(model string) *line {
	l := c.lines[model]
	if l == nil {
		l = &line{model: model, levels: make([]queue, 1), place: -1}
		c.lines[model] = l
	}
	return l
}

// configure sets a model's policy.
func (c *core) configure(model string, p Policy) {
	l := c.of(model)
	l.left = false
	l.configure(p)
}

// forget drops what is known of a model that was unloaded, as soon as nobody
// waits for it any more.
func (c *core) forget(model string) {
	if l := c.lines[model]; l != nil {
		l.left = true
		c.tidy(l)
	}
}

func (c *core) tidy(l *line) {
	if l.left && l.length == 0 && l.held == 0 {
		delete(c.lines, l.model)
	}
}

// bound is how long a request of this cost may be predicted to wait.
func (c *core) bound(l *line, cost time.Duration) time.Duration {
	if l.policy.Objective > 0 {
		return min(c.maxWait, max(0, l.policy.Objective-cost))
	}
	return c.maxWait
}

// patience is how long a request may really wait.
func (c *core) patience(l *line) time.Duration {
	if l.policy.Objective > 0 {
		return min(c.maxWait, l.policy.Objective)
	}
	return c.maxWait
}

// wait predicts how long a request that arrives now would queue: until all that
// is served before it has been. That is what waits of its own model, and of each
// other as much as that has yet to be given for its share of the time.
func (c *core) wait(l *line, level int, now time.Time) time.Duration {
	own := l.ahead(level)
	work, mine, lanes, over := c.remaining(l, now)
	limit := l.limit(c.lanes)
	if l.held < limit && own == 0 && len(c.idle) > 0 {
		return 0
	}
	if lanes == 0 {
		return over
	}
	var least time.Duration
	if limit < c.lanes {
		least = (mine + own) / time.Duration(limit)
		if len(c.idle) > 0 {
			return least // only its own stand in its way
		}
	}
	turn := max(l.paid, c.clock) + float64(own)/l.policy.weight()
	work += own
	for _, other := range c.waiting {
		if other != l {
			due := max(0, (turn-other.paid)*other.policy.weight())
			work += time.Duration(min(due, float64(other.backlog())))
		}
	}
	return max(least, work/time.Duration(lanes))
}

// remaining is the predicted rest of what runs, and of the model's own. A lane
// whose work is over its time by more than the bound may be held for ever (by a
// model that does not end on some picture) and is not counted on.
func (c *core) remaining(l *line, now time.Time) (all, mine time.Duration, lanes int, over time.Duration) {
	lanes = len(c.idle)
	for _, r := range c.running {
		if r == nil {
			continue
		}
		ran := now.Sub(r.started)
		if late := ran - r.expects; late > c.maxWait {
			over = max(over, late)
			continue
		}
		lanes++
		rest := max(0, r.expects-ran)
		all += rest
		if r.line == l {
			mine += rest
		}
	}
	return all, mine, lanes, over
}

// refuses says whether a request that arrives now is one too many, and what it
// would wait.
func (c *core) refuses(l *line, it *item, now time.Time) (bool, time.Duration) {
	places := c.places
	if l.policy.Queue > 0 {
		places = l.policy.Queue
	}
	wait := c.wait(l, l.policy.level(it.priority), now)
	cost := l.cost(it.key) * time.Duration(max(it.rows, 1))
	return wait > 0 && wait > c.bound(l, cost) || l.length >= places, wait
}

// arrive queues a request.
func (c *core) arrive(l *line, it *item, now time.Time) {
	it.rows = max(it.rows, 1)
	it.line, it.level, it.queued, it.lane = l, l.policy.level(it.priority), true, -1
	it.arrived, it.predicted = now, l.cost(it.key)*time.Duration(it.rows)
	if l.length == 0 {
		// What was not used is not saved up.
		l.paid = max(l.paid, c.clock)
		l.place = len(c.waiting)
		c.waiting = append(c.waiting, l)
	}
	l.levels[it.level].push(it)
	l.length++
	l.rows += it.rows
	c.length++
}

// leave takes a queued request out, wherever it stands.
func (c *core) leave(it *item) {
	if !it.queued {
		return
	}
	l := it.line
	it.queued = false
	l.levels[it.level].remove(it)
	l.length--
	l.rows -= it.rows
	c.length--
	if l.length > 0 {
		return
	}
	last := len(c.waiting) - 1
	c.waiting[l.place] = c.waiting[last]
	c.waiting[l.place].place = l.place
	c.waiting[last], c.waiting = nil, c.waiting[:last]
	l.place = -1
	c.tidy(l)
}

// drop takes a queued request out that will not be done, and counts why.
func (c *core) drop(it *item, why reason) {
	it.line.dropped[why]++
	c.leave(it)
}

// begin gives a lane to whoever is to have one now, if anybody is: the model
// that has had least for its weight, of those that wait and may hold another
// lane. Those in out, which hang together by along, were found to have waited in
// vain: they were dropped, and their callers are to be told.
func (c *core) begin(now time.Time) (lead, out *item) {
	for len(c.idle) > 0 {
		l := c.next(now)
		if l == nil {
			return nil, out
		}
		out = c.purge(l, out, now)
		it, newest := l.first(c.fair, now)
		if it == nil {
			continue
		}
		c.start(l, it, newest, now)
		return it, out
	}
	return nil, out
}

// next is the model whose turn it is.
func (c *core) next(now time.Time) (best *line) {
	for _, l := range c.waiting {
		if l.held < l.limit(c.lanes) && (best == nil || l.paid < best.paid) && l.full(now) {
			best = l
		}
	}
	return best
}

// purge drops those at either end of a model's queues who wait in vain.
func (c *core) purge(l *line, out *item, now time.Time) *item {
	for i := range l.levels {
		q := &l.levels[i]
		for _, end := range [...]**item{&q.head, &q.tail} {
			for it := *end; it != nil; it = *end {
				why := c.vain(l, it, now)
				if why == reasons {
					break
				}
				c.drop(it, why)
				it.along, out = out, it
			}
		}
	}
	return out
}

// vain says why a request need not be done any more; reasons where it must be.
func (c *core) vain(l *line, it *item, now time.Time) reason {
	switch {
	case it.late(now):
		return expired
	case now.Sub(it.arrived) > c.patience(l):
		return stale
	}
	return reasons
}

// late says that the request's deadline has passed.
func (it *item) late(now time.Time) bool { return !it.deadline.IsZero() && !now.Before(it.deadline) }

// start puts a request on the lane that was busy last, and with it those that
// may share its run.
func (c *core) start(l *line, lead *item, newest bool, now time.Time) {
	lane := c.idle[len(c.idle)-1]
	c.idle = c.idle[:len(c.idle)-1]
	c.running[lane] = lead
	// Neither credit nor debt is without bound: who could not use its share for
	// long must not hold everything afterwards.
	credit := float64(c.maxWait) / l.policy.weight()
	l.paid = max(l.paid, c.clock-credit)
	c.clock = max(c.clock, l.paid)
	rows := lead.rows
	lead.lane, lead.started, lead.expects, lead.along = lane, now, lead.predicted, nil
	if lead.form != "" && lead.rows < l.policy.MaxBatch {
		rows = c.gather(l, lead, newest, now)
	}
	l.held++
	l.runs++
	l.ran += uint64(rows)
	l.paid += float64(lead.expects) / l.policy.weight()
	c.leave(lead)
}

// looked bounds the search for others that fit into a run, in batches.
const looked = 4

// gather takes those along who may share the lead's run, in the order in which
// they would have been served, and gives the rows of them all.
func (c *core) gather(l *line, lead *item, newest bool, now time.Time) (rows int) {
	rows, last, seen := lead.rows, lead, looked*l.policy.MaxBatch
	for i := range l.levels {
		q := &l.levels[i]
		it, step := q.head, func(it *item) *item { return it.next }
		if newest {
			it, step = q.tail, func(it *item) *item { return it.prev }
		}
		for ; it != nil && seen > 0 && rows < l.policy.MaxBatch; seen-- {
			this := it
			it = step(it)
			if this == lead || this.form != lead.form || this.session != lead.session || rows+this.rows > l.policy.MaxBatch || this.late(now) {
				continue
			}
			c.leave(this)
			this.started, this.along, last.along, last = now, nil, this, this
			lead.expects += this.predicted
			rows += this.rows
		}
	}
	return rows
}

// end frees the lane and learns what a row of the run cost. Failures teach
// nothing: a damaged picture is cheap and says nothing about the next one.
func (c *core) end(lead *item, now time.Time, failed bool) {
	l, took := lead.line, now.Sub(lead.started)
	c.running[lead.lane] = nil
	c.idle = append(c.idle, lead.lane)
	l.held--
	l.busy += took
	weight := l.policy.weight()
	l.paid = min(l.paid+float64(took-lead.expects)/weight, c.clock+4*float64(c.maxWait)/weight)
	if !failed {
		c.learn(l, lead, took)
	}
	c.tidy(l)
}

func (c *core) learn(l *line, lead *item, took time.Duration) {
	rows := 0
	for it := lead; it != nil; it = it.along {
		rows += it.rows
	}
	each := took / time.Duration(rows)
	l.learn(lead.key, each)
	for it := lead.along; it != nil; it = it.along {
		if it.key != lead.key {
			l.learn(it.key, each)
		}
	}
}

// ruin gives the request that makes room for a new one of its model when that is
// one too many: the oldest, once it has waited so long that the newest are served
// first. It would wait in vain. Nil means that the new one is refused.
func (c *core) ruin(l *line, now time.Time) *item {
	if it := l.oldest(); it != nil && now.Sub(it.arrived) > c.fair {
		return it
	}
	return nil
}
