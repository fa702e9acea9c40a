package main

import (
	"context"
	"io"
	"log/slog"

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
		log := c.logger(cfg)
		for _, warning := range cfg.Warnings() { // the doors add theirs when they open
			log.Warn(warning)
		}
		return h.serve(cmd.Context(), cfg, release, c.out, log)
	}
	return cmd
}
