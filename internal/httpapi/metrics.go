package httpapi

import (
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/goshawk-ai/goshawk/internal/telemetry"
)

// metrics are this door's instruments. All labels are from closed sets: a route
// is a pattern, a method one that we know, a status a number or "gone".
type metrics struct {
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	inFlight prometheus.Gauge
	panics   prometheus.Counter
}

func newMetrics(to prometheus.Registerer) *metrics {
	return &metrics{
		requests: telemetry.Register(to, prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "goshawk_http_requests_total",
			Help: "Requests answered, by route, method and status; status \"gone\" is a caller that hung up before its answer.",
		}, []string{"route", "method", "status"})),
		seconds: telemetry.Register(to, prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:                            "goshawk_http_request_seconds",
			Help:                            "Time from a request's headers to the end of its answer.",
			Buckets:                         []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
			NativeHistogramBucketFactor:     1.1,
			NativeHistogramMaxBucketNumber:  100,
			NativeHistogramMinResetDuration: time.Hour,
		}, []string{"route"})),
		inFlight: telemetry.Register(to, prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "goshawk_http_requests_in_flight",
			Help: "Requests that are being answered now.",
		})),
		panics: telemetry.Register(to, prometheus.NewCounter(prometheus.CounterOpts{
			Name: "goshawk_http_panics_total",
			Help: "Requests whose handler panicked; each is a bug, and its stack is in the log.",
		})),
	}
}

func (m *metrics) observe(x *exchange) {
	status := "gone"
	if x.status != statusGone {
		status = strconv.Itoa(x.status)
	}
	m.requests.WithLabelValues(x.route, x.method, status).Inc()
	m.seconds.WithLabelValues(x.route).Observe(time.Since(x.began).Seconds())
}

var methods = []string{
	http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch,
	http.MethodDelete, http.MethodOptions, http.MethodConnect, http.MethodTrace,
}

// knownMethod keeps a stranger's words out of labels and the log.
func knownMethod(method string) string {
	if slices.Contains(methods, method) {
		return method
	}
	return "other"
}
