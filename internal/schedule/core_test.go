package schedule

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func at(ms int) time.Time { return epoch.Add(time.Duration(ms) * time.Millisecond) }

func testCore(lanes int) *core {
	return newCore(settings{lanes: lanes, maxWait: time.Second, fair: 200 * time.Millisecond, places: 1000})
}

// put queues a request if it is not refused.
func put(c *core, it *item, now time.Time) bool {
	l := c.of(it.key.Model)
	if full, _ := c.refuses(l, it, now); full {
		return false
	}
	c.arrive(l, it, now)
	return true
}

// costs says what a row of a model takes.
func costs(c *core, model string, took time.Duration) {
	c.of(model).learn(Key{Model: model}, took)
}

func of(model string) *item { return &item{key: Key{Model: model}} }

// served begins one request and gives it.
func served(t *testing.T, c *core, now time.Time) *item {
	t.Helper()
	it, out := c.begin(now)
	if out != nil {
		t.Fatalf("somebody was turned away at %v", now.Sub(epoch))
	}
	return it
}

func TestPredictedWaitRefusesAndNotPlaces(t *testing.T) {
	c := testCore(2)
	costs(c, "slow", 500*time.Millisecond)
	accepted := 0
	for range 20 {
		if put(c, of("slow"), at(0)) {
			accepted++
		}
	}
	// 2 lanes, 1 s: the fifth sees 4 x 500 ms / 2 lanes = 1 s and is the last
	if accepted != 5 {
		t.Fatalf("%d slow requests were queued, want 5 (a second of work for two lanes)", accepted)
	}
	c = testCore(2)
	costs(c, "quick", time.Millisecond)
	for i := range 1000 {
		if !put(c, of("quick"), at(0)) {
			t.Fatalf("quick request %d was refused", i)
		}
	}
	if put(c, of("quick"), at(0)) {
		t.Error("more than 1,000 are queued: the places bound the memory")
	}
	if !put(c, of("another"), at(0)) {
		t.Error("the places of one model are all taken and another is refused: each has a queue of its own")
	}
}

func TestEachModelHasItsOwnPlaces(t *testing.T) {
	c := testCore(1)
	c.configure("m", Policy{Queue: 2})
	costs(c, "m", time.Millisecond)
	for i := range 4 {
		if got := put(c, of("m"), at(0)); got != (i < 2) {
			t.Errorf("request %d of a queue of 2: queued %v", i+1, got)
		}
	}
}

func TestOldestFirstUntilSomebodyWaitsTooLong(t *testing.T) {
	c := testCore(1)
	first, second, third := of("m"), of("m"), of("m")
	for i, it := range []*item{first, second, third} {
		put(c, it, at(10*i))
	}
	if got := served(t, c, at(30)); got != first {
		t.Fatal("with short waits the oldest is served first")
	}
	c.end(first, at(300), false)
	if got := served(t, c, at(300)); got != third {
		t.Fatal("when the oldest waited over 200 ms the newest is served first")
	}
	c.end(third, at(310), false)
	c.idle = c.idle[:0] // nobody is served meanwhile
	if _, out := c.begin(at(1011)); out != nil {
		t.Fatal("without a lane nothing is decided")
	}
	c.idle = append(c.idle, 0)
	if lead, out := c.begin(at(1011)); lead != nil || out != second {
		t.Fatal("who waited longer than the bound is turned away")
	}
}

func TestUnderOverloadTheOldestMakesRoom(t *testing.T) {
	c := testCore(1)
	old := of("m")
	put(c, old, at(0))
	if c.ruin(old.line, at(200)) != nil {
		t.Fatal("a burst refuses the newest: who waited 200 ms still has a chance")
	}
	if c.ruin(old.line, at(201)) != old {
		t.Fatal("once the newest are served first, the oldest waits in vain and makes room")
	}
	if c.ruin(c.of("another"), at(201)) != nil {
		t.Fatal("another model's oldest makes room for nobody but its own")
	}
}

