package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goshawk-ai/goshawk/test/running"
)

const (
	small = "500 x 375"
	large = "12 megapixels"
)

var (
	models        = []string{"imagenet", "cifar10", "squeezenet"}
	concurrencies = []int{1, 8, 64}
)

// bench is the parent: it owns the server that is measured.
type bench struct {
	options
	self    string
	folders map[string]string // of pictures, by their size
	added   string            // folder of the packages that are not inside the program
	data    string            // the server's folder
	server  *process
	url     string
	peak    int64 // bytes, the highest of the servers that have ended
}

func newBench(ctx context.Context, o options) (*bench, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	b := &bench{options: o, self: self, folders: map[string]string{
		small: filepath.Join(o.shared, "images", "photos"), large: filepath.Join(o.shared, "images", "photos-12mp"),
	}}
	data, err := os.MkdirTemp("", "goshawk-bench-")
	if err != nil {
		return nil, err
	}
	b.added = filepath.Join(data, "packages")
	for _, model := range models[2:] { // the others are inside the program
		if err := running.WritePackage(o.shared, model, b.packageDir(model)); err != nil {
			return nil, err
		}
		if out, err := exec.CommandContext(ctx, o.server, "models", "add", b.packageDir(model), "--calibrate", "off", "--data", filepath.Join(data, "data")).CombinedOutput(); err != nil {
			return nil, fmt.Errorf("add %s: %s", model, out)
		}
	}
	b.data = filepath.Join(data, "data")
	return b, b.serve(ctx)
}

// ratios measures every condition, or the one that has a bar.
func (b *bench) ratios(ctx context.Context) (all []series, err error) {
	if b.bars {
		return b.measure(ctx, "squeezenet", small, []int{8})
	}
	for _, photos := range []string{small, large} {
		for _, model := range models {
			s, err := b.measure(ctx, model, photos, concurrencies)
			if err != nil {
				return nil, err
			}
			all = append(all, s...)
		}
	}
	return all, nil
}

// where is the path of the library in what goshawk version prints: it means
// nothing on another machine.
var where = regexp.MustCompile(` \(/[^)]*\)`)

// serve starts the program on a free port, in the place of the one that runs,
// and waits until it is ready.
func (b *bench) serve(ctx context.Context) (err error) {
	if err := b.end(); err != nil {
		return err
	}
	b.server, b.url, err = serve(ctx, b.options.server, b.data)
	return err
}

// serve starts the program on a free port and waits until it is ready. Its log is
// what it is by default, in a file beside the data directory.
func serve(ctx context.Context, program, data string, more ...string) (*process, string, error) {
	log, err := os.Create(data + ".log")
	if err != nil {
		return nil, "", err
	}
	defer func() { _ = log.Close() }() // the child has it too
	p, err := startWith(ctx, log, served, program, append([]string{"serve", "--listen", "127.0.0.1:0", "--data", data}, more...)...)
	if err != nil {
		return nil, "", err
	}
	url, err := p.expect("listening")
	if err == nil {
		_, err = p.expect("ready")
	}
	return p, url, err
}

// end stops the server, if there is one, and remembers its memory.
func (b *bench) end() error {
	if b.server == nil {
		return nil
	}
	peak, err := b.server.memory("status", "VmHWM")
	b.peak = max(b.peak, peak)
	_ = b.server.stop()
	b.server = nil
	return err
}

// stop ends the server and removes what the benchmark wrote.
func (b *bench) stop() {
	_ = b.end()
	_ = os.RemoveAll(filepath.Dir(b.added))
}

// packageDir is where the loop finds a model's package.
func (b *bench) packageDir(model string) string {
	if slices.Contains(models[2:], model) {
		return filepath.Join(b.added, model)
	}
	return filepath.Join("internal", "registry", "builtin", model)
}

// all measures what the options ask for.
func (b *bench) all(ctx context.Context) (*report, error) {
	r := &report{options: b.options, began: time.Now(), commit: commit(ctx)}
	out, err := exec.CommandContext(ctx, b.options.server, "version").Output()
	if err != nil {
		return nil, fmt.Errorf("goshawk version: %w", err)
	}
	r.versions = "```\n" + where.ReplaceAllString(string(out), "") + "```"
	wanted := func(part string) bool { return b.only == "" || slices.Contains(strings.Split(b.only, ","), part) }
	if wanted("start") {
		if r.start, err = b.startups(ctx, b.pairs); err != nil {
			return nil, err
		}
	}
	if wanted("ratio") {
		if r.series, err = b.ratios(ctx); err != nil {
			return nil, err
		}
	}
	if wanted("overload") {
		if r.overload, err = b.overloads("squeezenet"); err != nil {
			return nil, err
		}
	}
	if wanted("large") {
		if r.large, err = b.larges("squeezenet", b.pairs); err != nil {
			return nil, err
		}
	}
	if wanted("isolation") {
		if r.isolation, err = b.isolations(ctx); err != nil {
			return nil, err
		}
	}
	if wanted("hotload") {
		if r.hotload, err = b.hotloads(ctx); err != nil {
			return nil, err
		}
	}
	if wanted("churn") {
		if r.churn, err = b.churns(ctx); err != nil {
			return nil, err
		}
	}
	if wanted("calibration") {
		if r.calibration, err = b.calibrations(ctx); err != nil {
			return nil, err
		}
	}
	if wanted("step") {
		if r.step, err = b.step(ctx, "squeezenet", b.objective); err != nil {
			return nil, err
		}
		if err := r.step.write(b.plots); err != nil {
			return nil, err
		}
	}
	err = b.end()
	r.peak = b.peak
	return r, err
}

func (b *bench) target(model string) *target {
	return newTarget(b.url + "/v1/predictions?model=" + model)
}

