package model

import (
	"archive/tar"
	"archive/zip"
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"

	"github.com/goshawk-ai/goshawk/internal/problem"
	"github.com/goshawk-ai/goshawk/internal/units"
	"github.com/goshawk-ai/goshawk/internal/wording"
)

// A sink is the fresh folder that a package is unpacked into. os.Root holds
// every path inside it, whatever its name says; the rules here are for clear
// sentences and bounds.
type sink struct {
	root    *os.Root
	limits  Limits
	bytes   int64 // what may still be written
	over    string
	entries int
	seen    map[string]bool
}

func newSink(dir string, limits Limits) (*sink, error) {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	return &sink{
		root: root, limits: limits, bytes: limits.Bytes, seen: map[string]bool{},
		over: "the package unpacks to more than " + units.Bytes(limits.Bytes).String(),
	}, nil
}

// bound lowers the limit for an archive of n bytes.
func (s *sink) bound(n int64) {
	const floor = 64_000_000
	if most := max(floor, n*s.limits.Ratio); most < s.bytes {
		s.bytes = most
		s.over = fmt.Sprintf("the archive of %.1f MB unpacks to more than %.0f MB, as no model does", float64(n)/1e6, float64(most)/1e6)
	}
}

// entry admits a name, and says whether it is to be left out: what file
// managers add is no part of a package.
func (s *sink) entry(ctx context.Context, name string) (clean string, skip bool, err error) {
	if err := context.Cause(ctx); err != nil {
		return "", false, err
	}
	if s.entries++; s.entries > s.limits.Files {
		return "", false, refuse("the package has more than %d files", s.limits.Files)
	}
	clean, why := insidePath(strings.TrimSuffix(name, "/"))
	if strings.Trim(name, "./") == "" && !strings.Contains(name, "..") && !path.IsAbs(name) {
		return "", true, nil // "./" in tar files
	}
	if why != "" {
		return "", false, refuse("the package has an entry %s: %s", wording.Quote(name), why)
	}
	base := path.Base(clean)
	return clean, base == ".DS_Store" || strings.HasPrefix(clean, "__MACOSX/") || clean == "__MACOSX", nil
}

// write copies a file; declared is the size that its header gives.
func (s *sink) write(ctx context.Context, name string, r io.Reader, declared int64) error {
	if s.seen[name] {
		return refuse("the package has two entries named %s", wording.Quote(name))
	}
	s.seen[name] = true
	if declared > s.bytes {
		return refuse("%s", s.over)
	}
	if dir := path.Dir(name); dir != "." {
		if err := s.root.MkdirAll(dir, 0o755); err != nil {
			return refuse("the package has %s both as a file and as a folder", wording.Quote(dir)).Because(err)
		}
	}
	f, err := s.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		if errors.Is(err, fs.ErrExist) {
			return refuse("the package has %s both as a file and as a folder", wording.Quote(name))
		}
		return err
	}
	n, err := io.Copy(f, io.LimitReader(until(ctx, r), min(declared, s.bytes)+1))
	if closing := f.Close(); err == nil {
		err = closing
	}
	s.bytes -= n
	switch {
	case s.bytes < 0:
		return refuse("%s", s.over)
	case err != nil:
		return damaged(err)
	case n != declared:
		return refuse("the package is damaged: the size of %s is not what its header says", wording.Quote(name))
	}
	return nil
}

type readFunc func([]byte) (int, error)

func (f readFunc) Read(p []byte) (int, error) { return f(p) }

// until ends a long copy when ctx ends.
func until(ctx context.Context, r io.Reader) io.Reader {
	return readFunc(func(p []byte) (int, error) {
		if err := context.Cause(ctx); err != nil {
			return 0, err
		}
		return r.Read(p)
	})
}

// damaged turns an archive reader's error into our sentence; what is no fault
// of the archive (a full disk, a passed deadline) stays what it is.
func damaged(err error) error {
	var p *problem.Problem
	var disk *fs.PathError
	switch {
	case errors.As(err, &p), errors.As(err, &disk), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return refuse("the package is damaged: it is cut off").Because(err)
	}
	return refuse("the package is damaged: %s", wording.Cut(err.Error())).Because(err)
}

// An archive's form, by its content.
type form int

const (
	noArchive form = iota
	zipped
	gzipped
	tarred
)

