package fleet_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/goshawk-ai/goshawk/internal/fleet"
	"github.com/goshawk-ai/goshawk/internal/fleet/fleettest"
	"github.com/goshawk-ai/goshawk/internal/infer/backendtest/onnxgen"
	"github.com/goshawk-ai/goshawk/internal/problem"
	"github.com/goshawk-ai/goshawk/internal/tensor"
)

const (
	heavySide = 1024
	heavyFile = 4 * heavySide * heavySide // bytes of a heavy model's weights
)

// heavy is a model of tensors with many weights that takes and gives few numbers.
func heavy(name string) fleettest.Package { return heavier(name, heavySide) }

// heavier multiplies a row of numbers by a matrix of zeros, and adds the row.
func heavier(name string, side int) fleettest.Package {
	value := func(name string) onnxgen.Value {
		return onnxgen.Value{Name: name, Type: tensor.Float32, Shape: []any{1, side}}
	}
	m := onnxgen.Model{Graph: onnxgen.Graph{
		Inputs: []onnxgen.Value{value("in")}, Outputs: []onnxgen.Value{value("out")},
		Initializers: []onnxgen.Constant{{Name: "w", Type: tensor.Float32, Shape: []int{side, side}, Data: make([]byte, 4*side*side)}},
		Nodes: []onnxgen.Node{
			{Op: "MatMul", In: []string{"in", "w"}, Out: []string{"nothing"}},
			{Op: "Add", In: []string{"in", "nothing"}, Out: []string{"out"}},
		},
	}}
	return fleettest.Package{Files: map[string]string{
		"goshawk.yaml": "apiVersion: goshawk/v1\nkind: Tensor\nname: " + name + "\nmodel: model.onnx\n", "model.onnx": string(m.Bytes()),
	}}
}

// row is a heavy model's input.
func row(x float32) *tensor.Tensor {
	in := &tensor.Tensor{Name: "in", Type: tensor.Float32, Shape: []int64{1, heavySide}, Data: tensor.Aligned(4 * heavySide)}
	tensor.View[float32](in.Data)[0] = x
	return in
}

// ask runs a heavy model once, which gives its numbers back.
func ask(ctx context.Context, f *fleet.Fleet, ref string, x float32) error {
	m, release, err := f.AcquireContext(ctx, ref)
	if err != nil {
		return err
	}
	defer release()
	out := &tensor.Tensor{Name: "out"}
	if err := m.RunTensors(ctx, []*tensor.Tensor{row(x)}, []*tensor.Tensor{out}); err != nil {
		return err
	}
	if got := tensor.View[float32](out.Data)[0]; got != x {
		return fmt.Errorf("%s answers %v to %v", ref, got, x)
	}
	return nil
}

// weighed loads a heavy model alone and gives what it takes.
func weighed(t *testing.T) int64 {
	t.Helper()
	s := newShelf(t)
	s.put(heavy("alone"), "default")
	f := s.start(fleet.Options{Default: "alone"})
	ready(t, f)
	bytes := f.Models()[0].Bytes
	t.Logf("a model of %d bytes of weights takes %d", heavyFile, bytes)
	if bytes < heavyFile || bytes > 6*heavyFile {
		t.Fatalf("a model of %d bytes of weights is said to take %d", heavyFile, bytes)
	}
	f.Close()
	return bytes
}

