package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/goshawk-ai/goshawk/internal/infer/backendtest/onnxgen"
	"github.com/goshawk-ai/goshawk/internal/tensor"
	"github.com/goshawk-ai/goshawk/test/running"
)

// sample is one request of an open load.
type sample struct {
	began time.Time
	took  time.Duration
	ok    bool
}

// span is the time that a load, or a swap, took.
type span struct{ from, to time.Time }

// hotload is what one model's callers noticed of something else that went on.
type hotload struct {
	Model, What   string
	Peak, Rate    float64    // requests a second: of a closed load of 8, and of the open one
	Quiet, Beside [][]sample // by pair: without it, and while it went on
	Spans         [][]span   // by pair
}

const (
	openShare = .3   // of the peak
	enough    = 1000 // requests inside, for a percentile to speak of them
	hotName   = "hundred"

	hundredLoads = "a model of 100 MB is loaded"
)

// writeHundred writes a model of 100 MB: a row times 25 matrices, one after the other.
func writeHundred(path string) error {
	const side, layers = 1024, 25
	value := func(name string) onnxgen.Value {
		return onnxgen.Value{Name: name, Type: tensor.Float32, Shape: []any{"n", side}}
	}
	m := onnxgen.Model{Graph: onnxgen.Graph{Inputs: []onnxgen.Value{value("in")}, Outputs: []onnxgen.Value{value("out")}}}
	r := rand.New(rand.NewPCG(1, 2))
	at := "in"
	for i := range layers {
		w := tensor.Aligned(4 * side * side)
		numbers := tensor.View[float32](w)
		for j := range numbers {
			numbers[j] = r.Float32() / side
		}
		name, to := fmt.Sprintf("w%d", i), fmt.Sprintf("x%d", i)
		if i == layers-1 {
			to = "out"
		}
		m.Initializers = append(m.Initializers, onnxgen.Constant{Name: name, Type: tensor.Float32, Shape: []int{side, side}, Data: w})
		m.Nodes = append(m.Nodes, onnxgen.Node{Op: "MatMul", In: []string{at, name}, Out: []string{to}})
		at = to
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, m.Bytes(), 0o644)
}

// hotloads measures what the callers of two models notice while a model of 100 MB
// is loaded and unloaded over and over, and while their own model is swapped.
func (b *bench) hotloads(ctx context.Context) ([]*hotload, error) {
	photos, err := load(b.folders[small])
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "goshawk-hotload-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	data, models := filepath.Join(dir, "data"), filepath.Join(dir, "models")
	if err := writeHundred(filepath.Join(models, hotName+".onnx")); err != nil {
		return nil, err
	}
	versions, err := b.twoVersions(ctx, data)
	if err != nil {
		return nil, err
	}
	p, url, err := serve(ctx, b.options.server, data, "--models", models, "--model-control", "explicit", "--models-required", "squeezenet,cifar10")
	if err != nil {
		return nil, err
	}
	defer func() { _ = p.stop() }()
	reload := func(ctx context.Context) (span, error) {
		at := url + "/v2/repository/models/" + hotName
		if err := command(ctx, at+"/unload"); err != nil {
			return span{}, err
		}
		s := span{from: time.Now()}
		err := command(ctx, at+"/load")
		s.to = time.Now()
		return s, err
	}
	turn := 0
	swap := func(ctx context.Context) (span, error) {
		turn++
		s := span{from: time.Now()}
		err := b.point(ctx, data, "squeezenet@default", versions[turn%2])
		s.to = time.Now()
		return s, err
	}
	var all []*hotload
	for _, h := range []struct {
		model, what string
		do          func(context.Context) (span, error)
	}{
		{"squeezenet", hundredLoads, reload},
		{"cifar10", hundredLoads, reload},
		{"squeezenet", "its version is swapped", swap},
	} {
		one := &hotload{Model: h.model, What: h.what}
		t := newTarget(url + "/v1/predictions?model=" + h.model)
		if err := errors.Join(one.measure(ctx, b, t, photos, h.do), t.close()); err != nil {
			return nil, fmt.Errorf("%s while %s: %w", h.model, h.what, err)
		}
		all = append(all, one)
		if b.bars {
			break
		}
	}
	return all, nil
}

