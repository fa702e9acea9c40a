package fleet

import (
	"time"

	"github.com/goshawk-ai/goshawk/internal/infer/child"
)

// Restrict lets a test's child process bound itself as the real one does.
func Restrict(l Limits) error { return child.Restrict(child.Limits{Memory: l.Memory, CPU: l.CPU}) }

// Turn sets how long a busy model keeps its memory.
func Turn(f *Fleet, d time.Duration) {
	f.mu.Lock()
	f.turn = d
	f.mu.Unlock()
	f.kick()
}

// Patience sets how long one waits for memory.
func Patience(f *Fleet, d time.Duration) {
	f.mu.Lock()
	f.patience = d
	f.mu.Unlock()
	f.kick()
}

// Relief sets after what time a model of another server is tried again that was
// marked.
func Relief(f *Fleet, d time.Duration) {
	f.mu.Lock()
	f.relief = d
	f.mu.Unlock()
}

// Held is what all models hold.
func Held(f *Fleet) int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	all, _ := f.held()
	return all
}

// Wakes is how many models were woken and put to sleep.
func Wakes(f *Fleet) (wakes, sleeps int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.wakes, f.sleeps
}
