package oipapi

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"

	"github.com/goshawk-ai/goshawk/internal/httpapi"
	"github.com/goshawk-ai/goshawk/internal/principal"
	"github.com/goshawk-ai/goshawk/internal/problem"
	"github.com/goshawk-ai/goshawk/internal/telemetry"
	"github.com/goshawk-ai/goshawk/internal/wording"
)

// requestID is the metadata by which a call is named, as X-Request-Id over HTTP.
const requestID = "x-request-id"

// quiet are the probes: they come every second, and their lines are for debugging.
var quiet = []string{"ServerLive", "ServerReady", "ModelReady", "Check", "Watch", "List"}

// grpcMetrics are the door's instruments. A method is one that is served, or
// "other"; a code one of gRPC's seventeen.
type grpcMetrics struct {
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	inFlight prometheus.Gauge
}

func newGRPCMetrics(to prometheus.Registerer) *grpcMetrics {
	return &grpcMetrics{
		requests: telemetry.Register(to, prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "goshawk_grpc_requests_total",
			Help: "Calls answered, by method and gRPC code; the requests inside a stream are counted as ModelStreamInfer/request.",
		}, []string{"method", "code"})),
		seconds: telemetry.Register(to, prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:                            "goshawk_grpc_request_seconds",
			Help:                            "Time from a call's headers to the end of its answer.",
			Buckets:                         []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
			NativeHistogramBucketFactor:     1.1,
			NativeHistogramMaxBucketNumber:  100,
			NativeHistogramMinResetDuration: time.Hour,
		}, []string{"method"})),
		inFlight: telemetry.Register(to, prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "goshawk_grpc_requests_in_flight",
			Help: "Calls that are being answered now.",
		})),
	}
}

// calls names, counts, traces and logs each call: it is the server's stats.Handler,
// which hears also of calls that fail before they reach a method.
type calls struct {
	log     *slog.Logger
	tracer  telemetry.Tracer
	metrics *grpcMetrics
	methods map[string]string // what is served, by full name: the name in labels and lines
}

// seen is one call, for its line.
type seen struct {
	id, method, trace string
	model             string // that the request names
	began             time.Time
	span              telemetry.Span
	read, sent        atomic.Int64 // bytes
	problem           atomic.Pointer[problem.Problem]

	coding string // of the messages
	record *trace // of a unary call; nil: it is not traced
}

// encoded tells whether the call's messages are compressed.
func (s *seen) encoded() bool { return s != nil && s.coding != "" && s.coding != encoding.Identity }

type seenKey struct{}

func seenFrom(ctx context.Context) *seen {
	s, _ := ctx.Value(seenKey{}).(*seen)
	return s
}

// TagConn implements stats.Handler.
func (c *calls) TagConn(ctx context.Context, info *stats.ConnTagInfo) context.Context {
	return withCaller(ctx, info.RemoteAddr)
}

// HandleConn implements stats.Handler.
func (c *calls) HandleConn(context.Context, stats.ConnStats) {}

// TagRPC implements stats.Handler: a call begins.
func (c *calls) TagRPC(ctx context.Context, info *stats.RPCTagInfo) context.Context {
	md, _ := metadata.FromIncomingContext(ctx)
	s := &seen{id: principal.NewRequestID(first(md.Get(requestID))), method: c.name(info.FullMethodName), began: time.Now()}
	ctx = principal.WithRequestID(ctx, s.id)
	ctx, trace := httpapi.WithTrace(ctx, http.Header{"Traceparent": md.Get("traceparent"), "Tracestate": md.Get("tracestate")})
	s.trace = trace.ID
	ctx, s.span = c.tracer.Start(ctx, "grpc "+s.method)
	s.span.Set("request_id", s.id)
	c.metrics.inFlight.Inc()
	return context.WithValue(ctx, seenKey{}, s)
}

