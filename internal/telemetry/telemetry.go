// Package telemetry holds the instruments that the rooms write to: Prometheus
// collectors made on a registerer that is handed in, and a small seam for
// spans. Exporters are made in app; nothing here is global.
package telemetry

import "context"

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
