package fleet

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
)

// collector reads the fleet when it is asked: no series outlives its version.
type collector struct {
	fleet       *Fleet
	ready, load *prometheus.Desc
}

func newCollector(f *Fleet) *collector {
	labels := []string{"model", "version"}
	return &collector{
		fleet: f,
		ready: prometheus.NewDesc("goshawk_model_ready", "1 where the version is loaded and answered its probe; 0 while it is being loaded, sleeps or failed.", append(labels, "state"), nil),
		load:  prometheus.NewDesc("goshawk_model_load_seconds", "Time that loading the version took.", labels, nil),
	}
}

// Describe sends the descriptions.
func (c *collector) Describe(to chan<- *prometheus.Desc) {
	to <- c.ready
	to <- c.load
}

// Collect sends a value for each version.
func (c *collector) Collect(to chan<- prometheus.Metric) {
	for _, s := range c.fleet.Models() {
		version := s.Digest[:min(len(s.Digest), len("sha256:")+12)]
		if s.Refused != nil {
			version = strconv.Itoa(s.Number) // it has no digest
		}
		ready := 0.0
		if s.State == Ready {
			ready = 1
			to <- prometheus.MustNewConstMetric(c.load, prometheus.GaugeValue, s.LoadMS/1000, s.Name, version)
		}
		to <- prometheus.MustNewConstMetric(c.ready, prometheus.GaugeValue, ready, s.Name, version, string(s.State))
	}
}