// twoVersions adds squeezenet twice, which differ in a word of their manifest.
func (b *bench) twoVersions(ctx context.Context, data string) (refs [2]string, err error) {
	for i := range refs {
		dir := filepath.Join(data, "..", fmt.Sprintf("package%d", i))
		if err := running.WritePackage(b.shared, "squeezenet", dir); err != nil {
			return refs, err
		}
		path := filepath.Join(dir, "goshawk.yaml")
		text, err := os.ReadFile(path)
		if err != nil {
			return refs, err
		}
		text = append(text, fmt.Sprintf("# version %d\n", i)...)
		if err := os.WriteFile(path, text, 0o644); err != nil {
			return refs, err
		}
		out, err := exec.CommandContext(ctx, b.options.server, "models", "add", dir, "--calibrate", "off", "--data", data).CombinedOutput()
		if err != nil {
			return refs, fmt.Errorf("add squeezenet: %s", out)
		}
		refs[i] = strings.TrimSpace(strings.TrimPrefix(string(out[strings.LastIndex(string(out), "added "):]), "added "))
	}
	return refs, nil
}

// point moves an alias. It returns when requests are answered by its version.
func (b *bench) point(ctx context.Context, data, alias, ref string) error {
	if out, err := exec.CommandContext(ctx, b.options.server, "models", "alias", alias, ref, "--data", data).CombinedOutput(); err != nil {
		return fmt.Errorf("move an alias: %s", out)
	}
	return nil
}

// command posts a body, or none, and wants success.
func command(ctx context.Context, url string, body ...byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s %s", url, res.Status, text)
	}
	return err
}

// measure alternates loads without and with the other thing, until enough
// requests fell into it.
func (h *hotload) measure(ctx context.Context, b *bench, t *target, photos [][]byte, do func(context.Context) (span, error)) error {
	if err := answers(ctx, t, photos[0]); err != nil {
		return err
	}
	if _, err := do(ctx); err != nil { // once, so that everything is there
		return err
	}
	peak := t.closed(photos, 8, b.duration)
	if err := peak.valid(); err != nil {
		return err
	}
	h.Peak = float64(peak.Answers) / peak.Wall.Seconds()
	h.Rate = openShare * h.Peak
	for i := 0; i < b.pairs || len(h.inside()) < enough && i < 4*b.pairs; i++ {
		for k := range 2 {
			runtime.GC()
			if (k == 0) == (i%2 == 0) {
				h.Quiet = append(h.Quiet, t.poisson(photos, h.Rate, b.duration))
				continue
			}
			samples, spans, err := h.beside(ctx, t, photos, b.duration, do)
			if err != nil {
				return err
			}
			h.Beside, h.Spans = append(h.Beside, samples), append(h.Spans, spans)
		}
		fmt.Fprintf(os.Stderr, "%s while %s: pair %d, %d requests inside\n", h.Model, h.What, i+1, len(h.inside()))
	}
	return nil
}

func (h *hotload) beside(ctx context.Context, t *target, photos [][]byte, d time.Duration, do func(context.Context) (span, error)) (samples []sample, spans []span, err error) {
	stop := make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		for err == nil {
			select {
			case <-stop:
				return
			default:
			}
			var s span
			if s, err = do(ctx); err == nil {
				spans = append(spans, s)
			}
		}
	}()
	samples = t.poisson(photos, h.Rate, d)
	close(stop)
	<-done
	return samples, spans, err
}

// poisson sends requests at Poisson arrivals and waits for their answers.
func (t *target) poisson(pictures [][]byte, rate float64, d time.Duration) []sample {
	var mu sync.Mutex
	var list []sample
	arrive(d, steady(rate), func(i int) {
		s := sample{began: time.Now()}
		status, _, err := t.post(context.Background(), pictures[i%len(pictures)])
		s.took, s.ok = time.Since(s.began), err == nil && status == http.StatusOK
		mu.Lock()
		defer mu.Unlock()
		list = append(list, s)
	})()
	return list
}

