package predict_test

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/goshawk-ai/goshawk/internal/fleet"
	"github.com/goshawk-ai/goshawk/internal/fleet/fleettest"
	"github.com/goshawk-ai/goshawk/internal/infer"
	"github.com/goshawk-ai/goshawk/internal/predict"
	"github.com/goshawk-ai/goshawk/internal/problem"
	"github.com/goshawk-ai/goshawk/internal/schedule"
	"github.com/goshawk-ai/goshawk/internal/tensor"
)

// waiting holds the only lane of an engine until the returned function is called.
func waiting(e *local) (release func()) {
	began, stop, done := make(chan struct{}), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		_, _ = e.scheduler.Do(context.Background(), schedule.Request{Key: schedule.Key{Model: "hold"}}, func(context.Context, int) error {
			close(began)
			<-stop
			return nil
		})
	}()
	<-began
	return func() { close(stop); <-done }
}

func TestPicturesThatWaitShareARunAndEachHearsOfItsOwn(t *testing.T) {
	models := &folders{}
	v := models.add(t, fleettest.Package{Name: "tiny"}.Write(t))
	f, decoder := newFleet(t, models, fleet.Options{Default: v.Name})
	joinable(t, f, v.Name)
	e := engineOver(f, decoder, 1)
	defer e.scheduler.Close()
	e.scheduler.Configure(v.Digest, schedule.Policy{Name: v.Name, MaxBatch: 8})
	p := predict.New(predict.Options{Engine: e, Catalog: f, Default: v.Name, Width: 8})
	release := waiting(e)
	var all sync.WaitGroup
	ask := func(pictures ...predict.Picture) {
		all.Go(func() {
			a, err := p.Run(context.Background(), predict.Request{Pictures: pictures})
			if err != nil {
				t.Errorf("%d pictures: %v", len(pictures), err)
				return
			}
			for i, r := range a.Results {
				if broken := pictures[i].Name == "broken"; (r.Error != nil) != broken {
					t.Errorf("%q: %v; want the broken one to fail, and it alone", pictures[i].Name, r.Error)
				}
			}
		})
	}
	good := photo(1, 9, 9)
	ask(predict.Picture{Data: good})
	ask(predict.Picture{Data: good}, predict.Picture{Name: "broken", Data: good[:60]}, predict.Picture{Data: good})
	for e.scheduler.Queued() < 4 {
		runtime.Gosched()
	}
	release()
	all.Wait()
	s := p.Statistics(v.Digest)
	if s.Runs != 1 || s.Rows != 3 || s.Success.Times != 3 || s.Fail.Times != 1 || s.Batches[3].Infer.Times != 1 || len(s.Batches) != 1 {
		t.Errorf("statistics %+v; want one run of three rows, with three pictures that were answered and one that failed", s)
	}
}

// poisoned fails in a run that holds a row of nothing but threes.
type poisoned struct {
	infer.Session
	runs atomic.Int32
}

func (p *poisoned) Run(ctx context.Context, in, out []*tensor.Tensor) error {
	p.runs.Add(1)
	for _, v := range tensor.View[float32](in[0].Data) {
		if v == 3 {
			return &infer.Error{Code: infer.Failed, Message: "three"}
		}
	}
	return p.Session.Run(ctx, in, out)
}

func TestOneRowThatFailsIsNotTheOthersMisfortune(t *testing.T) {
	models := &folders{}
	v := models.add(t, fleettest.Package{Name: "tiny"}.Write(t))
	f, decoder := newFleet(t, models, fleet.Options{Default: v.Name})
	m := joinable(t, f, v.Name)
	session := &poisoned{Session: m.Session}
	m.Session = session
	defer func() { m.Session = session.Session }()
	e := engineOver(f, decoder, 1)
	defer e.scheduler.Close()
	e.scheduler.Configure(v.Digest, schedule.Policy{MaxBatch: 8})
	release := waiting(e)
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			in := &tensor.Tensor{Name: "input", Type: tensor.Float32, Shape: []int64{1, 3, 8, 8}, Data: tensor.Aligned(4 * 192)}
			for k := range tensor.View[float32](in.Data) {
				tensor.View[float32](in.Data)[k] = float32(i + 1)
			}
			call := predict.TensorCall{In: []*tensor.Tensor{in}}
			err := e.Infer(context.Background(), "tiny@"+v.Digest, &call)
			if bad := i+1 == 3; bad != failed(err) {
				t.Errorf("request %d: %v; want the third alone to fail", i+1, err)
			}
		})
	}
	for e.scheduler.Queued() < 4 {
		runtime.Gosched()
	}
	release()
	all.Wait()
	if n := session.runs.Load(); n != 5 {
		t.Errorf("%d runs, want the one of all four and then one of each", n)
	}
}

func failed(err error) bool { return err != nil && problem.Of(err).Kind == problem.Internal }

// BenchmarkShares saturates the lanes with two models, and reports what part of
// the lanes' time each had, for several weights.
func BenchmarkShares(b *testing.B) {
	models := &folders{}
	one := models.add(b, "../registry/builtin/imagenet")
	two := models.add(b, "../registry/builtin/cifar10")
	f, decoder := newFleet(b, models, fleet.Options{Default: one.Name})
	var photos [2][]byte
	for i, dir := range []string{"imagenet", "cifar10"} {
		data, err := os.ReadFile("../registry/builtin/" + dir + "/probe.jpg")
		if err != nil {
			b.Fatal(err)
		}
		photos[i] = data
	}
	for _, w := range [][2]float64{{1, 1}, {3, 1}, {1, 3}} {
		b.Run(fmt.Sprintf("weights=%v:%v", w[0], w[1]), func(b *testing.B) {
			e := engineOver(f, decoder, schedule.Cores())
			defer e.scheduler.Close()
			var left atomic.Int64
			left.Store(int64(b.N))
			var all sync.WaitGroup
			began := time.Now()
			for i, v := range []fleet.Version{one, two} {
				e.scheduler.Configure(v.Digest, schedule.Policy{Name: v.Name, Weight: w[i]})
				for range 8 { // clients of each, who ask again as soon as they have an answer
					all.Go(func() {
						var raw predict.Raw
						for left.Add(-1) >= 0 {
							if err := e.Classify(context.Background(), v.Name+"@"+v.Digest, photos[i], &raw); err != nil {
								b.Error(err)
							}
						}
					})
				}
			}
			all.Wait()
			took := time.Since(began)
			loads := e.scheduler.Loads() // cifar10, imagenet
			total := loads[0].Busy + loads[1].Busy
			b.ReportMetric(float64(loads[1].Busy)/float64(loads[0].Busy), "share_of_first/second")
			b.ReportMetric(float64(loads[1].Rows), "rows_of_first")
			b.ReportMetric(float64(loads[0].Rows), "rows_of_second")
			b.ReportMetric(total.Seconds()/took.Seconds()/float64(e.scheduler.Lanes()), "lanes_busy")
		})
	}
}
