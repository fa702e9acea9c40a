package predict

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/goshawk-ai/goshawk/internal/fleet"
	"github.com/goshawk-ai/goshawk/internal/problem"
)

// Metrics are the instruments of the picture's way, and of tensors beside it.
type Metrics struct {
	pictures *prometheus.CounterVec
	stage    *prometheus.HistogramVec

	requests     *prometheus.CounterVec // for tensors
	rows         *prometheus.CounterVec
	requestStage *prometheus.HistogramVec
}

// NewMetrics registers the instruments. Their labels are bounded: model names,
// the slugs of problems, the stages.
func NewMetrics(r prometheus.Registerer) *Metrics {
	stages := func(name, help string) *prometheus.HistogramVec {
		return prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: name, Help: help,
			Buckets:                     []float64{.0005, .001, .002, .005, .01, .02, .05, .1, .2, .5, 1, 2, 5},
			NativeHistogramBucketFactor: 1.1, NativeHistogramMaxBucketNumber: 100,
		}, []string{"model", "stage"})
	}
	m := &Metrics{
		pictures: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "goshawk_pictures_total", Help: "Pictures by model and outcome (ok, gone, or a problem's type).",
		}, []string{"model", "outcome"}),
		stage: stages("goshawk_stage_seconds", "Time a picture spent in a stage: queue, decode, preprocess, infer."),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "goshawk_tensor_requests_total", Help: "Requests of the Open Inference Protocol by model and outcome (ok, gone, or a problem's type).",
		}, []string{"model", "outcome"}),
		rows: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "goshawk_tensor_rows_total", Help: "Rows of tensors, or encoded pictures in their place, that such requests had answered.",
		}, []string{"model"}),
		requestStage: stages("goshawk_tensor_stage_seconds", "Time such a request spent in a stage: queue, input (decoding and preprocessing of pictures), infer; summed over its rows."),
	}
	r.MustRegister(m.pictures, m.stage, m.requests, m.rows, m.requestStage)
	return m
}

func (m *Metrics) picture(v fleet.Version, raw *Raw, err error) {
	if m == nil {
		return
	}
	m.pictures.WithLabelValues(v.Name, outcome(err)).Inc()
	if err == nil {
		observe(m.stage, v, []took{{"queue", raw.Queue}, {"decode", raw.Decode}, {"preprocess", raw.Preprocess}, {"infer", raw.Infer}})
	}
}

func (m *Metrics) tensors(v fleet.Version, call *TensorCall, err error) {
	if m == nil {
		return
	}
	m.requests.WithLabelValues(v.Name, outcome(err)).Inc()
	if err != nil {
		return
	}
	m.rows.WithLabelValues(v.Name).Add(float64(call.Rows))
	s := call.Stages
	observe(m.requestStage, v, []took{{"queue", s.Queue}, {"input", s.Input}, {"infer", s.Infer}})
}

// took is what a stage did.
type took struct {
	stage string
	time  time.Duration
}

func observe(in *prometheus.HistogramVec, v fleet.Version, stages []took) {
	for _, s := range stages {
		in.WithLabelValues(v.Name, s.stage).Observe(s.time.Seconds())
	}
}

// outcome is how something ended, in a word of a closed set.
func outcome(err error) string {
	switch {
	case err == nil:
		return "ok"
	case errors.Is(err, context.Canceled):
		return "gone"
	}
	return problem.Of(err).Kind.Slug
}
