package httpapi

import (
	"context"
	"errors"
	"io"
	"mime/multipart"
	"strings"
	"unicode/utf8"

	"github.com/goshawk-ai/goshawk/internal/predict"
	"github.com/goshawk-ai/goshawk/internal/problem"
	"github.com/goshawk-ai/goshawk/internal/wording"
)

const (
	readAhead = 64 << 10 // bytes a read; multipart's own 4 KiB would cost a system call each
	maxHeader = 16 << 10 // bytes between two parts: the boundary, the part's headers, and a preamble
	maxField  = 1 << 10  // bytes of a parameter, and of a file's name
)

var errHeader = errors.New("part header too long")

// formReader stands between the body and the multipart reader: it reads in large
// pieces, and bounds what a part's headers may hold, which the multipart reader
// itself does at 10 MB only. At the body's end it gives a line end and then
// io.ErrUnexpectedEOF: to the multipart reader a form that is cut off in a part's
// header ends as properly as one with its last boundary.
type formReader struct {
	src    io.Reader
	ahead  []byte // the buffer
	unread []byte // of it
	bound  int    // bytes that may still be taken; -1: any number
	ended  bool   // src is at its end, and the line end below was given out
	failed error  // of src; the multipart reader turns some into text
}

func (f *formReader) Read(p []byte) (int, error) {
	if f.bound == 0 {
		return 0, errHeader
	}
	if len(f.unread) == 0 {
		if err := f.fill(); err != nil || len(f.unread) == 0 {
			return 0, err
		}
	}
	if f.bound > 0 {
		p = p[:min(len(p), f.bound)]
	}
	n := copy(p, f.unread)
	f.unread = f.unread[n:]
	if f.bound > 0 {
		f.bound -= n
	}
	return n, nil
}

func (f *formReader) fill() error {
	if f.ended {
		return io.ErrUnexpectedEOF
	}
	n, err := f.src.Read(f.ahead)
	f.unread = f.ahead[:n]
	if n > 0 || err == nil {
		return nil
	}
	if !errors.Is(err, io.EOF) {
		f.failed = err
		return err
	}
	f.ended = true
	f.unread = f.ahead[:copy(f.ahead, "\r\n")]
	return nil
}

// readForm reads multipart/form-data.
func (in *intake) readForm(ctx context.Context, boundary string) error {
	ahead := in.pools.get(readAhead) // constant and small: not worth a place in the budget
	defer in.pools.put(ahead)
	in.ahead = readAhead
	src := &formReader{src: in.body, ahead: ahead.bytes}
	form := multipart.NewReader(src, boundary)
	for {
		src.bound = maxHeader
		part, err := form.NextRawPart()
		src.bound = -1
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			err = in.readPart(ctx, part)
		}
		if err != nil {
			return in.formProblem(src, err)
		}
	}
	// What follows the last boundary means nothing, but only at its end does the
	// server begin to notice a caller that hangs up.
	if _, err := io.Copy(io.Discard, in.body); err != nil {
		return in.body.problem(err)
	}
	return nil
}

func (in *intake) formProblem(src *formReader, err error) error {
	switch p, ok := errors.AsType[*problem.Problem](err); {
	case ok:
		return p
	case src.failed != nil:
		return in.body.problem(src.failed)
	case errors.Is(err, errHeader):
		return problem.InvalidRequest.New("the form cannot be read: a part's header, or what stands before the first boundary, has more than %d bytes", maxHeader)
	case src.ended:
		return problem.InvalidRequest.New("the form ends before its last boundary: it was cut off, or its boundary is not the one that Content-Type names")
	default:
		return problem.InvalidRequest.New("the form cannot be read: a part's header is not well-formed").Because(err)
	}
}

func (in *intake) readPart(ctx context.Context, part *multipart.Part) error {
	if coding := part.Header.Get("Content-Transfer-Encoding"); coding != "" &&
		!strings.EqualFold(coding, "binary") && !strings.EqualFold(coding, "8bit") && !strings.EqualFold(coding, "7bit") {
		return problem.InvalidRequest.New("a part of the form has the Content-Transfer-Encoding %s; send the bytes as they are", wording.Quote(coding))
	}
	switch name := part.FormName(); {
	case name == "image" || name == "file":
		return in.readFile(ctx, part)
	case isParam(name):
		return in.readField(name, part)
	case name == "": // multipart gives none for a header that it cannot read
		return problem.InvalidRequest.New("a part of the form has the Content-Disposition %s; want form-data; name=\"image\" (a quote in a file's name is written \\\")", wording.Quote(part.Header.Get("Content-Disposition")))
	default:
		return problem.InvalidRequest.New("unknown form field %s (pictures go into image or file; parameters are model, top_k, threshold)", wording.Quote(name))
	}
}

func (in *intake) readField(name string, part *multipart.Part) error {
	value, err := io.ReadAll(io.LimitReader(part, maxField+1))
	if err != nil {
		return err
	}
	if len(value) > maxField {
		return problem.InvalidRequest.New("the form field %s has more than %d bytes", name, maxField)
	}
	return in.set(name, string(value))
}

func (in *intake) readFile(ctx context.Context, part *multipart.Part) error {
	picture, err := in.named(part.FileName())
	if err != nil {
		return err
	}
	picture.Data, err = in.arena.read(ctx, part, in.limits.Picture)
	if errors.Is(err, errTooLong) {
		picture.Err = pictureTooLarge(in.limits.Picture)
		_, err = io.Copy(io.Discard, part)
	}
	if err != nil {
		return err
	}
	if picture.Err == nil && len(picture.Data) == 0 && picture.Name == "" {
		return nil // a file field in which the person chose no file
	}
	return in.add(picture)
}

// named begins a picture.
func (in *intake) named(name string) (predict.Picture, error) {
	if len(name) > maxField {
		return predict.Picture{}, problem.InvalidRequest.New("the name of picture %d has more than %d bytes", len(in.pictures)+1, maxField)
	}
	if !utf8.ValidString(name) {
		name = strings.ToValidUTF8(name, "\uFFFD")
	}
	return predict.Picture{Name: name}, nil
}

func (in *intake) add(p predict.Picture) error {
	if len(in.pictures) == in.limits.Pictures {
		return problem.InvalidRequest.New("the request has more than %d pictures, the limit; split it", in.limits.Pictures).
			With("limit_pictures", in.limits.Pictures)
	}
	in.pictures = append(in.pictures, p)
	return nil
}
