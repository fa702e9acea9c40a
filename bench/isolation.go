package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/goshawk-ai/goshawk/internal/infer/backendtest/onnxgen"
	"github.com/goshawk-ai/goshawk/internal/tensor"
	"github.com/goshawk-ai/goshawk/test/running"
)

// isolated is a condition: the same model in the server's process and in one of
// its own, by turns.
type isolated struct {
	Model       string
	Concurrency int
	Here, Apart []figure
}

// isolations measures squeezenet, fed with photos, and a model of one addition,
// whose request is nothing but the way there and back.
func (b *bench) isolations(ctx context.Context) ([]isolated, error) {
	photos, err := load(b.folders[small])
	if err != nil {
		return nil, err
	}
	data, err := os.MkdirTemp("", "goshawk-isolation-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(data) }()
	for _, model := range []string{"squeezenet", "tiny"} {
		for _, apart := range []bool{false, true} {
			if err := b.addIsolated(ctx, data, model, apart); err != nil {
				return nil, err
			}
		}
	}
	p, url, err := serve(ctx, b.options.server, data)
	if err != nil {
		return nil, err
	}
	defer func() { _ = p.stop() }()
	ask := []byte(`{"inputs": [{"name": "in", "shape": [4], "datatype": "FP32", "data": [1, 2, 3, 4]}]}`)
	var all []isolated
	for _, c := range []struct {
		model, path string
		bodies      [][]byte
	}{
		{"squeezenet", "/v1/predictions?model=%s", photos},
		{"tiny", "/v2/models/%s/infer", [][]byte{ask}},
	} {
		here, apart := newTarget(url+fmt.Sprintf(c.path, c.model)), newTarget(url+fmt.Sprintf(c.path, c.model+"-apart"))
		defer func() { _ = here.close() }()
		defer func() { _ = apart.close() }()
		for _, t := range []*target{here, apart} {
			if err := answers(ctx, t, c.bodies[0]); err != nil {
				return nil, err
			}
		}
		for _, concurrency := range []int{1, 8} {
			s := isolated{Model: c.model, Concurrency: concurrency}
			for i := range b.pairs {
				if err := s.pair(p, here, apart, c.bodies, b.duration, i%2 == 1); err != nil {
					return nil, err
				}
				fmt.Fprintf(os.Stderr, "isolation of %s at %d: pair %d of %d\n", c.model, concurrency, i+1, b.pairs)
			}
			all = append(all, s)
		}
	}
	return all, nil
}

// answers waits until a model that is not the default is loaded.
func answers(ctx context.Context, t *target, body []byte) error {
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		status, _, err := t.post(ctx, body)
		if err == nil && status == 200 {
			return nil
		}
		if time.Now().After(deadline) {
			return errors.Join(fmt.Errorf("%s answers with status %d", t.url, status), err)
		}
	}
}

func (s *isolated) pair(p *process, here, apart *target, bodies [][]byte, duration time.Duration, backwards bool) error {
	for i := range 2 {
		t, into := here, &s.Here
		if (i == 1) != backwards {
			t, into = apart, &s.Apart
		}
		runtime.GC()
		before := childrenCPU(p.cmd.Process.Pid)
		f, err := loaded(p, t, bodies, s.Concurrency, duration)
		if err != nil {
			return err
		}
		f.CPU += (childrenCPU(p.cmd.Process.Pid) - before) / time.Duration(f.Pictures)
		*into = append(*into, f)
		time.Sleep(50 * time.Millisecond)
	}
	return nil
}

// childrenCPU is the processor time of a process's children.
func childrenCPU(pid int) (sum time.Duration) {
	lists, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, list := range lists {
		text, _ := os.ReadFile(list)
		for _, word := range strings.Fields(string(text)) {
			if child, err := strconv.Atoi(word); err == nil {
				cpu, _ := cpuOf(child)
				sum += cpu
			}
		}
	}
	return sum
}

func (b *bench) addIsolated(ctx context.Context, data, model string, apart bool) error {
	dir := filepath.Join(data, "packages", model+strconv.FormatBool(apart))
	manifest := filepath.Join(dir, "goshawk.yaml")
	if model == "tiny" {
		m := onnxgen.Identity(tensor.Float32, "n")
		m.Nodes = []onnxgen.Node{{Op: "Add", In: []string{"in", "in"}, Out: []string{"out"}}}
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, "model.onnx"), m.Bytes(), 0o644); err != nil {
			return err
		}
		if err := os.WriteFile(manifest, []byte("apiVersion: goshawk/v1\nkind: Tensor\nname: tiny\nmodel: model.onnx\n"), 0o644); err != nil {
			return err
		}
	} else if err := running.WritePackage(b.shared, model, dir); err != nil {
		return err
	}
	if apart {
		text, err := os.ReadFile(manifest)
		if err != nil {
			return err
		}
		changed := strings.Replace(string(text), "name: "+model, "name: "+model+"-apart", 1) + "serving: {isolation: process}\n"
		if err := os.WriteFile(manifest, []byte(changed), 0o644); err != nil {
			return err
		}
	}
	if out, err := exec.CommandContext(ctx, b.options.server, "models", "add", dir, "--calibrate", "off", "--data", data).CombinedOutput(); err != nil {
		return fmt.Errorf("add %s: %s", model, out)
	}
	return nil
}

// ratio is apart over here, pair by pair.
func (s isolated) ratio(of func(figure) float64) interval {
	values := make([]float64, len(s.Here))
	for i := range s.Here {
		values[i] = of(s.Apart[i]) / of(s.Here[i])
	}
	return bootstrap(values)
}

func (r *report) isolations(b *strings.Builder) {
	if len(r.isolation) == 0 {
		return
	}
	b.WriteString(`The same model in the server's process ("here") and in one of its own ("apart"), by turns, over HTTP. squeezenet gets photos of
500 x 375 (602 KB of tensor cross to the process); tiny adds four numbers, so that its request is the way there and back.
CPU is that of both processes. p50 is over all answers.

| model | concurrency | pairs | rate apart ÷ here | CPU apart ÷ here | p50 apart ÷ here | CPU ms here | CPU ms apart | p50 ms here | p50 ms apart |
| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
`)
	cpu := func(f figure) float64 { return ms(f.CPU) }
	half := func(f figure) float64 { return percentile(f.Took, .5) }
	for _, s := range r.isolation {
		middle := func(list []figure, of func(figure) float64) float64 {
			values := make([]float64, len(list))
			for i, f := range list {
				values[i] = of(f)
			}
			return median(values)
		}
		fmt.Fprintf(b, "| %s | %d | %d | %s | %s | %s | %.3f | %.3f | %.3f | %.3f |\n", s.Model, s.Concurrency, len(s.Here),
			s.ratio(func(f figure) float64 { return f.Rate }), s.ratio(cpu), s.ratio(half),
			middle(s.Here, cpu), middle(s.Apart, cpu), middle(s.Here, half), middle(s.Apart, half))
	}
}