// HandleRPC implements stats.Handler.
func (c *calls) HandleRPC(ctx context.Context, event stats.RPCStats) {
	s := seenFrom(ctx)
	if s == nil {
		return
	}
	switch e := event.(type) {
	case *stats.InHeader:
		s.coding = e.Compression
	case *stats.InPayload:
		s.read.Add(int64(e.Length))
	case *stats.OutPayload:
		s.sent.Add(int64(e.Length))
	case *stats.End:
		s.record.mark("GRPC_SEND_END", e.EndTime)
		s.record.end()
		c.metrics.inFlight.Dec()
		code := status.Code(e.Error)
		s.span.Set("rpc.grpc.status_code", code.String())
		s.span.End(e.Error)
		c.end(ctx, s, s.method, code, s.problem.Load(), time.Since(s.began),
			slog.Int64("bytes_read", s.read.Load()), slog.Int64("bytes", s.sent.Load()))
	}
}

// names notes the model that a request is about.
func (s *seen) names(request any) {
	if s == nil {
		return
	}
	switch r := request.(type) {
	case interface{ GetModelName() string }:
		s.model = r.GetModelName()
	case interface{ GetName() string }:
		s.model = r.GetName()
	}
}

// end counts and logs a call, or a request of a stream.
func (c *calls) end(ctx context.Context, s *seen, method string, code codes.Code, p *problem.Problem, took time.Duration, more ...slog.Attr) {
	c.metrics.requests.WithLabelValues(method, code.String()).Inc()
	c.metrics.seconds.WithLabelValues(method).Observe(took.Seconds())
	attrs := append([]slog.Attr{
		slog.String("request_id", s.id), slog.String("grpc_method", method), slog.String("code", code.String()),
		slog.Float64("ms", float64(took.Microseconds())/1000),
	}, more...)
	if name := s.model; name != "" {
		if code != codes.OK {
			name = wording.Cut(name) // perhaps nobody's but the caller's
		}
		attrs = append(attrs, slog.String("model", name))
	}
	if who := principal.From(ctx); who.ID != principal.Default {
		attrs = append(attrs, slog.String("principal", who.ID), slog.String("project", who.Project))
	}
	if s.trace != "" {
		attrs = append(attrs, slog.String("trace_id", s.trace))
	}
	level, why := outcomeOf(p)
	if p == nil && slices.Contains(quiet, method) {
		level = slog.LevelDebug
	}
	c.log.LogAttrs(ctx, level, "request", append(attrs, why...)...)
}

// outcomeOf is what a line says of a failure, and how loudly: as over HTTP, an
// error is what somebody here must mend.
func outcomeOf(p *problem.Problem) (slog.Level, []slog.Attr) {
	if p == nil {
		return slog.LevelInfo, nil
	}
	attrs := []slog.Attr{slog.String("outcome", p.Kind.Slug)}
	if p.Kind.Status < 500 || p.Kind == problem.Overloaded {
		return slog.LevelInfo, attrs
	}
	why := p.Detail
	if cause := p.Unwrap(); cause != nil {
		why += ": " + cause.Error()
	}
	level := slog.LevelError
	if p.Kind == problem.DeadlineExceeded {
		level = slog.LevelWarn
	}
	return level, append(attrs, slog.String("error", why))
}

// refused is a call that was turned away by its headers, of which the server's
// events say nothing.
func (c *calls) refused(ctx context.Context, method string, header metadata.MD, p *problem.Problem) {
	s := &seen{id: principal.NewRequestID(first(header.Get(requestID)))}
	c.end(ctx, s, c.name(method), code(p.Kind), p, 0)
}

// name keeps a stranger's words out of labels and the log.
func (c *calls) name(full string) string {
	if name, ok := c.methods[full]; ok {
		return name
	}
	return "other"
}

// know lists what is served.
func (c *calls) know(full string) {
	c.methods[full] = full[strings.LastIndexByte(full, '/')+1:]
}

func first(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return values[0]
}
