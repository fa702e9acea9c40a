package fleet

import "github.com/goshawk-ai/goshawk/internal/infer/child"

// Restrict lets a test's child process bound itself as the real one does.
func Restrict(l Limits) error { return child.Restrict(child.Limits{Memory: l.Memory, CPU: l.CPU}) }
