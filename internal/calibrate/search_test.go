package calibrate

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// machine is a computer and a model on it, of which all is known.
type machine struct {
	cores    int
	fixed    float64 // of a run, seconds
	row      float64 // of a row on one thread, seconds
	parallel float64 // what t threads are worth: t to this power
	memory   float64 // rows a second that the memory lets through; 0 is any number
	jitter   float64 // of a sample, relative
	random   *rand.Rand
}

// run is how long a run takes when all instances run.
func (m *machine) run(x Setting) float64 {
	took := m.fixed + float64(x.Batch)*m.row/math.Pow(float64(min(x.Threads, m.cores)), m.parallel)
	took *= max(1, float64(x.Threads*x.Instances)/float64(m.cores)) // more threads than cores take turns
	if m.memory > 0 {
		// What all instances want beyond what the memory gives makes all of them
		// wait, and more than that: they push out each other's lines.
		if over := float64(x.Instances*x.Batch) / took / m.memory; over > 1 {
			took *= over * over
		}
	}
	return took
}

func (m *machine) rate(x Setting) float64 { return float64(x.Instances*x.Batch) / m.run(x) }

func (m *machine) sample(x Setting) Sample {
	noise := 1.0
	if m.jitter > 0 {
		noise += m.jitter * (2*m.random.Float64() - 1)
	}
	took := time.Duration(m.run(x) * noise * float64(time.Second))
	return Sample{Rate: m.rate(x) / noise, Took: []time.Duration{took, took, took + took/50}}
}

// climb runs a whole search, and says how many samples it took.
func climb(m *machine, space Space, most int) (*search, int) {
	s := newSearch(space)
	n := 0
	for round := s.next(); len(round) > 0 && n < most; round = s.next() {
		for _, x := range round {
			s.add(x, m.sample(x))
			n++
		}
		s.close()
	}
	return s, n
}

// grid is every setting that somebody might try.
func grid(space Space) (list []Setting) {
	for threads := 1; threads <= space.Cores; threads *= 2 {
		for instances := 1; instances <= space.Cores; instances++ {
			for batch := 1; batch <= space.MaxBatch; batch *= 2 {
				x := space.clip(Setting{Threads: threads, Instances: instances, Batch: batch})
				x.Delay = 0
				list = append(list, x)
			}
		}
	}
	return list
}

func drawMachine(t *rapid.T) *machine {
	seed := rapid.Uint64().Draw(t, "seed")
	return &machine{
		cores:    1 << rapid.IntRange(0, 5).Draw(t, "cores"),
		fixed:    rapid.Float64Range(0, 0.02).Draw(t, "fixed"),
		row:      rapid.Float64Range(0.0001, 0.05).Draw(t, "row"),
		parallel: rapid.Float64Range(0.4, 1).Draw(t, "parallel"),
		random:   rand.New(rand.NewPCG(seed, 1)),
	}
}

func TestSearchFindsWhatAGridFinds(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := drawMachine(t)
		m.jitter = rapid.Float64Range(0, 0.003).Draw(t, "jitter")
		space := Space{Cores: m.cores, MaxBatch: 1 << rapid.IntRange(0, 6).Draw(t, "batch")}
		s, n := climb(m, space, 1000)
		d := Decide(space, s.table())
		best := slices.MaxFunc(grid(space), func(a, b Setting) int { return int(math.Copysign(1, m.rate(a)-m.rate(b))) })
		x := d.Setting
		x.Delay = 0
		if got, want := m.rate(x), m.rate(best); got < 0.93*want {
			t.Fatalf("chose %v with %.1f rows/s after %d samples; a grid finds %v with %.1f", d.Setting, got, n, best, want)
		}
	})
}

func TestSearchKeepsTheObjective(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := drawMachine(t)
		space := Space{Cores: m.cores, MaxBatch: 64, Objective: time.Duration(rapid.Float64Range(0.0005, 1).Draw(t, "objective") * float64(time.Second))}
		s, _ := climb(m, space, 1000)
		table := s.table()
		d := Decide(space, table)
		keeps := func(p Point) bool { return p.P99(0) <= space.Objective }
		if slices.ContainsFunc(table, keeps) != d.Fits {
			t.Fatalf("Fits is %v with the table %+v and the objective %v", d.Fits, table, space.Objective)
		}
		if d.Fits && d.P99 > space.Objective {
			t.Fatalf("chose %v, predicted %v, above the objective %v", d.Setting, d.P99, space.Objective)
		}
		if d.Delay < 0 || d.Batch == 1 && d.Delay > 0 {
			t.Fatalf("chose %v: nobody waits for nothing", d.Setting)
		}
		if d.Reason == "" {
			t.Fatal("the decision gives no reason")
		}
		for _, p := range table {
			if d.Fits && keeps(p) && p.Rate*(1-Tolerance) > d.Rate {
				t.Fatalf("chose %v (%.1f rows/s) though %v (%.1f) keeps the objective too", d.Setting, d.Rate, p.Setting, p.Rate)
			}
		}
	})
}

