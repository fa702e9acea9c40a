//go:build ci

package turbo_test

import (
	"testing"

	"github.com/goshawk-ai/goshawk/internal/picture/turbo"
)

// The other tests have nothing to decode with where there is no library.
func TestLibraryIsHere(t *testing.T) {
	if _, err := turbo.Open(); err != nil {
		t.Fatalf("%v: install the package libturbojpeg0", err)
	}
}