// rounds is what one model and one size of photos need.
type rounds struct {
	*bench
	model, photos string
	pictures      [][]byte
	loop, null    *process
	tuned         *process // the loop with the server's settings of timers, policy and pages
	server, empty *target
	series        []series // by concurrency
}

// measure alternates the loop, the tuned loop, the null server and goshawk, in
// turns of a fraction of a second where pictures are small, every second turn the other way about: the
// machine's drift within a few seconds is larger than what is measured.
func (b *bench) measure(ctx context.Context, model, photos string, concurrencies []int) (all []series, err error) {
	pictures, err := load(b.folders[photos])
	if err != nil {
		return nil, err
	}
	r := &rounds{bench: b, model: model, photos: photos, pictures: pictures}
	defer func() {
		r.stop()
		err = errors.Join(err, patient(false))
	}()
	for _, c := range concurrencies {
		r.series = append(r.series, series{Model: model, Photos: photos, Concurrency: c})
	}
	rounds := b.pairs
	if model == "squeezenet" && photos == small {
		rounds = 2 * b.pairs // a bar speaks of it: twice the pairs make its interval narrower
	}
	for i := range rounds {
		if err := r.fresh(ctx); err != nil {
			return nil, err
		}
		if err := r.one(i%2 == 1); err != nil {
			return nil, fmt.Errorf("%s, %s: %w", model, photos, err)
		}
		fmt.Fprintf(os.Stderr, "%s, %s: pair %d of %d\n", model, photos, i+1, rounds)
	}
	return r.series, nil
}

// fresh starts every process anew and warms it up. A process keeps the luck that
// it had with where its memory lies, which is 1 or 2 % of an inference: pairs of
// one process would repeat it, and their interval would not know.
func (r *rounds) fresh(ctx context.Context) (err error) {
	r.stop()
	if err := patient(false); err != nil { // which the children would inherit
		return err
	}
	if err := r.serve(ctx); err != nil {
		return err
	}
	r.server = r.target(r.model)
	if err := r.children(ctx); err != nil {
		return err
	}
	if err := patient(true); err != nil {
		return err
	}
	for _, warm := range []func() (figure, error){
		func() (figure, error) { return loopChild(r.loop, warmUp) },
		func() (figure, error) { return loopChild(r.tuned, warmUp) },
		func() (figure, error) { return loaded(r.null, r.empty, r.pictures, 8, warmUp) },
		func() (figure, error) { return loaded(r.bench.server, r.server, r.pictures, 8, warmUp) },
	} {
		if _, err := warm(); err != nil {
			return err
		}
	}
	return nil
}

const warmUp = 300 * time.Millisecond

// stop ends what children has started; the figures are in.
func (r *rounds) stop() {
	for _, p := range []*process{r.loop, r.tuned, r.null} {
		if p != nil {
			_ = p.stop()
		}
	}
	for _, t := range []*target{r.server, r.empty} {
		_ = t.close()
	}
	r.loop, r.tuned, r.null, r.server, r.empty = nil, nil, nil, nil, nil
}

func (r *rounds) children(ctx context.Context) (err error) {
	dir := r.packageDir(r.model)
	for _, l := range []struct {
		env []string
		to  **process
	}{{plain, &r.loop}, {tuned, &r.tuned}} {
		if *l.to, err = startWith(ctx, os.Stderr, l.env, r.self, "-library", r.library, "loop", dir, r.folders[r.photos]); err != nil {
			return err
		}
		if _, err = (*l.to).expect("ready"); err != nil {
			return err
		}
	}
	size, err := answerSize(ctx, r.server, r.pictures[0])
	if err != nil {
		return err
	}
	if r.null, err = start(ctx, r.self, "null", strconv.Itoa(size)); err != nil {
		return err
	}
	address, err := r.null.expect("listening")
	r.empty = newTarget(address)
	return err
}

// answerSize asks once, so that the null server answers as much as goshawk does.
func answerSize(ctx context.Context, t *target, picture []byte) (int, error) {
	status, size, err := t.post(ctx, picture)
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("%s answers with status %d", t.url, status)
	}
	return size, err
}

// one measures each concurrency in a series of turns.
func (r *rounds) one(backwards bool) error {
	for k := range r.series {
		i := k
		if backwards {
			i = len(r.series) - 1 - k
		}
		s := &r.series[i]
		turns := 1
		if r.photos == small && s.Concurrency <= 8 {
			turns = 4 // of more at a time, or longer ones, too many would be under way at the end of each
		}
		var p pair
		for turn := range turns {
			if err := r.turn(&p, s.Concurrency, r.duration/time.Duration(turns), (turn%2 == 1) != backwards); err != nil {
				return err
			}
		}
		s.Pairs = append(s.Pairs, p)
	}
	return nil
}

// turn has each process work for a while, one after another.
func (r *rounds) turn(p *pair, concurrency int, duration time.Duration, backwards bool) error {
	steps := []struct {
		into *figure
		of   func() (figure, error)
	}{
		{&p.Tuned, func() (figure, error) { return loopChild(r.tuned, duration) }},
		{&p.Server, func() (figure, error) {
			return loaded(r.bench.server, r.server, r.pictures, concurrency, duration)
		}},
		{&p.Loop, func() (figure, error) { return loopChild(r.loop, duration) }},
		{&p.Null, func() (figure, error) { return loaded(r.null, r.empty, r.pictures, concurrency, duration/3) }},
	}
	if backwards {
		slices.Reverse(steps)
	}
	for _, s := range steps {
		runtime.GC() // the client's garbage is not collected while somebody is measured
		f, err := s.of()
		if err != nil {
			return err
		}
		*s.into = s.into.and(f)
		time.Sleep(50 * time.Millisecond)
	}
	return nil
}
