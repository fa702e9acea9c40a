// Package telemetry holds the instruments that the rooms write to: Prometheus
// collectors made on a registerer that is handed in, and a small seam for
// spans. Exporters are made in app; nothing here is global.
package telemetry

import (
	"context"
	"errors"

	"github.com/prometheus/client_golang/prometheus"
)

// Register takes the collector that is there already, so that two doors may
// write to one registry. One that cannot be registered still counts, unseen.
func Register[C prometheus.Collector](to prometheus.Registerer, c C) C {
	if already, ok := errors.AsType[prometheus.AlreadyRegisteredError](to.Register(c)); ok {
		if existing, ok := already.ExistingCollector.(C); ok {
			return existing
		}
	}
	return c
}

// Tracer starts spans. One span stands for one stage of a request.
type Tracer interface {
	Start(ctx context.Context, name string) (context.Context, Span)
}

// Span is a stage that is under way.
type Span interface {
	Set(key, value string)
	End(err error)
}

// NoTracer is what runs until an exporter is configured. It costs nothing.
type NoTracer struct{}

type noSpan struct{}

// Start returns the context unchanged.
func (NoTracer) Start(ctx context.Context, _ string) (context.Context, Span) { return ctx, noSpan{} }

func (noSpan) Set(string, string) {}
func (noSpan) End(error)          {}
