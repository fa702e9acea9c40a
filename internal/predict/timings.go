package predict

import (
	"sync"
	"time"
)

// stages adds up what the pictures of a request spent where.
type stages struct {
	mu                                 sync.Mutex
	decode, preprocess, queue, compute time.Duration // guarded by mu
}

func (s *stages) add(raw *Raw) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.decode += raw.Decode
	s.preprocess += raw.Preprocess
	s.queue += raw.Queue
	s.compute += raw.Infer
}

func (s *stages) timings(read, total time.Duration) Timings {
	return Timings{
		Read:       ms(read),
		Decode:     ms(s.decode),
		Preprocess: ms(s.preprocess),
		Queue:      ms(s.queue),
		Infer:      ms(s.compute),
		Total:      ms(total),
	}
}

// ms is milliseconds with microseconds behind the point: more digits are noise.
func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
