package predict

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/goshawk-ai/goshawk/internal/fleet"
	"github.com/goshawk-ai/goshawk/internal/problem"
)

// Metrics are the instruments of the picture's way.
type Metrics struct {
	pictures *prometheus.CounterVec
	stage    *prometheus.HistogramVec
}

// NewMetrics registers the instruments. Their labels are bounded: model names,
// the slugs of problems, five stages.
func NewMetrics(r prometheus.Registerer) *Metrics {
	m := &Metrics{
		pictures: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "goshawk_pictures_total", Help: "Pictures by model and outcome (ok, gone, or a problem's type).",
		}, []string{"model", "outcome"}),
		stage: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "goshawk_stage_seconds", Help: "Time a picture spent in a stage: queue, decode, preprocess, infer.",
			Buckets:                     []float64{.0005, .001, .002, .005, .01, .02, .05, .1, .2, .5, 1, 2, 5},
			NativeHistogramBucketFactor: 1.1, NativeHistogramMaxBucketNumber: 100,
		}, []string{"model", "stage"}),
	}
	r.MustRegister(m.pictures, m.stage)
	return m
}

func (m *Metrics) picture(v fleet.Version, raw *Raw, err error) {
	if m == nil {
		return
	}
	m.outcome(v, err)
	if err != nil {
		return
	}
	for _, s := range [...]struct {
		name string
		took time.Duration
	}{{"queue", raw.Queue}, {"decode", raw.Decode}, {"preprocess", raw.Preprocess}, {"infer", raw.Infer}} {
		m.stage.WithLabelValues(v.Name, s.name).Observe(s.took.Seconds())
	}
}

func (m *Metrics) outcome(v fleet.Version, err error) {
	if m == nil {
		return
	}
	outcome := "ok"
	switch {
	case errors.Is(err, context.Canceled):
		outcome = "gone"
	case err != nil:
		outcome = problem.Of(err).Kind.Slug
	}
	m.pictures.WithLabelValues(v.Name, outcome).Inc()
}
