package child

import "github.com/goshawk-ai/goshawk/internal/infer"

// PID is the process that a session has now; 0 where it has none.
func PID(s infer.Session) int {
	c := s.(*session)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.now == nil {
		return 0
	}
	return c.now.process.pid
}

// PauseAfter is how long nobody starts the next process after so many deaths in a row.
var PauseAfter = pauseAfter
