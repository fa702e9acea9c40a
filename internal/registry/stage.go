package registry

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// stage is a private folder under the data directory in which a package is made
// before it moves to its place. It is locked while its process lives, so that
// what a dead one left can be told from what is under way.
// Its folder bundleDir is what goes into the spool.
type stage struct {
	dir  string
	lock *os.File
}

func newStage(data string) (*stage, error) {
	dir, err := os.MkdirTemp(filepath.Join(data, tmpDir), "stage-*")
	if err != nil {
		return nil, storage(data, err)
	}
	f, err := os.Open(dir)
	if err == nil {
		err = flock(f)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", dir, err), os.RemoveAll(dir))
	}
	s := &stage{dir: dir, lock: f}
	if err := os.Mkdir(s.path(bundleDir), 0o700); err != nil {
		return nil, errors.Join(storage(data, err), s.close())
	}
	return s, nil
}

func (s *stage) path(names ...string) string {
	return filepath.Join(append([]string{s.dir}, names...)...)
}

// close removes whatever is still in the stage.
func (s *stage) close() error { return errors.Join(erase(s.dir), s.lock.Close()) }

// cleanStages removes what dead processes left. One that is being made and not
// yet locked is a moment old and empty: it is left alone by being empty.
func cleanStages(data string) error {
	dirs, err := filepath.Glob(filepath.Join(data, tmpDir, "stage-*"))
	if err != nil {
		return err
	}
	for _, dir := range dirs {
		f, err := os.Open(dir)
		if err != nil {
			continue // its owner has just removed it
		}
		inside, _ := f.ReadDir(1)
		if len(inside) > 0 && flock(f) == nil {
			err = erase(dir)
		}
		if err = errors.Join(err, f.Close()); err != nil {
			return err
		}
	}
	return nil
}
