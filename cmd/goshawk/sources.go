package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/goshawk-ai/goshawk/internal/config"
	"github.com/goshawk-ai/goshawk/internal/picture"
	"github.com/goshawk-ai/goshawk/internal/problem"
)

// source is one picture that was asked for. Reading it is put off until its
// turn, so that a large directory costs names and not pictures.
type source struct {
	name string
	read func(ctx context.Context) ([]byte, error)
}

type found struct {
	sources []source
	leftOut int // files in directories that are no pictures
}

// findSources turns arguments into pictures, in their order; a directory's are
// sorted by path.
func findSources(c *console, cfg *config.Config, args []string) (found, error) {
	var f found
	limit := int64(cfg.Limits.PictureBytes)
	fromStdin := false
	for _, arg := range args {
		scheme := schemeOf(arg)
		switch {
		case arg == "-" && fromStdin:
			return f, usage("- is given twice, and there is one stdin with one picture on it")
		case arg == "-":
			fromStdin = true
			f.sources = append(f.sources, source{"-", unlessStopped(func() ([]byte, error) { return readPicture(c.in, 0, limit) })})
		case scheme == "http", scheme == "https":
			f.sources = append(f.sources, source{arg, func(ctx context.Context) ([]byte, error) { return download(ctx, arg, cfg) }})
		case scheme != "":
			return f, usage("cannot read %q: only http and https addresses are fetched, and files are named by their paths", arg)
		default:
			if err := f.path(arg, limit); err != nil {
				return f, err
			}
		}
	}
	return f, nil
}

// path adds a file that was named, or what a directory holds. A named file is
// always tried; in a directory the contents decide, never the names.
func (f *found) path(arg string, limit int64) error {
	info, err := os.Stat(arg)
	if err != nil {
		return fmt.Errorf("cannot read %q: %w", arg, reason(err))
	}
	if !info.IsDir() {
		s := fileSource(arg, limit)
		if !info.Mode().IsRegular() {
			s.read = unlessStopped(func() ([]byte, error) { return readFile(arg, limit) })
		}
		f.sources = append(f.sources, s)
		return nil
	}
	return filepath.WalkDir(arg, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return fmt.Errorf("cannot read %q: %w", path, reason(err))
		case path != arg && strings.HasPrefix(d.Name(), "."):
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		case !d.Type().IsRegular():
			return nil
		}
		yes, err := looksLikePicture(path)
		switch {
		case err != nil:
			return fmt.Errorf("cannot read %q: %w", path, reason(err))
		case yes:
			f.sources = append(f.sources, fileSource(path, limit))
		default:
			f.leftOut++
		}
		return nil
	})
}

// looksLikePicture asks the decoder about the first bytes: what it calls
// damaged, having seen so little, is a picture all the same.
func looksLikePicture(path string) (bool, error) {
	f, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer f.Close()
	head, err := io.ReadAll(io.LimitReader(f, 4096))
	if err != nil {
		return false, err
	}
	_, err = picture.Inspect(head, picture.DefaultLimits)
	return !errors.Is(err, problem.NotAPicture), nil
}

func fileSource(path string, limit int64) source {
	return source{path, func(context.Context) ([]byte, error) { return readFile(path, limit) }}
}

func readFile(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read it: %w", reason(err))
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("cannot read it: %w", reason(err))
	}
	return readPicture(f, info.Size(), limit)
}

// unlessStopped is for what may never answer: a terminal, a pipe, a FIFO that
// nobody writes to. Such a read cannot be taken back, so the one that a signal
// has made pointless is left behind, for the process ends.
func unlessStopped(read func() ([]byte, error)) func(context.Context) ([]byte, error) {
	return func(ctx context.Context) ([]byte, error) {
		var data []byte
		var err error
		done := make(chan struct{})
		go func() { // ends with the read, or with the process
			defer close(done)
			data, err = read()
		}()
		select {
		case <-done:
			return data, err
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// schemeOf is what stands before :// in lower case, or "". A file that begins
// like an address can still be named, as ./http:/…
func schemeOf(arg string) string {
	scheme, _, ok := strings.Cut(arg, "://")
	if !ok || strings.Trim(strings.ToLower(scheme), "abcdefghijklmnopqrstuvwxyz0123456789+.-") != "" {
		return ""
	}
	return strings.ToLower(scheme)
}

func download(ctx context.Context, address string, cfg *config.Config) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, cfg.RequestTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, fmt.Errorf("this is no address of a picture: %w", reason(err))
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, fmt.Errorf("cannot fetch it: %w", reason(err))
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("cannot fetch it: the server there answered %s", printable(resp.Status))
	}
	return readPicture(resp.Body, resp.ContentLength, int64(cfg.Limits.PictureBytes))
}

// readPicture reads at most limit bytes. A declared size above the limit is
// refused before anything is read; 0 or less means unknown.
func readPicture(r io.Reader, declared, limit int64) ([]byte, error) {
	if declared > limit {
		return nil, tooLarge(limit)
	}
	buf := make([]byte, 0, max(declared, 0)+512) // the spare room lets ReadAll's idea of "full" wait until the end is seen
	for {
		if len(buf) == cap(buf) {
			buf = append(buf, 0)[:len(buf)]
		}
		n, err := r.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if int64(len(buf)) > limit {
			return nil, tooLarge(limit)
		}
		if errors.Is(err, io.EOF) {
			return buf, nil
		}
		if err != nil {
			return nil, fmt.Errorf("cannot read it: %w", reason(err))
		}
	}
}

func tooLarge(limit int64) error {
	return problem.PictureTooLarge.New("the picture has more than %d bytes, the most that is read here (limits.picture_bytes)", limit).
		With("limit_bytes", limit)
}

// reason is the part of a system error that people want: "no such file or
// directory" without the operation and the path, which the sentence has already.
func reason(err error) error {
	if e, ok := errors.AsType[*net.DNSError](err); ok {
		return errors.New(e.Err) // without the address of the name server
	}
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err
		}
		err = inner
	}
}
