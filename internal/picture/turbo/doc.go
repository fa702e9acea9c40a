// Package turbo decodes JPEG through libturbojpeg, which it opens at run time:
// a program that was built without the library's headers uses it wherever it is
// installed, and says so where it is not. It only translates; what a picture
// may cost and what its damage means is decided by package picture.
package turbo

import "errors"

// Format is the order of the samples that Decode writes. The numbers are those
// of the TurboJPEG API (enum TJPF).
type Format int

// The formats in use. CMYK comes as stored: inverted in all files that Adobe's
// programs, and those that follow them, write.
const (
	RGB  Format = 0
	Gray Format = 6
	CMYK Format = 11
)

// Channels is the bytes of one pixel.
func (f Format) Channels() int {
	switch f {
	case Gray:
		return 1
	case CMYK:
		return 4
	}
	return 3
}

// ErrUnavailable says that there is no libturbojpeg here, or that the program
// was built without cgo.
var ErrUnavailable = errors.New("libturbojpeg is not available")

// Error is what the library said. A warning means that it wrote a whole
// picture although the data was damaged; anything else that it may have left
// pixels as they were.
type Error struct {
	Message string
	Warning bool
}

func (e *Error) Error() string { return e.Message }
