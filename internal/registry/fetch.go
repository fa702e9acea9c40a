package registry

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/goshawk-ai/goshawk/internal/problem"
	"github.com/goshawk-ai/goshawk/internal/units"
	"github.com/goshawk-ai/goshawk/internal/wording"
)

// Fetcher downloads a package or model by https. The zero value has the bounds
// that are written at its fields.
type Fetcher struct {
	Client *http.Client  // its redirect rule is replaced; nil is one of our own
	Limit  int64         // bytes; 2 GB
	Stall  time.Duration // without a byte until a connection is given up; 30 s
	Tries  int           // connections in a row that brought nothing; 5
	Pause  time.Duration // before the second of them, doubled each time; 500 ms
	// Progress is told what has arrived, of how much (-1: not known). It may be nil.
	Progress func(done, total int64)
}

var (
	errStalled  = errors.New("nothing arrived for too long")
	errRedirect = errors.New("the server redirects to an address without https")
)

// Fetch downloads source into a new file in dir, named as the address ends, and
// checks its sha256 before anybody reads it. A broken transfer is taken up where
// it broke. Errors are problems.
func (f Fetcher) Fetch(ctx context.Context, source, digest, dir string) (string, error) {
	u, err := checkSource(source, digest)
	if err != nil {
		return "", err
	}
	name := path.Base(u.Path)
	if name == "." || name == "/" || len(name) > 100 || strings.ContainsAny(name, "\\\x00") {
		name = "download"
	}
	file, err := os.OpenFile(dir+string(os.PathSeparator)+name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return "", err
	}
	t := f.transfer(file, u)
	err = t.run(ctx)
	if err == nil {
		if got := hex.EncodeToString(t.sum.Sum(nil)); got != strings.ToLower(digest) {
			err = problem.ModelInvalid.New("the file from %s has the sha256 %s, and not %s: it is not what you asked for", host(u), got, strings.ToLower(digest))
		}
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return "", errors.Join(err, os.Remove(file.Name()))
	}
	return file.Name(), nil
}

// Remote says whether a source is an address and no path.
func Remote(source string) bool {
	scheme, _, ok := strings.Cut(source, "://")
	return ok && scheme != "" && !strings.ContainsAny(scheme, "/.")
}

func checkSource(source, digest string) (*url.URL, error) {
	u, err := url.Parse(source)
	switch {
	case err != nil || u.Host == "":
		return nil, problem.InvalidRequest.New("%s is no address: write https://HOST/PATH", wording.Quote(source))
	case u.Scheme != "https":
		return nil, problem.InvalidRequest.New("models are fetched by https only, and %s is %s: a model that somebody changed on its way would run here", wording.Quote(u.Redacted()), u.Scheme)
	case digest == "":
		return nil, problem.InvalidRequest.New("a model from an address needs --sha256, so that what arrives is what you meant (sha256sum FILE prints it)")
	case !isDigest(digestPrefix + strings.ToLower(digest)):
		return nil, problem.InvalidRequest.New("--sha256 %s is no sha256: 64 hexadecimal digits are", wording.Quote(digest))
	}
	return u, nil
}

// host names a source in a sentence; the rest of an address may hold a secret.
func host(u *url.URL) string { return wording.Cut(u.Host) }

// transfer is one download, over as many connections as it takes.
type transfer struct {
	Fetcher
	url  *url.URL
	file *os.File
	sum  hash.Hash
	done int64
	size int64  // -1 until the server says it
	tag  string // names what the bytes so far are from: a strong ETag, else the date of the last change
}

func (f Fetcher) transfer(file *os.File, u *url.URL) *transfer {
	t := &transfer{Fetcher: f, url: u, file: file, sum: sha256.New(), size: -1}
	if t.Limit <= 0 {
		t.Limit = 2e9
	}
	if t.Stall <= 0 {
		t.Stall = 30 * time.Second
	}
	if t.Tries <= 0 {
		t.Tries = 5
	}
	if t.Pause <= 0 {
		t.Pause = 500 * time.Millisecond
	}
	client := http.Client{}
	if t.Client != nil {
		client = *t.Client
	}
	client.CheckRedirect = onlySafe
	t.Client = &client
	return t
}

func onlySafe(r *http.Request, via []*http.Request) error {
	if r.URL.Scheme != "https" {
		return errRedirect
	}
	if len(via) >= 10 {
		return errors.New("the server redirects more than ten times")
	}
	return nil
}

