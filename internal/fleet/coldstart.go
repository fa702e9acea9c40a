package fleet

import "time"

// ColdStart is what it took until a version answered: consecutive laps of one
// watch, so that they add up to the whole.
type ColdStart struct {
	Began time.Time // when somebody asked for the version, or else when the load began
	Asked bool      // somebody waited for it
	Laps  [Parts]time.Duration
}

// Part of a cold start.
type Part int

// The parts, in their order.
const (
	Wait        Part = iota // for its turn, and for memory that others held
	Fetch                   // reading the package and its digest
	Verify                  // the check, or its kept report, and the model file's own promises
	Session                 // the runtime parses, optimizes, allocates
	WarmUp                  // the first runs and the probe
	FirstAnswer             // from then to the end of the first request, or, where nobody waited, the first request
	Parts
)

// String is the part's name in metrics and documents.
func (p Part) String() string {
	return [...]string{"wait", "fetch", "verify", "session", "warm_up", "first_answer"}[p]
}

// Total is the sum of the parts. It is the time that the first caller waited,
// where one did.
func (c *ColdStart) Total() (sum time.Duration) {
	for _, d := range c.Laps {
		sum += d
	}
	return sum
}

// stopwatch times a cold start. A nil one times nothing.
type stopwatch struct {
	now  func() time.Time
	last time.Time
	ColdStart
}

// newStopwatch begins when somebody asked, or now.
func newStopwatch(now func() time.Time, asked time.Time) *stopwatch {
	w := &stopwatch{now: now}
	if w.Asked = !asked.IsZero(); !w.Asked {
		asked = now()
	}
	w.Began, w.last = asked, asked
	return w
}

// lap gives the time since the last lap to a part.
func (w *stopwatch) lap(p Part) {
	if w == nil {
		return
	}
	t := w.now()
	w.Laps[p] += t.Sub(w.last)
	w.last = t
}

// from begins the next lap at another time than the last one's end.
func (w *stopwatch) from(t time.Time) { w.last = t }
