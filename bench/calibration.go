package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/goshawk-ai/goshawk/test/running"
)

// calibrated is a model: what its calibration chose, against the best of a grid.
type calibrated struct {
	Model  string
	Chosen setting
	Took   time.Duration // the calibration
	Tried  int           // settings that it measured
	Grid   int           // settings of the grid
	Rivals []rival
	Again  int // sides of pairs that were measured again
}

// rival is one of the grid's best, by turns with what was chosen.
type rival struct {
	Setting setting
	Alone   float64 // rows a second, in the grid
	Chosen  []float64
	Rival   []float64
}

func (r rival) ratio() interval {
	values := make([]float64, len(r.Chosen))
	for i := range values {
		values[i] = r.Chosen[i] / r.Rival[i]
	}
	return bootstrap(values)
}

const calibrationBar = 0.95

// calibrations measures the models that the bar speaks of, or those of -models.
func (b *bench) calibrations(ctx context.Context) (all []calibrated, err error) {
	data, err := os.MkdirTemp("", "goshawk-calibration-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(data) }()
	for _, model := range strings.Split(b.models, ",") {
		c, err := b.calibration(ctx, data, model)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", model, err)
		}
		all = append(all, *c)
	}
	return all, nil
}

// calibrationDir is where a model's package lies, for the bare engine.
func (b *bench) calibrationDir(ctx context.Context, data, model string) (string, error) {
	if builtin := filepath.Join("internal", "registry", "builtin", model); exists(builtin) {
		return builtin, nil
	}
	dir := filepath.Join(b.added, "calibration", model)
	if err := running.WritePackage(b.shared, model, dir); err != nil {
		return "", err
	}
	out, err := exec.CommandContext(ctx, b.options.server, "models", "add", dir, "--data", data, "--calibrate", "off").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("add: %s", out)
	}
	return dir, nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func (b *bench) calibration(ctx context.Context, data, model string) (*calibrated, error) {
	dir, err := b.calibrationDir(ctx, data, model)
	if err != nil {
		return nil, err
	}
	c := &calibrated{Model: model}
	batches, err := c.calibrate(ctx, b.options.server, data)
	if err != nil {
		return nil, err
	}
	engines := &engines{start: func() (*process, error) {
		p, err := startWith(ctx, os.Stderr, tuned, b.self, "-library", b.library, "engine", dir)
		if err != nil {
			return nil, err
		}
		_, err = p.expect("ready")
		return p, err
	}, running: map[setting]*process{}}
	defer engines.stop()
	if err := c.grid(engines, batches, b.duration/4); err != nil {
		return nil, err
	}
	for i := range b.pairs {
		for k := range c.Rivals {
			if err := c.pair(engines, &c.Rivals[k], b.duration/2, (i+k)%2 == 1); err != nil {
				return nil, err
			}
		}
		fmt.Fprintf(os.Stderr, "%s (%v): pair %d of %d, %d measured again\n", model, c.Chosen, i+1, b.pairs, c.Again)
	}
	return c, nil
}

// engines are processes that each run the model at one setting and no other: the
// memory that a large batch has left behind costs a small one its share.
type engines struct {
	start   func() (*process, error)
	running map[setting]*process
}

func (e *engines) rate(s setting, d time.Duration) (float64, error) {
	if e.running[s] == nil {
		p, err := e.start()
		if err != nil {
			return 0, err
		}
		e.running[s] = p
	}
	return engineRate(e.running[s], s, d)
}

func (e *engines) stop() {
	for s, p := range e.running {
		_ = p.stop()
		delete(e.running, s)
	}
}

// calibrate runs the command that users run. batches says whether the model's rows
// may share a run: it tried some.
func (c *calibrated) calibrate(ctx context.Context, server, data string) (batches bool, err error) {
	cmd := exec.CommandContext(ctx, server, "models", "calibrate", c.Model, "--data", data, "-o", "json")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return false, fmt.Errorf("calibrate: %w", err)
	}
	var doc struct {
		Threads     int `json:"threads"`
		Instances   int `json:"instances"`
		MaxBatch    int `json:"max_batch_size"`
		Calibration struct {
			Took  float64   `json:"took_ms"`
			Table []setting `json:"table"`
		} `json:"calibration"`
	}
	if err := json.Unmarshal(out, &doc); err != nil {
		return false, err
	}
	c.Chosen = setting{doc.Threads, doc.Instances, doc.MaxBatch}
	c.Took, c.Tried = time.Duration(doc.Calibration.Took*1e6), len(doc.Calibration.Table)
	return slices.ContainsFunc(doc.Calibration.Table, func(s setting) bool { return s.Batch > 1 }), nil
}

