package app

import (
	"strconv"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/goshawk-ai/goshawk/internal/calibrate"
	"github.com/goshawk-ai/goshawk/internal/fleet"
)

// planParameters tells a plan where Triton's model configuration has no word of its
// own for it.
func planParameters(p calibrate.Plan) map[string]string {
	list := map[string]string{
		"goshawk.threads": strconv.Itoa(p.Threads), "goshawk.policy_source": string(p.Source), "goshawk.policy_reason": p.Reason,
	}
	if len(p.Manual) > 0 {
		list["goshawk.policy_manual"] = strings.Join(p.Manual, ",")
	}
	if p.Objective > 0 {
		list["goshawk.latency_objective"] = p.Objective.String()
	}
	if p.P99 > 0 {
		list["goshawk.predicted_p99"] = p.P99.String()
	}
	return list
}

// plans tells Prometheus how each loaded version is run. It reads the fleet when
// it is asked: no series outlives its version or its plan.
type plans struct{ fleet *fleet.Fleet }

var (
	planInfo = prometheus.NewDesc("goshawk_model_policy_info",
		"1, with how the version is run (threads a run, runs at a time, rows a run at most) and where that comes from: default, calibration or goshawk.yaml.",
		[]string{"model", "version", "source", "threads", "instances", "max_batch"}, nil)
	planDelay     = prometheus.NewDesc("goshawk_model_max_delay_seconds", "How long a run waits for more rows at most.", []string{"model", "version"}, nil)
	planObjective = prometheus.NewDesc("goshawk_model_latency_objective_seconds", "The p99 that a request should have; no series where there is no objective.", []string{"model", "version"}, nil)
	planP99       = prometheus.NewDesc("goshawk_model_predicted_p99_seconds", "The p99 that the calibration predicts for what is admitted; no series without one.", []string{"model", "version"}, nil)
)

// Describe implements prometheus.Collector.
func (plans) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{planInfo, planDelay, planObjective, planP99} {
		to <- d
	}
}

// Collect implements prometheus.Collector.
func (p plans) Collect(to chan<- prometheus.Metric) {
	for _, s := range p.fleet.Models() {
		if s.Plan.Threads == 0 {
			continue // it is not loaded
		}
		version := s.Digest[:min(len(s.Digest), len("sha256:")+12)]
		gauge := func(d *prometheus.Desc, v float64, labels ...string) {
			to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, append([]string{s.Name, version}, labels...)...)
		}
		gauge(planInfo, 1, string(s.Plan.Source), strconv.Itoa(s.Plan.Threads), strconv.Itoa(s.Plan.Instances), strconv.Itoa(s.Plan.Batch))
		gauge(planDelay, s.Plan.Delay.Seconds())
		if s.Plan.Objective > 0 {
			gauge(planObjective, s.Plan.Objective.Seconds())
		}
		if s.Plan.P99 > 0 {
			gauge(planP99, s.Plan.P99.Seconds())
		}
	}
}
