package main

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"
)

// interval is a median with the 95 % interval of its bootstrap.
type interval struct {
	Median, Low, High float64
	Pairs             int
}

func (i interval) String() string {
	return fmt.Sprintf("%.3f [%.3f, %.3f]", i.Median, i.Low, i.High)
}

// bootstrap resamples the pairs 10,000 times (percentile method; B. Efron, R.
// Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13). The seed is
// fixed, so that a report can be computed again from its figures.
func bootstrap(values []float64) interval {
	if len(values) == 0 {
		return interval{Median: math.NaN(), Low: math.NaN(), High: math.NaN()}
	}
	r := rand.New(rand.NewPCG(1, 2))
	medians := make([]float64, 10_000)
	sample := make([]float64, len(values))
	for i := range medians {
		for j := range sample {
			sample[j] = values[r.IntN(len(values))]
		}
		medians[i] = median(sample)
	}
	slices.Sort(medians)
	return interval{median(values), quantile(medians, .025), quantile(medians, .975), len(values)}
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return quantile(sorted, .5)
}

// quantile interpolates linearly in sorted values.
func quantile(sorted []float64, q float64) float64 {
	if len(sorted) == 0 {
		return math.NaN()
	}
	at := q * float64(len(sorted)-1)
	low := int(at)
	high := min(low+1, len(sorted)-1)
	return sorted[low] + (at-float64(low))*(sorted[high]-sorted[low])
}

// percentile of durations, in milliseconds.
func percentile(took []time.Duration, q float64) float64 {
	values := make([]float64, len(took))
	for i, d := range took {
		values[i] = d.Seconds() * 1000
	}
	slices.Sort(values)
	return quantile(values, q)
}
