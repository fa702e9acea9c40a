package predict

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/goshawk-ai/goshawk/internal/problem"
	"github.com/goshawk-ai/goshawk/internal/schedule"
	"github.com/goshawk-ai/goshawk/internal/tensor"
)

// TestARowThatPanicsFailsItsRequestAlone: on a goroutine of its own it would end
// the process, and every other request with it.
func TestARowThatPanicsFailsItsRequestAlone(t *testing.T) {
	s := schedule.New(schedule.Options{Lanes: 1})
	defer s.Close()
	err := (&Local{scheduler: s}).stack(t.Context(), 3, &TensorCall{}, func(_ context.Context, i int, p *part) error {
		if i == 1 {
			panic("boom")
		}
		p.out = []*tensor.Tensor{{Name: "y", Type: tensor.Uint8, Shape: []int64{1}, Data: []byte{1}}}
		return nil
	})
	if !errors.Is(err, problem.Internal) || strings.Contains(err.Error(), "boom") {
		t.Fatalf("err = %v, want an internal problem that shows nothing of the panic", err)
	}
	if cause := problem.Of(err).Unwrap(); cause == nil || !strings.Contains(cause.Error(), "boom") {
		t.Errorf("cause = %v, want the panic, for the log", cause)
	}
}
