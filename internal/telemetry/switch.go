package telemetry

import (
	"context"
	"log/slog"
	"sync/atomic"
)

// Levels are what a Switch lets through. Verbose is for debugging: 0 is nothing of
// it, anything above is all.
type Levels struct {
	Info, Warn, Error bool
	Verbose           uint32
	Plain             bool // lines in the second form instead of the first
}

// Switch is a slog.Handler whose levels, and form, can be changed while it is in
// use: by itself and in all loggers that were made from it.
type Switch struct {
	first, second slog.Handler // the same with two forms; second may be nil
	now           *atomic.Pointer[Levels]
}

// NewSwitch begins with the levels of first, which decides no longer afterwards.
func NewSwitch(first, second slog.Handler) *Switch {
	s := &Switch{first, second, &atomic.Pointer[Levels]{}}
	on := func(l slog.Level) bool { return first.Enabled(context.Background(), l) }
	l := &Levels{Info: on(slog.LevelInfo), Warn: on(slog.LevelWarn), Error: on(slog.LevelError)}
	if on(slog.LevelDebug) {
		l.Verbose = 1
	}
	s.now.Store(l)
	return s
}

// Levels tells what is let through.
func (s *Switch) Levels() Levels { return *s.now.Load() }

// Set changes that.
func (s *Switch) Set(l Levels) { s.now.Store(&l) }

// TwoForms tells whether Plain makes a difference.
func (s *Switch) TwoForms() bool { return s.second != nil }

// Always is a handler for what is said whatever the levels are.
func (s *Switch) Always() slog.Handler { return always{s} }

type always struct{ *Switch }

func (always) Enabled(context.Context, slog.Level) bool { return true }

func (a always) WithAttrs(attrs []slog.Attr) slog.Handler {
	return always{a.with(func(h slog.Handler) slog.Handler { return h.WithAttrs(attrs) })}
}

func (a always) WithGroup(name string) slog.Handler {
	return always{a.with(func(h slog.Handler) slog.Handler { return h.WithGroup(name) })}
}

// Enabled implements slog.Handler.
func (s *Switch) Enabled(_ context.Context, level slog.Level) bool {
	now := s.now.Load()
	switch {
	case level >= slog.LevelError:
		return now.Error
	case level >= slog.LevelWarn:
		return now.Warn
	case level >= slog.LevelInfo:
		return now.Info
	}
	return now.Verbose > 0
}

// Handle implements slog.Handler.
func (s *Switch) Handle(ctx context.Context, r slog.Record) error {
	if s.second != nil && s.now.Load().Plain {
		return s.second.Handle(ctx, r)
	}
	return s.first.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (s *Switch) WithAttrs(attrs []slog.Attr) slog.Handler {
	return s.with(func(h slog.Handler) slog.Handler { return h.WithAttrs(attrs) })
}

// WithGroup implements slog.Handler.
func (s *Switch) WithGroup(name string) slog.Handler {
	return s.with(func(h slog.Handler) slog.Handler { return h.WithGroup(name) })
}

func (s *Switch) with(f func(slog.Handler) slog.Handler) *Switch {
	c := &Switch{f(s.first), nil, s.now}
	if s.second != nil {
		c.second = f(s.second)
	}
	return c
}
