package fleet

import (
	"context"
	"time"

	"github.com/goshawk-ai/goshawk/internal/model"
)

// Source says which versions exist and opens them. The registry is one.
type Source interface {
	// Versions lists what should be served, sorted by name and then by age.
	Versions() []Version
	// Resolve finds the version that NAME, NAME@ALIAS or NAME@sha256:HEX (12
	// digits suffice) means; otherwise it fails with problem.ModelNotFound.
	Resolve(ref string) (Version, error)
	// Open reads the package of a digest. It is immutable.
	Open(ctx context.Context, digest string) (*model.Package, error)
	// Changed is sent a value (never blocking) after the list changed.
	Changed() <-chan struct{}
}

// Version is one immutable version of a model.
type Version struct {
	Name     string
	Digest   string   // sha256:HEX
	Number   int      // 1, 2, 3 … of its name, in the order added, never used again
	Aliases  []string // that point at it now: "default", …
	Required bool     // readiness waits for it
	Eager    bool     // is loaded although no alias leads to it
	BuiltIn  bool
	Added    time.Time
	Project  string

	// Refused says why the version cannot be served, where the source knows: its
	// files make no model. It has no digest then, is never opened, and stands in
	// the list for those who wonder where it is. A name has at most one such of a
	// number, which may be 0: none.
	Refused error
}

// Located is a Source whose packages lie in directories of their own, which the
// check in a child process needs.
type Located interface {
	// Directory finds the directory of a package; built-in ones have none.
	Directory(digest string) (dir string, ok bool)
}
