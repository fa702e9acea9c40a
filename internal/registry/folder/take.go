package folder

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/goshawk-ai/goshawk/internal/fleet"
	"github.com/goshawk-ai/goshawk/internal/model"
	"github.com/goshawk-ai/goshawk/internal/problem"
)

// A version is what was made of an entry, or of one of its numbered folders.
type version struct {
	Number int       `json:"number"`
	Digest string    `json:"digest"`
	Eager  bool      `json:"eager,omitempty"`
	Added  time.Time `json:"added"`

	refused error
}

// describe tells the fleet of the versions of a name. The bare name means the
// highest number.
func describe(name string, list []version) []fleet.Version {
	all := make([]fleet.Version, len(list))
	for i, v := range list {
		all[i] = fleet.Version{Name: name, Digest: v.Digest, Number: v.Number, Eager: v.Eager, Added: v.Added, Refused: v.refused}
		if i == len(list)-1 {
			all[i].Aliases = []string{fleet.DefaultAlias}
		}
	}
	return all
}

// archives are the endings of packages in one file.
var archives = []string{".zip", ".tar", ".tar.gz", ".tgz"}

const onnxEnding = ".onnx"

// stem is the name that an entry of the directory gives a model, and whether it
// is one at all: a README is none.
func stem(entry string, dir bool) (name string, isModel bool) {
	if hidden(entry) || entry == "lost+found" {
		return "", false
	}
	if dir {
		return entry, true
	}
	for _, ending := range append([]string{onnxEnding}, archives...) {
		if name, ok := strings.CutSuffix(entry, ending); ok && name != "" {
			return name, true
		}
	}
	return "", false
}

// take makes packages of an entry. The name is the package's own where it has
// one. Failing, it gives the name that the entry would have.
func (s *Source) take(ctx context.Context, entry string) (name string, list []version, numbered bool, err error) {
	info, err := s.root.Lstat(entry)
	if err != nil {
		return "", nil, false, err
	}
	name, _ = stem(entry, info.IsDir())
	switch {
	case info.IsDir() && isTriton(s.root, entry):
		if err := checkName(name); err != nil {
			return name, nil, true, err
		}
		l, err := readLayout(s.o.Cache, s.root, entry, name, nil)
		if err != nil {
			return name, nil, true, err
		}
		list, err = l.take(ctx)
		return name, list, true, err
	case strings.HasSuffix(entry, onnxEnding) && !info.IsDir():
		if err := checkName(name); err != nil {
			return name, nil, false, err
		}
		list, err = s.one(func(dst string) (*model.Package, error) {
			return model.Import(ctx, filepath.Join(s.dir, entry), dst, model.ImportOptions{
				Kind: model.KindTensor, Name: manifestName(name),
				// Without it two models of the same bytes would be one.
				Description: "the model file " + entry,
			})
		})
		return name, list, false, err
	}
	if info.IsDir() && !s.holds(entry) {
		return name, nil, false, problem.ModelInvalid.New("the folder holds no model: no %s, and no folder with a number for a name", model.ManifestName)
	}
	list, err = s.one(func(dst string) (*model.Package, error) {
		p, err := model.Import(ctx, filepath.Join(s.dir, entry), dst, model.ImportOptions{})
		if err == nil {
			name = p.Manifest.Name
		}
		return p, err
	})
	return name, list, false, err
}

// holds tells whether a folder has something that an import can begin with.
func (s *Source) holds(dir string) bool {
	for _, name := range []string{model.ManifestName, "config.json", "preprocessor_config.json"} {
		if _, err := s.root.Lstat(path.Join(dir, name)); err == nil {
			return true
		}
	}
	inside, err := fs.ReadDir(s.root.FS(), dir)
	return err == nil && len(inside) == 1 && inside[0].IsDir()
}

func (s *Source) one(fill func(dst string) (*model.Package, error)) ([]version, error) {
	digest, err := s.o.Cache.put(fill)
	if err != nil {
		return nil, err
	}
	return []version{{Digest: digest}}, nil
}

// unreadable says of a failed read what its owner can do about it, without the
// place, which clients see too.
func unreadable(err error) error {
	if _, ok := errors.AsType[*problem.Problem](err); ok {
		return err
	}
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return problem.ModelInvalid.New("its files cannot be read: %s: %v", path.Base(p.Path), p.Err).Because(err)
	}
	return fmt.Errorf("read the model: %w", err)
}

func openRoot(dir string) (*os.Root, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		var p *fs.PathError
		if errors.As(err, &p) {
			err = p.Err
		}
		return nil, fmt.Errorf("cannot read the model repository %q: %w (--models names a directory)", dir, err)
	}
	return root, nil
}
