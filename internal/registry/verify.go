package registry

import (
	"context"
	"fmt"
	"os"

	"github.com/goshawk-ai/goshawk/internal/fleet"
)

// Verified is what Verify found of a version.
type Verified struct {
	Version fleet.Version
	Report  *fleet.Report // nil where the files are not what they were
	Err     error         // nil where all is well
}

// Verify reads every file of a version again, compares with its digest, and
// checks the package anew. An empty ref verifies all versions.
func (r *Registry) Verify(ctx context.Context, ref string, checker *fleet.Checker) ([]Verified, error) {
	versions := r.Versions()
	if ref != "" {
		v, err := r.Resolve(ref)
		if err != nil {
			return nil, err
		}
		versions = []fleet.Version{v}
	}
	list := make([]Verified, 0, len(versions))
	for _, v := range versions {
		report, err := r.verify(ctx, v, checker)
		if ctx.Err() != nil {
			return list, context.Cause(ctx)
		}
		list = append(list, Verified{v, report, err})
	}
	return list, nil
}

func (r *Registry) verify(ctx context.Context, v fleet.Version, checker *fleet.Checker) (*fleet.Report, error) {
	if _, err := r.Open(ctx, v.Digest); err != nil {
		return nil, err
	}
	dir, release, err := r.onDisk(v)
	if err != nil {
		return nil, err
	}
	defer release()
	report, err := checker.Check(ctx, dir)
	if err != nil {
		return nil, err
	}
	return report, report.Err()
}

// onDisk gives a directory with the version's files; the child process that
// checks it can read nothing else. release removes what was made for it.
func (r *Registry) onDisk(v fleet.Version) (dir string, release func(), err error) {
	fsys, embedded := r.builtIn[v.Digest]
	if !embedded {
		dir, _ := r.Directory(v.Digest)
		return dir, func() {}, nil
	}
	dir, err = os.MkdirTemp("", "goshawk-verify-*")
	if err != nil {
		return "", nil, err
	}
	release = func() { _ = os.RemoveAll(dir) }
	if err := os.CopyFS(dir, fsys); err != nil {
		release()
		return "", nil, fmt.Errorf("unpack the built-in model %s: %w", v.Name, err)
	}
	return dir, release, nil
}
