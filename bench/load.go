package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"
)

// target is an address that pictures are posted to.
type target struct {
	url    string
	client *http.Client

	// Of closed loads, kept from one to the next: to make them anew would be work
	// for the caches of whoever is measured.
	sent  []letter
	wires []*wire
}

func newTarget(url string) *target {
	t := &http.Transport{MaxIdleConnsPerHost: 1024, MaxIdleConns: 1024, DisableCompression: true}
	return &target{url: url, client: &http.Client{Transport: t, Timeout: 30 * time.Second}}
}

// post sends one picture and reads the whole answer.
func (t *target) post(ctx context.Context, body []byte) (status, size int, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, t.url, bytes.NewReader(body))
	if err != nil {
		return 0, 0, err
	}
	req.Header.Set("Content-Type", "image/jpeg")
	res, err := t.client.Do(req)
	if err != nil {
		return 0, 0, err
	}
	defer res.Body.Close()
	n, err := io.Copy(io.Discard, res.Body)
	return res.StatusCode, int(n), err
}

// result is what a run of load saw.
type result struct {
	Answers int             // with status 200
	Within  int             // of these, within a second
	Refused int             // 503
	Wrong   int             // any other status, or no answer: the run is void when there is one
	Took    []time.Duration // of the 200s
	Wall    time.Duration
}

// together runs work for each of n callers and waits for them.
func together(n int, work func(i int)) {
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { work(i) })
	}
	all.Wait()
}

// arrive calls send at Poisson arrivals, whatever became of those before, each time
// on a goroutine of its own. It returns when the last has begun; wait waits for all.
func arrive(duration time.Duration, rate func(at time.Duration) float64, send func(i int)) (wait func()) {
	r := rand.New(rand.NewPCG(7, uint64(time.Now().UnixNano())))
	var all sync.WaitGroup
	began := time.Now()
	for at, i := time.Duration(0), 0; at < duration; i++ {
		time.Sleep(time.Until(began.Add(at)))
		all.Go(func() { send(i) })
		at += time.Duration(r.ExpFloat64() / rate(at) * float64(time.Second))
	}
	return all.Wait
}

// steady is a rate that stays.
func steady(rate float64) func(time.Duration) float64 {
	return func(time.Duration) float64 { return rate }
}

// open sends requests at Poisson arrivals. When the last one is sent it calls
// after, and then waits for the answers.
func (t *target) open(pictures [][]byte, rate float64, duration time.Duration, after func()) result {
	var mu sync.Mutex
	var parts []result
	began := time.Now()
	wait := arrive(duration, steady(rate), func(i int) {
		var one result
		one.count(t, pictures[i%len(pictures)])
		mu.Lock()
		defer mu.Unlock()
		parts = append(parts, one)
	})
	offered := time.Since(began)
	after()
	wait()
	return merge(parts, offered)
}

func (r *result) count(t *target, picture []byte) {
	began := time.Now()
	status, _, err := t.post(context.Background(), picture)
	r.add(status, err, time.Since(began))
}

func merge(parts []result, wall time.Duration) result {
	sum := result{Wall: wall}
	for _, p := range parts {
		sum.Answers += p.Answers
		sum.Within += p.Within
		sum.Refused += p.Refused
		sum.Wrong += p.Wrong
		sum.Took = append(sum.Took, p.Took...)
	}
	return sum
}

// valid says why a run can't be used.
func (r result) valid() error {
	if r.Wrong > 0 || r.Answers == 0 {
		return fmt.Errorf("%d answers, %d refusals, %d wrong answers", r.Answers, r.Refused, r.Wrong)
	}
	return nil
}
