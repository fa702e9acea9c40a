package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// The load of a step: half of what the server can do, then twice as much, then
// half again.
const (
	stepBefore, stepHigh, stepAfter = 4 * time.Second, 10 * time.Second, 4 * time.Second
	stepLow, stepTwice              = 0.5, 2.0
	stepWindow                      = time.Second
)

// stepAnswer is one request of it.
type stepAnswer struct {
	Sent   time.Duration // after the round began
	Took   time.Duration // as the client saw it
	Server float64       // ms, total_ms of the answer
	Status int
}

// steps is what all rounds saw.
type steps struct {
	Model     string
	Objective time.Duration
	Chosen    string
	Peak      []float64 // rows a second, before each round
	Answers   [][]stepAnswer
}

// step offers the load to a server with a latency objective. Rounds are repeated,
// so that each second of them holds enough answers to speak of a p99.
func (b *bench) step(ctx context.Context, model string, objective time.Duration) (*steps, error) {
	data, err := os.MkdirTemp("", "goshawk-step-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(data) }()
	if _, err := b.calibrationDir(ctx, data, model); err != nil {
		return nil, err
	}
	s := &steps{Model: model, Objective: objective}
	cmd := exec.CommandContext(ctx, b.options.server, "models", "calibrate", model, "--data", data, "--latency-objective", objective.String())
	out, err := cmd.CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("calibrate: %s", out)
	}
	s.Chosen = strings.TrimSpace(string(out[bytes.LastIndexByte(bytes.TrimSpace(out), '\n')+1:]))
	p, err := start(ctx, b.options.server, "serve", "--listen", "127.0.0.1:0", "--data", data, "--log-level", "error", "--latency-objective", objective.String())
	if err != nil {
		return nil, err
	}
	defer func() { _ = p.stop() }()
	url, err := p.expect("listening")
	if err != nil {
		return nil, err
	}
	if _, err := p.expect("ready"); err != nil {
		return nil, err
	}
	photos, err := load(b.folders[small])
	if err != nil {
		return nil, err
	}
	t := newTarget(url + "/v1/predictions?model=" + model)
	defer func() { _ = t.close() }()
	if err := answers(ctx, t, photos[0]); err != nil {
		return nil, err
	}
	for i := range b.pairs {
		// As many callers as instances keep all of them busy, and nobody is refused.
		peak := t.closed(photos, 3, b.duration)
		if err := peak.valid(); err != nil {
			return nil, fmt.Errorf("peak: %w", err)
		}
		rate := float64(peak.Answers) / peak.Wall.Seconds()
		s.Peak = append(s.Peak, rate)
		s.Answers = append(s.Answers, t.step(photos, rate))
		fmt.Fprintf(os.Stderr, "step of %s: round %d of %d, peak %.0f/s\n", model, i+1, b.pairs, rate)
	}
	return s, nil
}

// step sends Poisson arrivals, whatever the answers do.
func (t *target) step(photos [][]byte, peak float64) []stepAnswer {
	rate := func(at time.Duration) float64 {
		if at >= stepBefore && at < stepBefore+stepHigh {
			return stepTwice * peak
		}
		return stepLow * peak
	}
	var mu sync.Mutex
	var list []stepAnswer
	began := time.Now()
	arrive(stepBefore+stepHigh+stepAfter, rate, func(i int) {
		a := t.ask(photos[i%len(photos)], began)
		mu.Lock()
		defer mu.Unlock()
		list = append(list, a)
	})()
	slices.SortFunc(list, func(a, b stepAnswer) int { return int(a.Sent - b.Sent) })
	return list
}

func (t *target) ask(photo []byte, began time.Time) stepAnswer {
	a := stepAnswer{Sent: time.Since(began)}
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, t.url, bytes.NewReader(photo))
	if err != nil {
		return a
	}
	req.Header.Set("Content-Type", "image/jpeg")
	res, err := t.client.Do(req)
	if err != nil {
		return a
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return a
	}
	a.Took, a.Status = time.Since(began)-a.Sent, res.StatusCode
	var doc struct {
		Timings struct {
			Total float64 `json:"total_ms"`
		} `json:"timings"`
	}
	if a.Status == http.StatusOK && json.Unmarshal(text, &doc) == nil {
		a.Server = doc.Timings.Total
	}
	return a
}