func TestALaneThatIsHeldIsNotCountedOn(t *testing.T) {
	c := testCore(2)
	costs(c, "m", 10*time.Millisecond)
	var leads []*item
	for range 2 {
		put(c, of("m"), at(0))
		leads = append(leads, served(t, c, at(0)))
	}
	if full, wait := c.refuses(c.of("m"), of("m"), at(900)); full {
		t.Errorf("900 ms into runs of 10 ms a request is refused (%v): runs are late now and then", wait)
	}
	if full, wait := c.refuses(c.of("m"), of("m"), at(1100)); !full || wait < time.Second {
		t.Errorf("both lanes are over their time by more than the bound: full %v, wait %v; want a refusal at once, since nobody knows when they end", full, wait)
	}
	c.end(leads[1], at(1100), true)
	for range 3 {
		put(c, of("m"), at(1100))
	}
	served(t, c, at(1100))
	if full, wait := c.refuses(c.of("m"), of("m"), at(1100)); full || wait != 30*time.Millisecond {
		t.Errorf("one lane is held, the other has 30 ms of work: full %v, wait %v; the held one must not close the other", full, wait)
	}
}

func TestCostIsLearnt(t *testing.T) {
	c := testCore(1)
	one := func(key Key, rows, from, to int, failed bool) {
		it := &item{key: key, rows: rows}
		c.arrive(c.of(key.Model), it, at(from))
		c.end(served(t, c, at(from)), at(to), failed)
	}
	key := Key{Model: "m", Size: 3}
	one(key, 1, 0, 80, false)
	if got := c.of("m").cost(key); got != 80*time.Millisecond {
		t.Fatalf("cost after one request of 80 ms = %v", got)
	}
	one(key, 1, 100, 101, true)
	if got := c.of("m").cost(key); got != 80*time.Millisecond {
		t.Fatalf("a failure changed the cost to %v", got)
	}
	other := Key{Model: "m", Size: 3, Tensors: true}
	one(other, 4, 200, 240, false)
	if got := c.of("m").cost(other); got != 10*time.Millisecond {
		t.Fatalf("4 rows took 40 ms: a row costs %v, want 10ms", got)
	}
	c.forget("m")
	if got := c.of("m").cost(key); got != unknown {
		t.Fatalf("cost after forget = %v, want the default", got)
	}
}

func TestAForgottenModelGoesWhenItsLastRequestDoes(t *testing.T) {
	c := testCore(1)
	put(c, of("m"), at(0))
	put(c, of("m"), at(0))
	c.forget("m")
	c.end(served(t, c, at(0)), at(1), false)
	if c.lines["m"] == nil {
		t.Fatal("a request still waits, and its model is forgotten already")
	}
	c.end(served(t, c, at(1)), at(2), false)
	if len(c.lines) != 0 {
		t.Errorf("%d models are remembered after the last request of the only one: loads and unloads must not fill the memory", len(c.lines))
	}
}

func TestNoMoreLanesThanInstances(t *testing.T) {
	c := testCore(3)
	c.configure("m", Policy{Instances: 1})
	for range 3 {
		put(c, of("m"), at(0))
	}
	first := served(t, c, at(0))
	if served(t, c, at(0)) != nil {
		t.Fatal("a model of one instance has two lanes")
	}
	if put(c, of("other"), at(0)); served(t, c, at(0)) == nil {
		t.Fatal("two lanes are free, and another model does not get one")
	}
	c.end(first, at(10), false)
	if got := served(t, c, at(10)); got == nil || got.lane != first.lane {
		t.Fatal("the model's next request does not get the lane that its first has left")
	}
}

func TestPrioritiesAreTritons(t *testing.T) {
	p := Policy{Priorities: 3, DefaultPriority: 2}
	for priority, want := range map[int]int{0: 1, 1: 0, 2: 1, 3: 2, 4: 1, -1: 1} {
		if got := p.level(priority); got != want {
			t.Errorf("priority %d of 3 with the default 2 is level %d, want %d", priority, got+1, want+1)
		}
	}
	if got := (&Policy{}).level(7); got != 0 {
		t.Errorf("without levels a request of priority 7 is in queue %d, want the only one", got)
	}
	if got := (&Policy{Priorities: 1 << 30}).level(1 << 29); got != maxPriorities-1 {
		t.Errorf("priority 2^29 of 2^30 is in queue %d: there must be a bound, and the last is it", got)
	}
	c := testCore(1)
	c.configure("m", p)
	low, first, second, high := of("m"), of("m"), of("m"), of("m")
	low.priority, high.priority = 3, 1
	for _, it := range []*item{low, first, second, high} {
		put(c, it, at(0))
	}
	for i, want := range []*item{high, first, second, low} {
		got := served(t, c, at(0))
		if got != want {
			t.Errorf("the wrong request is served as number %d; want priority 1, both of the default 2 in the order they came, 3", i+1)
		}
		c.end(got, at(0), false)
	}
}

