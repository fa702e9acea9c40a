package app

import (
	"context"
	"errors"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/goshawk-ai/goshawk/internal/config"
	"github.com/goshawk-ai/goshawk/internal/predict"
	"github.com/goshawk-ai/goshawk/internal/registry"
)

// Local classifies in this process, without a server. It may run beside one on
// the same data directory: it only reads there.
type Local struct{ engine *engine }

// NewLocal opens what is needed and waits until the model can answer.
func NewLocal(ctx context.Context, c *config.Config) (*Local, error) {
	e, err := newEngine(ctx, c, registry.View, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	if err != nil {
		return nil, err
	}
	if err := e.fleet.WaitReady(ctx); err != nil {
		return nil, errors.Join(err, e.close())
	}
	return &Local{e}, nil
}

// Run answers a request as a server would.
func (l *Local) Run(ctx context.Context, r predict.Request) (*predict.Answer, error) {
	return l.engine.predictor.Run(ctx, r)
}

// Close unloads the models.
func (l *Local) Close() error { return l.engine.close() }
