package schedule

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func at(ms int) time.Time { return epoch.Add(time.Duration(ms) * time.Millisecond) }

func testCore(lanes int) *core {
	return newCore(settings{lanes: lanes, maxWait: time.Second, fair: 200 * time.Millisecond, places: 1000})
}

func TestPredictedWaitRefusesAndNotPlaces(t *testing.T) {
	c := testCore(2)
	slow, quick := Key{Model: "slow"}, Key{Model: "quick"}
	c.costs[slow], c.costs[quick] = 500*time.Millisecond, time.Millisecond
	accepted := 0
	for range 20 {
		if full, _ := c.full(at(0)); !full {
			c.arrive(&item{key: slow}, at(0))
			accepted++
		}
	}
	// 2 lanes, 1 s: the fifth sees 4 x 500 ms / 2 lanes = 1 s and is the last
	if accepted != 5 {
		t.Fatalf("%d slow requests were queued, want 5 (a second of work for two lanes)", accepted)
	}
	c = testCore(2)
	c.costs[quick] = time.Millisecond
	for i := range 1000 {
		if full, wait := c.full(at(0)); full {
			t.Fatalf("quick request %d was refused at a wait of %v", i, wait)
		}
		c.arrive(&item{key: quick}, at(0))
	}
}

func TestOldestFirstUntilSomebodyWaitsTooLong(t *testing.T) {
	c := testCore(1)
	first, second, third := &item{}, &item{}, &item{}
	c.arrive(first, at(0))
	c.arrive(second, at(10))
	c.arrive(third, at(20))
	if got := c.begin(0, at(30)); got != first {
		t.Fatal("with short waits the oldest is served first")
	}
	c.end(0, at(300), false)
	if got := c.begin(0, at(300)); got != third {
		t.Fatal("when the oldest waited over 200 ms the newest is served first")
	}
	c.end(0, at(310), false)
	if got := c.stale(at(500)); got != nil {
		t.Fatal("490 ms are no reason to turn somebody away")
	}
	if got := c.stale(at(1011)); got != second {
		t.Fatal("who waited longer than the bound is turned away")
	}
}

func TestUnderOverloadTheOldestMakesRoom(t *testing.T) {
	c := testCore(1)
	old := &item{}
	c.arrive(old, at(0))
	if c.ruin(at(200)) != nil {
		t.Fatal("a burst refuses the newest: who waited 200 ms still has a chance")
	}
	if c.ruin(at(201)) != old {
		t.Fatal("once the newest are served first, the oldest waits in vain and makes room")
	}
}

func TestALaneThatIsHeldIsNotCountedOn(t *testing.T) {
	c := testCore(2)
	c.costs[Key{Model: "m"}] = 10 * time.Millisecond
	for lane := range 2 {
		c.arrive(&item{key: Key{Model: "m"}}, at(0))
		c.begin(lane, at(0))
	}
	if full, wait := c.full(at(900)); full {
		t.Errorf("900 ms into runs of 10 ms a request is refused (%v): runs are late now and then", wait)
	}
	if full, wait := c.full(at(1100)); !full || wait < time.Second {
		t.Errorf("both lanes are over their time by more than the bound: full %v, wait %v; want a refusal at once, since nobody knows when they end", full, wait)
	}
	c.end(1, at(1100), true)
	for range 3 {
		c.arrive(&item{key: Key{Model: "m"}}, at(1100))
	}
	c.begin(1, at(1100))
	if full, wait := c.full(at(1100)); full || wait != 30*time.Millisecond {
		t.Errorf("one lane is held, the other has 30 ms of work: full %v, wait %v; the held one must not close the other", full, wait)
	}
}

func TestCostIsLearnt(t *testing.T) {
	c := testCore(1)
	key := Key{Model: "m", Size: 3}
	c.arrive(&item{key: key}, at(0))
	c.begin(0, at(0))
	c.end(0, at(80), false)
	if got := c.cost(key); got != 80*time.Millisecond {
		t.Fatalf("cost after one request of 80 ms = %v", got)
	}
	c.arrive(&item{key: key}, at(100))
	c.begin(0, at(100))
	c.end(0, at(101), true)
	if got := c.cost(key); got != 80*time.Millisecond {
		t.Fatalf("a failure changed the cost to %v", got)
	}
	c.forget("m")
	if got := c.cost(key); got != unknown {
		t.Fatalf("cost after forget = %v, want the default", got)
	}
}

// TestCoreKeepsItsBooks plays random events and compares with a naive list.
func TestCoreKeepsItsBooks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		lanes := rapid.IntRange(1, 3).Draw(t, "lanes")
		c := testCore(lanes)
		var queue []*item
		busy := make([]bool, lanes)
		now := 0
		for range rapid.IntRange(1, 60).Draw(t, "events") {
			now += rapid.IntRange(0, 100).Draw(t, "ms")
			switch rapid.IntRange(0, 3).Draw(t, "event") {
			case 0:
				it := &item{key: Key{Size: uint8(rapid.IntRange(0, 2).Draw(t, "size"))}}
				if full, _ := c.full(at(now)); !full {
					c.arrive(it, at(now))
					queue = append(queue, it)
				}
			case 1:
				lane := rapid.IntRange(0, lanes-1).Draw(t, "lane")
				if busy[lane] {
					break
				}
				it := c.begin(lane, at(now))
				if (it == nil) != (len(queue) == 0) {
					t.Fatalf("begin gave %v with %d in the queue", it, len(queue))
				}
				queue = without(queue, it)
				busy[lane] = it != nil
			case 2:
				lane := rapid.IntRange(0, lanes-1).Draw(t, "lane")
				if busy[lane] {
					c.end(lane, at(now), rapid.Bool().Draw(t, "failed"))
					busy[lane] = false
				}
			case 3:
				if len(queue) > 0 {
					it := queue[rapid.IntRange(0, len(queue)-1).Draw(t, "leaver")]
					c.leave(it)
					c.leave(it) // a second time changes nothing
					queue = without(queue, it)
				}
			}
			check(t, c, queue)
		}
	})
}

func without(queue []*item, gone *item) []*item {
	var rest []*item
	for _, it := range queue {
		if it != gone {
			rest = append(rest, it)
		}
	}
	return rest
}

func check(t *rapid.T, c *core, queue []*item) {
	var backlog time.Duration
	n := 0
	for it := c.head; it != nil; it = it.next {
		if n >= len(queue) || it != queue[n] {
			t.Fatalf("place %d of the queue holds the wrong request", n)
		}
		backlog += it.predicted
		n++
	}
	if n != len(queue) || c.length != n || c.backlog != backlog {
		t.Fatalf("length %d, backlog %v; want %d, %v", c.length, c.backlog, len(queue), backlog)
	}
	if wait := c.wait(epoch); wait < 0 {
		t.Fatalf("negative wait %v", wait)
	}
}
