package app

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"math"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/goshawk-ai/goshawk/internal/calibrate"
	"github.com/goshawk-ai/goshawk/internal/config"
	"github.com/goshawk-ai/goshawk/internal/fleet"
	"github.com/goshawk-ai/goshawk/internal/infer"
	"github.com/goshawk-ai/goshawk/internal/infer/ort"
	"github.com/goshawk-ai/goshawk/internal/model"
	"github.com/goshawk-ai/goshawk/internal/problem"
	"github.com/goshawk-ai/goshawk/internal/registry"
	"github.com/goshawk-ai/goshawk/internal/schedule"
)

// calibrator plans how models are run, and measures them when nobody else wants
// the cores.
type calibrator struct {
	store     *calibrate.Store
	machine   calibrate.Machine
	objective time.Duration // the server's, for packages that name none
	activity  *activity
	fleet     *fleet.Fleet
	scheduler *schedule.Scheduler
	log       *slog.Logger
	turn      chan struct{} // held by the one measurement at a time
	closed    atomic.Bool
}

func newCalibrator(c *config.Config, backend infer.Backend, s *schedule.Scheduler, log *slog.Logger) *calibrator {
	runtime := backend.Name() + " " + backend.Version()
	if c.Backends.Provider != string(ort.CPU) {
		runtime += " " + c.Backends.Provider
	}
	return &calibrator{
		store: calibrations(c), machine: calibrate.Machine{CPU: fleet.CPU(), Cores: lanes(c), Runtime: runtime},
		objective: c.Objective, scheduler: s, log: log, turn: make(chan struct{}, 1),
	}
}

func calibrations(c *config.Config) *calibrate.Store {
	return &calibrate.Store{Dir: filepath.Join(c.Data, "cache", "calibrations")}
}

// plan is fleet.Options.Plan.
func (c *calibrator) plan(p *model.Package) calibrate.Plan {
	return calibrate.Make(fleet.Space(p, c.machine.Cores, c.objective), c.store.Load(p.Digest, c.machine))
}

// loaded is fleet.Options.Loaded: the schedule obeys a model's plan.
func (c *calibrator) loaded(m *fleet.Model) {
	c.scheduler.Configure(m.Version.Digest, policy(m))
}

// stillness is how long nobody must have asked for anything before a measurement:
// whoever is in a conversation asks again sooner.
const stillness = 2 * time.Second

// largest budget of one measurement, whoever asks for it.
const largestBudget = 5 * time.Minute

var errInterrupted = problem.Overloaded.New("the calibration was stopped by a request, which needs the cores, and nothing has changed; try again when there is no traffic")

var errEnding = problem.Overloaded.New("the server is shutting down")

// close ends a measurement that is under way; no other begins after it.
func (c *calibrator) close() {
	c.closed.Store(true)
	if c.activity != nil {
		c.activity.interrupt(errEnding)
	}
	c.turn <- struct{}{}
}

// run measures a model, keeps what was found and runs the model so from then on.
// It refuses while there is traffic, and stops when a request comes.
func (c *calibrator) run(ctx context.Context, q registry.Calibration) (*calibrate.Plan, error) {
	select {
	case c.turn <- struct{}{}:
		defer func() { <-c.turn }()
	default:
		return nil, problem.Overloaded.New("another model is being calibrated; try again in a moment")
	}
	others, err := c.still(ctx, q.Idle)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	c.activity.heed(cancel)
	defer c.activity.heed(nil)
	if _, ok := c.activity.quiet(time.Now()); !ok { // it came before we listened
		return nil, errInterrupted
	}
	if c.closed.Load() {
		return nil, errEnding
	}
	s, err := c.fleet.Status(q.Ref)
	if err != nil {
		return nil, err
	}
	ref := s.Name + "@" + s.Digest // the name may mean another version in a moment
	if err := c.settled(ctx, ref); err != nil {
		return nil, err
	}
	r, err := c.measure(ctx, ref, q.Budget)
	if err != nil {
		return nil, err
	}
	r.Others = others
	if err := c.store.Save(r); err != nil {
		return nil, err
	}
	c.activity.heed(nil) // what follows disturbs nobody
	plan, err := c.fleet.Replan(context.WithoutCancel(ctx), ref)
	if err != nil {
		return nil, err
	}
	c.log.Info("model calibrated", "model", s.Name, "version", s.Digest, "setting", plan.String(), "reason", plan.Reason, "took_ms", r.Took.Milliseconds())
	return &plan, nil
}

