package fleet_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/goshawk-ai/goshawk/internal/calibrate"
	"github.com/goshawk-ai/goshawk/internal/fleet"
	"github.com/goshawk-ai/goshawk/internal/fleet/fleettest"
	"github.com/goshawk-ai/goshawk/internal/infer/backendtest/onnxgen"
	"github.com/goshawk-ai/goshawk/internal/model"
	"github.com/goshawk-ai/goshawk/internal/problem"
	"github.com/goshawk-ai/goshawk/internal/tensor"
)

// short is a calibration that tells nothing about the machine, soon.
var short = calibrate.Options{Space: calibrate.Space{Cores: 2}, Budget: time.Millisecond}

func tensorPackage(name string, m onnxgen.Model) fleettest.Package {
	return fleettest.Package{Name: name, Model: m.Bytes(), Files: map[string]string{
		"goshawk.yaml": "apiVersion: goshawk/v1\nkind: Tensor\nname: " + name + "\nmodel: model.onnx\n",
	}}
}

func TestEveryKindOfModelIsCalibrated(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	s.put(tiny("pictures", "one"), "default")
	s.put(fleettest.Package{Name: "single", Model: onnxgen.Classifier(1, 8, 3).Bytes()}, "default")
	s.put(tensorPackage("rows", onnxgen.Identity(tensor.Float32, "N", 3)), "default")
	s.put(tensorPackage("fixed", onnxgen.Identity(tensor.Int64, 2, 3)), "default")
	f := s.start(fleet.Options{Default: "pictures"})
	ready(t, f)
	for name, most := range map[string]int{"pictures": fleet.Batches, "single": 1, "rows": fleet.Batches, "fixed": 1} {
		r, err := f.Calibrate(t.Context(), name, short)
		if err != nil {
			t.Errorf("Calibrate(%s) = %v", name, err)
			continue
		}
		if r.Space.MaxBatch != most || len(r.Table) == 0 || r.Table[0].Setting != calibrate.Default(2) || !strings.HasPrefix(r.Digest, "sha256:") {
			t.Errorf("Calibrate(%s) = %+v; want a table with the default and batches up to %d", name, r, most)
		}
	}
	if _, err := f.Calibrate(t.Context(), "nobody", short); !errors.Is(err, problem.ModelNotFound) {
		t.Errorf("Calibrate of a model that is not there = %v", err)
	}
}

func TestAModelOfAnotherServerIsCalibratedThere(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	address := far(t)
	s.put(elsewhere(address), "default")
	s.put(tiny("cats", "one"), "default")
	f := s.start(fleet.Options{Default: "cats", RemoteHosts: []string{address}})
	ready(t, f)
	if _, err := f.Calibrate(t.Context(), "elsewhere", short); !errors.Is(err, problem.InvalidRequest) || !strings.Contains(err.Error(), "another server") {
		t.Errorf("Calibrate = %v; want a sentence that says where it is computed", err)
	}
}

func TestACalibrationThatIsStoppedSaysWhy(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	s.put(tiny("cats", "one"), "default")
	f := s.start(fleet.Options{Default: "cats"})
	ready(t, f)
	why := errors.New("a request came")
	ctx, cancel := context.WithCancelCause(t.Context())
	o := calibrate.Options{Space: calibrate.Space{Cores: 2}, Budget: time.Hour, Say: func(calibrate.Setting, calibrate.Sample) { cancel(why) }}
	if _, err := f.Calibrate(ctx, "cats", o); !errors.Is(err, why) || err.Error() != why.Error() {
		t.Errorf("Calibrate = %v, want the cause alone", err)
	}
}

// planned counts what a fleet tells of its models, and plans as it is told.
type planned struct {
	threads  atomic.Int64
	batch    atomic.Int64
	mu       sync.Mutex
	loaded   []calibrate.Setting
	unloaded int
}

func (p *planned) options(o fleet.Options) fleet.Options {
	p.threads.Store(1)
	p.batch.Store(1)
	o.Plan = func(pkg *model.Package) calibrate.Plan {
		space := fleet.Space(pkg, 2, 0)
		space.Fixed.Threads, space.Fixed.Batch = int(p.threads.Load()), int(p.batch.Load())
		return calibrate.Make(space, nil)
	}
	o.Loaded = func(m *fleet.Model) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.loaded = append(p.loaded, m.Plan().Setting)
	}
	o.Unloaded = func(fleet.Version) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.unloaded++
	}
	return o
}

func (p *planned) last() calibrate.Setting {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.loaded[len(p.loaded)-1]
}

