package main

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/goshawk-ai/goshawk/internal/infer"
	"github.com/goshawk-ai/goshawk/internal/infer/ort"
	"github.com/goshawk-ai/goshawk/internal/model"
	"github.com/goshawk-ai/goshawk/internal/picture"
	"github.com/goshawk-ai/goshawk/internal/tensor"
)

// bare is the computation without a server: decode, preprocess and infer, one
// thread a core, every buffer used again.
type bare struct {
	decoder  *picture.Decoder
	session  infer.Session
	binding  *model.Binding
	labels   []model.Label
	pictures [][]byte
}

// bareLane is what one thread needs.
type bareLane struct {
	image   picture.Image
	scratch picture.Scratch
	in, out []*tensor.Tensor
}

func newBare(library, dir string, pictures [][]byte) (*bare, error) {
	backend, err := ort.Open(ort.LibraryOptions{Path: library})
	if err != nil {
		return nil, err
	}
	pkg, err := model.Open(os.DirFS(dir))
	if err != nil {
		return nil, err
	}
	onnx, err := os.ReadFile(filepath.Join(dir, pkg.Manifest.Model))
	if err != nil {
		return nil, err
	}
	session, err := backend.Load(context.Background(), onnx, infer.Options{})
	if err != nil {
		return nil, err
	}
	binding, err := model.Bind(pkg, session.Inputs(), session.Outputs())
	if err != nil {
		return nil, err
	}
	decoder, err := picture.NewDecoder("auto")
	if err != nil {
		return nil, err
	}
	return &bare{decoder, session, binding, pkg.Labels, pictures}, nil
}

func (b *bare) lane() (*bareLane, error) {
	recipe := &b.binding.Recipe
	shape := []int64{1, 3, int64(recipe.Height), int64(recipe.Width)}
	in, err := tensor.New(b.binding.Input.Name, recipe.Type, shape, 1<<30)
	if err != nil {
		return nil, err
	}
	out, err := tensor.New(b.binding.Logits.Name, b.binding.Logits.Type, []int64{1, int64(len(b.labels))}, 1<<30)
	if err != nil {
		return nil, err
	}
	return &bareLane{in: []*tensor.Tensor{in}, out: []*tensor.Tensor{out}}, nil
}

func (b *bare) one(l *bareLane, encoded []byte) error {
	info, err := picture.Inspect(encoded, picture.DefaultLimits)
	if err != nil {
		return err
	}
	ctx := context.Background()
	if err := b.decoder.Decode(ctx, encoded, info, b.decoder.Plan(info, &b.binding.Recipe), &l.image); err != nil {
		return err
	}
	if err := b.binding.Recipe.Fill(l.in[0].Data, &l.image, &l.scratch); err != nil {
		return err
	}
	return b.session.Run(ctx, l.in, l.out)
}

// run keeps every core busy for the duration.
func (b *bare) run(duration time.Duration) (int64, error) {
	var done, next atomic.Int64
	next.Store(rand.Int64N(int64(len(b.pictures)))) // else every run would have the same pictures twice
	var failed atomic.Pointer[error]
	until := time.Now().Add(duration)
	var all sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		all.Go(func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			l, err := b.lane()
			for err == nil && time.Now().Before(until) {
				if err = b.one(l, b.pictures[int(next.Add(1))%len(b.pictures)]); err == nil {
					done.Add(1)
				}
			}
			if err != nil {
				failed.Store(&err)
			}
		})
	}
	all.Wait()
	if err := failed.Load(); err != nil {
		return 0, *err
	}
	return done.Load(), nil
}

// serveLoop is the child process: each line of its input is a duration, each
// line that it prints a count, the CPU time and the wall time in nanoseconds.
func serveLoop(b *bare) error {
	fmt.Println("ready")
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		duration, err := time.ParseDuration(lines.Text())
		if err != nil {
			return err
		}
		cpu, err := cpuOf(os.Getpid())
		if err != nil {
			return err
		}
		began := time.Now()
		n, err := b.run(duration)
		if err != nil {
			return err
		}
		wall := time.Since(began)
		after, err := cpuOf(os.Getpid())
		if err != nil {
			return err
		}
		fmt.Println("done", n, int64(after-cpu), int64(wall))
	}
	return lines.Err()
}
