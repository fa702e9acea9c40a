package principal_test

import (
	"strings"
	"testing"

	"github.com/goshawk-ai/goshawk/internal/principal"
)

func TestARequestIDIsTheCallersWhereItIsHarmless(t *testing.T) {
	for _, id := range []string{"a", "Req-1_2.3", strings.Repeat("x", 64)} {
		if got := principal.NewRequestID(id); got != id {
			t.Errorf("%q became %q", id, got)
		}
	}
	seen := map[string]bool{}
	for _, id := range []string{"", "a b", "a\n", "ä", strings.Repeat("x", 65)} {
		got := principal.NewRequestID(id)
		if got == id || len(got) != 16 || seen[got] {
			t.Errorf("%q became %q, want an id of its own", id, got)
		}
		seen[got] = true
	}
}