// overlaps tells whether a request was under way during one of the spans.
func (s sample) overlaps(spans []span) bool {
	end := s.began.Add(s.took)
	return slices.ContainsFunc(spans, func(p span) bool { return s.began.Before(p.to) && end.After(p.from) })
}

// inside are the requests of all pairs that were under way during a span.
func (h *hotload) inside() (list []sample) {
	for i := range h.Beside {
		list = append(list, h.insideOf(i)...)
	}
	return list
}

func (h *hotload) insideOf(i int) []sample {
	return slices.DeleteFunc(slices.Clone(h.Beside[i]), func(s sample) bool { return !s.overlaps(h.Spans[i]) })
}

func tail(list []sample, q float64) float64 {
	took := make([]time.Duration, len(list))
	for i, s := range list {
		took[i] = s.took
	}
	return percentile(took, q)
}

// ratio is the percentile inside over that without, of all pairs together, with
// the interval that drawing pairs anew gives: one pair alone has too few
// requests for a percentile.
func (h *hotload) ratio(q float64) interval {
	pairs := len(h.Quiet)
	inside := make([][]sample, pairs)
	for i := range inside {
		inside[i] = h.insideOf(i)
	}
	of := func(draw func(i int) int) float64 {
		var a, b []sample
		for i := range pairs {
			a, b = append(a, h.Quiet[draw(i)]...), append(b, inside[draw(i)]...)
		}
		return tail(b, q) / tail(a, q)
	}
	r := rand.New(rand.NewPCG(1, 2))
	values := make([]float64, 1000)
	for k := range values {
		drawn := make([]int, pairs)
		for i := range drawn {
			drawn[i] = r.IntN(pairs)
		}
		values[k] = of(func(i int) int { return drawn[i] })
	}
	slices.Sort(values)
	return interval{of(func(i int) int { return i }), quantile(values, .025), quantile(values, .975), pairs}
}

func (r *report) hotloads(b *strings.Builder) {
	if len(r.hotload) == 0 {
		return
	}
	b.WriteString(`Poisson arrivals at 30 % of the rate of a closed load of 8, in pairs: without, and while it goes on over and over ("inside" are the requests
that were under way during one). A load is ` + "`POST /v2/repository/models/…/load`" + ` of a model that was just unloaded, a swap is
` + "`goshawk models alias`" + ` to the other of two versions, from the command's start to its end. The percentiles are of all pairs together; the interval
of the ratio is that of drawing pairs anew.

| callers of | while | peak /s | offered /s | pairs | requests without | inside | failed of all | times | median ms each | p50 without | p50 inside | p99 without | p99 inside | p50 ratio | p99 ratio |
| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
`)
	for _, h := range r.hotload {
		quiet, inside := slices.Concat(h.Quiet...), h.inside()
		failed, all := 0, slices.Concat(quiet, slices.Concat(h.Beside...))
		for _, s := range all {
			if !s.ok {
				failed++
			}
		}
		var each []float64
		for _, s := range slices.Concat(h.Spans...) {
			each = append(each, ms(s.to.Sub(s.from)))
		}
		fmt.Fprintf(b, "| %s | %s | %.0f | %.1f | %d | %d | %d | %d of %d | %d | %.0f | %.2f | %.2f | %.2f | %.2f | %s | %s |\n",
			h.Model, h.What, h.Peak, h.Rate, len(h.Quiet), len(quiet), len(inside), failed, len(all), len(each), median(each),
			tail(quiet, .5), tail(inside, .5), tail(quiet, .99), tail(inside, .99), h.ratio(.5), h.ratio(.99))
	}
	for _, h := range r.hotload {
		if h.What != hundredLoads {
			continue // each swap is a process of the client's, on the same cores
		}
		v := h.ratio(.99)
		fmt.Fprintf(b, "\nBar: p99 of %s while %s at most 1.5 times that without: %s, %s.\n", h.Model, h.What, v, verdict(v.Median <= 1.5))
	}
}
