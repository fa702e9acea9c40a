package interpret_test

import (
	"errors"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/goshawk-ai/goshawk/internal/interpret"
	"github.com/goshawk-ai/goshawk/internal/model"
)

var inf = float32(math.Inf(1))

func TestProbabilities(t *testing.T) {
	for _, c := range []struct {
		name        string
		scores      []float32
		activation  model.Activation
		temperature float64
		want        []float64
	}{
		{"softmax", []float32{0, 0, 0, 0}, model.Softmax, 1, []float64{.25, .25, .25, .25}},
		{"huge logits must not overflow", []float32{1e30, -1e30, 0}, model.Softmax, 1, []float64{1, 0, 0}},
		{"-Inf is impossible", []float32{-inf, 1, 1}, model.Softmax, 1, []float64{0, .5, .5}},
		{"all -Inf: none is likelier", []float32{-inf, -inf}, model.Softmax, 1, []float64{.5, .5}},
		{"temperature flattens", []float32{float32(math.Log(9)), 0}, model.Softmax, 2, []float64{.75, .25}},
		{"log-softmax is a fixed point", []float32{float32(math.Log(.7)), float32(math.Log(.3))}, model.Softmax, 1, []float64{.7, .3}},
		{"sigmoid", []float32{0, inf, -inf}, model.Sigmoid, 1, []float64{.5, 1, 0}},
		{"none", []float32{.1, .9}, model.None, 1, []float64{.1, .9}},
		{"no classes", nil, model.Softmax, 1, nil},
	} {
		got := make([]float64, len(c.scores))
		if err := interpret.Probabilities(got, c.scores, c.activation, c.temperature); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		for i := range c.want {
			if math.Abs(got[i]-c.want[i]) > 1e-6 {
				t.Errorf("%s: got %v, want %v", c.name, got, c.want)
				break
			}
		}
	}
}

func TestWhatIsNoNumberIsNeverAnAnswer(t *testing.T) {
	nan := float32(math.NaN())
	for _, c := range []struct {
		scores     []float32
		activation model.Activation
		at         int
	}{
		{[]float32{0, nan, 1}, model.Softmax, 1},
		{[]float32{0, 1, inf}, model.Softmax, 2},
		{[]float32{nan}, model.Sigmoid, 0},
		{[]float32{.5, nan}, model.None, 1},
		{[]float32{inf}, model.None, 0},
	} {
		err := interpret.Probabilities(make([]float64, len(c.scores)), c.scores, c.activation, 1)
		if bad, ok := errors.AsType[*interpret.NotFiniteError](err); !ok || bad.Index != c.at {
			t.Errorf("%v under %s: err = %v, want NotFiniteError at %d", c.scores, c.activation, err, c.at)
		}
	}
}

func TestTopIsASortedPrefix(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		// few distinct values, so that ties are common
		p := rapid.SliceOfN(rapid.SampledFrom([]float64{0, .1, .2, .3}), 0, 40).Draw(t, "probabilities")
		k := rapid.IntRange(-1, 50).Draw(t, "k")
		want := make([]int, len(p))
		for i := range want {
			want[i] = i
		}
		slices.SortStableFunc(want, func(a, b int) int {
			switch {
			case p[a] > p[b]:
				return -1
			case p[a] < p[b]:
				return 1
			}
			return 0
		})
		got := interpret.Top(nil, p, k)
		if len(got) != max(0, min(k, len(p))) {
			t.Fatalf("Top gave %d of %d classes for k = %d", len(got), len(p), k)
		}
		for i, c := range got {
			if c.Index != want[i] || c.Probability != p[c.Index] {
				t.Fatalf("place %d is class %d, want %d (ties go by index)", i, c.Index, want[i])
			}
		}
	})
}

func TestTopReusesItsMemory(t *testing.T) {
	p := make([]float64, 1000)
	for i := range p {
		p[i] = float64(i*7919%1000) / 1000
	}
	into := make([]interpret.Candidate, 0, 5)
	if n := testing.AllocsPerRun(100, func() { interpret.Top(into, p, 5) }); n != 0 {
		t.Fatalf("Top made %v allocations with room for k candidates, want 0", n)
	}
}
