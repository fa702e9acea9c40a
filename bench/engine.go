package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/goshawk-ai/goshawk/internal/infer"
	"github.com/goshawk-ai/goshawk/internal/infer/ort"
	"github.com/goshawk-ai/goshawk/internal/model"
	"github.com/goshawk-ai/goshawk/internal/tensor"
)

// setting is one way to run a model, as goshawk models calibrate prints it.
type setting struct {
	Threads   int `json:"threads"`
	Instances int `json:"instances"`
	Batch     int `json:"batch"`
}

func (s setting) String() string {
	return fmt.Sprintf("%d x %d, batch %d", s.Threads, s.Instances, s.Batch)
}

// bareEngine runs a model at any setting and nothing else: no server, no schedule,
// and none of the code that calibrates.
type bareEngine struct {
	backend  infer.Backend
	onnx     []byte
	pkg      *model.Package
	sessions map[int]infer.Session // by threads
}

func newBareEngine(library, dir string) (*bareEngine, error) {
	backend, err := ort.Open(ort.LibraryOptions{Path: library, MemoryCap: 4e9})
	if err != nil {
		return nil, err
	}
	pkg, err := model.Open(os.DirFS(dir))
	if err != nil {
		return nil, err
	}
	onnx, err := os.ReadFile(filepath.Join(dir, pkg.Manifest.Model))
	return &bareEngine{backend, onnx, pkg, map[int]infer.Session{}}, err
}

func (e *bareEngine) session(threads int) (infer.Session, error) {
	if s := e.sessions[threads]; s != nil {
		return s, nil
	}
	s, err := e.backend.Load(context.Background(), e.onnx, infer.Options{IntraThreads: threads})
	if err == nil {
		e.sessions[threads] = s
	}
	return s, err
}

// run keeps all instances busy for the duration, after one run each that is not
// counted, and gives rows a second.
func (e *bareEngine) run(s setting, duration time.Duration) (float64, error) {
	session, err := e.session(s.Threads)
	if err != nil {
		return 0, err
	}
	binding, err := model.Bind(e.pkg, session.Inputs(), session.Outputs())
	if err != nil {
		return 0, err
	}
	shape := append([]int64{int64(s.Batch)}, binding.Recipe.Shape()...)
	in, err := tensor.New(binding.Input.Name, binding.Recipe.Type, shape, 1<<30)
	if err != nil {
		return 0, err
	}
	for i, values := 0, tensor.View[float32](in.Data); i < len(values); i++ {
		values[i] = float32(i*7919%255)/127.5 - 1
	}
	rates, errs := make([]float64, s.Instances), make([]error, s.Instances)
	var all, warm sync.WaitGroup
	warm.Add(s.Instances)
	for i := range s.Instances {
		all.Go(func() {
			out := []*tensor.Tensor{{Name: binding.Logits.Name}}
			one := func() error { return session.Run(context.Background(), []*tensor.Tensor{in}, out) }
			errs[i] = one()
			warm.Done()
			warm.Wait()
			began, rows := time.Now(), 0
			for errs[i] == nil && (rows < 2*s.Batch || time.Since(began) < duration) {
				errs[i] = one()
				rows += s.Batch
			}
			rates[i] = float64(rows) / time.Since(began).Seconds()
		})
	}
	all.Wait()
	sum := 0.0
	for _, r := range rates {
		sum += r
	}
	return sum, errors.Join(errs...)
}

// serveEngine is the child process: each line of its input is a setting and a
// duration, each line that it prints what the setting did.
func serveEngine(e *bareEngine) error {
	fmt.Println("ready")
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var s setting
		var d time.Duration
		if _, err := fmt.Sscan(lines.Text(), &s.Threads, &s.Instances, &s.Batch, &d); err != nil {
			return err
		}
		rate, err := e.run(s, d)
		if err != nil {
			return err
		}
		fmt.Println("done", rate)
	}
	return lines.Err()
}

// engineRate asks the child for the rate of a setting.
func engineRate(p *process, s setting, d time.Duration) (rate float64, err error) {
	if _, err := fmt.Fprintln(p.stdin, s.Threads, s.Instances, s.Batch, int64(d)); err != nil {
		return 0, err
	}
	line, err := p.expect("done")
	if err == nil {
		_, err = fmt.Sscan(line, &rate)
	}
	return rate, err
}
