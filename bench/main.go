package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/goshawk-ai/goshawk/internal/infer/ort"
)

type options struct {
	server, library string
	shared          string // folder of test data: models, photos
	out             string
	pairs           int
	duration        time.Duration
	only            string
	models          string        // of -only calibration
	objective       time.Duration // of -only step
	plots           string        // folder of what -only step draws
	bars            bool
}

func main() {
	var o options
	flag.StringVar(&o.server, "server", "bin/goshawk", "the program to measure")
	flag.StringVar(&o.library, "library", filepath.Join("lib", "libonnxruntime.so."+ort.Release), "ONNX Runtime, for the loop")
	flag.StringVar(&o.shared, "shared", filepath.Join("..", "shared"), "folder of the test data")
	flag.StringVar(&o.out, "out", "docs/benchmarks.md", "report to write")
	flag.IntVar(&o.pairs, "pairs", 12, "alternating pairs a condition")
	flag.DurationVar(&o.duration, "duration", 2*time.Second, "of one side of a pair")
	flag.StringVar(&o.only, "only", "", "any of start,ratio,overload,large,isolation,hotload,churn,calibration,step; empty is all")
	flag.StringVar(&o.models, "models", "cifar10,imagenet,squeezenet,mobilenetv2-int8", "models of the part calibration")
	flag.DurationVar(&o.objective, "objective", 50*time.Millisecond, "latency objective of the part step")
	flag.StringVar(&o.plots, "plots", "bin", "folder for the plot and the figures of the part step")
	flag.BoolVar(&o.bars, "bars", false, "of the ratios, only the condition that a bar speaks of; of hotload, only the first")
	flag.Parse()
	if err := run(context.Background(), o, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// scheduling set to off leaves a process the kernel's own timers, policy and pages.
// The server and the loop have better ones for inference (see internal/infer/ort),
// and so would this program, which links the same package: its arrivals would
// come in bursts. The children are started without it.
const scheduling = "GOSHAWKTEST_SCHEDULING"

// again replaces this process by itself, as a client without those settings.
func again() error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	return syscall.Exec(self, os.Args, append(os.Environ(), scheduling+"=off"))
}

// run is the parent, or one of the children that it starts from itself.
func run(ctx context.Context, o options, args []string) error {
	if len(args) > 0 {
		return child(ctx, o, args)
	}
	if runtime.GOOS != "linux" {
		return errors.New("the benchmark reads /proc, which only Linux has")
	}
	if os.Getenv(scheduling) == "" {
		return again()
	}
	runtime.GOMAXPROCS(1) // the client computes nothing, and takes its turns on the server's cores
	b, err := newBench(ctx, o)
	if err != nil {
		return err
	}
	defer b.stop()
	report, err := b.all(ctx)
	if err != nil {
		return err
	}
	return report.write(o.out)
}

func child(ctx context.Context, o options, args []string) error {
	switch {
	case args[0] == "null" && len(args) == 2:
		size, err := strconv.Atoi(args[1])
		if err != nil {
			return err
		}
		return nullServer(ctx, size)
	case args[0] == "engine" && len(args) == 2:
		e, err := newBareEngine(o.library, args[1])
		if err != nil {
			return err
		}
		return serveEngine(e)
	case args[0] == "loop" && len(args) == 3:
		pictures, err := load(args[2])
		if err != nil {
			return err
		}
		b, err := newBare(o.library, args[1], pictures)
		if err != nil {
			return err
		}
		return serveLoop(b)
	}
	return fmt.Errorf("unknown command %q", args)
}

// load reads the JPEG files of a folder, in the order of their names.
func load(dir string) ([][]byte, error) {
	names, err := filepath.Glob(filepath.Join(dir, "*.jpg"))
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("no .jpg in %q", dir)
	}
	slices.Sort(names)
	pictures := make([][]byte, len(names))
	for i, name := range names {
		if pictures[i], err = os.ReadFile(name); err != nil {
			return nil, err
		}
	}
	return pictures, nil
}
