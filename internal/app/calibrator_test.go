package app

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/goshawk-ai/goshawk/internal/calibrate"
	"github.com/goshawk-ai/goshawk/internal/config"
	"github.com/goshawk-ai/goshawk/internal/fleet"
	"github.com/goshawk-ai/goshawk/internal/infer/ort/orttest"
	"github.com/goshawk-ai/goshawk/internal/predict"
	"github.com/goshawk-ai/goshawk/internal/problem"
	"github.com/goshawk-ai/goshawk/internal/registry"
)

// nobody is an engine that answers when it is told to.
type nobody struct{ wait chan struct{} }

func (n nobody) Classify(context.Context, string, []byte, *predict.Raw) error {
	<-n.wait
	return nil
}

func (n nobody) Infer(context.Context, string, *predict.TensorCall) error {
	<-n.wait
	return nil
}

func TestActivityKnowsWhenItWasUsedLast(t *testing.T) {
	t.Parallel()
	n := nobody{make(chan struct{})}
	a := &activity{Engine: n}
	if since, ok := a.quiet(time.Now()); !ok || since < time.Hour {
		t.Errorf("before the first request it is quiet since %v, %v", since, ok)
	}
	told := make(chan error, 2)
	a.heed(func(cause error) { told <- cause })
	done := make(chan error, 1)
	go func() { done <- a.Classify(t.Context(), "", nil, nil) }()
	if err := <-told; !errors.Is(err, problem.Overloaded) || !strings.Contains(err.Error(), "stopped by a request") {
		t.Errorf("who wants to know is told %v", err)
	}
	if _, ok := a.quiet(time.Now()); ok {
		t.Error("it is quiet while a request is being computed")
	}
	a.heed(nil)
	close(n.wait)
	if err := <-done; err != nil {
		t.Error(err)
	}
	if err := a.Infer(t.Context(), "", nil); err != nil {
		t.Error(err)
	}
	if since, ok := a.quiet(time.Now().Add(time.Second)); !ok || since < time.Second || since > time.Hour {
		t.Errorf("after the last request it is quiet since %v, %v; want a second", since, ok)
	}
	if len(told) > 0 {
		t.Error("who does not want to know any more is told")
	}
}

func TestNothingIsMeasuredUnderTraffic(t *testing.T) {
	t.Parallel()
	n := nobody{make(chan struct{})}
	c := &calibrator{activity: &activity{Engine: n}, turn: make(chan struct{}, 1)}
	began := make(chan struct{})
	c.activity.heed(func(error) { close(began) })
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = c.activity.Classify(t.Context(), "", nil, nil)
	}()
	<-began
	c.activity.heed(nil)
	if _, err := c.run(t.Context(), registry.Calibration{Ref: "cats"}); !errors.Is(err, problem.Overloaded) || !strings.Contains(err.Error(), "a request is being served, and a model is measured only when there was none for 2s") {
		t.Errorf("during a request: %v", err)
	}
	close(n.wait)
	<-done
	if _, err := c.run(t.Context(), registry.Calibration{Ref: "cats"}); !errors.Is(err, problem.Overloaded) || !strings.Contains(err.Error(), "a request was served") {
		t.Errorf("right after a request: %v", err)
	}
	c.turn <- struct{}{}
	if _, err := c.run(t.Context(), registry.Calibration{Ref: "cats"}); !errors.Is(err, problem.Overloaded) || !strings.Contains(err.Error(), "another model") {
		t.Errorf("beside another measurement: %v", err)
	}
	<-c.turn
	c.activity.last = time.Time{}
	c.close()
	if _, err := c.run(t.Context(), registry.Calibration{Ref: "cats"}); !errors.Is(err, problem.Overloaded) {
		t.Errorf("while the server ends: %v", err)
	}
}