// stepSecond is one second of all rounds together.
type stepSecond struct {
	At                                float64 // its middle, seconds
	Offered, Answered, Refused, Wrong int
	P50, P99                          float64 // ms, of what was answered, at the client
	Server                            float64 // p99 as the server counts it: from the last byte of the request to its answer
}

func (s *steps) seconds() []stepSecond {
	n := int((stepBefore + stepHigh + stepAfter) / stepWindow)
	list := make([]stepSecond, n)
	took, server := make([][]float64, n), make([][]float64, n)
	for _, round := range s.Answers {
		for _, a := range round {
			i := min(int(a.Sent/stepWindow), n-1)
			list[i].Offered++
			switch a.Status {
			case http.StatusOK:
				list[i].Answered++
				took[i], server[i] = append(took[i], ms(a.Took)), append(server[i], a.Server)
			case http.StatusServiceUnavailable:
				list[i].Refused++
			default:
				list[i].Wrong++
			}
		}
	}
	for i := range list {
		slices.Sort(took[i])
		slices.Sort(server[i])
		list[i].At = (float64(i) + .5) * stepWindow.Seconds()
		list[i].P50, list[i].P99, list[i].Server = quantile(took[i], .5), quantile(took[i], .99), quantile(server[i], .99)
	}
	return list
}

// write leaves every answer as CSV and the p99 over time as a plot, beside the report.
func (s *steps) write(dir string) error {
	var csv strings.Builder
	csv.WriteString("round,sent_s,status,took_ms,server_ms\n")
	for i, round := range s.Answers {
		for _, a := range round {
			fmt.Fprintf(&csv, "%d,%.3f,%d,%.2f,%.2f\n", i+1, a.Sent.Seconds(), a.Status, ms(a.Took), a.Server)
		}
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "step.csv"), []byte(csv.String()), 0o644); err != nil {
		return err
	}
	return s.plot().write(filepath.Join(dir, "step.svg"))
}

func (s *steps) plot() plot {
	var p99, server, p50 curve
	p99.Name, server.Name, p50.Name = "p99 at the client", "p99 in the server", "p50 at the client"
	for _, x := range s.seconds() {
		for _, c := range []struct {
			to *curve
			y  float64
		}{{&p99, x.P99}, {&server, x.Server}, {&p50, x.P50}} {
			y := c.y
			if x.Answered == 0 {
				y = math.NaN()
			}
			c.to.X, c.to.Y = append(c.to.X, x.At), append(c.to.Y, y)
		}
	}
	return plot{
		Title: fmt.Sprintf("%s: half the peak, then twice the peak, then half again (%d rounds)", s.Model, len(s.Answers)),
		X:     "seconds", Y: "ms, of what was answered",
		Curves: []curve{p99, server, p50},
		Lines:  map[string]float64{"objective": ms(s.Objective)},
		Marks:  map[string]float64{"2 x": stepBefore.Seconds(), "0.5 x": (stepBefore + stepHigh).Seconds()},
	}
}

func (r *report) steps(b *strings.Builder) {
	s := r.step
	if s == nil {
		return
	}
	fmt.Fprintf(b, `%s, 500 x 375, with a latency objective of %v; %d rounds of Poisson arrivals at half of what a closed load of 3 had just before
(%.0f/s in the middle), twice that, and half again. Seconds of all rounds together; percentiles are of what was answered. The curves: [step.svg](step.svg).
Calibrated: %s

| second | offered | answered | refused | p50 ms | p99 ms | p99 ms in the server |
| ---: | ---: | ---: | ---: | ---: | ---: | ---: |
`, s.Model, s.Objective, len(s.Answers), median(s.Peak), s.Chosen)
	for _, x := range s.seconds() {
		fmt.Fprintf(b, "| %.0f | %d | %d | %d | %.1f | %.1f | %.1f |\n", x.At-.5, x.Offered, x.Answered, x.Refused, x.P50, x.P99, x.Server)
	}
}