func TestSearchEndsAndStaysInItsSpace(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := drawMachine(t)
		m.jitter = rapid.Float64Range(0, 0.5).Draw(t, "jitter") // a machine that says nothing
		space := Space{Cores: m.cores, MaxBatch: rapid.IntRange(0, 100).Draw(t, "batch"), Fixed: Fixed{
			Threads: rapid.IntRange(0, 4).Draw(t, "threads"), Instances: rapid.IntRange(0, 4).Draw(t, "instances"),
			Batch: rapid.IntRange(0, 8).Draw(t, "fixed batch"), Delay: time.Duration(rapid.IntRange(0, 3).Draw(t, "delay")) * time.Millisecond,
		}}
		if rapid.Bool().Draw(t, "objective") {
			space.Objective = 20 * time.Millisecond
		}
		s, n := climb(m, space, 1000)
		if n >= 1000 {
			t.Fatalf("no end after %d samples", n)
		}
		filled := space.filled()
		for _, p := range s.table() {
			switch f := filled.Fixed; {
			case p.Batch > filled.MaxBatch, p.Batch < 1, p.Threads < 1, p.Instances < 1,
				f.Threads > 0 && p.Threads != f.Threads, f.Instances > 0 && p.Instances != f.Instances, f.Batch > 0 && p.Batch != f.Batch:
				t.Fatalf("measured %v, outside of %+v", p.Setting, filled)
			}
		}
		d := Decide(space, s.table())
		if f := filled.Fixed; f.Threads > 0 && d.Threads != f.Threads || f.Instances > 0 && d.Instances != f.Instances || f.Batch > 0 && d.Batch != f.Batch || f.Delay > 0 && d.Delay != f.Delay {
			t.Fatalf("chose %v against what is fixed: %+v", d.Setting, f)
		}
	})
}

// No more than two sessions may be needed at a time: each holds the weights.
func TestARoundNeedsTwoSessionsAtMost(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := drawMachine(t)
		s := newSearch(Space{Cores: m.cores, MaxBatch: 16, Objective: 5 * time.Millisecond})
		for round := s.next(); len(round) > 0; round = s.next() {
			kinds := map[int]bool{}
			for _, x := range round {
				kinds[x.Threads] = true
				s.add(x, m.sample(x))
			}
			if len(kinds) > 2 {
				t.Fatalf("a round wants sessions of %d kinds: %v", len(kinds), round)
			}
			s.close()
		}
	})
}

func TestFewerInstancesWhereTheMemoryIsTheBound(t *testing.T) {
	t.Parallel()
	m := &machine{cores: 16, row: 0.01, parallel: 0.9, memory: 700}
	s, _ := climb(m, Space{Cores: 16, MaxBatch: 1}, 1000)
	d := Decide(Space{Cores: 16, MaxBatch: 1}, s.table())
	if d.Instances >= 16 {
		t.Errorf("chose %v (%.0f rows/s); 8 instances do %.0f where 16 do %.0f", d.Setting, d.Rate,
			m.rate(Setting{Threads: 1, Instances: 8, Batch: 1}), m.rate(Setting{Threads: 1, Instances: 16, Batch: 1}))
	}
}

func TestMoreThreadsWhereOneIsTooLate(t *testing.T) {
	t.Parallel()
	m := &machine{cores: 8, row: 0.08, parallel: 0.9}
	space := Space{Cores: 8, MaxBatch: 8, Objective: 60 * time.Millisecond}
	s, _ := climb(m, space, 1000)
	d := Decide(space, s.table())
	if d.Threads < 4 || !d.Fits {
		t.Errorf("chose %v (%s); a run of one thread takes 80 ms, and 60 are the objective", d.Setting, d.Reason)
	}
}

func TestADriftingMachineFavorsNobody(t *testing.T) {
	t.Parallel()
	// Each sample is 2 % slower than the one before: a batch that is tried later
	// does the same as the one before it.
	m := &machine{cores: 2, row: 0.005, parallel: 0.7}
	s := newSearch(Space{Cores: 2, MaxBatch: 4})
	slower := 1.0
	for round := s.next(); len(round) > 0 && s.stage < finals; round = s.next() {
		for _, x := range round {
			sample := m.sample(x)
			sample.Rate /= slower
			slower *= 1.02
			s.add(x, sample)
		}
		s.close()
	}
	if s.best.Batch != 1 || s.best.Threads != 1 {
		t.Errorf("the best is %v; batches win nothing on this machine, and threads lose", s.best)
	}
}
