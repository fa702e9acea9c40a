package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/goshawk-ai/goshawk/internal/infer"
	"github.com/goshawk-ai/goshawk/internal/infer/child"
	"github.com/goshawk-ai/goshawk/internal/infer/ort"
	"github.com/goshawk-ai/goshawk/internal/model"
	"github.com/goshawk-ai/goshawk/internal/picture"
	"github.com/goshawk-ai/goshawk/internal/problem"
	"github.com/goshawk-ai/goshawk/internal/wording"
)

// CheckMain is what the child process of a Checker runs: it reads the request
// from stdin, bounds itself, examines the package in its working directory and
// writes lines of JSON to stdout. Its result is the process's exit status, 0
// where a report was written.
func CheckMain(stdin io.Reader, stdout io.Writer) int {
	lines := json.NewEncoder(stdout)
	report, err := checkHere(stdin, func(doing string) { _ = lines.Encode(childMessage{Doing: doing}) })
	message := childMessage{Report: report}
	if err != nil {
		message = childMessage{Failed: err.Error()}
	}
	if lines.Encode(message) != nil || err != nil {
		return 1
	}
	return 0
}

func checkHere(stdin io.Reader, say func(string)) (*Report, error) {
	var q childRequest
	if err := json.NewDecoder(stdin).Decode(&q); err != nil {
		return nil, fmt.Errorf("read the request: %w", err)
	}
	q.Limits = q.Limits.filled()
	if q.Decoder == "" {
		q.Decoder = "auto"
	}
	decoder, err := picture.NewDecoder(q.Decoder)
	if err != nil {
		return nil, err
	}
	backend, err := ort.Open(ort.LibraryOptions{Path: q.Library, MemoryCap: q.Limits.Memory})
	if err != nil {
		return nil, err
	}
	if err := child.Restrict(child.Limits{Memory: q.Limits.Memory, CPU: q.Limits.CPU}); err != nil {
		return nil, err
	}
	// This process is the child that a dangerous model wants.
	by := engines{here: backend, apart: backend, hosts: q.Hosts, key: q.Key}
	return examine(context.Background(), by, decoder, os.DirFS("."), say), nil
}

// Examine loads the package, runs it on pictures of its own making and judges
// what it does. It does in this process what a Checker does in another: only for
// packages that are known to be harmless. say, which may be nil, is told what is
// being done.
func Examine(ctx context.Context, backend infer.Backend, decoder *picture.Decoder, fsys fs.FS, say func(string)) *Report {
	if say == nil {
		say = func(string) {}
	}
	return examine(ctx, engines{here: backend}, decoder, fsys, say)
}

func examine(ctx context.Context, by engines, decoder *picture.Decoder, fsys fs.FS, say func(string)) *Report {
	r := &Report{Runtime: by.here.Name() + " " + by.here.Version(), Decoder: decoder.Name()}
	if err := r.examine(ctx, by, decoder, fsys, say); err != nil {
		r.Problem, r.Away = sentence(err), errors.Is(err, problem.ModelUnhealthy)
		return r
	}
	r.Accepted = true
	return r
}

func (r *Report) examine(ctx context.Context, by engines, decoder *picture.Decoder, fsys fs.FS, say func(string)) error {
	say("reading the package")
	p, err := model.Open(fsys)
	if err != nil {
		return err
	}
	r.Name, r.Digest = p.Manifest.Name, p.Digest
	timed, cancel := proving(ctx, p, proof)
	m, err := load(timed, opening{engines: by, say: say}, p, Version{Name: r.Name, Digest: r.Digest})
	cancel()
	if err != nil {
		return err
	}
	r.LoadMS, r.Classes, r.Embedding = ms(m.LoadTime), m.Classes, m.Width
	x := &examination{Model: m, report: r, decoder: decoder, say: say}
	if m.Apart != "" {
		x.warn("the model is served from a process of its own: %s", m.Apart)
	}
	return errors.Join(x.run(ctx), m.close())
}

// sentence is what people are told of an error.
func sentence(err error) string {
	if p, ok := errors.AsType[*problem.Problem](err); ok {
		return p.Detail
	}
	return wording.Cut(err.Error())
}
