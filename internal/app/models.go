package app

import (
	"context"
	"io/fs"
	"slices"
	"strings"

	"github.com/goshawk-ai/goshawk/internal/config"
	"github.com/goshawk-ai/goshawk/internal/fleet"
	"github.com/goshawk-ai/goshawk/internal/model"
	"github.com/goshawk-ai/goshawk/internal/registry"
)

// Models looks after the models of a data directory, beside a running server or
// without one.
type Models struct{ client registry.Client }

// NewModels opens nothing yet: each call takes the directory for itself.
func NewModels(c *config.Config) (*Models, error) {
	builtIn, err := registry.BuiltIns()
	if err != nil {
		return nil, err
	}
	return &Models{registry.Client{Dir: c.Data, BuiltIn: builtIn, Checker: checker(c)}}, nil
}

// Add checks a source and adds it, with what its owner may want to know.
func (m *Models) Add(ctx context.Context, r registry.AddRequest) (fleet.Version, []string, error) {
	added, err := m.client.AddSource(ctx, r, nil)
	if err != nil {
		return fleet.Version{}, nil, err
	}
	return added.Version, append(added.Notes, added.Report.Warnings...), nil
}

// List gives all versions.
func (m *Models) List() ([]fleet.Version, error) {
	r, err := m.client.List()
	if err != nil {
		return nil, err
	}
	return r.Versions(), nil
}

// Detail is what a version's package holds.
type Detail struct {
	Version  fleet.Version
	Package  *model.Package
	Files    []string
	Manifest string // goshawk.yaml, as it stands in the package
}

// Inspect reads a version's package.
func (m *Models) Inspect(ctx context.Context, ref string) (d Detail, err error) {
	r, err := m.client.List()
	if err != nil {
		return d, err
	}
	if d.Version, err = r.Resolve(ref); err != nil {
		return d, err
	}
	if d.Package, err = r.Open(ctx, d.Version.Digest); err != nil {
		return d, err
	}
	text, err := fs.ReadFile(d.Package.FS, model.ManifestName)
	if err != nil {
		return d, err
	}
	d.Manifest = string(text)
	err = fs.WalkDir(d.Package.FS, ".", func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			d.Files = append(d.Files, path)
		}
		return err
	})
	slices.SortFunc(d.Files, strings.Compare)
	return d, err
}

// Remove takes a version out.
func (m *Models) Remove(ctx context.Context, ref string) (fleet.Version, error) {
	return m.client.Remove(ctx, ref)
}

// Alias points an alias of a name at a version of it.
func (m *Models) Alias(ctx context.Context, ref, alias string) (fleet.Version, error) {
	return m.client.Alias(ctx, ref, alias)
}

// Verify reads and checks a version, or all when ref is empty, once more. What
// was kept of earlier checks does not count.
func (m *Models) Verify(ctx context.Context, ref string) ([]registry.Verified, error) {
	r, err := m.client.List()
	if err != nil {
		return nil, err
	}
	afresh := *m.client.Checker
	afresh.Cache = ""
	return r.Verify(ctx, ref, &afresh)
}
