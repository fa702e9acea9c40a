package telemetry

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"sync"
	"time"
)

// Later is a log handler that formats and writes lines a moment after they were
// said, many at a time and in their order. While models run, every line that a
// request writes by itself finds cold caches and stops an inference: 30 µs, of
// which a tenth is left in company. Warnings and errors, and all that was said
// before them, are written at once.
type Later struct {
	*pending
	to slog.Handler // writes into pending.text
}

// pending is shared by a handler and all that were derived from it.
type pending struct {
	mu    sync.Mutex
	lines []line       // guarded by mu
	text  bytes.Buffer // guarded by mu; empty but while lines are written
	out   io.Writer    // used under mu
	timer *time.Timer  // runs while there are lines
	wait  time.Duration
}

type line struct {
	to     slog.Handler
	record slog.Record
}

// Bounds of what waits: lines, and how long.
const (
	lineBound = 64
	lineWait  = 100 * time.Millisecond
)

// NewLater makes the handler. form gives the one that formats, on the writer that
// it is given. Whoever makes it calls Flush at the end.
func NewLater(out io.Writer, form func(io.Writer) slog.Handler) *Later {
	p := &pending{out: out, wait: lineWait}
	p.timer = time.AfterFunc(time.Hour, p.Flush)
	p.timer.Stop()
	return &Later{p, form(&p.text)}
}

// Also is a handler of another form, whose lines keep their order among the others.
func (l *Later) Also(form func(io.Writer) slog.Handler) *Later {
	return &Later{l.pending, form(&l.text)}
}

// Enabled implements slog.Handler.
func (l *Later) Enabled(ctx context.Context, level slog.Level) bool { return l.to.Enabled(ctx, level) }

// Handle implements slog.Handler.
func (l *Later) Handle(_ context.Context, r slog.Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, line{l.to, r})
	switch {
	case r.Level >= slog.LevelWarn || len(l.lines) >= lineBound:
		return l.write()
	case len(l.lines) == 1:
		l.timer.Reset(l.wait)
	}
	return nil
}

// WithAttrs implements slog.Handler.
func (l *Later) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &Later{l.pending, l.to.WithAttrs(attrs)}
}

// WithGroup implements slog.Handler.
func (l *Later) WithGroup(name string) slog.Handler { return &Later{l.pending, l.to.WithGroup(name)} }

// Flush writes what waits.
func (p *pending) Flush() {
	p.mu.Lock()
	defer p.mu.Unlock()
	_ = p.write() // a log that cannot be written has nobody to tell
}

func (p *pending) write() error {
	p.timer.Stop()
	for _, l := range p.lines {
		_ = l.to.Handle(context.Background(), l.record) // a buffer takes everything
	}
	clear(p.lines) // lets go of the attributes
	p.lines = p.lines[:0]
	_, err := p.out.Write(p.text.Bytes())
	p.text.Reset()
	if p.text.Cap() > 1<<20 {
		p.text = bytes.Buffer{}
	}
	return err
}