// settings of a program with a data directory of its own.
func settings(t *testing.T) *config.Config {
	t.Helper()
	library, err := orttest.Library()
	if err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(config.Sources{Environ: []string{"HOME=" + t.TempDir()}, Flags: map[string]string{
		"data": t.TempDir(), "onnxruntime-library": library, "jpeg-decoder": "go", "model": "cifar10",
	}})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

var quick = registry.Calibration{Ref: "cifar10", Budget: time.Millisecond}

// TestACalibrationIsKeptAndUsed goes the whole way, without a server and with
// one. The runtime is one a process: this test and no other has it.
func TestACalibrationIsKeptAndUsed(t *testing.T) {
	c := settings(t)
	doc, err := Calibrate(t.Context(), c, quick)
	if err != nil {
		t.Fatal(err)
	}
	if doc.Source != calibrate.FromCalibration || doc.Calibration == nil || doc.Calibration.Cores != lanes(c) || !strings.HasPrefix(doc.Calibration.Runtime, "onnxruntime ") {
		t.Errorf("Calibrate = %+v; want what was measured, and for which machine", doc)
	}
	refused := quick
	refused.Ref = "nobody"
	if _, err := Calibrate(t.Context(), c, refused); !errors.Is(err, problem.ModelNotFound) {
		t.Errorf("a model that is not there: %v", err)
	}

	metrics := prometheus.NewRegistry()
	e, err := newEngine(t.Context(), c, registry.Open, slog.New(slog.DiscardHandler), metrics)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := e.close(); err != nil {
			t.Error(err)
		}
	}()
	e.registry.Start(t.Context())
	if err := e.fleet.WaitReady(t.Context()); err != nil {
		t.Fatal(err)
	}
	m, release, err := e.fleet.Acquire("cifar10")
	if err != nil {
		t.Fatal(err)
	}
	pkg, digest := m.Package, m.Version.Digest
	release()
	if planned := Planned(c, pkg); planned.Source != calibrate.FromCalibration {
		t.Errorf("without a runtime it is said to be run %+v; want the calibration", planned)
	}
	if s, err := e.fleet.Status("cifar10"); err != nil || s.Plan.Source != calibrate.FromCalibration || s.Plan.Instances != lanes(c) {
		t.Errorf("the server runs it %+v, %v; want what was found without a server", s.Plan, err)
	}
	if got := e.scheduler.Policy(digest); got.Instances != lanes(c) || got.Name != "cifar10" {
		t.Errorf("the schedule has %+v", got)
	}
	d, err := e.repository.Describe(t.Context(), "cifar10")
	if err != nil || d.Instances != lanes(c) || d.Parameters["goshawk.policy_source"] != "calibration" || d.Parameters["encoded_pictures"] != "true" {
		t.Errorf("the protocol tells %+v, %v", d, err)
	}
	if shown := document(mustStatus(t, e.fleet, "cifar10")); shown.Serving == nil || shown.Serving.Source != calibrate.FromCalibration {
		t.Errorf("/v1/models tells %+v", shown.Serving)
	}
	if n, err := testutil.GatherAndCount(metrics, "goshawk_model_policy_info"); err != nil || n == 0 {
		t.Errorf("%d series say how models are run, %v", n, err)
	}

	there, err := Calibrate(t.Context(), c, quick)
	if err != nil || there.Source != calibrate.FromCalibration || !there.Calibration.Measured.After(doc.Calibration.Measured.Add(-time.Second)) {
		t.Errorf("beside a server: %+v, %v; want the server to have measured", there, err)
	}
	if _, err := Calibrate(t.Context(), c, refused); !errors.Is(err, problem.ModelNotFound) {
		t.Errorf("a model that the server has not: %v", err)
	}
	stop := quick
	stop.Budget = time.Hour
	ended := make(chan error, 1)
	go func() {
		_, err := Calibrate(t.Context(), c, stop)
		ended <- err
	}()
	for tick := time.NewTicker(time.Millisecond); !e.calibrator.listens(); {
		select {
		case <-tick.C:
		case err := <-ended:
			t.Fatalf("it ended before it measured: %v", err)
		}
	}
	_ = e.calibrator.activity.Classify(t.Context(), "cifar10", []byte("no picture"), new(predict.Raw))
	if err := <-ended; !errors.Is(err, problem.Overloaded) || !strings.Contains(err.Error(), "stopped by a request") {
		t.Errorf("a request during a measurement: %v", err)
	}
}

func (c *calibrator) listens() bool {
	c.activity.mu.Lock()
	defer c.activity.mu.Unlock()
	return c.activity.alarm != nil
}

func mustStatus(t *testing.T, f *fleet.Fleet, ref string) fleet.Status {
	t.Helper()
	s, err := f.Status(ref)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
