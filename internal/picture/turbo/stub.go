//go:build !cgo || !linux

package turbo

// Library is never made in this build.
type Library struct{}

// Open says that there is no library: this build has no cgo, or is for a
// system whose name for the library is not known here.
func Open() (*Library, error) { return nil, ErrUnavailable }

// Version is never called.
func (*Library) Version() string { return "" }

// Decode is never called.
func (*Library) Decode(_, _ []byte, _, _ int, _ Format) error { return ErrUnavailable }
