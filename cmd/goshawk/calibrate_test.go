package main

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/goshawk-ai/goshawk/internal/calibrate"
	"github.com/goshawk-ai/goshawk/internal/config"
	"github.com/goshawk-ai/goshawk/internal/model"
	"github.com/goshawk-ai/goshawk/internal/problem"
	"github.com/goshawk-ai/goshawk/internal/registry"
)

// calibrated is a calibration of a made-up model.
func calibrated(others float64) *calibrate.Document {
	point := func(batch int, rate float64) calibrate.Point {
		return calibrate.Point{Setting: calibrate.Setting{Threads: 1, Instances: 2, Batch: batch}, Rate: rate, Run: 10 * time.Millisecond, Slow: 11 * time.Millisecond, Rounds: 3}
	}
	r := &calibrate.Result{
		At: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Others: others, Machine: calibrate.Machine{CPU: "a good one", Cores: 2, Runtime: "onnxruntime 1.30.0"},
		Table: []calibrate.Point{point(1, 200), point(2, 150)},
	}
	return calibrate.Make(calibrate.Space{Cores: 2, MaxBatch: 2, Objective: 50 * time.Millisecond}, r).Document()
}

func TestModelsCalibrate(t *testing.T) {
	b := newBench(t)
	var asked registry.Calibration
	others := 0.0
	b.rooms.calibrate = func(_ context.Context, cfg *config.Config, q registry.Calibration) (*calibrate.Document, error) {
		asked = q
		if cfg.Objective != 50*time.Millisecond {
			t.Errorf("the objective is %v", cfg.Objective)
		}
		return calibrated(others), nil
	}
	code := b.run(t.Context(), "models", "calibrate", "cats@best", "--budget", "2s", "--latency-objective", "50ms")
	if want := "1\t2\t1\t200.0\t10.00\t22.00\tchosen\n1\t2\t2\t150.0\t10.00\t22.00\t\n"; code != exitDone || b.out.String() != want {
		t.Errorf("code %d, %q; want the table %q", code, &b.out, want)
	}
	if !strings.Contains(b.err.String(), "1 thread x 2 instances, batch 1: of 2 settings measured it does most") || strings.Contains(b.err.String(), "warning") {
		t.Errorf("stderr %q; want what was chosen, and why", &b.err)
	}
	if asked != (registry.Calibration{Ref: "cats@best", Budget: 2 * time.Second}) {
		t.Errorf("asked for %+v", asked)
	}
	others = 0.6
	b.run(t.Context(), "models", "calibrate", "cats", "--latency-objective", "50ms", "-o", "json")
	var doc calibrate.Document
	if err := json.Unmarshal(b.out.Bytes(), &doc); err != nil || doc.Instances != 2 || len(doc.Calibration.Table) != 2 {
		t.Errorf("json %s (%v)", &b.out, err)
	}
	b.run(t.Context(), "models", "calibrate", "cats", "--latency-objective", "50ms")
	if !strings.Contains(b.err.String(), "other programs took 60 % of this machine's processors") {
		t.Errorf("stderr %q; want a warning about the busy machine", &b.err)
	}
}

func TestModelsCalibrateRefusals(t *testing.T) {
	b := newBench(t)
	b.rooms.calibrate = func(context.Context, *config.Config, registry.Calibration) (*calibrate.Document, error) {
		return nil, problem.Overloaded.New("a request was served 1s ago, and a model is measured only when there was none for 2s")
	}
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"cats"}, exitFailed, "a request was served 1s ago"},
		{[]string{"cats", "--budget", "1ms"}, exitUsage, "--budget is 1ms; want a time from 500ms to 5m0s"},
		{[]string{"cats", "--budget", "1h"}, exitUsage, "--budget is 1h0m0s"},
		{[]string{"cats", "--latency-objective", "soon"}, exitUsage, "latency-objective"},
		{[]string{}, exitUsage, "takes one model"},
	} {
		code := b.run(t.Context(), append([]string{"models", "calibrate"}, c.args...)...)
		if code != c.code || !strings.Contains(b.err.String(), c.want) || strings.Count(b.err.String(), "\n") != 1 || b.out.Len() > 0 {
			t.Errorf("%q: code %d, %q; want %d and one line with %q", c.args, code, &b.err, c.code, c.want)
		}
	}
}

func TestInspectSaysHowAModelIsRunHere(t *testing.T) {
	b := toys(t)
	b.rooms.planned = func(*config.Config, *model.Package) *calibrate.Document { return calibrated(0) }
	b.run(t.Context(), "models", "inspect", "toy")
	for _, want := range []string{
		"run as\t1 thread x 2 instances, batch 1\n", "because\tof 2 settings measured", "latency objective\t50 ms\n",
		"calibrated\t2026-01-02T03:04:05Z, onnxruntime 1.30.0, 2 cores of a good one\n",
	} {
		if !strings.Contains(b.out.String(), want) {
			t.Errorf("lacks %q:\n%s", want, &b.out)
		}
	}
	var got inspection
	b.run(t.Context(), "models", "inspect", "toy", "-o", "json")
	if err := json.Unmarshal(b.out.Bytes(), &got); err != nil || got.Plan == nil || got.Plan.Source != calibrate.FromCalibration {
		t.Errorf("json %s (%v); want how it is run", &b.out, err)
	}
}

func TestAnAddedModelIsCalibratedWhenTheMachineIsIdle(t *testing.T) {
	b := newBench(t)
	var asked []registry.Calibration
	var refuse error
	b.rooms.calibrate = func(_ context.Context, _ *config.Config, q registry.Calibration) (*calibrate.Document, error) {
		asked = append(asked, q)
		return calibrated(0), refuse
	}
	add := func(calibrates string) {
		b.out.Reset()
		b.err.Reset()
		b.console.out, b.console.err = &b.out, &b.err
		calibrateAdded(t.Context(), &b.console, b.rooms, &config.Config{Models: config.ModelSettings{Calibrate: calibrates}}, "cats@sha256:00")
	}
	add(config.Off)
	if len(asked) > 0 {
		t.Error("it is measured although that is off")
	}
	add(config.Idle)
	if len(asked) != 1 || asked[0] != (registry.Calibration{Ref: "cats@sha256:00", Budget: calibrate.DefaultBudget, Idle: true}) || b.out.Len()+b.err.Len() > 0 {
		t.Errorf("asked for %+v and wrote %q %q; want one measurement, if idle, and nothing on a pipe", asked, &b.out, &b.err)
	}
	refuse = problem.Overloaded.New("other programs take 90 %% of this machine's processors")
	add(config.Idle)
	if want := "goshawk: warning: not calibrated: other programs take 90 % of this machine's processors (goshawk models calibrate cats does it later)\n"; b.err.String() != want {
		t.Errorf("stderr %q, want %q", &b.err, want)
	}
}
