package httpapi

import (
	"bufio"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/goshawk-ai/goshawk/internal/problem"
	"github.com/goshawk-ai/goshawk/internal/units"
	"github.com/goshawk-ai/goshawk/internal/wording"
)

// The codings of HTTP (RFC 9110) that other rooms' routes take and give. What
// HTTP calls deflate is zlib's form.
const (
	codingGzip    = "gzip"
	codingDeflate = "deflate"
)

// contentCoding tells how the body is compressed; "" when it is not.
func contentCoding(h http.Header) (string, error) {
	coding := ""
	for value := range strings.SplitSeq(strings.Join(h.Values("Content-Encoding"), ","), ",") {
		value = strings.ToLower(strings.TrimSpace(value))
		switch {
		case value == "" || value == "identity":
		case coding != "": // one bomb in another
			return "", problem.InvalidRequest.New("the body is compressed more than once (Content-Encoding); once is taken")
		case value == codingGzip || value == "x-gzip":
			coding = codingGzip
		case value == codingDeflate:
			coding = codingDeflate
		default:
			return "", problem.InvalidRequest.New("the body has the Content-Encoding %s; gzip and deflate are read", wording.Quote(value))
		}
	}
	return coding, nil
}

// Body reads the request's body whole, decompressed, within the limits and the
// budget: the limit of a body holds before and after. What it gives is good until
// Release, and the caller may write in it.
func (x *Exchange) Body(r *http.Request) ([]byte, error) {
	coding, err := contentCoding(r.Header)
	if err != nil || r.ContentLength == 0 {
		return nil, err
	}
	limit := x.door.Limits.Body
	if r.ContentLength > limit {
		return nil, tooManyBytes(limit)
	}
	in := x.door.newArena()
	if err := in.fits(r.Context(), r.ContentLength); err != nil {
		return nil, err
	}
	length := min(step, limit)
	if r.ContentLength > 0 && coding == "" {
		length = min(step, r.ContentLength)
	}
	if err := in.reserve(r.Context(), length, 0); err != nil {
		return nil, err
	}
	x.arena = in
	in.body = x.door.newBody(x.x, r, limit)
	if coding == "" {
		data, err := in.read(r.Context(), in.body, limit)
		if errors.Is(err, errTooLong) {
			return nil, tooManyBytes(limit)
		}
		if err != nil {
			return nil, in.body.problem(err)
		}
		return data, nil
	}
	in.inflates = true
	data, err := in.read(r.Context(), &inflater{coding: coding, src: bufio.NewReader(in.body)}, limit)
	if err != nil {
		return nil, in.inflateProblem(err, coding, limit)
	}
	return data, nil
}

// inflateProblem says why a compressed body could not be read.
func (a *arena) inflateProblem(err error, coding string, limit int64) error {
	if a.body.failed != nil {
		return a.body.problem(a.body.failed)
	}
	if p, ok := errors.AsType[*problem.Problem](err); ok {
		return p
	}
	if errors.Is(err, errTooLong) {
		return problem.PictureTooLarge.New("the request has more than %s when it is decompressed, the limit", units.Bytes(limit)).With("limit_bytes", limit)
	}
	return problem.InvalidRequest.New("the body is no whole %s, which its Content-Encoding says", coding).Because(err)
}

// inflater decompresses src, and wants nothing behind it.
type inflater struct {
	coding string
	src    *bufio.Reader
	from   io.Reader // nil before the first byte is asked for
}

// Read is an io.Reader's.
func (f *inflater) Read(p []byte) (n int, err error) {
	if f.from == nil {
		if f.coding == codingGzip {
			f.from, err = gzip.NewReader(f.src)
		} else {
			f.from, err = zlib.NewReader(f.src)
		}
		if err != nil {
			return 0, fmt.Errorf("its beginning: %v", err) //nolint:errorlint // an end here is no end of a whole
		}
	}
	n, err = f.from.Read(p)
	if errors.Is(err, io.EOF) {
		if _, behind := f.src.ReadByte(); behind == nil {
			return n, errors.New("something follows the compressed body")
		} else if !errors.Is(behind, io.EOF) {
			return n, behind
		}
	}
	return n, err
}

// acceptedCoding picks the coding that the Accept-Encoding header likes best, the
// first of equals; "" when it likes none, or the answer as it is, better.
func acceptedCoding(h http.Header) string {
	best, bestQ := "", 0.0
	for element := range strings.SplitSeq(strings.Join(h.Values("Accept-Encoding"), ","), ",") {
		name, parameters, _ := strings.Cut(element, ";")
		name = strings.ToLower(strings.TrimSpace(name))
		if name != codingGzip && name != codingDeflate && name != "identity" {
			continue
		}
		if q, ok := qValue(parameters); ok && q > bestQ {
			best, bestQ = name, q
		}
	}
	if best == "identity" {
		return ""
	}
	return best
}

// compressor is a gzip.Writer or a zlib.Writer.
type compressor interface {
	io.WriteCloser
	Reset(w io.Writer)
}

// compressors are kept: one of them is several hundred kilobytes.
type compressors struct{ gzip, deflate sync.Pool }

func (c *compressors) of(coding string) *sync.Pool {
	if coding == codingGzip {
		return &c.gzip
	}
	return &c.deflate
}

func (c *compressors) get(coding string, to io.Writer) compressor {
	if w, ok := c.of(coding).Get().(compressor); ok {
		w.Reset(to)
		return w
	}
	if coding == codingGzip {
		w, _ := gzip.NewWriterLevel(to, gzip.BestSpeed) // fails for a wrong level only
		return w
	}
	w, _ := zlib.NewWriterLevel(to, zlib.BestSpeed)
	return w
}

// compressed sends an answer in a coding, of a length that is not known before.
func (x *Exchange) compressed(r *http.Request, coding string, parts [][]byte) {
	x.Header().Set("Content-Encoding", coding)
	x.x.WriteHeader(http.StatusOK)
	if r.Method == http.MethodHead {
		return
	}
	pool := x.door.compressors.of(coding)
	w := x.door.compressors.get(coding, x.x)
	defer pool.Put(w)
	for _, p := range parts {
		if _, err := w.Write(p); err != nil {
			return // the caller hung up; the server sees it too
		}
	}
	_ = w.Close() // likewise
}
