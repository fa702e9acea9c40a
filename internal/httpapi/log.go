package httpapi

import (
	"cmp"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/goshawk-ai/goshawk/internal/problem"
	"github.com/goshawk-ai/goshawk/internal/wording"
)

// log writes one line.
func (d *door) log(r *http.Request, x *exchange, quiet bool) {
	level := slog.LevelInfo
	if quiet {
		level = slog.LevelDebug
	}
	attrs := make([]slog.Attr, 0, 16)
	attrs = append(attrs,
		slog.String("request_id", x.id), slog.String("method", x.method), slog.String("route", x.route),
		slog.Int("status", x.status), slog.Int64("bytes", x.sent),
		slog.Float64("ms", float64(time.Since(x.began).Microseconds())/1000))
	if x.body != nil {
		attrs = append(attrs, slog.Int64("bytes_read", x.body.read))
	}
	if name := cmp.Or(x.model, r.PathValue("model")); name != "" {
		if x.err != nil {
			name = wording.Cut(name) // perhaps nobody's but the caller's
		}
		attrs = append(attrs, slog.String("model", name))
	}
	if x.version != "" {
		attrs = append(attrs, slog.String("version", x.version))
	}
	if x.who.ID != "" {
		attrs = append(attrs, slog.String("principal", x.who.ID), slog.String("project", x.who.Project))
	}
	if x.trace.ID != "" {
		attrs = append(attrs, slog.String("trace_id", x.trace.ID))
	}
	if x.err != nil {
		var more []slog.Attr
		level, more = outcome(r, x, level, quiet)
		attrs = append(attrs, more...)
	} else if x.lost {
		attrs = append(attrs, slog.String("outcome", "gone"))
	}
	d.Logger.LogAttrs(r.Context(), level, "request", attrs...)
}

// outcome is what the line says of a failure, and how loudly: an error is what
// somebody here must mend. Overload and a passed deadline are load, or the
// caller's own slowness, and have their metrics; a probe that says "not yet" has
// done its work.
func outcome(r *http.Request, x *exchange, level slog.Level, quiet bool) (slog.Level, []slog.Attr) {
	if x.status == statusGone {
		return level, []slog.Attr{slog.String("outcome", "gone")}
	}
	p := reason(r, x.err)
	attrs := []slog.Attr{slog.String("outcome", p.Kind.Slug)}
	switch {
	case p.Kind.Status < 500 || p.Kind == problem.Overloaded:
		return level, attrs
	case quiet && p.Kind.Status == http.StatusServiceUnavailable:
	case p.Kind == problem.DeadlineExceeded:
		level = slog.LevelWarn
	default:
		level = slog.LevelError
	}
	return level, append(attrs, slog.String("error", why(p, x.err)))
}

// why is the whole chain of an error: a problem's text hides its cause.
func why(p *problem.Problem, err error) string {
	if cause := errors.Unwrap(p); cause != nil && cause.Error() != err.Error() {
		return err.Error() + ": " + cause.Error()
	}
	return err.Error()
}
