package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/goshawk-ai/goshawk/internal/config"
	"github.com/goshawk-ai/goshawk/internal/predict"
	"github.com/goshawk-ai/goshawk/internal/problem"
	"github.com/goshawk-ai/goshawk/internal/schedule"
)

// predictor classifies: this process, or a server that is far away.
type predictor interface {
	Run(ctx context.Context, r predict.Request) (*predict.Answer, error)
	Close() error
}

// localFunc loads what is needed to classify in this process.
type localFunc func(ctx context.Context, cfg *config.Config) (predictor, error)

const maxTopK = 100_000 // as the API has it

type predictOptions struct {
	topK      int
	threshold float64
	quiet     bool
	output    *format
}

func newPredict(c *console, h rooms) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "predict FILE|DIR|URL|- …",
		Short: "Classify pictures, here or on a server",
		Long: `Predict classifies files, all pictures under directories, pictures behind http
and https addresses, and one on stdin (-). It works in this process; with
--server a running server answers.

A table shows the best label of each picture (five of a single one); --top-k
asks for more. -o json writes one answer document a line, as POST
/v1/predictions gives it; -o csv has the columns name, sha256, rank, label,
index, probability and error.

` + exitHelp,
		Example: `  goshawk predict cat.jpg
  goshawk predict photos/ --model cifar10 -o csv > labels.csv
  curl -s https://example.org/cat.jpg | goshawk predict - --server http://127.0.0.1:8080`,
		Args: arguments(1, -1, "at least one file, directory, URL or -"),
	}
	load := settings(cmd, c, config.Predict)
	o := predictOptions{output: outputFlag(cmd, "table", "json", "csv")}
	cmd.Flags().IntVar(&o.topK, "top-k", 0, "labels of each picture (default: what the model's package says)")
	cmd.Flags().Float64Var(&o.threshold, "threshold", 0, "leave out labels less probable than this")
	cmd.Flags().BoolVar(&o.quiet, "quiet", false, "no progress bar, no summary")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if cmd.Flags().Changed("top-k") && (o.topK < 1 || o.topK > maxTopK) {
			return usage("--top-k is %d; want a whole number from 1 to %d", o.topK, maxTopK)
		}
		if math.IsNaN(o.threshold) || o.threshold < 0 || o.threshold > 1 {
			return usage("--threshold is %v; want a number from 0 to 1", o.threshold)
		}
		cfg, err := checked(load, config.Predict)
		if err != nil {
			return err
		}
		warn(c, cfg.Warnings())
		return whichModels(runPredict(cmd.Context(), c, h, cfg, o, args), cfg.Client.Server)
	}
	return cmd
}

func runPredict(ctx context.Context, c *console, h rooms, cfg *config.Config, o predictOptions, args []string) (err error) {
	found, err := findSources(c, cfg, args)
	if err != nil {
		return err
	}
	if found.leftOut > 0 && !o.quiet {
		fmt.Fprintf(c.err, "goshawk: left out %s that we don't read as pictures\n", countOf(found.leftOut, "file"))
	}
	if len(found.sources) == 0 {
		return fmt.Errorf("found no pictures in %s", quoteAll(args))
	}
	engine, lanes, err := choosePredictor(ctx, h, cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, engine.Close()) }()
	job := job{engine: engine, lanes: lanes, request: request(cfg, o)}
	out := newReport(c, o, found.sources)
	return out.finish(job.each(ctx, found.sources, out.add))
}

// whichModels tells somebody whose model is not there where to look for those that are.
func whichModels(err error, server string) error {
	switch {
	case !errors.Is(err, problem.ModelNotFound):
		return err
	case server != "":
		return fmt.Errorf("%w (%s/v1/models lists those there)", err, strings.TrimRight(server, "/"))
	}
	return fmt.Errorf("%w (goshawk models ls lists them)", err)
}

// choosePredictor also says how many pictures it is worth having under way: one
// more than there are cores, so that reading files keeps none of them waiting;
// for a server enough to hide the way there.
func choosePredictor(ctx context.Context, h rooms, cfg *config.Config) (predictor, int, error) {
	if cfg.Client.Server != "" {
		r, err := newRemote(cfg)
		return r, 8, err
	}
	lanes := cfg.Threads
	if lanes == 0 {
		lanes = schedule.Cores() // before the engine, which raises GOMAXPROCS
	}
	p, err := h.local(ctx, cfg)
	return p, lanes + 1, err
}

// request is what all pictures share. A server's own default model stays its
// own unless somebody here named another.
func request(cfg *config.Config, o predictOptions) predict.Request {
	r := predict.Request{Model: cfg.Model, TopK: o.topK, Threshold: o.threshold}
	if cfg.Client.Server != "" && cfg.Origin("model").Source == "default" {
		r.Model = ""
	}
	return r
}

// quoteAll names the first few of a command line's arguments.
func quoteAll(args []string) string {
	const most = 3
	var list []string
	for _, a := range args[:min(len(args), most)] {
		list = append(list, strconv.Quote(a))
	}
	text := strings.Join(list, ", ")
	if more := len(args) - most; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

func countOf(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