func TestAHigherPriorityIsNotRefusedForALowerOnesSake(t *testing.T) {
	c := testCore(1)
	c.configure("m", Policy{Priorities: 2, DefaultPriority: 2})
	costs(c, "m", 400*time.Millisecond)
	accepted := 0
	for put(c, of("m"), at(0)) {
		accepted++
	}
	if accepted != 3 {
		t.Fatalf("%d of the lower priority are queued, want 3: the fourth would wait 1.2 s", accepted)
	}
	if it := of("m"); !put(c, &item{key: it.key, priority: 1}, at(0)) {
		t.Error("a request of the highest priority is refused, though nobody is before it")
	}
}

func TestChangedPrioritiesKeepTheOrder(t *testing.T) {
	c := testCore(1)
	c.configure("m", Policy{Priorities: 2})
	list := []*item{of("m"), of("m"), of("m")}
	list[1].priority = 1
	for _, it := range list {
		put(c, it, at(0))
	}
	c.configure("m", Policy{})
	if c.of("m").length != 3 || c.of("m").backlog() != 3*unknown {
		t.Fatalf("%d wait with a backlog of %v after the levels changed, want 3 of %v", c.of("m").length, c.of("m").backlog(), 3*unknown)
	}
	for i, want := range []int{1, 0, 2} {
		got := served(t, c, at(0))
		if got != list[want] {
			t.Errorf("number %d is the wrong one", i+1)
		}
		c.end(got, at(0), false)
	}
}

func TestWhoseTimeIsOverIsNeverServed(t *testing.T) {
	c := testCore(1)
	over, good := of("m"), of("m")
	over.deadline = at(5)
	put(c, over, at(0))
	put(c, good, at(0))
	lead, out := c.begin(at(5))
	if lead != good || out != over || over.along != nil {
		t.Errorf("served %p, turned away %p; want the one whose deadline has passed out of the way", lead, out)
	}
	if got := over.line.dropped; got != [reasons]uint64{expired: 1} {
		t.Errorf("dropped %v, want one that has expired", got)
	}
}

func TestAnObjectiveRefusesWhatWouldMissIt(t *testing.T) {
	c := testCore(1)
	c.configure("m", Policy{Objective: 50 * time.Millisecond})
	costs(c, "m", 20*time.Millisecond)
	costs(c, "other", 20*time.Millisecond)
	accepted := 0
	for put(c, of("m"), at(0)) {
		served(t, c, at(0))
		accepted++
	}
	if accepted != 2 {
		t.Errorf("%d requests of 20 ms are taken at once with an objective of 50 ms, want 2: the third would be done after 60", accepted)
	}
	if !put(c, of("other"), at(0)) {
		t.Error("one model's objective refuses another's requests")
	}
	c = testCore(1)
	c.configure("m", Policy{Objective: 10 * time.Millisecond})
	costs(c, "m", 20*time.Millisecond)
	if !put(c, of("m"), at(0)) {
		t.Error("an idle server refuses a request because the model never meets its objective: then nothing would ever be answered")
	}
}

func TestThePredictionKnowsTheShares(t *testing.T) {
	c := testCore(1)
	costs(c, "busy", 10*time.Millisecond)
	costs(c, "quiet", 10*time.Millisecond)
	for range 80 {
		put(c, of("busy"), at(0))
	}
	served(t, c, at(0))
	if got := c.wait(c.of("busy"), 0, at(0)); got != 800*time.Millisecond {
		t.Errorf("the 81st request of the only busy model is predicted to wait %v, want 800ms", got)
	}
	if got := c.wait(c.of("quiet"), 0, at(0)); got > 20*time.Millisecond {
		t.Errorf("the first request of another model is predicted to wait %v behind 79 of a busy one: it has a share of its own", got)
	}
}

func TestABusyModelStarvesNobody(t *testing.T) {
	c := testCore(1)
	for range 50 {
		put(c, of("busy"), at(0))
	}
	c.end(served(t, c, at(0)), at(10), false)
	quiet := of("quiet")
	put(c, quiet, at(10))
	c.end(served(t, c, at(10)), at(20), false)
	if c.running[0] == nil && quiet.queued {
		if got := served(t, c, at(20)); got != quiet {
			t.Error("a model that asks for little waits behind a second request of one that asks for much")
		}
	}
}

