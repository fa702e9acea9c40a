package predict

import (
	"maps"
	"sync"
	"time"

	"github.com/goshawk-ai/goshawk/internal/fleet"
)

// Count is how often something happened, and how long it took altogether.
type Count struct {
	Times int64
	Took  time.Duration
}

func (c *Count) add(took time.Duration) {
	c.Times++
	c.Took += took
}

// Statistics are what one version did since the process began, through
// whichever door.
type Statistics struct {
	Last    time.Time // when the last request was answered; zero when none was
	Rows    int64     // pictures, or rows of tensors, that were answered
	Runs    int64     // of the model
	Success Count     // whole requests; one picture of a /v1 request counts as one
	Fail    Count
	Queue   Count
	Input   Count // decoding and preprocessing
	Infer   Count
	Batches map[int]Batch // by rows of a run
}

// Batch is what the runs of one size took.
type Batch struct{ Input, Infer Count }

// ledger keeps the statistics of all versions, by digest.
type ledger struct {
	mu sync.Mutex
	by map[string]*Statistics // guarded by mu
}

// note counts one request of so many rows, and the runs that it led.
func (l *ledger) note(v fleet.Version, rows int, led []Run, s TensorStages, took time.Duration, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.by == nil {
		l.by = map[string]*Statistics{}
	}
	t := l.by[v.Digest]
	if t == nil {
		t = &Statistics{Batches: map[int]Batch{}}
		l.by[v.Digest] = t
	}
	if err != nil {
		t.Fail.add(took)
		return
	}
	t.Last = time.Now()
	t.Rows += int64(rows)
	t.Success.add(took)
	t.Queue.add(s.Queue)
	t.Input.add(s.Input)
	t.Infer.add(s.Infer)
	for _, run := range led {
		if run.Rows == 0 {
			continue
		}
		t.Runs++
		b := t.Batches[run.Rows]
		b.Input.add(run.Input)
		b.Infer.add(run.Infer)
		t.Batches[run.Rows] = b
	}
}

// Statistics gives a copy of a version's, zero when it never was asked.
func (p *Predictor) Statistics(digest string) Statistics {
	p.ledger.mu.Lock()
	defer p.ledger.mu.Unlock()
	t := p.ledger.by[digest]
	if t == nil {
		return Statistics{}
	}
	copied := *t
	copied.Batches = maps.Clone(t.Batches)
	return copied
}
