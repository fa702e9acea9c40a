package calibrate

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// spinner is a target that computes: a run of B rows is B pieces of work.
type spinner struct {
	loaded, closed atomic.Int64
	runs           atomic.Int64
	fail           error // of Run
	failLoad       error
	onRun          func()
	most           int // rows that fit
}

type spinning struct {
	*spinner
	mu       sync.Mutex
	batch    int
	prepared int
	inside   []atomic.Bool
}

func (s *spinner) Load(context.Context, int) (Runner, error) {
	if s.failLoad != nil {
		return nil, s.failLoad
	}
	s.loaded.Add(1)
	return &spinning{spinner: s}, nil
}

func (s *spinning) Prepare(_ context.Context, instances, batch int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.most > 0 && batch > s.most {
		return fmt.Errorf("%w: %d rows are too many", ErrUnfit, batch)
	}
	s.batch, s.inside = batch, make([]atomic.Bool, instances)
	s.prepared++
	return nil
}

var sink atomic.Uint64

func (s *spinning) Run(ctx context.Context, i int) error {
	if s.inside[i].Swap(true) {
		return errors.New("an instance was run twice at a time")
	}
	defer s.inside[i].Store(false)
	s.runs.Add(1)
	if s.onRun != nil {
		s.onRun()
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	x := uint64(i)
	for range s.batch * 2000 {
		x = x*6364136223846793005 + 1442695040888963407
	}
	sink.Add(x)
	return s.fail
}

func (s *spinning) Close() error {
	s.closed.Add(1)
	return nil
}

func TestMeasureGivesATable(t *testing.T) {
	t.Parallel()
	s := &spinner{}
	samples := 0
	table, err := Measure(t.Context(), s, Options{
		Space: Space{Cores: 2, MaxBatch: 4}, Budget: 200 * time.Millisecond,
		Say: func(Setting, Sample) { samples++ },
	})
	if err != nil {
		t.Fatal(err)
	}
	sum := 0
	for _, p := range table {
		sum += p.Rounds
		if p.Rate <= 0 || p.Run <= 0 || p.Slow < p.Run {
			t.Errorf("the point %+v says nothing", p)
		}
	}
	if len(table) == 0 || table[0].Setting != Default(2) || sum > samples {
		t.Errorf("the table %+v of %d samples; want the default first", table, samples)
	}
	if s.loaded.Load() != s.closed.Load() || s.loaded.Load() == 0 {
		t.Errorf("%d sessions were loaded and %d closed", s.loaded.Load(), s.closed.Load())
	}
}

func TestAModelWithNothingToChooseIsMeasuredAllTheSame(t *testing.T) {
	t.Parallel()
	table, err := Measure(t.Context(), &spinner{}, Options{Space: Space{Cores: 1, MaxBatch: 1}, Budget: time.Second})
	if err != nil || len(table) != 1 || table[0].Rounds < solid {
		t.Errorf("table %+v, %v; want the one setting there is", table, err)
	}
}

func TestMeasureStopsWhenItIsTold(t *testing.T) {
	t.Parallel()
	stop := errors.New("a request came")
	ctx, cancel := context.WithCancelCause(t.Context())
	s := &spinner{}
	s.onRun = func() {
		if s.runs.Load() == 10 {
			cancel(stop)
		}
	}
	if _, err := Measure(ctx, s, Options{Space: Space{Cores: 2, MaxBatch: 64}, Budget: time.Hour}); !errors.Is(err, stop) || err.Error() != stop.Error() {
		t.Errorf("Measure = %v, want the cause and nothing around it", err)
	}
	if s.loaded.Load() != s.closed.Load() {
		t.Errorf("%d sessions were loaded and %d closed", s.loaded.Load(), s.closed.Load())
	}
}

func TestMeasureSaysWhatFailed(t *testing.T) {
	t.Parallel()
	broken := errors.New("the model is broken")
	_, err := Measure(t.Context(), &spinner{fail: broken}, Options{Space: Space{Cores: 2}, Budget: time.Hour})
	if !errors.Is(err, broken) || !strings.Contains(err.Error(), "measure 1 thread x 2 instances, batch 1: ") {
		t.Errorf("Measure of a model whose runs fail = %v", err)
	}
	if _, err := Measure(t.Context(), &spinner{failLoad: broken}, Options{Space: Space{Cores: 2}}); !errors.Is(err, broken) {
		t.Errorf("Measure of a model that does not load = %v", err)
	}
}

func TestABatchThatDoesNotFitIsLeftOut(t *testing.T) {
	t.Parallel()
	table, err := Measure(t.Context(), &spinner{most: 2}, Options{Space: Space{Cores: 1, MaxBatch: 64}, Budget: 300 * time.Millisecond})
	if err != nil || len(table) == 0 {
		t.Fatalf("table %+v, %v; want what fits", table, err)
	}
	for _, p := range table {
		if p.Batch > 2 {
			t.Errorf("the table has %v, which cannot be run", p.Setting)
		}
	}
	if _, err := Measure(t.Context(), &spinner{most: 2}, Options{Space: Space{Cores: 1, MaxBatch: 64, Fixed: Fixed{Batch: 8}}, Budget: 300 * time.Millisecond}); !errors.Is(err, ErrUnfit) {
		t.Errorf("a model whose only setting cannot be run gives %v", err)
	}
}

func TestAShortBudgetMeasuresTheStartAtLeast(t *testing.T) {
	t.Parallel()
	table, err := Measure(t.Context(), &spinner{}, Options{Space: Space{Cores: 2, MaxBatch: 64}, Budget: time.Nanosecond})
	if err != nil || len(table) == 0 || table[0].Setting != Default(2) {
		t.Errorf("table %+v, %v; want the default at least", table, err)
	}
}
