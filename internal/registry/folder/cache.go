package folder

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/goshawk-ai/goshawk/internal/model"
	"github.com/goshawk-ai/goshawk/internal/problem"
	"github.com/goshawk-ai/goshawk/internal/wording"
)

// Cache keeps packages by their digest. It may be deleted while nobody uses it.
type Cache struct {
	dir      string
	verified model.Verified
}

// OpenCache takes a directory, which it makes where there is none, and removes
// what a crash left half done in it.
func OpenCache(dir string) (*Cache, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the cache of models: %w", err)
	}
	half, err := filepath.Glob(filepath.Join(dir, ".new-*"))
	if err != nil {
		return nil, err
	}
	for _, path := range half {
		if err := os.RemoveAll(path); err != nil {
			return nil, fmt.Errorf("clean up the cache of models: %w", err)
		}
	}
	return &Cache{dir: dir}, nil
}

const (
	cachedPrefix = "sha256-"
	digestPrefix = "sha256:"
	digestLength = len(digestPrefix) + 64
)

func (c *Cache) path(digest string) string {
	return filepath.Join(c.dir, cachedPrefix+strings.TrimPrefix(digest, digestPrefix))
}

// put keeps the package that fill makes in a folder that does not exist yet.
func (c *Cache) put(fill func(dst string) (*model.Package, error)) (digest string, err error) {
	stage, err := os.MkdirTemp(c.dir, ".new-*")
	if err != nil {
		return "", kept(err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(stage)) }()
	from := filepath.Join(stage, "package")
	p, err := fill(from)
	if err != nil {
		return "", kept(err)
	}
	to := c.path(p.Digest)
	if _, err := os.Stat(to); err == nil {
		return p.Digest, nil // the same files: it is named by their digest
	}
	return p.Digest, kept(os.Rename(from, to))
}

// kept leaves a problem as it is, and says of other failures what failed.
func kept(err error) error {
	if _, ok := errors.AsType[*problem.Problem](err); ok || err == nil {
		return err
	}
	return fmt.Errorf("keep a copy of the model: %w", err)
}

// Open reads a package. One whose files are not what they were is removed, so
// that it is copied anew when its model is loaded again.
func (c *Cache) Open(_ context.Context, digest string) (*model.Package, error) {
	dir, ok := c.Directory(digest)
	if !ok {
		return nil, problem.ModelNotFound.New("the package %s is not here", wording.Cut(digest))
	}
	p, err := c.verified.Open(os.DirFS(dir), digest)
	if err == nil && p.Digest == digest {
		return p, nil
	}
	if err == nil {
		err = problem.ModelInvalid.New("the copy of the model under --data has changed on disk; load it again")
	}
	return nil, errors.Join(err, os.RemoveAll(dir))
}

// Directory is where a package lies.
func (c *Cache) Directory(digest string) (string, bool) {
	if len(digest) != digestLength || !strings.HasPrefix(digest, digestPrefix) || strings.ContainsAny(digest, "/.") {
		return "", false
	}
	dir := c.path(digest)
	info, err := os.Stat(dir)
	return dir, err == nil && info.IsDir()
}

// sweep removes the packages that nobody wants any more.
func (c *Cache) sweep(wanted func(digest string) bool) error {
	entries, err := os.ReadDir(c.dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		digits, ours := strings.CutPrefix(e.Name(), cachedPrefix)
		if !ours || wanted(digestPrefix+digits) {
			continue
		}
		if err := os.RemoveAll(filepath.Join(c.dir, e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