func minute(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// TestMoreModelsThanMemory: callers of more models than the budget holds are all
// answered, however they come together.
func TestMoreModelsThanMemory(t *testing.T) {
	const models, callers, requests = 6, 12, 20
	each := weighed(t)
	s := newShelf(t)
	for i := range models {
		s.put(heavy(fmt.Sprintf("m%d", i)), "default")
	}
	budget := 3*each + each/2
	registry := prometheus.NewRegistry()
	f := s.start(fleet.Options{Budget: budget, Registerer: registry})
	fleet.Turn(f, time.Millisecond)
	ctx := minute(t)
	var all sync.WaitGroup
	for caller := range callers {
		all.Go(func() {
			for i := range requests {
				if err := ask(ctx, f, fmt.Sprintf("m%d", (caller+i*(caller+1))%models), float32(i)); err != nil {
					t.Errorf("caller %d, request %d: %v; want an answer from every model, with patience", caller, i, err)
				}
				if held := fleet.Held(f); held > budget+each {
					t.Errorf("the models hold %d bytes, and may hold %d (and what one is larger than it was thought)", held, budget)
				}
			}
		})
	}
	all.Wait()
	awake := 0
	for _, m := range f.Models() {
		switch m.State {
		case fleet.Ready:
			awake++
		case fleet.Sleeping, fleet.Loading:
		default:
			t.Errorf("%s is %s: %s", m.Name, m.State, m.Reason)
		}
	}
	if awake > 3 {
		t.Errorf("%d models are awake, and 3 fit", awake)
	}
	if n, err := testutil.GatherAndCount(registry, "goshawk_memory_budget_bytes", "goshawk_memory_models_bytes", "goshawk_memory_native_bytes", "goshawk_models_sleeping", "goshawk_model_wakes_total", "goshawk_model_evictions_total", "goshawk_model_wakes_refused_total"); err != nil || n != 7 {
		t.Errorf("%d metrics of memory, %v; want 7", n, err)
	}
	if wakes, sleeps := fleet.Wakes(f); wakes == 0 || sleeps == 0 {
		t.Errorf("%d wakes and %d put to sleep; want some of both", wakes, sleeps)
	}
}

// TestTheLeastRecentlyUsedSleeps and nobody else.
func TestTheLeastRecentlyUsedSleeps(t *testing.T) {
	each := weighed(t)
	s := newShelf(t)
	var v [4]fleet.Version
	for i := range v {
		v[i] = s.put(heavy(fmt.Sprintf("m%d", i)), "default")
	}
	f := s.start(fleet.Options{Budget: 3*each + each/2})
	settled(t, "three are loaded, one sleeps because nobody asked for it", func() bool {
		return stateOf(f, v[2]) == fleet.Ready && stateOf(f, v[3]) == fleet.Sleeping
	})
	ctx := minute(t)
	for _, m := range []string{"m1", "m0", "m2", "m0"} {
		if err := ask(ctx, f, m, 1); err != nil {
			t.Fatal(err)
		}
	}
	if err := ask(ctx, f, "m3", 1); err != nil {
		t.Fatal(err)
	}
	want := [4]fleet.State{fleet.Ready, fleet.Sleeping, fleet.Ready, fleet.Ready}
	for i := range v {
		if got := stateOf(f, v[i]); got != want[i] {
			t.Errorf("m%d is %s, want %s: m1 was used least recently", i, got, want[i])
		}
	}
	if err := f.Ready(); err != nil {
		t.Errorf("readiness: %v; one that sleeps wakes by itself", err)
	}
}

// TestOneWakeUpForAllWhoWait.
func TestOneWakeUpForAllWhoWait(t *testing.T) {
	each := weighed(t)
	s := newShelf(t)
	s.put(heavy("first"), "default")
	late := s.put(heavy("late"), "default")
	f := s.start(fleet.Options{Budget: each + each/2})
	settled(t, "the second sleeps", func() bool { return stateOf(f, late) == fleet.Sleeping })
	ctx := minute(t)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if err := ask(ctx, f, "late", 2); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if wakes, _ := fleet.Wakes(f); wakes != 1 {
		t.Errorf("8 callers woke the model %d times, want once", wakes)
	}
}

// TestWhatMustNotSleepDoesNot: the default and the required ones keep their
// memory; who finds none beside them is told so, and when to come again.
func TestWhatMustNotSleepDoesNot(t *testing.T) {
	each := weighed(t)
	s := newShelf(t)
	standard := s.put(heavy("standard"), "default")
	needed := s.put(heavy("needed"), "default")
	s.edit(func(v []fleet.Version) []fleet.Version { v[1].Required = true; return v })
	other := s.put(heavy("other"), "default")
	f := s.start(fleet.Options{Default: "standard", Budget: 2*each + each/2})
	ready(t, f)
	err := ask(minute(t), f, "other", 1)
	p := problem.Of(err)
	if p.Kind != problem.Overloaded || !strings.Contains(p.Detail, `"other"`) || !strings.Contains(p.Detail, "memory.budget") || p.Extensions["retry_after_seconds"] != 1 {
		t.Errorf("a model beside those that must not sleep: %v %v; want 503 with the reason and when to come again", err, p.Extensions)
	}
	if err := f.Load(minute(t), "other"); !errors.Is(err, problem.Overloaded) {
		t.Errorf("Load: %v, want the same", err)
	}
	for v, want := range map[string]fleet.State{standard.Digest: fleet.Ready, needed.Digest: fleet.Ready, other.Digest: fleet.Sleeping} {
		for _, m := range f.Models() {
			if m.Digest == v && m.State != want {
				t.Errorf("%s is %s, want %s", m.Name, m.State, want)
			}
			if m.Digest == other.Digest && m.Reason == "" {
				t.Error("the one that sleeps does not say why it was not woken")
			}
		}
	}
	if err := f.Ready(); err != nil {
		t.Errorf("readiness: %v", err)
	}
}

func TestAModelLargerThanTheBudgetIsRefused(t *testing.T) {
	s := newShelf(t)
	s.put(tiny("small", "one"), "default")
	large := s.put(heavy("large"), "default")
	f := s.start(fleet.Options{Default: "small", Budget: heavyFile / 2})
	ready(t, f)
	settled(t, "it has failed", func() bool { return stateOf(f, large) == fleet.Failed })
	if err := f.Load(minute(t), "large"); !errors.Is(err, problem.ModelInvalid) || !strings.Contains(err.Error(), "memory.budget") {
		t.Errorf("Load: %v, want the reason", err)
	}
	if err := ask(minute(t), f, "large", 1); !errors.Is(err, problem.ModelUnhealthy) || !strings.Contains(err.Error(), "memory.budget") {
		t.Errorf("a request: %v, want the reason", err)
	}
}

// TestAModelInUseKeepsItsMemory: who uses it is not disturbed, and who needs its
// memory waits.
func TestAModelInUseKeepsItsMemory(t *testing.T) {
	each := weighed(t)
	s := newShelf(t)
	first := s.put(heavy("first"), "default")
	s.put(heavy("second"), "default")
	f := s.start(fleet.Options{Budget: each + each/2})
	m, release, err := f.AcquireContext(minute(t), "first")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- ask(minute(t), f, "second", 3) }()
	fleet.Turn(f, 0)
	settled(t, "the first is on its way out", func() bool { return stateOf(f, first) == fleet.Sleeping })
	select {
	case err := <-done:
		t.Fatalf("the second answered (%v) before the first was given back", err)
	default:
	}
	if err := m.RunTensors(t.Context(), []*tensor.Tensor{row(1)}, []*tensor.Tensor{{Name: "out"}}); err != nil {
		t.Errorf("a run of the model in use: %v", err)
	}
	release()
	if err := <-done; err != nil {
		t.Errorf("the one that waited: %v", err)
	}
}