func TestANewPlanTakesEffectWithoutLosingAnAnswer(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	v := s.put(tiny("cats", "one"), "default")
	p := &planned{}
	f := s.start(p.options(fleet.Options{Default: "cats"}))
	ready(t, f)
	if got := p.last(); got != calibrate.Default(2) {
		t.Errorf("Loaded was told of %v before the model served; want the default", got)
	}
	ctx, stop := context.WithCancel(t.Context())
	var clients sync.WaitGroup
	for range 4 {
		clients.Go(func() {
			for ctx.Err() == nil {
				if err := answer(f, "cats"); err != nil {
					t.Errorf("a request failed while the model was loaded for another plan: %v", err)
					return
				}
			}
		})
	}
	for i := range 4 {
		p.threads.Store(int64(2 - i%2))
		plan, err := f.Replan(t.Context(), "cats")
		if err != nil || plan.Threads != 2-i%2 {
			t.Errorf("Replan = %+v, %v; want %d threads", plan, err, 2-i%2)
		}
	}
	stop()
	clients.Wait()
	s1, err := f.Status("cats")
	if err != nil || s1.State != fleet.Ready || s1.Digest != v.Digest || s1.Plan.Threads != 1 {
		t.Errorf("Status = %+v, %v; want it ready with the last plan", s1, err)
	}
	if p.last().Threads != 1 {
		t.Errorf("Loaded was last told of %v", p.last())
	}
	if p.unloaded != 0 {
		t.Errorf("%d versions were said to be unloaded; the version is served all the time", p.unloaded)
	}
}

func TestABatchIsPlannedOnlyForModelsThatTakeOne(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	s.put(tiny("cats", "one"), "default")
	s.put(fleettest.Package{Name: "single", Model: onnxgen.Classifier(1, 8, 3).Bytes()}, "default")
	p := &planned{}
	f := s.start(p.options(fleet.Options{Default: "cats"}))
	ready(t, f)
	p.batch.Store(8)
	for name, want := range map[string]int{"cats": 8, "single": 1} {
		settled(t, name+" is loaded", func() bool { m, err := f.Status(name); return err == nil && m.State == fleet.Ready })
		plan, err := f.Replan(t.Context(), name)
		if err != nil || plan.Batch != want || plan.Reason == "" {
			t.Errorf("Replan(%s) = %+v, %v; want batch %d", name, plan, err, want)
		}
	}
	if _, err := f.Replan(t.Context(), "nobody"); !errors.Is(err, problem.ModelNotFound) {
		t.Errorf("Replan of a model that is not there = %v", err)
	}
	if err := f.Unload(t.Context(), "cats"); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Replan(t.Context(), "cats"); !errors.Is(err, problem.ModelUnhealthy) {
		t.Errorf("Replan of an unloaded model = %v", err)
	}
}

func TestThePackagesOwnSettingsAreFixed(t *testing.T) {
	t.Parallel()
	m := model.Manifest{Serving: model.Serving{Threads: 2, MaxBatchSize: 4, LatencyObjective: 20 * time.Millisecond}}
	space := fleet.Space(&model.Package{Manifest: m}, 4, time.Second)
	if space.Fixed != (calibrate.Fixed{Threads: 2, Batch: 4}) || space.Objective != 20*time.Millisecond || space.Cores != 4 {
		t.Errorf("Space = %+v; want the package's settings fixed, and its objective before the server's", space)
	}
	if space := fleet.Space(&model.Package{}, 4, time.Second); space.Objective != time.Second || space.Fixed != (calibrate.Fixed{}) {
		t.Errorf("Space of a package that says nothing = %+v; want the server's objective", space)
	}
	plan := calibrate.Make(space, nil)
	if !slices.Equal(plan.Manual, []string{"threads", "max_batch_size"}) {
		t.Errorf("the plan says that %v were fixed by hand", plan.Manual)
	}
}

// TestWhatMayNeverEndLeavesACoreToOthers: as long as it is not known to be so,
// each of its runs holds one for as long as a run may take.
func TestWhatMayNeverEndLeavesACoreToOthers(t *testing.T) {
	address := far(t)
	s := newShelf(t)
	s.put(tiny("cats", "one"), "default")
	s.put(elsewhere(address), "default")
	s.put(tensorPackage("trap", onnxgen.EndlessAbove(0.9)), "default")
	f := s.start(fleet.Options{RemoteHosts: []string{address}, Plan: func(p *model.Package) calibrate.Plan {
		return calibrate.Make(calibrate.Space{Cores: 4, Fixed: fleet.Manual(p)}, nil)
	}})
	for name, want := range map[string]int{"cats": 4, "elsewhere": 3, "trap": 3} {
		m, release, err := f.AcquireContext(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		if got := m.Plan(); got.Instances != want {
			t.Errorf("%s may hold %d of 4 cores (%s), want %d", name, got.Instances, got.Reason, want)
		}
		release()
	}
}
