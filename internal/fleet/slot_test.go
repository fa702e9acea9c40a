package fleet_test

import (
	"context"
	"math"
	"strings"
	"sync"
	"testing"

	"github.com/goshawk-ai/goshawk/internal/fleet"
	"github.com/goshawk-ai/goshawk/internal/fleet/fleettest"
	"github.com/goshawk-ai/goshawk/internal/infer/backendtest/onnxgen"
	"github.com/goshawk-ai/goshawk/internal/tensor"
)

// serving is a fleet of one package, and its model.
func serving(tb testing.TB, p fleettest.Package) *fleet.Model {
	tb.Helper()
	s := newShelf(tb)
	s.put(p, "default")
	f := s.start(fleet.Options{Default: p.Name})
	if err := f.WaitReady(context.Background()); err != nil {
		tb.Fatal(err)
	}
	m, release, err := f.Acquire(p.Name)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(release)
	return m
}

// red fills a slot with a picture whose red is 1: class c then scores c.
func red(s *fleet.Slot) {
	values := tensor.View[float32](s.Row)
	clear(values)
	for i := range len(values) / 3 {
		values[i] = 1
	}
}

func TestScoresOfEveryKindOfModel(t *testing.T) {
	t.Parallel()
	as := func(typ tensor.Type) []byte {
		m := then("N", onnxgen.Node{Op: "Cast", In: []string{"raw"}, Out: []string{"logits"}, Attrs: map[string]any{"to": onnxgen.DataType(typ)}})
		m.Outputs[0].Type = typ
		return m.Bytes()
	}
	squeezed := then("N", onnxgen.Node{Op: "Unsqueeze", In: []string{"raw", "axes"}, Out: []string{"logits"}})
	squeezed.Initializers = append(squeezed.Initializers, onnxgen.Ints("axes", []int{2}, 2, 3))
	squeezed.Outputs[0].Shape = []any{"N", 3, 1, 1}
	for name, file := range map[string][]byte{
		"float32":   nil,
		"float16":   as(tensor.Float16),
		"float64":   as(tensor.Float64),
		"bfloat16":  as(tensor.BFloat16),
		"rank4":     squeezed.Bytes(),
		"batch-of4": onnxgen.Classifier(4, 8, 3).Bytes(),
		"batch-of1": onnxgen.Classifier(1, 8, 3).Bytes(),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := serving(t, fleettest.Package{Name: name, Model: file})
			s, err := m.Slot()
			if err != nil {
				t.Fatal(err)
			}
			defer m.Return(s)
			red(s)
			if err := m.Infer(t.Context(), s); err != nil {
				t.Fatal(err)
			}
			for c, want := range []float32{0, 1, 2} {
				if len(s.Logits) != 3 || math.Abs(float64(s.Logits[c]-want)) > 1e-2 {
					t.Fatalf("scores %v for a red picture, want [0 1 2]", s.Logits)
				}
			}
		})
	}
}

func TestTheEmbeddingComesWithTheScores(t *testing.T) {
	t.Parallel()
	file := onnxgen.Classifier("N", 8, 3)
	file.Outputs = append(file.Outputs, onnxgen.Value{Name: "flat", Type: tensor.Float32, Shape: []any{"N", 3}})
	m := serving(t, fleettest.Package{Name: "embeds", Model: file.Bytes(), Output: "tensor: logits\nembedding: flat"})
	s, err := m.Slot()
	if err != nil {
		t.Fatal(err)
	}
	defer m.Return(s)
	red(s)
	if err := m.Infer(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	if m.Width != 3 || len(s.Embedding) != 3 || s.Embedding[0] != 1 || s.Embedding[1] != 0 {
		t.Errorf("width %d, embedding %v; want the mean of red, green and blue, [1 0 0]", m.Width, s.Embedding)
	}
}

// Slots are reused: in the steady state no picture costs a buffer.
func TestRunsInTheSteadyStateAllocateNoTensors(t *testing.T) {
	m := serving(t, fleettest.Package{Name: "steady"})
	run := func() {
		s, err := m.Slot()
		if err != nil {
			t.Fatal(err)
		}
		red(s)
		if err := m.Infer(context.Background(), s); err != nil {
			t.Fatal(err)
		}
		m.Return(s)
	}
	run()
	before, err := m.Slot()
	if err != nil {
		t.Fatal(err)
	}
	m.Return(before)
	if got := testing.AllocsPerRun(200, run); got > 1 {
		t.Errorf("a run allocates %v times, want none (one is the runtime seam's at most)", got)
	}
	after, err := m.Slot()
	if err != nil {
		t.Fatal(err)
	}
	if before != after {
		t.Error("another slot came out of the pool than went in: they must be reused")
	}
	m.Return(after)
}

func TestSlotsAreNotSharedBetweenRuns(t *testing.T) {
	t.Parallel()
	m := serving(t, fleettest.Package{Name: "busy"})
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for range 50 {
				s, err := m.Slot()
				if err != nil {
					t.Error(err)
					return
				}
				values := tensor.View[float32](s.Row)
				clear(values)
				for j := range len(values) / 3 {
					values[j] = float32(i)
				}
				if err := m.Infer(t.Context(), s); err != nil {
					t.Error(err)
				}
				if s.Logits[2] != float32(2*i) {
					t.Errorf("picture %d scored %v, want %v: another request's picture got in", i, s.Logits[2], 2*i)
				}
				m.Return(s)
			}
		})
	}
	all.Wait()
}

func TestARunThatItsCallerLeavesEndsWithTheCause(t *testing.T) {
	t.Parallel()
	m := serving(t, fleettest.Package{Name: "hangs", Model: endless(0.99)})
	s, err := m.Slot()
	if err != nil {
		t.Fatal(err)
	}
	defer m.Return(s)
	values := tensor.View[float32](s.Row)
	for i := range values {
		values[i] = 1
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50_000_000)
	defer cancel()
	if err := m.Infer(ctx, s); err == nil || !strings.Contains(err.Error(), "deadline") {
		t.Errorf("Infer = %v, want the deadline that ended it", err)
	}
	red(s) // the model goes on
	if err := m.Infer(t.Context(), s); err != nil {
		t.Errorf("the next picture failed: %v", err)
	}
}
