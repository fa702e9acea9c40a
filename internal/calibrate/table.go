package calibrate

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"
)

// Point is what was measured of one setting (whose delay is 0: a run that has all
// its rows waits for none).
type Point struct {
	Setting
	Rate   float64       // rows a second of all instances together
	Run    time.Duration // a run's median
	Slow   time.Duration // the slowest run of a repetition, the median of these
	Noise  float64       // of the rate: the spread of the repetitions' median, relative
	Rounds int           // repetitions
}

// P99 is the latency that a request should expect at most where the schedule
// admits it: it comes when every instance has just begun a run, whose end it waits
// for, and is then run itself, both slow ones; and its own run may wait for more rows.
func (p Point) P99(delay time.Duration) time.Duration { return delay + 2*p.Slow }

// fastest orders by the rate, the best first.
func fastest(a, b Point) int { return cmp.Compare(b.Rate, a.Rate) }

// Tolerance is the part of the best rate that is given up for a shorter answer:
// a difference as small as that comes and goes with the machine's mood.
const Tolerance = 0.02

// solid is how many repetitions a setting needs to be chosen before others: where
// the budget ends, the last one may have been measured once, by good luck.
const solid = 3

// Decision is what follows from a table.
type Decision struct {
	Setting
	Reason string  // a sentence without its full stop
	Rate   float64 // rows a second, as measured; 0 where the setting itself was not
	P99    time.Duration
	Fits   bool // the objective, where there is one
}

// Decide chooses from what was measured: of the settings whose predicted p99 keeps
// the objective the one with the highest rate, or one that is as good within the
// noise and answers sooner. Where none keeps it, the one that answers soonest. It
// is pure: the same table and space give the same decision.
func Decide(space Space, table []Point) Decision {
	space = space.filled()
	points := slices.Clone(table)
	// One setting can stand for another only where somebody fixed what it varies.
	points = slices.DeleteFunc(points, func(p Point) bool { return space.clip(p.Setting) != withDelay(p.Setting, space.Fixed.Delay) })
	if firm := slices.DeleteFunc(slices.Clone(points), func(p Point) bool { return p.Rounds < solid }); len(firm) > 0 {
		points = firm
	}
	if len(points) == 0 {
		s := space.clip(Default(space.Cores))
		return Decision{Setting: s, Fits: true, Reason: "nothing was measured that may be chosen"}
	}
	fixed := space.Fixed.Delay
	fitting := slices.DeleteFunc(slices.Clone(points), func(p Point) bool { return space.Objective > 0 && p.P99(fixed) > space.Objective })
	if len(fitting) == 0 {
		soonest := slices.MinFunc(points, sooner)
		d := decided(space, table, soonest)
		d.Reason = fmt.Sprintf("no setting keeps the objective of %v; of %s this one answers soonest, predicted within %v", space.Objective, counted(len(points), "setting"), round(d.P99))
		return d
	}
	best := slices.MaxFunc(fitting, func(a, b Point) int { return cmp.Compare(a.Rate, b.Rate) })
	near := slices.DeleteFunc(slices.Clone(fitting), func(p Point) bool { return p.Rate < best.Rate*(1-Tolerance) })
	chosen := slices.MinFunc(near, sooner)
	d := decided(space, table, chosen)
	d.Fits = true
	d.Reason = because(space, points, fitting, best, chosen, d)
	return d
}

func decided(space Space, table []Point, p Point) Decision {
	d := Decision{Setting: p.Setting, Rate: p.Rate}
	d.Delay = delay(space, table, p)
	d.P99 = p.P99(d.Delay)
	return d
}

func withDelay(s Setting, d time.Duration) Setting {
	s.Delay = d
	return s
}

// sooner orders by the predicted latency; what ties takes less of the machine.
func sooner(a, b Point) int {
	return cmp.Or(cmp.Compare(a.Slow, b.Slow), cmp.Compare(a.Batch, b.Batch), cmp.Compare(a.Threads, b.Threads), cmp.Compare(a.Instances, b.Instances), cmp.Compare(b.Rate, a.Rate))
}

func because(space Space, points, fitting []Point, best, chosen Point, d Decision) string {
	text := fmt.Sprintf("of %s measured it does most, %.0f rows/s", counted(len(points), "setting"), chosen.Rate)
	if chosen.Setting != best.Setting {
		text = fmt.Sprintf("of %s measured it answers soonest within %.0f %% of the most, %.0f of %.0f rows/s", counted(len(points), "setting"), 100*Tolerance, chosen.Rate, best.Rate)
	}
	if space.Objective == 0 {
		return text
	}
	text += fmt.Sprintf(", and its predicted p99 of %v keeps the objective of %v", round(d.P99), space.Objective)
	if lost := len(points) - len(fitting); lost > 0 {
		text += fmt.Sprintf(", which %d would not", lost)
	}
	return text
}

// delay is how long a run may wait for rows that would fill it. What is won by a
// full batch is the time that its rows would take alone, less its own; whoever
// waits longer than that has lost. And the objective must keep half of its room.
// On a busy server nobody waits at all: the rows are there.
func delay(space Space, table []Point, p Point) time.Duration {
	if space.Fixed.Delay > 0 {
		return space.Fixed.Delay
	}
	single := p.Setting
	single.Batch = 1
	at := slices.IndexFunc(table, func(q Point) bool { return q.Setting == single })
	if p.Batch == 1 || at < 0 {
		return 0
	}
	won := time.Duration(p.Batch)*table[at].Run - p.Run
	if space.Objective > 0 {
		won = min(won, (space.Objective-p.P99(0))/2)
	}
	return max(0, won).Truncate(100 * time.Microsecond)
}

// round makes a latency readable: two figures say all there is.
func round(d time.Duration) time.Duration {
	if d <= 0 {
		return d
	}
	unit := time.Duration(math.Pow(10, math.Floor(math.Log10(float64(d)))-1))
	return d.Round(max(1, unit))
}
