package httpapi

import (
	"context"
	"errors"
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/goshawk-ai/goshawk/internal/predict"
	"github.com/goshawk-ai/goshawk/internal/problem"
	"github.com/goshawk-ai/goshawk/internal/units"
	"github.com/goshawk-ai/goshawk/internal/wording"
)

// intake is what a request brings: pictures and parameters. Close it when
// nobody looks at the pictures any more.
type intake struct {
	params
	*arena
	limits   Limits
	pictures []predict.Picture
}

var noPicture = map[string]error{
	"multipart": problem.InvalidRequest.New("there is no picture in the form: put it into the field image or file"),
	"json":      problem.InvalidRequest.New(`there is no picture in the JSON: it is {"pictures": [{"name": "a.jpg", "data": "BASE64"}]}`),
}

const wantTypes = "send the picture's bytes as image/jpeg (or application/octet-stream), a form as multipart/form-data with the field image, or application/json"

// take reads the request. It fails before it reads the body when it can.
func (d *door) take(x *exchange, r *http.Request, p params, types ...string) (*intake, error) {
	in := &intake{params: p, arena: d.newArena(), limits: d.Limits}
	if err := in.query(r.URL); err != nil {
		return nil, err
	}
	kind, boundary, err := contentType(r, types)
	if err != nil {
		return nil, err
	}
	limit := d.Limits.Body
	if kind == "image" {
		limit = min(limit, d.Limits.Picture)
	}
	if err := d.admit(r, kind, limit); err != nil {
		return nil, err
	}
	if err := in.read(d, x, r, kind, boundary, limit); err != nil {
		in.close()
		return nil, err
	}
	return in, nil
}

// contentType tells "image", "multipart" (with its boundary) or "json".
func contentType(r *http.Request, types []string) (kind, boundary string, err error) {
	values := r.Header.Values("Content-Type")
	if len(values) == 0 {
		return "", "", problem.InvalidRequest.New("the Content-Type header is missing: %s", wantTypes)
	}
	media, parameters, err := mime.ParseMediaType(values[0])
	if err != nil || len(values) > 1 {
		return "", "", problem.InvalidRequest.New("the Content-Type header %s cannot be read: %s", wording.Quote(strings.Join(values, ", ")), wantTypes)
	}
	switch {
	case media == "multipart/form-data":
		kind, boundary = "multipart", parameters["boundary"]
		// The bounds are RFC 2046's.
		if boundary == "" || len(boundary) > 70 {
			return "", "", problem.InvalidRequest.New("the Content-Type multipart/form-data has no boundary of 1 to 70 characters; let the client library set the header")
		}
	case media == "application/json":
		if charset := parameters["charset"]; charset != "" && !strings.EqualFold(charset, "utf-8") {
			return "", "", problem.InvalidRequest.New("the JSON's charset is %s; JSON is UTF-8", wording.Quote(charset))
		}
		kind = "json"
	case media == "application/octet-stream" || strings.HasPrefix(media, "image/"):
		kind = "image"
	}
	for _, known := range types {
		if kind == known {
			return kind, boundary, nil
		}
	}
	if len(types) == 1 {
		return "", "", problem.InvalidRequest.New("the Content-Type is %s; this address takes a form, multipart/form-data with the field image", wording.Quote(media))
	}
	if media == "application/x-www-form-urlencoded" {
		return "", "", problem.InvalidRequest.New("the Content-Type is application/x-www-form-urlencoded (what curl says of --data-binary by itself, for one): %s", wantTypes)
	}
	return "", "", problem.InvalidRequest.New("the Content-Type is %s: %s", wording.Quote(media), wantTypes)
}

// admit refuses by the headers what need not be read.
func (d *door) admit(r *http.Request, kind string, limit int64) error {
	for _, coding := range r.Header.Values("Content-Encoding") {
		if !strings.EqualFold(coding, "identity") {
			return problem.InvalidRequest.New("the body has the Content-Encoding %s; send it as it is, pictures are compressed already", wording.Quote(coding))
		}
	}
	if r.ContentLength == 0 {
		return problem.InvalidRequest.New("the request has no body: %s", wantTypes)
	}
	if r.ContentLength > limit {
		if kind == "image" {
			return pictureTooLarge(limit)
		}
		return tooManyBytes(limit)
	}
	return nil
}

func pictureTooLarge(limit int64) *problem.Problem {
	return problem.PictureTooLarge.New("the picture has more than %s, the limit", units.Bytes(limit)).With("limit_bytes", limit)
}

func (in *intake) read(d *door, x *exchange, r *http.Request, kind, boundary string, limit int64) error {
	if err := in.fits(r.Context(), r.ContentLength); err != nil {
		return err
	}
	// A declared length is only a word: a large body gets its memory as it comes.
	length := min(step, limit)
	if r.ContentLength >= 0 {
		length = min(step, r.ContentLength)
	}
	if err := in.reserve(r.Context(), length, 0); err != nil {
		return err
	}
	in.body = d.newBody(x, r, limit)
	var err error
	switch kind {
	case "multipart":
		err = in.readForm(r.Context(), boundary)
	case "json":
		err = in.readJSON(r.Context(), limit)
	default:
		err = in.readPicture(r.Context(), limit)
	}
	if err != nil {
		return err
	}
	if len(in.pictures) == 0 {
		return noPicture[kind]
	}
	return nil
}

func (in *intake) readPicture(ctx context.Context, limit int64) error {
	data, err := in.arena.read(ctx, in.body, limit)
	if tooLarge := (*http.MaxBytesError)(nil); errors.Is(err, errTooLong) || errors.As(err, &tooLarge) {
		return pictureTooLarge(limit)
	}
	if err != nil {
		return in.body.problem(err)
	}
	if len(data) == 0 {
		return problem.InvalidRequest.New("the request's body is empty: %s", wantTypes)
	}
	in.pictures = append(in.pictures, predict.Picture{Data: data})
	return nil
}

// request is what the pictures' way takes.
func (in *intake) request(began time.Time) predict.Request {
	return predict.Request{
		Model: in.model, TopK: in.topK, Threshold: in.threshold,
		Pictures: in.pictures, Read: time.Since(began),
	}
}
