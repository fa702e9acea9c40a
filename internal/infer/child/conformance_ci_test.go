//go:build ci

package child_test

import (
	"testing"

	"github.com/goshawk-ai/goshawk/internal/infer"
	"github.com/goshawk-ai/goshawk/internal/infer/backendtest"
)

// TestConformance starts some hundred processes, so make test leaves it out; the
// suite runs there against the door that they have.
func TestConformance(t *testing.T) {
	backendtest.Run(t, func(tb testing.TB) infer.Backend { return open(tb, nil) })
}
