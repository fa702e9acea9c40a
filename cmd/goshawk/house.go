package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"path/filepath"

	"github.com/goshawk-ai/goshawk/internal/config"
	"github.com/goshawk-ai/goshawk/internal/fleet"
	"github.com/goshawk-ai/goshawk/internal/registry"
)

// house opens the real rooms.
func house() rooms {
	missing := errors.New("this part of the program is not wired yet")
	return rooms{
		serve:      func(context.Context, *config.Config, string, io.Writer, *slog.Logger) error { return missing },
		local:      func(context.Context, *config.Config) (predictor, error) { return nil, missing },
		models:     models,
		checkModel: fleet.CheckMain,
		engine:     func(context.Context, *config.Config) engine { return engine{Problem: missing.Error()} },
	}
}

// models is how commands change a data directory: through a running server's
// spool where one holds it. The check runs in a child process of this program.
func models(cfg *config.Config) (*registry.Client, error) {
	inside, err := registry.BuiltIns()
	if err != nil {
		return nil, err
	}
	limits := fleet.DefaultLimits
	limits.Wall, limits.Memory = cfg.CheckTimeout, int64(cfg.Memory.Runtime)
	return &registry.Client{
		Dir:     cfg.Data,
		BuiltIn: inside,
		Checker: &fleet.Checker{
			Library: cfg.ONNXRuntimeLibrary, Decoder: cfg.JPEGDecoder, Limits: limits,
			Cache: filepath.Join(cfg.Data, registry.ChecksDir),
		},
	}, nil
}