// run connects until the file is whole. A connection that brought something
// starts the count of failures anew.
func (t *transfer) run(ctx context.Context) error {
	pause := t.Pause
	for failures := 0; ; {
		before := t.done
		err := t.connect(ctx)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if _, final := errors.AsType[*problem.Problem](err); final {
			return err
		}
		if t.done > before {
			failures, pause = 0, t.Pause
		}
		if failures++; failures >= t.Tries {
			return problem.ModelInvalid.New("the download from %s failed after %v: %s", host(t.url), units.Bytes(t.done), transferReason(err)).Because(err)
		}
		select {
		case <-time.After(pause):
			pause *= 2
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// lasting makes failures final that another connection would meet again.
func (t *transfer) lasting(err error) error {
	_, untrusted := errors.AsType[*tls.CertificateVerificationError](err)
	name, ok := errors.AsType[*net.DNSError](err)
	if untrusted || ok && name.IsNotFound {
		return problem.ModelInvalid.New("%s cannot be reached: %s", host(t.url), transferReason(err)).Because(err)
	}
	return err
}

func transferReason(err error) string {
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return "the connection broke off"
	}
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err // without the address
	}
	return wording.Cut(err.Error())
}

// connect makes one request for what is missing and writes what arrives.
func (t *transfer) connect(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watch := time.AfterFunc(t.Stall, func() { cancel(errStalled) })
	defer watch.Stop()
	err := t.exchange(ctx, watch)
	if errors.Is(context.Cause(ctx), errStalled) && err != nil {
		return errStalled
	}
	if errors.Is(err, errRedirect) {
		return problem.ModelInvalid.New("%s: %v, which is not followed", host(t.url), errRedirect)
	}
	return err
}

func (t *transfer) exchange(ctx context.Context, watch *time.Timer) error {
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, t.url.String(), nil)
	if err != nil {
		return err
	}
	q.Header.Set("User-Agent", "goshawk")
	q.Header.Set("Accept-Encoding", "identity") // the digest is of the file, and so is the length
	if t.done > 0 {
		q.Header.Set("Range", fmt.Sprintf("bytes=%d-", t.done))
		q.Header.Set("If-Range", t.tag)
	}
	a, err := t.Client.Do(q)
	if err != nil {
		return t.lasting(err)
	}
	defer a.Body.Close()
	if err := t.begin(a); err != nil {
		return err
	}
	return t.read(a.Body, watch)
}

// begin takes an answer's head: from where the bytes are, and how many.
func (t *transfer) begin(a *http.Response) error {
	switch {
	case a.StatusCode == http.StatusPartialContent && t.done > 0 && rangeStart(a) == t.done:
	case a.StatusCode == http.StatusOK:
		if err := t.restart(); err != nil {
			return err
		}
		if t.size = a.ContentLength; t.size > t.Limit {
			return t.tooLarge(t.size)
		}
	case a.StatusCode == http.StatusRequestedRangeNotSatisfiable, a.StatusCode == http.StatusPartialContent:
		return errors.Join(errors.New("the server lost track of the file"), t.restart())
	case a.StatusCode >= 500, a.StatusCode == http.StatusTooManyRequests, a.StatusCode == http.StatusRequestTimeout:
		return fmt.Errorf("the server answered %s", wording.Cut(a.Status))
	default:
		return problem.ModelInvalid.New("%s answered %s for the model's address", host(t.url), wording.Cut(a.Status))
	}
	if tag := validator(a.Header); tag != "" || t.done == 0 {
		t.tag = tag
	}
	return nil
}

// validator is what If-Range takes (RFC 9110, section 13.1.5). Many file servers
// and caches have no strong ETag; a date may be of two files of one second, but
// joined wrongly they would not pass the digest.
func validator(h http.Header) string {
	if tag := h.Get("ETag"); tag != "" && !strings.HasPrefix(tag, "W/") {
		return tag // a weak one does not promise the same bytes
	}
	return h.Get("Last-Modified")
}

// rangeStart is where a partial answer begins; -1 where it does not say.
func rangeStart(a *http.Response) int64 {
	rest, ok := strings.CutPrefix(a.Header.Get("Content-Range"), "bytes ")
	first, _, _ := strings.Cut(rest, "-")
	n, err := strconv.ParseInt(first, 10, 64)
	if !ok || err != nil {
		return -1
	}
	return n
}

func (t *transfer) restart() error {
	t.done, t.tag = 0, ""
	t.sum.Reset()
	if err := t.file.Truncate(0); err != nil {
		return err
	}
	_, err := t.file.Seek(0, io.SeekStart)
	return err
}

func (t *transfer) read(body io.Reader, watch *time.Timer) (failed error) {
	defer func() {
		if failed != nil && t.tag == "" { // it cannot be taken up safely
			_ = t.restart()
		}
	}()
	buf := make([]byte, 256<<10)
	for {
		n, err := body.Read(buf)
		watch.Reset(t.Stall)
		if t.done+int64(n) > t.Limit {
			return t.tooLarge(t.done + int64(n))
		}
		if _, err := t.file.Write(buf[:n]); err != nil {
			return storageProblem(err)
		}
		t.sum.Write(buf[:n])
		t.done += int64(n)
		if t.Progress != nil && n > 0 {
			t.Progress(t.done, t.size)
		}
		if err == io.EOF {
			if t.size >= 0 && t.done != t.size {
				return io.ErrUnexpectedEOF
			}
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (t *transfer) tooLarge(n int64) error {
	return problem.ModelInvalid.New("the file at %s has at least %d bytes; at most %v are fetched", host(t.url), n, units.Bytes(t.Limit))
}

// storageProblem makes a failed write final: no other connection would mend it.
func storageProblem(err error) error {
	err = storage("--data", err)
	if _, ok := errors.AsType[*problem.Problem](err); ok {
		return err
	}
	return problem.Internal.New("the download could not be written").Because(err)
}
