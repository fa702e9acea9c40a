package model

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"

	"github.com/goshawk-ai/goshawk/internal/wording"
)

// Limits bound what a package may hold. They are inclusive.
type Limits struct {
	Files int   // folders counted too
	Bytes int64 // of all files together
	Ratio int64 // of an archive: unpacked bytes for each of its own, above a floor of 64 MB
}

// DefaultLimits are 1000 files and 2 GB; deflate reaches 1000 to 1, but weights
// compress by a tenth, so that 100 to 1 is an attack.
var DefaultLimits = Limits{Files: 1000, Bytes: 2e9, Ratio: 100}

func (l Limits) orDefault() Limits {
	if l == (Limits{}) {
		return DefaultLimits
	}
	return l
}

// Digest names a package by its files: sha256 over path NUL size NUL sha256 LF
// for each regular file, sorted by the bytes of the path, after one common top
// folder is dropped. Sizes are decimal, hashes 64 hex digits. Times, modes and
// the form of an archive don't count.
func Digest(fsys fs.FS) (string, error) {
	files, err := walk(fsys, DefaultLimits)
	if err != nil {
		return "", err
	}
	if top := commonTop(files); top != "" {
		if fsys, err = fs.Sub(fsys, top); err != nil {
			return "", err
		}
		for i := range files {
			files[i] = strings.TrimPrefix(files[i], top+"/")
		}
	}
	return digest(fsys, files)
}

func digest(fsys fs.FS, files []string) (string, error) {
	sorted := slices.Sorted(slices.Values(files))
	sum := sha256.New()
	for _, name := range sorted {
		size, hash, err := hashFile(fsys, name)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(sum, "%s\x00%d\x00%s\n", name, size, hash)
	}
	return "sha256:" + hex.EncodeToString(sum.Sum(nil)), nil
}

func hashFile(fsys fs.FS, name string) (int64, string, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return 0, "", err
	}
	defer f.Close()
	sum := sha256.New()
	size, err := io.Copy(sum, f)
	if err != nil {
		return 0, "", err
	}
	return size, hex.EncodeToString(sum.Sum(nil)), nil
}

// walk lists the regular files and refuses everything else but folders.
func walk(fsys fs.FS, limits Limits) ([]string, error) {
	var files []string
	entries, total := 0, int64(0)
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name == "." {
			return nil
		}
		if entries++; entries > limits.Files {
			return refuse("the package has more than %d files", limits.Files)
		}
		if d.IsDir() {
			return nil
		}
		if !d.Type().IsRegular() {
			return refuse("%s is %s; a package holds regular files only", wording.Quote(name), fileKind(d.Type()))
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if total += info.Size(); total > limits.Bytes {
			return refuse("the package has more than %d bytes", limits.Bytes)
		}
		files = append(files, name)
		return nil
	})
	return files, err
}

func fileKind(mode fs.FileMode) string {
	switch {
	case mode&fs.ModeSymlink != 0:
		return "a symbolic link"
	case mode&fs.ModeNamedPipe != 0:
		return "a named pipe"
	case mode&fs.ModeSocket != 0:
		return "a socket"
	case mode&fs.ModeDevice != 0:
		return "a device"
	case mode.IsDir():
		return "a folder"
	}
	return "no regular file"
}

// commonTop is the one folder that all files lie in, or "".
func commonTop(files []string) string {
	if len(files) == 0 {
		return ""
	}
	top, _, inside := strings.Cut(files[0], "/")
	if !inside {
		return ""
	}
	for _, f := range files {
		if !strings.HasPrefix(f, top+"/") {
			return ""
		}
	}
	return top
}
