package registry

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/goshawk-ai/goshawk/internal/problem"
)

// disk does what must survive a crash, step by step. A test sets fault, which is
// asked before each step: it can fail there, as a full disk does, and go on
// failing, as a process that died.
type disk struct {
	fault func(step string) error
	hasty bool // nothing is synced: for tests of what a crash has no part in
}

func (d *disk) step(name string) error {
	if d.fault == nil {
		return nil
	}
	return d.fault(name)
}

// replace writes a file so that readers see the old content or the new one, and
// a crash leaves one of them.
func (d *disk) replace(path string, data []byte, mode fs.FileMode) (err error) {
	if err := d.step("create " + filepath.Base(path)); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(tmp.Name())
		}
	}()
	_, err = tmp.Write(data)
	if err == nil {
		err = tmp.Chmod(mode)
	}
	if err == nil {
		err = d.sync(tmp)
	}
	if err = errors.Join(err, tmp.Close()); err != nil {
		return err
	}
	if err := d.step("rename " + filepath.Base(path)); err != nil {
		return err
	}
	if err := os.Rename(tmp.Name(), path); err != nil {
		return err
	}
	return d.syncDir(filepath.Dir(path))
}

// seal makes a tree durable and read-only. Its top folder stays writable until
// it has been renamed, which the kernel would refuse otherwise.
func (d *disk) seal(top string) error {
	if err := d.step("seal package"); err != nil {
		return err
	}
	var dirs []string
	err := filepath.WalkDir(top, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if e.IsDir() {
			dirs = append(dirs, path)
			return nil
		}
		if err := os.Chmod(path, 0o444); err != nil {
			return err
		}
		return d.syncPath(path)
	})
	if err != nil {
		return err
	}
	for _, dir := range dirs {
		if err := d.syncPath(dir); err != nil {
			return err
		}
		if dir != top {
			if err := os.Chmod(dir, 0o555); err != nil { //nolint:gosec // folders need x to be read
				return err
			}
		}
	}
	return nil
}

// move renames a folder and makes that durable.
func (d *disk) move(from, to string) error {
	if err := d.step("rename package"); err != nil {
		return err
	}
	if err := os.Rename(from, to); err != nil {
		return err
	}
	return d.syncDir(filepath.Dir(to))
}

func (d *disk) syncDir(dir string) error {
	if err := d.step("sync folder"); err != nil {
		return err
	}
	return d.syncPath(dir)
}

func (d *disk) syncPath(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.sync(f), f.Close())
}

func (d *disk) sync(f *os.File) error {
	if d.hasty {
		return nil
	}
	return f.Sync()
}

// erase removes a sealed tree.
func erase(top string) error {
	err := filepath.WalkDir(top, func(path string, e fs.DirEntry, err error) error {
		if err == nil && e.IsDir() {
			err = os.Chmod(path, 0o700) //nolint:gosec // ours, and about to go
		}
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.RemoveAll(top)
}

// storage gives a full disk its own kind of problem.
func storage(dir string, err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return problem.StorageFull.New("the disk under %s is full; nothing was changed", dir).Because(err)
	}
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS) {
		return unusable(dir, err)
	}
	if err != nil {
		return fmt.Errorf("write to the data directory %s: %w", dir, err)
	}
	return nil
}
