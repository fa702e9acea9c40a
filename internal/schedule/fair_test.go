package schedule

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// saturate lets models, each with something waiting at any time, have the lanes
// for a while of simulated time. It gives the lane time of each.
func saturate(c *core, models []string, takes func(model string) time.Duration, span time.Duration) map[string]time.Duration {
	now, ends := epoch, map[*item]time.Time{}
	for now.Sub(epoch) < span {
		for _, m := range models {
			for c.of(m).length < 2 {
				it := of(m)
				it.form = "x"
				c.arrive(c.of(m), it, now)
			}
		}
		for lead, _ := c.begin(now); lead != nil; lead, _ = c.begin(now) {
			ends[lead] = now.Add(takes(lead.line.model))
		}
		var first *item
		for it, end := range ends {
			if first == nil || end.Before(ends[first]) {
				first = it
			}
		}
		now = ends[first]
		c.end(first, now, false)
		delete(ends, first)
	}
	had := map[string]time.Duration{}
	for _, m := range models {
		had[m] = c.of(m).busy
	}
	return had
}

// TestLaneTimeIsSharedByWeight: whatever runs cost, models that always have
// something waiting get lane time by their weights, to within what the runs at
// the ends of the span can make out.
func TestLaneTimeIsSharedByWeight(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		lanes := rapid.IntRange(1, 4).Draw(t, "lanes")
		c := testCore(lanes)
		c.maxWait = time.Hour
		models := []string{"a", "b", "c"}[:rapid.IntRange(2, 3).Draw(t, "models")]
		takes := map[string]time.Duration{}
		var slowest time.Duration
		total := 0.0
		for _, m := range models {
			takes[m] = time.Duration(rapid.IntRange(1, 40).Draw(t, "takes "+m)) * time.Millisecond
			slowest = max(slowest, takes[m])
			weight := float64(rapid.IntRange(1, 5).Draw(t, "weight "+m))
			total += weight
			c.configure(m, Policy{Weight: weight, MaxBatch: rapid.IntRange(0, 2).Draw(t, "batch "+m)})
		}
		const span = 20 * time.Second
		had := saturate(c, models, func(m string) time.Duration { return takes[m] }, span)
		for _, m := range models {
			want := time.Duration(float64(span) * float64(lanes) * c.of(m).policy.weight() / total)
			if slack := time.Duration(8*lanes) * slowest; had[m] < want-slack || had[m] > want+slack {
				t.Fatalf("%s of weight %v had %v of the lanes' time, want %v (within %v); all: %v", m, c.of(m).policy.weight(), had[m], want, slack, had)
			}
		}
	})
}

func TestSharesOfOneToOneAndThreeToOne(t *testing.T) {
	for _, weight := range []float64{1, 3} {
		c := testCore(2)
		c.configure("a", Policy{Weight: weight})
		had := saturate(c, []string{"a", "b"}, func(m string) time.Duration {
			return map[string]time.Duration{"a": 3 * time.Millisecond, "b": 11 * time.Millisecond}[m]
		}, 10*time.Second)
		if got := float64(had["a"]) / float64(had["b"]); got < weight*0.98 || got > weight*1.02 {
			t.Errorf("weights %v to 1: lane times %v to %v, %.3f to 1", weight, had["a"], had["b"], got)
		}
	}
}

// TestThePredictedWaitIsKept: with nobody coming after it, a request waits no
// longer than was predicted, give or take the runs that cannot be interrupted.
func TestThePredictedWaitIsKept(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		lanes := rapid.IntRange(1, 3).Draw(t, "lanes")
		c := testCore(lanes)
		c.maxWait, c.fair = time.Hour, time.Hour
		models := []string{"a", "b", "c"}
		takes := map[string]time.Duration{}
		var slowest time.Duration
		for _, m := range models {
			takes[m] = time.Duration(rapid.IntRange(1, 30).Draw(t, "takes "+m)) * time.Millisecond
			slowest = max(slowest, takes[m])
			c.configure(m, Policy{Weight: float64(rapid.IntRange(1, 3).Draw(t, "weight "+m)), Instances: rapid.IntRange(0, 2).Draw(t, "instances "+m)})
			costs(c, m, takes[m])
			for range rapid.IntRange(0, 20).Draw(t, "queue "+m) {
				c.arrive(c.of(m), of(m), epoch)
			}
		}
		now, ends := epoch, map[*item]time.Time{}
		begin := func() {
			for lead, _ := c.begin(now); lead != nil; lead, _ = c.begin(now) {
				ends[lead] = now.Add(takes[lead.line.model])
			}
		}
		begin() // a lane is idle only where nobody may have it
		mine := of(rapid.SampledFrom(models).Draw(t, "mine"))
		predicted := c.wait(c.of(mine.key.Model), 0, epoch)
		c.arrive(c.of(mine.key.Model), mine, epoch)
		for mine.queued {
			begin()
			if !mine.queued {
				break
			}
			var first *item
			for it, end := range ends {
				if first == nil || end.Before(ends[first]) {
					first = it
				}
			}
			now = ends[first]
			c.end(first, now, false)
			delete(ends, first)
		}
		if waited := now.Sub(epoch); waited > 2*predicted+time.Duration(len(models)+lanes)*slowest {
			t.Fatalf("predicted %v, waited %v", predicted, waited)
		}
	})
}
