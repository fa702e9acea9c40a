package main

import (
	"context"
	"fmt"
	"time"
)

// overload is what one round at twice the capacity showed.
type overload struct {
	Peak    float64 // pictures a second, closed load of 8
	Goodput float64 // answers within a second, a second, at twice the peak
	Next    time.Duration
	Refused int
	Offered int
}

// overloads offers Poisson arrivals at twice the peak that was measured just
// before, and times the first request after them.
func (b *bench) overloads(model string) ([]overload, error) {
	pictures, err := load(b.folders[small])
	if err != nil {
		return nil, err
	}
	t := b.target(model)
	defer func() { _ = t.close() }()
	var all []overload
	for range b.pairs {
		peak := t.closed(pictures, 8, b.duration)
		if err := peak.valid(); err != nil {
			return nil, fmt.Errorf("peak: %w", err)
		}
		rate := float64(peak.Answers) / peak.Wall.Seconds()
		next := make(chan time.Duration, 1)
		after := func() { // while the answers of the overload are still outstanding
			began := time.Now()
			if status, _, err := t.post(context.Background(), pictures[0]); err != nil || status != 200 {
				next <- time.Hour
				return
			}
			next <- time.Since(began)
		}
		r := t.open(pictures, 2*rate, 2*b.duration, after)
		if r.Wrong > 0 {
			return nil, fmt.Errorf("overload: %w", r.valid())
		}
		all = append(all, overload{
			Peak: rate, Goodput: float64(r.Within) / r.Wall.Seconds(), Next: <-next,
			Refused: r.Refused, Offered: r.Refused + r.Answers,
		})
	}
	return all, nil
}