func sniffArchive(head []byte) form {
	switch {
	case bytes.HasPrefix(head, []byte("PK\x03\x04")), bytes.HasPrefix(head, []byte("PK\x05\x06")), bytes.HasPrefix(head, []byte("PK\x07\x08")):
		return zipped
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		return gzipped
	case len(head) >= 262 && string(head[257:262]) == "ustar":
		return tarred
	}
	return noArchive
}

// unpack writes an archive's files. f is read from its start.
func (s *sink) unpack(ctx context.Context, f *os.File, kind form, length int64) error {
	s.bound(length)
	switch kind {
	case zipped:
		return s.unzip(ctx, f, length)
	case gzipped:
		gz, err := gzip.NewReader(bufio.NewReader(f))
		if err != nil {
			return damaged(err)
		}
		return s.untar(ctx, gz)
	}
	return s.untar(ctx, bufio.NewReader(f))
}

func (s *sink) untar(ctx context.Context, r io.Reader) error {
	// Headers and padding are read too: the bound holds for what comes out of
	// the decompressor, not only for what is written.
	bounded := &io.LimitedReader{R: r, N: s.bytes + int64(s.limits.Files)*4096 + 1}
	t := tar.NewReader(until(ctx, bounded))
	for {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			if bounded.N <= 0 {
				return refuse("%s", s.over)
			}
			return damaged(err)
		}
		name, skip, err := s.entry(ctx, h.Name)
		if err != nil {
			return err
		}
		switch h.Typeflag {
		case tar.TypeXGlobalHeader, tar.TypeDir:
			continue
		case tar.TypeReg:
		case tar.TypeLink, tar.TypeSymlink:
			return refuse("%s is a link to %s; links are not allowed in a package", wording.Quote(h.Name), wording.Quote(h.Linkname))
		default:
			return refuse("%s is %s; a package holds regular files only", wording.Quote(h.Name), tarKind(h.Typeflag))
		}
		if skip {
			continue
		}
		if name == "" {
			return refuse("the package has an entry %s that names no file", wording.Quote(h.Name))
		}
		if err := s.write(ctx, name, t, h.Size); err != nil {
			return err
		}
	}
}

func tarKind(flag byte) string {
	switch flag {
	case tar.TypeChar, tar.TypeBlock:
		return "a device"
	case tar.TypeFifo:
		return "a named pipe"
	}
	return "of an unusual type"
}

// A directory record has 46 bytes, a name and perhaps extra fields.
const maxZipDirectory = 4 << 20

func (s *sink) unzip(ctx context.Context, f *os.File, length int64) error {
	directory := &metered{r: f, left: maxZipDirectory}
	z, err := zip.NewReader(directory, length)
	switch {
	case directory.left < 0:
		return refuse("the package has more than %d files", s.limits.Files)
	case err != nil:
		return damaged(err)
	case len(z.File) == 0:
		return refuse("the package is empty")
	}
	directory.left = 1 << 62
	for _, entry := range z.File {
		name, skip, err := s.entry(ctx, entry.Name)
		switch mode := entry.Mode(); {
		case err != nil:
			return err
		case entry.Flags&1 != 0:
			return refuse("%s is encrypted; a package must not be", wording.Quote(entry.Name))
		case mode&fs.ModeSymlink != 0:
			return refuse("%s is a link; links are not allowed in a package", wording.Quote(entry.Name))
		case mode.IsDir() || skip:
			continue
		case !mode.IsRegular():
			return refuse("%s is %s; a package holds regular files only", wording.Quote(entry.Name), fileKind(mode))
		}
		if entry.UncompressedSize64 > 1<<62 {
			return refuse("%s", s.over)
		}
		if err := s.unzipOne(ctx, name, entry); err != nil {
			return err
		}
	}
	return nil
}

func (s *sink) unzipOne(ctx context.Context, name string, entry *zip.File) error {
	r, err := entry.Open()
	if err != nil {
		return damaged(err)
	}
	defer r.Close()
	return s.write(ctx, name, r, int64(entry.UncompressedSize64))
}

// metered ends the reading of a zip's directory, which archive/zip keeps in
// memory whole, however long it is.
type metered struct {
	r    io.ReaderAt
	left int64
}

func (m *metered) ReadAt(p []byte, off int64) (int, error) {
	if m.left -= int64(len(p)); m.left < 0 {
		return 0, errors.New("the directory is too long")
	}
	return m.r.ReadAt(p, off)
}
