package main

import (
	"context"
	"io"
	"os"

	"github.com/goshawk-ai/goshawk/internal/app"
	"github.com/goshawk-ai/goshawk/internal/config"
	"github.com/goshawk-ai/goshawk/internal/fleet"
	"github.com/goshawk-ai/goshawk/internal/infer/child"
)

// house opens the real rooms.
func house() rooms {
	return rooms{
		serve:      app.Serve,
		local:      func(ctx context.Context, cfg *config.Config) (predictor, error) { return app.NewLocal(ctx, cfg) },
		models:     app.Models,
		calibrate:  app.Calibrate,
		planned:    app.Planned,
		serving:    app.ServingNow,
		checkModel: fleet.CheckMain,
		worker:     func(stdin io.Reader) int { return child.WorkerMain(stdin, os.Exit) }, //nolint:forbidigo // a run that cannot be stopped ends the process it is in
		engine:     app.Engine,
	}
}
