package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/goshawk-ai/goshawk/internal/calibrate"
	"github.com/goshawk-ai/goshawk/internal/config"
	"github.com/goshawk-ai/goshawk/internal/model"
	"github.com/goshawk-ai/goshawk/internal/problem"
	"github.com/goshawk-ai/goshawk/internal/registry"
)

// calibrateFunc measures a model on this machine, or has a running server do it.
type calibrateFunc func(ctx context.Context, cfg *config.Config, q registry.Calibration) (*calibrate.Document, error)

// plannedFunc says how a package would be run on this machine.
type plannedFunc func(cfg *config.Config, p *model.Package) *calibrate.Document

func newModelsCalibrate(c *console, h rooms) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "calibrate MODEL",
		Short: "Measure how a model is run best on this machine",
		Long: `Calibrate measures a model with several numbers of threads, instances and rows a
run, for a few seconds, and keeps what does most within the latency objective. It
holds from then on, for this version of the model, this machine and this version
of the runtime. What goshawk.yaml says under serving wins. Where a server holds
--data the server measures, unless it had requests in the last seconds.`,
		Example: `  goshawk models calibrate imagenet
  goshawk models calibrate flowers --budget 10s --latency-objective 50ms -o json`,
		Args: arguments(1, 1, "one model (NAME, NAME@ALIAS or NAME@sha256:DIGEST)"),
	}
	f := outputFlag(cmd, "table", "json")
	budget := cmd.Flags().Duration("budget", calibrate.DefaultBudget, "how long to measure")
	load := settings(cmd, c, config.Models)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		cfg, err := checked(load, config.Models)
		if err != nil {
			return err
		}
		if *budget < calibrate.MinBudget || *budget > largestBudget {
			return usage("--budget is %v; want a time from %v to %v", *budget, calibrate.MinBudget, largestBudget)
		}
		warn(c, cfg.Warnings())
		if c.errTerminal {
			fmt.Fprintf(c.err, "measuring for %v …\n", *budget)
		}
		doc, err := h.calibrate(cmd.Context(), cfg, registry.Calibration{Ref: args[0], Budget: *budget})
		if err != nil {
			return whichModels(err, "")
		}
		return writeCalibration(c, f, doc)
	}
	return cmd
}

const largestBudget = 5 * time.Minute

func writeCalibration(c *console, f *format, doc *calibrate.Document) error {
	if f.value == "json" {
		return writeJSON(c.out, doc)
	}
	var rows [][]string
	if doc.Calibration != nil {
		if busy := doc.Calibration.Others; busy > calibrate.MostBusy {
			warn(c, []string{fmt.Sprintf("other programs took %.0f %% of this machine's processors: measure again when it is quiet", 100*busy)})
		}
		for _, r := range doc.Calibration.Table {
			mark := ""
			if doc.Chosen(r) {
				mark = "chosen"
			}
			rows = append(rows, []string{
				strconv.Itoa(r.Threads), strconv.Itoa(r.Instances), strconv.Itoa(r.Batch),
				fmt.Sprintf("%.1f", r.Rate), fmt.Sprintf("%.2f", r.Run), fmt.Sprintf("%.2f", r.P99), mark,
			})
		}
	}
	if err := writeTable(c, f, []string{"THREADS", "INSTANCES", "BATCH", "ROWS/S", "RUN MS", "P99 MS", ""}, rows); err != nil {
		return err
	}
	_, err := fmt.Fprintf(c.err, "%s: %s\n", settingOf(doc), printable(doc.Reason))
	return err
}

func settingOf(doc *calibrate.Document) string {
	return calibrate.Setting{
		Threads: doc.Threads, Instances: doc.Instances, Batch: doc.MaxBatch, Delay: time.Duration(doc.MaxDelay * float64(time.Millisecond)),
	}.String()
}

// planRows are the rows of `models inspect` about how a model is run here.
func planRows(doc *calibrate.Document) [][]string {
	if doc == nil {
		return nil
	}
	rows := [][]string{{"run as", settingOf(doc)}, {"because", doc.Reason}}
	if doc.Objective > 0 {
		rows = append(rows, []string{"latency objective", strconv.FormatFloat(doc.Objective, 'f', -1, 64) + " ms"})
	}
	if m := doc.Calibration; m != nil {
		rows = append(rows, []string{"calibrated", fmt.Sprintf("%s, %s, %s of %s", m.Measured.Format(time.RFC3339), m.Runtime, countOf(m.Cores, "core"), m.CPU)})
	}
	return rows
}

// calibrateAdded measures a model that was just added, if nobody else uses the
// machine. That it cannot is no failure of the addition.
func calibrateAdded(ctx context.Context, c *console, h rooms, cfg *config.Config, ref string) {
	if cfg.Models.Calibrate != config.Idle || h.calibrate == nil {
		return
	}
	if c.errTerminal {
		fmt.Fprintf(c.err, "measuring how it is run best …\n")
	}
	doc, err := h.calibrate(ctx, cfg, registry.Calibration{Ref: ref, Budget: calibrate.DefaultBudget, Idle: true})
	name, _, _ := strings.Cut(ref, "@")
	switch {
	case errors.Is(err, context.Canceled) || ctx.Err() != nil:
	case err != nil:
		why := err.Error()
		if p, ok := errors.AsType[*problem.Problem](err); ok {
			why = p.Detail
		}
		warn(c, []string{fmt.Sprintf("not calibrated: %s (goshawk models calibrate %s does it later)", why, name)})
	case c.errTerminal:
		fmt.Fprintf(c.err, "%s: %s\n", settingOf(doc), printable(doc.Reason))
	}
}
