package model

import (
	"context"
	"io/fs"
	"os"
	"path"
	"syscall"

	"github.com/goshawk-ai/goshawk/internal/wording"
)

// copyTree copies a folder by the rules of archives. Links are refused, not
// followed: what they point at may change, and lies elsewhere. from may be
// written to while it is read; then the copy fails or holds either state.
func (s *sink) copyTree(ctx context.Context, from *os.Root, dir string) error {
	entries, err := fs.ReadDir(from.FS(), dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		name := path.Join(dir, e.Name())
		if e.IsDir() && e.Name() == ".git" {
			continue
		}
		clean, skip, err := s.entry(ctx, name)
		switch {
		case err != nil:
			return err
		case skip:
		case e.IsDir():
			err = s.copyTree(ctx, from, name)
		case !e.Type().IsRegular():
			err = refuse("%s is %s; a package holds regular files only", wording.Quote(name), fileKind(e.Type()))
		default:
			err = s.copyFile(ctx, from, clean)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *sink) copyFile(ctx context.Context, from *os.Root, name string) error {
	f, info, err := openRegular(from, name)
	if err != nil {
		return err
	}
	defer f.Close()
	return s.write(ctx, name, f, info.Size())
}

// openRegular opens what is a regular file now, even when the name means
// something else a moment later: a pipe must not hang us.
func openRegular(from *os.Root, name string) (*os.File, fs.FileInfo, error) {
	before, err := from.Lstat(name)
	if err != nil {
		return nil, nil, err
	}
	if !before.Mode().IsRegular() {
		return nil, nil, refuse("%s is %s; a package holds regular files only", wording.Quote(name), fileKind(before.Mode()))
	}
	f, err := from.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, err
	}
	info, err := f.Stat()
	if err == nil && !os.SameFile(before, info) {
		err = refuse("%s was changed while it was read", wording.Quote(name))
	}
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	return f, info, nil
}