// TestNobodyWaitsForEverForMemory: those who hold it do not end.
func TestNobodyWaitsForEverForMemory(t *testing.T) {
	each := weighed(t)
	s := newShelf(t)
	s.put(heavy("first"), "default")
	s.put(heavy("second"), "default")
	f := s.start(fleet.Options{Budget: each + each/2})
	_, release, err := f.AcquireContext(minute(t), "first")
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	fleet.Turn(f, 0)
	fleet.Patience(f, time.Millisecond)
	if err := ask(minute(t), f, "second", 1); !errors.Is(err, problem.Overloaded) || problem.Of(err).Extensions["retry_after_seconds"] != 1 {
		t.Errorf("a request while another holds the memory: %v, want 503 and when to come again", err)
	}
}

// TestAnUpdateUnderABudget: the new version and the old one are there together
// for a moment, and others sleep for it. One that cannot be had leaves the old
// one in its place.
func TestAnUpdateUnderABudget(t *testing.T) {
	each := weighed(t)
	s := newShelf(t)
	s.put(heavy("pets"), "default")
	other := s.put(heavy("other"), "default")
	f := s.start(fleet.Options{Default: "pets", Budget: 2*each + each/2})
	ready(t, f)
	settled(t, "both are loaded", func() bool { return stateOf(f, other) == fleet.Ready })
	p := heavy("pets")
	p.Files["goshawk.yaml"] += "description: new\n"
	fresh := s.put(p, "default")
	settled(t, "the new version answers", func() bool { return served(f, "pets") == fresh.Digest })
	if got := stateOf(f, other); got != fleet.Sleeping {
		t.Errorf("the other is %s, want it asleep: its memory was needed", got)
	}
	large := heavier("pets", 2*heavySide)
	late := s.put(large, "default")
	settled(t, "the large version has failed", func() bool { return stateOf(f, late) == fleet.Failed })
	if got := served(f, "pets"); got != fresh.Digest {
		t.Errorf("pets is answered by %s, want the version that fits", got)
	}
	if err := ask(minute(t), f, "other", 1); err != nil {
		t.Errorf("the other wakes again: %v", err)
	}
}