func TestRequestsShareARunUpToItsRows(t *testing.T) {
	c := testCore(1)
	c.configure("m", Policy{MaxBatch: 8})
	list := []*item{
		{form: "a", rows: 3}, {form: "b", rows: 1}, {form: "a", rows: 4}, {form: "a", rows: 2}, {form: "a", rows: 1}, {rows: 1}, {form: "a", rows: 20},
	}
	for _, it := range list {
		it.key = Key{Model: "m"}
		if !put(c, it, at(0)) {
			t.Fatal("refused")
		}
	}
	var runs []string
	for {
		lead := served(t, c, at(0))
		if lead == nil {
			break
		}
		var run []string
		for it := lead; it != nil; it = it.along {
			run = append(run, fmt.Sprint(it.form, it.rows))
		}
		runs = append(runs, strings.Join(run, "+"))
		c.end(lead, at(80), false)
		if lead == list[0] {
			if got := c.of("m").cost(Key{Model: "m"}); got != 10*time.Millisecond {
				t.Errorf("a run of 8 rows took 80 ms: a row costs %v, want 10ms", got)
			}
		}
	}
	want := "[a3+a4+a1 b1 a2 1 a20]"
	if got := fmt.Sprint(runs); got != want {
		t.Errorf("runs %s, want %s: rows are counted, forms are not mixed, who does not fit comes next, and what is larger than a run has one of its own", got, want)
	}
}

func TestALaneWaitsForAFullerBatchOnlyAsLongAsIsSaid(t *testing.T) {
	c := testCore(2)
	c.configure("m", Policy{MaxBatch: 4, MaxDelay: 10 * time.Millisecond})
	add := func(ms int) {
		it := of("m")
		it.form = "a"
		put(c, it, at(ms))
	}
	add(0)
	if served(t, c, at(9)) != nil {
		t.Fatal("a lane begins a batch of 1 after 9 ms; 10 may be waited for more")
	}
	add(9)
	lead := served(t, c, at(10))
	if lead == nil || lead.along == nil {
		t.Fatal("after 10 ms the two that are there are not run together")
	}
	for range 4 {
		add(11)
	}
	if served(t, c, at(11)) == nil {
		t.Fatal("a full batch waits although a lane is free")
	}
}

// TestCoreKeepsItsBooks plays random events with random policies and compares
// with naive lists.
func TestCoreKeepsItsBooks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := &game{T: t, core: testCore(rapid.IntRange(1, 4).Draw(t, "lanes"))}
		g.maxWait = time.Duration(rapid.IntRange(20, 1000).Draw(t, "bound")) * time.Millisecond
		for range rapid.IntRange(1, 80).Draw(t, "events") {
			g.now += rapid.IntRange(0, 60).Draw(t, "ms")
			switch rapid.IntRange(0, 9).Draw(t, "event") {
			case 0, 1, 2, 3:
				g.arrival()
			case 4, 5, 6:
				g.ending()
			case 7:
				if len(g.queued) > 0 {
					it := g.queued[rapid.IntRange(0, len(g.queued)-1).Draw(t, "leaver")]
					g.drop(it, gone)
					g.leave(it) // a second time changes nothing
					g.remove(it)
				}
			case 8:
				g.configure(g.model(), g.policy())
			case 9:
				g.forget(g.model())
			}
			g.begins()
			g.check()
		}
	})
}

// game is a core and what is known of it beside it.
type game struct {
	*rapid.T
	*core
	now    int
	queued []*item
	leads  []*item
}

func (g *game) model() string { return rapid.SampledFrom([]string{"a", "b", "c"}).Draw(g.T, "model") }

func (g *game) policy() Policy {
	return Policy{
		Instances: rapid.IntRange(0, 3).Draw(g.T, "instances"), Weight: rapid.Float64().Draw(g.T, "weight"),
		Queue: rapid.IntRange(0, 6).Draw(g.T, "places"), MaxBatch: rapid.IntRange(0, 6).Draw(g.T, "batch"),
		MaxDelay:   time.Duration(rapid.IntRange(0, 20).Draw(g.T, "delay")) * time.Millisecond,
		Priorities: rapid.IntRange(0, 4).Draw(g.T, "levels"), DefaultPriority: rapid.IntRange(0, 5).Draw(g.T, "default"),
		Objective: time.Duration(rapid.IntRange(0, 100).Draw(g.T, "objective")) * time.Millisecond,
	}
}

