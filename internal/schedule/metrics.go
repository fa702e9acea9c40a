package schedule

import (
	"cmp"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Load is what one model has of the scheduler now, and what it had.
type Load struct {
	Model   string // Policy.Name, else Key.Model
	Queued  int
	Lanes   int           // that it holds
	Busy    time.Duration // of lanes, altogether, without the runs under way
	Runs    uint64
	Rows    uint64
	Dropped map[string]uint64 // requests that never reached a lane, by Reasons
}

// Reasons are why a request never reached a lane: its predicted wait was too
// long, or its model's queue full; it had waited for too long; its deadline
// passed; its caller went away.
func Reasons() []string { return []string{"overloaded", "stale", "deadline", "gone"} }

// Loads lists the models that are known, by name; those of one name are one.
func (s *Scheduler) Loads() []Load {
	s.mu.Lock()
	defer s.mu.Unlock()
	byName := map[string]*Load{}
	for _, l := range s.core.lines {
		name := cmp.Or(l.policy.Name, l.model)
		to := byName[name]
		if to == nil {
			to = &Load{Model: name, Dropped: map[string]uint64{}}
			byName[name] = to
		}
		to.Queued += l.length
		to.Lanes += l.held
		to.Busy += l.busy
		to.Runs += l.runs
		to.Rows += l.ran
		for i, reason := range Reasons() {
			to.Dropped[reason] += l.dropped[i]
		}
	}
	list := make([]Load, 0, len(byName))
	for _, l := range byName {
		list = append(list, *l)
	}
	slices.SortFunc(list, func(a, b Load) int { return cmp.Compare(a.Model, b.Model) })
	return list
}

// Collector reads the scheduler when it is asked: no series outlives its model.
type Collector struct {
	scheduler                                *Scheduler
	queued, lanes, busy, runs, rows, dropped *prometheus.Desc
}

// NewCollector makes the scheduler's metrics.
func NewCollector(s *Scheduler) *Collector {
	of := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, append([]string{"model"}, labels...), nil)
	}
	return &Collector{
		scheduler: s,
		queued:    of("goshawk_queue_requests", "Requests that wait for a lane."),
		lanes:     of("goshawk_lanes_busy", "Lanes that the model holds."),
		busy:      of("goshawk_lane_seconds_total", "Time that the model held lanes, summed over them: its share of the machine."),
		runs:      of("goshawk_runs_total", "Times that the model held a lane."),
		rows:      of("goshawk_rows_total", "Rows (pictures, or rows of tensors) in these runs; divided by the runs, the mean batch."),
		dropped: of("goshawk_requests_dropped_total",
			"Requests that never reached a lane, by reason: overloaded (refused at once), stale (waited too long), deadline, gone (the caller went away).", "reason"),
	}
}

// Describe sends the descriptions.
func (c *Collector) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.queued, c.lanes, c.busy, c.runs, c.rows, c.dropped} {
		to <- d
	}
}

// Collect sends a value for each model.
func (c *Collector) Collect(to chan<- prometheus.Metric) {
	for _, l := range c.scheduler.Loads() {
		gauge := func(d *prometheus.Desc, v float64) {
			to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, l.Model)
		}
		counter := func(d *prometheus.Desc, v float64, labels ...string) {
			to <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, v, append([]string{l.Model}, labels...)...)
		}
		gauge(c.queued, float64(l.Queued))
		gauge(c.lanes, float64(l.Lanes))
		counter(c.busy, l.Busy.Seconds())
		counter(c.runs, float64(l.Runs))
		counter(c.rows, float64(l.Rows))
		for _, reason := range Reasons() {
			counter(c.dropped, float64(l.Dropped[reason]), reason)
		}
	}
}
