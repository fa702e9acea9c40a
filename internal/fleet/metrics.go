package fleet

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
)

// collector reads the fleet when it is asked: no series outlives its version.
type collector struct {
	fleet *Fleet

	ready, load, bytes, cold                                  *prometheus.Desc
	budget, held, native, sleeping, wakes, evictions, refused *prometheus.Desc
}

func newCollector(f *Fleet) *collector {
	labels := []string{"model", "version"}
	one := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, labels, nil)
	}
	return &collector{
		fleet:     f,
		ready:     one("goshawk_model_ready", "1 where the version is loaded and answered its probe; 0 while it is being loaded, sleeps or failed.", append(labels, "state")...),
		load:      one("goshawk_model_load_seconds", "Time that loading the version took.", labels...),
		bytes:     one("goshawk_model_memory_bytes", "Memory that a loaded version takes: its session, what its first runs added, its slots; of a process of its own, that.", labels...),
		cold:      one("goshawk_model_cold_start_seconds", "Parts of the time until a loaded version answered, which add up to it: wait, fetch, verify, session, warm_up, first_answer.", append(labels, "part")...),
		budget:    one("goshawk_memory_budget_bytes", "Memory that all models together may take; 0 is no bound."),
		held:      one("goshawk_memory_models_bytes", "Memory that all models take, those included that are being unloaded."),
		native:    one("goshawk_memory_native_bytes", "Memory that the process has allocated outside of Go's: models, runs, decoders; 0 where it cannot be known."),
		sleeping:  one("goshawk_models_sleeping", "Versions that are loaded when a request names them."),
		wakes:     one("goshawk_model_wakes_total", "Versions that slept and were loaded for a request."),
		evictions: one("goshawk_model_evictions_total", "Versions put to sleep because others needed their memory."),
		refused:   one("goshawk_model_wakes_refused_total", "Versions not loaded because there was no memory for them."),
	}
}

// Describe sends the descriptions.
func (c *collector) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.ready, c.load, c.bytes, c.cold, c.budget, c.held, c.native, c.sleeping, c.wakes, c.evictions, c.refused} {
		to <- d
	}
}

// Collect sends the values.
func (c *collector) Collect(to chan<- prometheus.Metric) {
	sleeping := 0
	for _, s := range c.fleet.Models() {
		if s.State == Sleeping {
			sleeping++
		}
		c.version(to, &s)
	}
	f := c.fleet
	f.mu.Lock()
	held, _ := f.held()
	wakes, evictions, refused := f.wakes, f.sleeps, f.refusals
	f.mu.Unlock()
	for _, v := range []struct {
		d    *prometheus.Desc
		kind prometheus.ValueType
		n    float64
	}{
		{c.budget, prometheus.GaugeValue, float64(f.o.Budget)},
		{c.held, prometheus.GaugeValue, float64(held)},
		{c.native, prometheus.GaugeValue, float64(f.scale.used())},
		{c.sleeping, prometheus.GaugeValue, float64(sleeping)},
		{c.wakes, prometheus.CounterValue, float64(wakes)},
		{c.evictions, prometheus.CounterValue, float64(evictions)},
		{c.refused, prometheus.CounterValue, float64(refused)},
	} {
		to <- prometheus.MustNewConstMetric(v.d, v.kind, v.n)
	}
}

// version sends what is known of one version.
func (c *collector) version(to chan<- prometheus.Metric, s *Status) {
	version := s.Digest[:min(len(s.Digest), len("sha256:")+12)]
	if s.Refused != nil {
		version = strconv.Itoa(s.Number) // it has no digest
	}
	gauge := func(d *prometheus.Desc, value float64, more ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, append([]string{s.Name, version}, more...)...)
	}
	ready := 0.0
	if s.State == Ready {
		ready = 1
		gauge(c.load, s.LoadMS/1000)
		gauge(c.bytes, float64(s.Bytes))
	}
	gauge(c.ready, ready, string(s.State))
	if s.Cold != nil {
		for p := range Parts {
			gauge(c.cold, s.Cold.Laps[p].Seconds(), p.String())
		}
	}
}
