package main

import (
	"io"
	"log/slog"
	"os"

	"github.com/goshawk-ai/goshawk/internal/config"
	"github.com/goshawk-ai/goshawk/internal/telemetry"
)

// console is where a command reads and writes, and what the other end is.
type console struct {
	in       io.Reader
	out, err io.Writer
	environ  []string

	outTerminal bool // stdout is a terminal: tables are for people
	errTerminal bool // stderr is a terminal that can move its cursor
	color       bool // NO_COLOR and TERM=dumb are respected
	width       int  // columns of the terminal
}

func processConsole() *console {
	c := &console{in: os.Stdin, out: os.Stdout, err: os.Stderr, environ: os.Environ()}
	dumb := os.Getenv("TERM") == "dumb"
	c.outTerminal = isTerminal(os.Stdout)
	c.errTerminal = isTerminal(os.Stderr) && !dumb
	c.color = c.outTerminal && !dumb && os.Getenv("NO_COLOR") == ""
	c.width = terminalWidth(os.Stderr)
	return c
}

// paint wraps text in an ANSI style where colors are wanted.
func (c *console) paint(style, text string) string {
	if !c.color {
		return text
	}
	return "\x1b[" + style + "m" + text + "\x1b[0m"
}

const (
	bold = "1"
	red  = "31"
)

// logger writes to stderr in the form that the settings ask for, until somebody
// whom they allow it asks for another; flush writes what it holds back. A person
// at a terminal is not kept waiting.
func (c *console) logger(cfg *config.Config) (log *slog.Logger, flush func()) {
	o := &slog.HandlerOptions{Level: cfg.Log.Level}
	form := func(w io.Writer) slog.Handler { return slog.NewJSONHandler(w, o) }
	plain := func(w io.Writer) slog.Handler { return slog.NewTextHandler(w, o) }
	if cfg.Log.Format == "text" || cfg.Log.Format == "auto" && c.errTerminal {
		form = plain
	}
	if c.errTerminal {
		return slog.New(telemetry.NewSwitch(form(c.err), plain(c.err))), func() {}
	}
	later := telemetry.NewLater(c.err, form)
	return slog.New(telemetry.NewSwitch(later, later.Also(plain))), later.Flush
}