func (g *game) arrival() {
	it := &item{
		key: Key{Model: g.model(), Size: uint8(rapid.IntRange(0, 255).Draw(g.T, "size"))}, rows: rapid.IntRange(0, 8).Draw(g.T, "rows"),
		priority: rapid.IntRange(-1, 5).Draw(g.T, "priority"), form: rapid.SampledFrom([]string{"", "x", "y"}).Draw(g.T, "form"),
	}
	if rapid.Bool().Draw(g.T, "has a deadline") {
		it.deadline = at(g.now + rapid.IntRange(1, 100).Draw(g.T, "deadline"))
	}
	if put(g.core, it, at(g.now)) {
		g.queued = append(g.queued, it)
	}
}

func (g *game) ending() {
	if len(g.leads) == 0 {
		return
	}
	i := rapid.IntRange(0, len(g.leads)-1).Draw(g.T, "ends")
	lead := g.leads[i]
	g.leads = append(g.leads[:i:i], g.leads[i+1:]...)
	g.end(lead, at(g.now), rapid.Bool().Draw(g.T, "failed"))
}

func (g *game) remove(gone *item) {
	for i, it := range g.queued {
		if it == gone {
			g.queued = append(g.queued[:i:i], g.queued[i+1:]...)
			return
		}
	}
	g.Fatalf("a request was served or turned away that was not queued")
}

// begins hands out lanes as long as anybody takes one, and judges the choices.
func (g *game) begins() {
	now := at(g.now)
	for {
		lead, out := g.begin(now)
		for ; out != nil; out = out.along {
			g.remove(out)
			if !out.late(now) && now.Sub(out.arrived) <= g.patience(out.line) {
				g.Fatalf("a request was turned away after %v of %v", now.Sub(out.arrived), g.patience(out.line))
			}
		}
		if lead == nil {
			break
		}
		rows := 0
		for it := lead; it != nil; it = it.along {
			g.remove(it)
			rows += it.rows
			if it.late(now) || it.line != lead.line || it != lead && (it.form != lead.form || it.form == "") {
				g.Fatalf("a run has a request that is late or does not belong to it: %+v", it)
			}
		}
		if lead.along != nil && rows > lead.line.policy.MaxBatch {
			g.Fatalf("%d rows share a run of %d", rows, lead.line.policy.MaxBatch)
		}
		for _, it := range g.queued {
			if it.line == lead.line && it.level < lead.level {
				g.Fatalf("level %d was served before level %d", lead.level, it.level)
			}
		}
		g.leads = append(g.leads, lead)
	}
	if len(g.idle) == 0 {
		return
	}
	for _, it := range g.queued { // no lane is idle for whom it could serve
		if l := it.line; l.held < l.limit(g.lanes) && l.full(now) {
			g.Fatalf("%d lanes are idle and a request of %q waits, which has %d lanes of %d", len(g.idle), l.model, l.held, l.limit(g.lanes))
		}
	}
}

func (g *game) check() {
	type sum struct {
		n, rows, held int
		backlog       time.Duration
	}
	want := map[*line]*sum{}
	at := func(l *line) *sum {
		if want[l] == nil {
			want[l] = &sum{}
		}
		return want[l]
	}
	for _, it := range g.queued {
		s := at(it.line)
		s.n, s.rows, s.backlog = s.n+1, s.rows+it.rows, s.backlog+it.predicted
	}
	for _, it := range g.leads {
		at(it.line).held++
	}
	if g.length != len(g.queued) || len(g.idle)+len(g.leads) != g.lanes {
		g.Fatalf("%d queued, %d idle; want %d and %d", g.length, len(g.idle), len(g.queued), g.lanes-len(g.leads))
	}
	for model, l := range g.lines {
		s := at(l)
		if got := (sum{l.length, l.rows, l.held, l.backlog()}); got != *s {
			g.Fatalf("%q has %+v, want %+v", model, got, *s)
		}
		if (l.place >= 0) != (l.length > 0) || l.place >= 0 && g.waiting[l.place] != l {
			g.Fatalf("%q with %d in its queue is at place %d of those that wait", model, l.length, l.place)
		}
		if wait := g.wait(l, 0, epoch); wait < 0 {
			g.Fatalf("negative wait %v", wait)
		}
		if math.IsNaN(l.paid) || math.IsInf(l.paid, 0) {
			g.Fatalf("%q has paid %v", model, l.paid)
		}
	}
	for l, s := range want {
		if g.lines[l.model] != l && *s != (sum{}) {
			g.Fatalf("%q is forgotten with %+v", l.model, *s)
		}
	}
}
