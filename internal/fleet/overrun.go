package fleet

import (
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/goshawk-ai/goshawk/internal/problem"
)

// Overruns is after how many runs in a row that had to be ended a model is marked
// unhealthy, unless Options.Overruns says otherwise.
const Overruns = 3

// leastOverrun is the least that a run must have taken for its end to say
// anything of the model: callers may be as impatient as they like.
const leastOverrun = 200 * time.Millisecond

// stamina is how a model's runs end.
type stamina struct {
	mu      sync.Mutex
	longest time.Duration // guarded by mu; of the runs that gave an answer
	largest int64         // guarded by mu; bytes of input of such a run
	late    int           // guarded by mu; runs in a row that had to be ended

	ill atomic.Pointer[problem.Problem] // why the model is marked unhealthy
}

// Answered notes a run on so many bytes of input that gave an answer.
func (m *Model) Answered(took time.Duration, size int64) {
	s := &m.stamina
	s.mu.Lock()
	defer s.mu.Unlock()
	s.longest, s.largest, s.late = max(s.longest, took), max(s.largest, size), 0
}

// bearable is how long a run may take that says nothing of the model when it is
// ended: four times as long as any that gave an answer. For more input than was ever
// answered it grows with the square of that, as attention's cost does: else whoever
// sends a large request and leaves could have the model marked. s.mu is held.
func (s *stamina) bearable(size int64) time.Duration {
	most := 4 * float64(s.longest)
	if s.largest > 0 && size > s.largest {
		more := float64(size) / float64(s.largest)
		most *= more * more
	}
	return max(leastOverrun, time.Duration(min(most, math.MaxInt64/2)))
}

// Overran notes a run on so many bytes that was ended because its time was over,
// or nobody waited for it any more. It counts where the model has never taken so
// long for an answer, by far. After several in a row the model is marked unhealthy,
// until it is loaded again: a model that does not end would hold lane after lane.
func (m *Model) Overran(took time.Duration, size int64) {
	s := &m.stamina
	s.mu.Lock()
	if took < s.bearable(size) || s.ill.Load() != nil {
		s.mu.Unlock()
		return
	}
	s.late++
	limit := m.overruns
	if limit <= 0 {
		limit = Overruns
	}
	if s.late < limit {
		s.mu.Unlock()
		return
	}
	ill := problem.ModelUnhealthy.New("the model %q did not end %d times in a row, the last time within %.1f s; load it again to try once more",
		m.Version.Name, s.late, took.Seconds())
	s.ill.Store(ill)
	s.mu.Unlock()
	if m.condemn != nil {
		m.condemn(ill)
	}
}

// Marked is why the model is marked unhealthy; nil while it is not. Requests that
// were let in before ask for it again when it is their turn.
func (m *Model) Marked() error {
	if ill := m.stamina.ill.Load(); ill != nil {
		return ill
	}
	return nil
}
