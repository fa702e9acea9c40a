package registry

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/goshawk-ai/goshawk/internal/fleet"
	"github.com/goshawk-ai/goshawk/internal/fleet/fleettest"
)

// clock gives each question a later time, so that orders are certain.
func clock() func() time.Time {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	return func() time.Time {
		now = now.Add(time.Second)
		return now
	}
}

// pack is a package of a name; each license gives another digest.
func pack(name, variant string) fleettest.Package {
	return fleettest.Package{Name: name, Rest: "description: " + variant + "\n"}
}

// memory is a package that lies in memory, as a built-in one does.
func memory(p fleettest.Package) fs.FS {
	fsys := fstest.MapFS{}
	for name, text := range p.Contents() {
		fsys[name] = &fstest.MapFile{Data: []byte(text), Mode: 0o644}
	}
	return fsys
}

// open opens a data directory until the test ends.
func open(t *testing.T, dir string, builtIn ...BuiltIn) *Registry {
	t.Helper()
	r, err := Open(dir, builtIn, Options{Now: clock()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

// add adds a package that is made for it.
func add(t *testing.T, r *Registry, p fleettest.Package, o AddOptions) fleet.Version {
	t.Helper()
	v, err := r.Add(t.Context(), p.Write(t), o)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// listing writes what a registry knows, a version a line.
func listing(versions []fleet.Version) string {
	var b strings.Builder
	for _, v := range versions {
		b.WriteString(v.Name + " " + string(rune('0'+v.Number)) + " " + short(v.Digest) + " " + strings.Join(v.Aliases, ",") + "\n")
	}
	return b.String()
}

// files lists what lies below a folder.
func files(t *testing.T, dir string) []string {
	t.Helper()
	var list []string
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && path != dir {
			list = append(list, strings.TrimPrefix(path, dir+"/"))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
