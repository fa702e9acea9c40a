package main

import (
	"context"
	"os"
	"path/filepath"
	"time"
)

// startup is what a cold start took, in seconds.
type startup struct {
	First, Ready interval
	IdlePSS      int64
}

// startups starts the program afresh, each time in an empty data directory.
func (b *bench) startups(ctx context.Context, rounds int) (*startup, error) {
	pictures, err := load(b.folders[small])
	if err != nil {
		return nil, err
	}
	s := &startup{}
	var first, ready []float64
	for range rounds {
		dir, err := os.MkdirTemp("", "goshawk-start-")
		if err != nil {
			return nil, err
		}
		data := filepath.Join(dir, "data")
		began := time.Now()
		p, url, err := serve(ctx, b.options.server, data)
		if err != nil {
			return nil, err
		}
		ready = append(ready, time.Since(began).Seconds())
		if _, err := answerSize(ctx, newTarget(url+"/v1/predictions"), pictures[0]); err != nil {
			return nil, err
		}
		first = append(first, time.Since(began).Seconds())
		time.Sleep(2 * time.Second) // until the second model is loaded too
		if s.IdlePSS, err = p.memory("smaps_rollup", "Pss"); err != nil {
			return nil, err
		}
		_ = p.stop()
		if err := os.RemoveAll(dir); err != nil {
			return nil, err
		}
	}
	s.First, s.Ready = bootstrap(first), bootstrap(ready)
	return s, nil
}
