//go:build !cgo

package turbo

// Native says whether Run is there: it is C.
const Native = false

// Run is never called where Native is false.
func (r *Resample) Run() error { return ErrShape }
