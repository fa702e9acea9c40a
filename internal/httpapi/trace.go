package httpapi

import (
	"context"
	"net/http"
	"strings"
)

// Trace is the W3C trace context that a caller sent: the span that ours belongs to.
type Trace struct {
	ID      string // 32 hex digits
	Parent  string // 16 hex digits
	Sampled bool
	State   string // tracestate, as it came
}

type traceKey struct{}

// TraceFrom is the caller's trace; the zero Trace when it sent none. A
// telemetry.Tracer reads it in Start, to make its span a child of the caller's.
func TraceFrom(ctx context.Context) Trace {
	t, _ := ctx.Value(traceKey{}).(Trace)
	return t
}

// WithTrace puts the trace that the headers name into the context; the zero Trace
// is none.
func WithTrace(ctx context.Context, h http.Header) (context.Context, Trace) {
	t, ok := parseTrace(h)
	if !ok {
		return ctx, Trace{}
	}
	return context.WithValue(ctx, traceKey{}, t), t
}

const maxTraceState = 512 // bytes; what the specification asks everybody to pass on

// parseTrace reads traceparent and tracestate (W3C Trace Context, level 1). A
// header that breaks the rules is as good as none: the trace begins here.
func parseTrace(h http.Header) (Trace, bool) {
	values := h.Values("Traceparent")
	if len(values) != 1 {
		return Trace{}, false
	}
	// version-traceid-parent-flags; a later version may have more after a dash.
	v := values[0]
	if len(v) < 55 || v[2] != '-' || v[35] != '-' || v[52] != '-' {
		return Trace{}, false
	}
	version, id, parent, flags := v[:2], v[3:35], v[36:52], v[53:55]
	if !isHex(version+id+parent+flags) || version == "ff" ||
		version == "00" && len(v) != 55 || len(v) > 55 && v[55] != '-' ||
		strings.Trim(id, "0") == "" || strings.Trim(parent, "0") == "" {
		return Trace{}, false
	}
	t := Trace{ID: id, Parent: parent, Sampled: strings.ContainsRune("13579bdf", rune(flags[1]))}
	if state := strings.Join(h.Values("Tracestate"), ","); len(state) <= maxTraceState {
		t.State = state
	}
	return t, true
}

func isHex(s string) bool { return strings.Trim(s, "0123456789abcdef") == "" }