// grid measures every setting that the server can be told, twice, forth and back,
// and keeps the three best. More instances than cores are none of them: the server
// runs no more at a time.
func (c *calibrated) grid(engines *engines, batches bool, d time.Duration) error {
	var all []setting
	for threads := 1; threads <= runtime.NumCPU(); threads++ {
		for instances := 1; instances <= runtime.NumCPU(); instances++ {
			for _, batch := range []int{1, 2, 4, 8, 16} {
				if batch == 1 || batches {
					all = append(all, setting{threads, instances, batch})
				}
			}
		}
	}
	rates := map[setting]float64{}
	for range 2 {
		for _, s := range all {
			rate, err := engines.rate(s, d)
			if err != nil {
				return err
			}
			engines.stop()
			rates[s] += rate / 2
		}
		slices.Reverse(all)
	}
	slices.SortFunc(all, func(a, b setting) int {
		if rates[a] > rates[b] {
			return -1
		}
		return 1
	})
	c.Grid = len(all)
	for _, s := range all[:min(3, len(all))] {
		c.Rivals = append(c.Rivals, rival{Setting: s, Alone: rates[s]})
	}
	return nil
}

// pair measures both sides by turns, in processes of its own, and again while other
// programs take part.
func (c *calibrated) pair(engines *engines, r *rival, d time.Duration, backwards bool) error {
	sides := [2]setting{c.Chosen, r.Setting}
	for range mostAgain {
		engines.stop() // a process keeps the luck that it had with where its memory lies
		rates, others, err := engines.turns(sides, d, backwards)
		if err != nil {
			return err
		}
		if others <= mostOthers {
			r.Chosen, r.Rival = append(r.Chosen, rates[0]), append(r.Rival, rates[1])
			return nil
		}
		c.Again++
	}
	return fmt.Errorf("other programs did not leave the machine alone for a pair in %d tries", mostAgain)
}

// A pair counts only where other programs took no more of the machine meanwhile.
const (
	mostOthers = 0.04
	mostAgain  = 200
)

// turns gives both rates, of turns of a quarter of d each, and the part of the
// machine that others used meanwhile.
func (e *engines) turns(sides [2]setting, d time.Duration, backwards bool) (rates [2]float64, others float64, err error) {
	for _, s := range sides {
		if _, err := e.rate(s, time.Millisecond); err != nil { // starts it, and warms it up
			return rates, 0, err
		}
	}
	before, busy, err := e.usage()
	if err != nil {
		return rates, 0, err
	}
	began := time.Now()
	const turns = 4
	for i := range 2 * turns {
		side := (i + i/2) % 2 // there and back
		if backwards {
			side = 1 - side
		}
		rate, err := e.rate(sides[side], d/turns)
		if err != nil {
			return rates, 0, err
		}
		rates[side] += rate / turns
	}
	all := float64(time.Since(began)) * float64(runtime.NumCPU())
	after, busyAfter, err := e.usage()
	return rates, max(0, float64((busyAfter-busy)-(after-before))/all), err
}

// usage is what our processes have used so far, and what all have.
func (e *engines) usage() (ours, all time.Duration, err error) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, 0, err
	}
	line, _, _ := strings.Cut(string(text), "\n")
	var n [8]int64 // user nice system idle iowait irq softirq steal, in hundredths of a second (proc_stat(5))
	if _, err := fmt.Sscan(strings.TrimPrefix(line, "cpu"), &n[0], &n[1], &n[2], &n[3], &n[4], &n[5], &n[6], &n[7]); err != nil {
		return 0, 0, err
	}
	all = time.Duration(n[0]+n[1]+n[2]+n[5]+n[6]+n[7]) * 10 * time.Millisecond
	ours, err = cpuOf(os.Getpid())
	for _, p := range e.running {
		own, errOf := cpuOf(p.cmd.Process.Pid)
		ours, err = ours+own, errors.Join(err, errOf)
	}
	return ours, all, err
}

func (r *report) calibrations(b *strings.Builder) {
	if len(r.calibration) == 0 {
		return
	}
	fmt.Fprintf(b, ``+"`goshawk models calibrate`"+` with its default budget, then a grid of 1 to all cores in threads and in instances and batches of 1 to 16
(1 alone where a model's answers depend on the rows beside, as those of a dynamically quantized one do), each twice; then
what the calibration chose and each of the grid's best three by turns of an eighth of the time, each in a process of its own that does
nothing but run the model at this setting and is started anew for each pair. Pairs during which other programs took more than %.0f %% of the machine were measured again. A setting is threads x instances, batch. Bar: lower end of the rate's ratio at least %.2f.

| model | chosen | calibration s | settings tried | of the grid | rival | rival's rows/s | pairs | rate chosen ÷ rival | bar |
| --- | --- | ---: | ---: | ---: | --- | ---: | ---: | ---: | --- |
`, 100*mostOthers, calibrationBar)
	for _, c := range r.calibration {
		for _, v := range c.Rivals {
			ratio := v.ratio()
			fmt.Fprintf(b, "| %s | %v | %.1f | %d | %d | %v | %.1f | %d | %s | %s |\n", c.Model, c.Chosen, c.Took.Seconds(), c.Tried, c.Grid,
				v.Setting, median(v.Rival), len(v.Chosen), ratio, verdict(ratio.Low >= calibrationBar))
		}
	}
}