func (c *calibrator) measure(ctx context.Context, ref string, budget time.Duration) (*calibrate.Result, error) {
	m, release, err := c.fleet.Look(ctx, ref)
	if err != nil {
		return nil, err
	}
	defer release()
	r, err := c.fleet.Calibrate(ctx, ref, calibrate.Options{
		Space: fleet.Space(m.Package, c.machine.Cores, c.objective), Budget: min(budget, largestBudget),
	})
	if err != nil {
		return nil, err
	}
	r.Machine = c.machine
	return r, nil
}

// still says why nothing can be measured now, else how much of the machine other
// programs use, which is a reason only where nobody has asked for the measurement.
func (c *calibrator) still(ctx context.Context, idle bool) (others float64, err error) {
	since, ok := c.activity.quiet(time.Now())
	if !ok || since < stillness {
		when := "a request is being served"
		if ok {
			when = "a request was served " + since.Round(100*time.Millisecond).String() + " ago"
		}
		return 0, problem.Overloaded.New("%s, and a model is measured only when there was none for %v; try again when there is no traffic", when, stillness).
			With("retry_after_seconds", int(math.Ceil(stillness.Seconds())))
	}
	if others, err = calibrate.Busy(ctx); err != nil {
		return 0, err
	}
	if idle && others > calibrate.MostBusy {
		return 0, problem.Overloaded.New("other programs take %.0f %% of this machine's processors, so what is measured now would not hold later", 100*others)
	}
	return others, nil
}

// settled waits until nothing is being loaded beside the model: loading takes
// cores too.
func (c *calibrator) settled(ctx context.Context, ref string) error {
	_, release, err := c.fleet.Look(ctx, ref)
	if err != nil {
		return err
	}
	release()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		loading := false
		for _, s := range c.fleet.Models() {
			loading = loading || s.State == fleet.Loading
		}
		if !loading {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// asked is registry.Options.Calibrate.
func (c *calibrator) asked(ctx context.Context, q registry.Calibration) (json.RawMessage, error) {
	plan, err := c.run(ctx, q)
	if err != nil {
		return nil, err
	}
	return json.Marshal(plan.Document())
}

// Calibrate measures a model on this machine and keeps how it is run best, which
// holds from then on. Where a server holds the data directory the server does it.
func Calibrate(ctx context.Context, cfg *config.Config, q registry.Calibration) (*calibrate.Document, error) {
	c := *cfg
	// Nothing but the model is wanted, and it must be there.
	c.Model, c.Required, c.Models.Control, c.Models.Repository = q.Ref, nil, config.Explicit, ""
	var e *engine
	err := vacant(cfg) // before the runtime is opened in vain
	if err == nil {
		e, err = newEngine(ctx, &c, registry.Open, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	}
	if _, held := errors.AsType[*registry.LockedError](err); held {
		return calibrateThere(ctx, cfg, q, err)
	}
	if err != nil {
		return nil, err
	}
	if err := e.fleet.WaitReady(ctx); err != nil {
		return nil, errors.Join(err, e.close())
	}
	plan, err := e.calibrator.run(ctx, q)
	if err = errors.Join(err, e.close()); err != nil {
		return nil, err
	}
	return plan.Document(), nil
}

// vacant fails where somebody holds the data directory.
func vacant(cfg *config.Config) error {
	builtIn, err := registry.BuiltIns()
	if err != nil {
		return err
	}
	r, err := registry.Open(cfg.Data, builtIn, registry.Options{})
	if err != nil {
		return err
	}
	return r.Close()
}

func calibrateThere(ctx context.Context, cfg *config.Config, q registry.Calibration, locked error) (*calibrate.Document, error) {
	client, err := Models(cfg)
	if err != nil {
		return nil, err
	}
	text, held, err := client.Calibrate(ctx, q)
	if err != nil {
		return nil, err
	}
	if !held {
		return nil, locked
	}
	doc := new(calibrate.Document)
	return doc, json.Unmarshal(text, doc)
}

// Planned is what is known, without a runtime, of how a package would be run on
// this machine.
func Planned(cfg *config.Config, p *model.Package) *calibrate.Document {
	here := calibrate.Machine{CPU: fleet.CPU(), Cores: lanes(cfg)}
	return calibrate.Make(fleet.Space(p, here.Cores, cfg.Objective), calibrations(cfg).Any(p.Digest, here)).Document()
}
