package main

import (
	"fmt"
	"time"
)

// figure is what one process cost for one condition.
type figure struct {
	Pictures int
	CPU      time.Duration // a picture
	Rate     float64       // pictures a second
	Took     []time.Duration
}

// and is what both cost together.
func (f figure) and(g figure) figure {
	if f.Pictures == 0 {
		return g
	}
	n := f.Pictures + g.Pictures
	return figure{
		Pictures: n,
		CPU:      (f.CPU*time.Duration(f.Pictures) + g.CPU*time.Duration(g.Pictures)) / time.Duration(n),
		Rate:     float64(n) / (float64(f.Pictures)/f.Rate + float64(g.Pictures)/g.Rate),
		Took:     append(f.Took, g.Took...),
	}
}

// pair is one round: the loops, the null server and goshawk, by turns.
type pair struct {
	Loop, Tuned, Null, Server figure
}

// series is a condition's pairs.
type series struct {
	Model, Photos string
	Concurrency   int
	Pairs         []pair
}

// floor is server CPU a request over what no server could avoid: the loop's CPU
// a picture and a null server's a request.
func (s series) floor() interval {
	return s.ratio(func(p pair) float64 {
		return float64(p.Server.CPU) / float64(p.Loop.CPU+p.Null.CPU)
	})
}

// loop is server CPU a request over the loop's a picture.
func (s series) loop() interval {
	return s.ratio(func(p pair) float64 { return float64(p.Server.CPU) / float64(p.Loop.CPU) })
}

// tuned is floor with the loop that has the server's own settings.
func (s series) tuned() interval {
	return s.ratio(func(p pair) float64 { return float64(p.Server.CPU) / float64(p.Tuned.CPU+p.Null.CPU) })
}

// throughput is the server's pictures a second over the loop's. The client
// takes its share of the same cores here, and takes nothing from the loop.
func (s series) throughput() interval {
	return s.ratio(func(p pair) float64 { return p.Server.Rate / p.Loop.Rate })
}

func (s series) ratio(of func(pair) float64) interval {
	values := make([]float64, len(s.Pairs))
	for i, p := range s.Pairs {
		values[i] = of(p)
	}
	return bootstrap(values)
}

// median of a duration over the pairs.
func (s series) median(of func(pair) time.Duration) time.Duration {
	values := make([]float64, len(s.Pairs))
	for i, p := range s.Pairs {
		values[i] = float64(of(p))
	}
	return time.Duration(median(values))
}

// took is every answer's latency, over all pairs.
func (s series) took() []time.Duration {
	var all []time.Duration
	for _, p := range s.Pairs {
		all = append(all, p.Server.Took...)
	}
	return all
}

// loopChild asks the loop's process for a run.
func loopChild(p *process, duration time.Duration) (figure, error) {
	if _, err := fmt.Fprintln(p.stdin, duration); err != nil {
		return figure{}, err
	}
	line, err := p.expect("done")
	if err != nil {
		return figure{}, err
	}
	var n, cpu, wall int64
	if _, err := fmt.Sscan(line, &n, &cpu, &wall); err != nil || n == 0 {
		return figure{}, fmt.Errorf("the loop answered %q", line)
	}
	return figure{Pictures: int(n), CPU: time.Duration(cpu / n), Rate: float64(n) / time.Duration(wall).Seconds()}, nil
}

// loaded measures a server's process under a closed load.
func loaded(p *process, t *target, pictures [][]byte, concurrency int, duration time.Duration) (figure, error) {
	before, err := p.cpu()
	if err != nil {
		return figure{}, err
	}
	r := t.closed(pictures, concurrency, duration)
	after, err := p.cpu()
	if err != nil {
		return figure{}, err
	}
	if r.Answers == 0 || r.Wrong > 0 {
		return figure{}, r.valid()
	}
	return figure{
		Pictures: r.Answers,
		CPU:      (after - before) / time.Duration(r.Answers),
		Rate:     float64(r.Answers) / r.Wall.Seconds(),
		Took:     r.Took,
	}, nil
}
