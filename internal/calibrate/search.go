package calibrate

import (
	"math"
	"slices"
	"time"
)

// Sample is what one repetition of a setting showed.
type Sample struct {
	Rate float64         // rows a second
	Took []time.Duration // of each run
}

// search decides what is measured next. It climbs instead of trying a grid:
//
//  1. threads against instances at batch 1, upwards from one thread a run, for as
//     long as more threads do more, or what there is answers too late;
//  2. fewer instances, where all together do much less than so many alone;
//  3. batches, doubled for as long as one of the last two did more than noise and
//     its predicted p99 keeps the objective;
//  4. the best of these once more side by side, with all the time that is left.
//
// In each round the best so far and its challenger take turns, A B B A, so that a
// machine that grows slower or faster favors nobody, and the challenger wins by the
// median of the ratios of neighbors. Two settings at most are compared before the
// end, so that two sessions at most are loaded.
//
// It is pure: samples in, settings out.
type search struct {
	space   Space
	samples map[Setting][]Sample
	order   []Setting // of the first sample
	stage   stage
	best    Setting
	rival   Setting
	failed  int             // rivals in a row that were no better
	finals  []Setting       // of the last stage
	trials  int             // rounds of the last stage
	latest  map[Setting]int // where the samples of the setting's last stage begin

	// relative is what a setting does over what the first one does, by the chain of
	// comparisons that leads there: rates of different rounds are of different
	// moments, and a machine has moods.
	relative map[Setting]float64
}

type stage int

const (
	threads stage = iota
	instances
	batches
	finals
	done
)

// pairs are the neighbors of a round.
const pairs = 3

func newSearch(space Space) *search {
	s := &search{space: space.filled(), samples: map[Setting][]Sample{}, latest: map[Setting]int{}, relative: map[Setting]float64{}}
	s.best = s.space.clip(Default(s.space.Cores))
	s.rival = s.wider(s.best)
	s.relative[s.best] = 1
	return s
}

// next gives the settings to be measured now, one after the other; none when the
// search is at its end.
func (s *search) next() []Setting {
	for s.stage < finals && s.rival == s.best {
		s.advance()
	}
	switch {
	case s.stage == done:
		return nil
	case s.stage == finals && s.trials%2 == 1:
		return reversed(s.finals)
	case s.stage == finals:
		return s.finals
	}
	a, b := s.best, s.rival
	return []Setting{a, b, b, a, a, b}
}

// add notes what a setting of the round showed.
func (s *search) add(x Setting, sample Sample) {
	if len(s.samples[x]) == 0 {
		s.order = append(s.order, x)
	}
	s.samples[x] = append(s.samples[x], sample)
}

// close ends a round, all of whose settings were measured, and decides what is next.
func (s *search) close() {
	switch s.stage {
	case finals:
		s.relate()
		if s.trials++; s.trials >= maxTrials {
			s.stage = done
		}
	case threads, instances, batches:
		s.judge()
	case done:
	}
}

// relate compares the finalists anew, with the first of them.
func (s *search) relate() {
	if len(s.finals) == 0 {
		return
	}
	first := s.finals[0]
	for _, x := range s.finals[1:] {
		a, b := s.samples[first][s.latest[first]:], s.samples[x][s.latest[x]:]
		ratios := make([]float64, min(len(a), len(b)))
		for i := range ratios {
			ratios[i] = b[i].Rate / a[i].Rate
		}
		if len(ratios) > 0 {
			s.relative[x] = s.relative[first] * median(ratios)
		}
	}
}

// unfit takes a setting out that the model cannot be run with, or not within its
// memory: what is larger is not tried either.
func (s *search) unfit(x Setting) {
	delete(s.samples, x)
	same := func(y Setting) bool { return y == x }
	delete(s.relative, x)
	s.order, s.finals = slices.DeleteFunc(s.order, same), slices.DeleteFunc(s.finals, same)
	s.rival = s.best
	if s.stage == finals && len(s.finals) < 2 {
		s.stage = done
	}
}

// hurry goes to the last stage: there is no time for another round before it.
func (s *search) hurry() {
	if s.stage < finals {
		s.stage, s.rival = batches, s.best
	}
}

// maxTrials bounds the last stage where there is more time than sense in it.
const maxTrials = 40

// judge compares the round's two.
func (s *search) judge() {
	a, b := s.point(s.best), s.point(s.rival)
	ratio, noise := s.compare(s.best, s.rival)
	s.relative[s.rival] = s.relative[s.best] * ratio
	objective := s.space.Objective
	better := ratio-noise > 1
	// Too late is too late, whatever it does; and of two that are too late the sooner.
	if late := func(p Point) bool { return objective > 0 && p.P99(0) > objective }; late(a) || late(b) {
		better = late(a) && (!late(b) || b.Slow < a.Slow)
	}
	tried := s.rival
	if better {
		s.best, s.failed = s.rival, 0
	} else {
		s.failed++
	}
	switch s.stage {
	case threads:
		s.rival = s.wider(tried)
		if !better && (objective == 0 || s.point(s.best).P99(0) <= objective) {
			s.rival = s.best // more threads will not do it either
		}
	case instances:
		s.rival = s.fewer(s.best)
		if !better {
			s.rival = s.best
		}
	case batches:
		s.rival = s.larger(tried)
		if s.failed >= 2 || objective > 0 && s.point(tried).P99(0) > objective {
			s.rival = s.best
		}
	case finals, done:
	}
}

