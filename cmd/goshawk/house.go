package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"

	"github.com/goshawk-ai/goshawk/internal/app"
	"github.com/goshawk-ai/goshawk/internal/config"
	"github.com/goshawk-ai/goshawk/internal/fleet"
	"github.com/goshawk-ai/goshawk/internal/model"
	"github.com/goshawk-ai/goshawk/internal/registry"
)

// house opens the real rooms.
func house() rooms {
	return rooms{
		serve: func(ctx context.Context, cfg *config.Config, stdout io.Writer, log *slog.Logger) error {
			return app.Serve(ctx, cfg, release, stdout, log)
		},
		local: func(ctx context.Context, cfg *config.Config) (predictor, error) { return app.NewLocal(ctx, cfg) },
		models: func(_ context.Context, cfg *config.Config) (modelAdmin, error) {
			m, err := app.NewModels(cfg)
			return admin{m}, err
		},
		checkModel: fleet.CheckMain,
		engine: func(_ context.Context, cfg *config.Config) engine {
			info, err := app.Engine(cfg)
			e := engine{Runtime: info.Runtime, Library: info.Library, Decoder: info.Decoder}
			if err != nil {
				e.Problem = err.Error()
			}
			return e
		},
	}
}

// admin gives the models in the shapes that the commands print.
type admin struct{ models *app.Models }

func (a admin) Add(ctx context.Context, r addRequest) (fleet.Version, []string, error) {
	return a.models.Add(ctx, registry.AddRequest{
		Source: r.Source, SHA256: r.SHA256, NoAlias: r.NoAlias,
		Import: model.ImportOptions{Name: r.Name, Labels: r.Labels, Preset: r.Preset},
	})
}

func (a admin) List(context.Context) ([]fleet.Version, error) { return a.models.List() }

func (a admin) Inspect(ctx context.Context, ref string) (modelDetail, error) {
	d, err := a.models.Inspect(ctx, ref)
	if err != nil {
		return modelDetail{}, err
	}
	return modelDetail{
		Version: d.Version, Description: d.Package.Manifest.Description, License: d.Package.Manifest.License,
		Classes: len(d.Package.Labels), Files: d.Files, Manifest: d.Manifest,
	}, nil
}

func (a admin) Remove(ctx context.Context, ref string) (fleet.Version, error) {
	return a.models.Remove(ctx, ref)
}

func (a admin) Verify(ctx context.Context, ref string) ([]verdict, error) {
	all, err := a.models.Verify(ctx, ref)
	list := make([]verdict, 0, len(all))
	for _, v := range all {
		one := verdict{Version: v.Version}
		if v.Err != nil {
			one.Problem = v.Err.Error()
		}
		if v.Report != nil {
			one.Warnings = v.Report.Warnings
		}
		list = append(list, one)
	}
	return list, err
}

func (a admin) Alias(ctx context.Context, name, alias, ref string) (fleet.Version, error) {
	v, err := a.models.Alias(ctx, ref, alias)
	if err == nil && v.Name != name {
		return v, fmt.Errorf("%s is a version of %s, and an alias of %s cannot point at it", ref, v.Name, name)
	}
	return v, err
}

func (a admin) Close() error { return nil }
