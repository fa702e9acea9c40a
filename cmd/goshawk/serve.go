package main

import (
	"context"
	"io"
	"log/slog"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/goshawk-ai/goshawk/internal/config"
)

// serveFunc prints the lines that a caller waits for on stdout, serves until
// ctx ends, then drains. It returns nil when that went well.
type serveFunc func(ctx context.Context, cfg *config.Config, release string, stdout io.Writer, log *slog.Logger) error

func newServe(c *console, h rooms) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Serve models over HTTP",
		Long: `Serve classifies pictures over HTTP until it is told to stop.

On stdout it prints, in this order: listening http://HOST:PORT, grpc HOST:PORT
and admin HOST:PORT (where those doors are open), and ready once the default
model has answered its probe. The log goes to stderr. SIGTERM or Ctrl-C stops
taking requests and finishes those under way; a second one stops at once.

On any address but loopback it refuses to start without auth.keys_file.

` + exitHelp,
		Example: `  goshawk serve
  goshawk serve --listen 127.0.0.1:0 --data /var/lib/goshawk
  goshawk serve --listen 0.0.0.0:8443 --auth-keys-file keys --tls-cert cert.pem --tls-key key.pem`,
		Args: noArguments,
	}
	load := settings(cmd, c, config.Serve)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, err := checked(load, config.Serve)
		if err != nil {
			return err
		}
		log, flush := c.logger(cfg)
		defer flush()
		for _, warning := range cfg.Warnings() { // the doors add theirs when they open
			log.Warn(warning)
		}
		// Whoever started it may have read what he wanted of stdout and gone; who
		// sends pictures has not. A write that fails then is no reason to end.
		signal.Ignore(syscall.SIGPIPE)
		return ended(cmd.Context(), h.serve(cmd.Context(), cfg, release, c.out, log))
	}
	return cmd
}

// ended is how serve reports its end. One that was asked for and did not go well
// has failed: it was not interrupted, and what went wrong is to be told.
func ended(ctx context.Context, err error) error {
	if err == nil || ctx.Err() == nil {
		return err
	}
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		var list joined
		for _, e := range many.Unwrap() {
			list = append(list, ended(ctx, e))
		}
		return list
	}
	return &exitError{exitFailed, err}
}