// advance goes to the next stage, where it begins with the best so far.
func (s *search) advance() {
	s.stage++
	s.failed = 0
	switch s.stage {
	case threads, done:
	case instances:
		s.rival = s.fewer(s.best)
	case batches:
		s.rival = s.larger(s.best)
	case finals:
		s.finals = s.finalists()
		for _, x := range s.finals {
			s.latest[x] = len(s.samples[x])
		}
		switch {
		case len(s.order) == 0: // there is nothing to choose from, but it shall be known
			s.finals = []Setting{s.best}
			s.trials = maxTrials - solid - 1
		case len(s.finals) < 2:
			s.stage = done
		}
	}
}

// wider has twice the threads, on the same cores.
func (s *search) wider(x Setting) Setting {
	if x.Threads >= s.space.Cores {
		return s.best
	}
	wide := x
	wide.Threads = min(2*x.Threads, s.space.Cores)
	wide.Instances = max(1, s.space.Cores/wide.Threads)
	if wide = s.space.clip(wide); wide == x || wide.Threads == x.Threads {
		return s.best
	}
	return wide
}

// fewer has half the instances, which is worth a look where there are many: then
// they may stand in each other's way, at the memory rather than at the cores.
func (s *search) fewer(x Setting) Setting {
	const many = 4
	if x.Instances < many {
		return s.best
	}
	few := x
	few.Instances /= 2
	return s.space.clip(few)
}

// larger has a batch of twice the rows.
func (s *search) larger(x Setting) Setting {
	large := x
	large.Threads, large.Instances = s.best.Threads, s.best.Instances
	large.Batch = min(2*x.Batch, s.space.MaxBatch)
	if large = s.space.clip(large); large.Batch == x.Batch {
		return s.best
	}
	return large
}

// finalists are the settings that may yet turn out to be the best: those near it
// by what was measured so far, four at most, and no more sessions than two.
func (s *search) finalists() []Setting {
	const most, near = 4, 0.05
	table := s.table()
	keep := func(p Point) bool { return s.space.Objective == 0 || p.P99(0) <= s.space.Objective }
	best := 0.0
	for _, p := range table {
		if keep(p) {
			best = max(best, p.Rate)
		}
	}
	table = slices.DeleteFunc(table, func(p Point) bool {
		return !keep(p) || p.Rate < best*(1-near) || p.Threads != s.best.Threads
	})
	slices.SortStableFunc(table, fastest)
	var list []Setting
	for _, p := range table[:min(most, len(table))] {
		list = append(list, p.Setting)
	}
	return list
}

// compare gives the median of what b did over what its neighbor a did, in the
// round that has just ended, and how much of it is noise.
func (s *search) compare(a, b Setting) (ratio, noise float64) {
	x, y := s.samples[a], s.samples[b]
	n := min(len(x), len(y), pairs)
	ratios := make([]float64, n)
	for i := range ratios {
		ratios[i] = y[len(y)-n+i].Rate / x[len(x)-n+i].Rate
	}
	return median(ratios), max(leastNoise, spread(ratios))
}

// leastNoise is what a machine's rate is uncertain by however well a few
// repetitions agree.
const leastNoise = 0.005

// table is what was measured so far. Of a setting that was in the last stage only
// that stage counts, as for its neighbors there.
func (s *search) table() []Point {
	table := make([]Point, 0, len(s.order))
	var first []float64 // what each sample says of the first setting's rate
	for _, x := range s.order {
		table = append(table, s.point(x))
		for _, sample := range s.samples[x] {
			if r := s.relative[x]; r > 0 {
				first = append(first, sample.Rate/r)
			}
		}
	}
	for i := range table {
		if r := s.relative[table[i].Setting]; r > 0 {
			table[i].Rate = r * median(first)
		}
	}
	return table
}

func (s *search) point(x Setting) Point {
	all := s.samples[x]
	if late := all[min(s.latest[x], len(all)):]; len(late) > 0 {
		all = late
	}
	rates := make([]float64, len(all))
	slowest := make([]float64, len(all))
	var took []float64
	for i, sample := range all {
		rates[i] = sample.Rate
		for _, d := range sample.Took {
			slowest[i] = max(slowest[i], float64(d))
			took = append(took, float64(d))
		}
	}
	p := Point{Setting: x, Rate: median(rates), Rounds: len(all)}
	p.Run, p.Slow = time.Duration(median(took)), time.Duration(median(slowest))
	if p.Rate > 0 {
		p.Noise = spread(rates) / p.Rate
	}
	return p
}

func reversed(list []Setting) []Setting {
	list = slices.Clone(list)
	slices.Reverse(list)
	return list
}

func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// spread is how far a median of so many values may be off: their median absolute
// deviation, as a standard deviation (times 1.4826, for what is normally
// distributed), over the root of their number.
func spread(values []float64) float64 {
	middle := median(values)
	off := make([]float64, len(values))
	for i, v := range values {
		off[i] = math.Abs(v - middle)
	}
	return 1.4826 * median(off) / math.Sqrt(float64(max(1, len(values))))
}
