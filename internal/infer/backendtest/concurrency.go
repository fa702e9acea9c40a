package backendtest

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/goshawk-ai/goshawk/internal/infer"
	"github.com/goshawk-ai/goshawk/internal/infer/backendtest/onnxgen"
	"github.com/goshawk-ai/goshawk/internal/tensor"
)

func testEndedContext(t *testing.T, b infer.Backend) {
	if _, err := b.Load(gone(t), onnxgen.Endless().Bytes(), infer.Options{}); !errors.Is(err, errGone) {
		t.Errorf("load for a caller that is gone: %v, want the cause", err)
	}
	s := load(t, b, minus(1))
	in := list(floats("a", []int64{1}, 1), floats("b", []int64{1}, 1))
	if err := s.Run(gone(t), in, list(&tensor.Tensor{Name: "negative"})); !errors.Is(err, errGone) {
		t.Errorf("run for a caller that is gone: %v, want the cause", err)
	}
}

// testEndless: the run ends soon after its context, and the session goes on.
func testEndless(t *testing.T, b infer.Backend) {
	s := load(t, b, onnxgen.Endless())
	in, out := list(floats("in", nil, 1)), list(&tensor.Tensor{Name: "out"})
	ctx, cancel := context.WithTimeoutCause(t.Context(), 20*time.Millisecond, errGone)
	defer cancel()
	if err := s.Run(ctx, in, out); !errors.Is(err, errGone) {
		t.Errorf("an endless run ended by %v, want the cause of its context", err)
	}
	ctx, cancel = context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := s.Run(ctx, in, out); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("an endless run ended by %v, want the passed deadline", err)
	}
}

// testManyCancellations cancels at every moment of a run; none may reach the
// next run, which works with the same memory.
func testManyCancellations(t *testing.T, b infer.Backend) {
	s := load(t, b, onnxgen.Classifier("n", 8, 3))
	x := floats("input", []int64{2, 3, 8, 8}, make([]float32, 2*3*64)...)
	given := floats("logits", []int64{2, 3}, make([]float32, 6)...)
	for i := range 300 {
		ctx, cancel := context.WithCancelCause(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			for range i * 10 {
				_ = ctx.Err() // pass a little time, a little more each round
			}
			cancel(errGone)
		}()
		if err := s.Run(ctx, list(x), list(given)); err != nil && !errors.Is(err, errGone) {
			t.Fatalf("round %d: %v, want success or the cause", i, err)
		}
		<-done
		if err := s.Run(t.Context(), list(x), list(given)); err != nil {
			t.Fatalf("round %d: the run after a cancelled one failed: %v", i, err)
		}
	}
}

func testManyCallers(t *testing.T, b infer.Backend) {
	s := load(t, b, minus("n"))
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			for j := range 50 {
				n := int64(1 + (i+j)%5)
				x, y := floats("a", []int64{n}, make([]float32, n)...), floats("b", []int64{n}, make([]float32, n)...)
				tensor.View[float32](x.Data)[n-1] = float32(i*1000 + j)
				out := &tensor.Tensor{Name: "difference"}
				if err := s.Run(t.Context(), list(x, y), list(out)); err != nil {
					t.Errorf("caller %d: %v", i, err)
					return
				}
				if got := tensor.View[float32](out.Data)[n-1]; got != float32(i*1000+j) {
					t.Errorf("caller %d got %v, want %d: it is another one's answer", i, got, i*1000+j)
				}
			}
		})
	}
	group.Wait()
}

// testCloseWhileRunning: a run either ends rightly or finds the session closed.
func testCloseWhileRunning(t *testing.T, b infer.Backend) {
	s, err := b.Load(t.Context(), onnxgen.Classifier("n", 8, 3).Bytes(), infer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	started := make(chan struct{}, 4)
	for range 4 {
		group.Go(func() {
			x := floats("input", []int64{1, 3, 8, 8}, make([]float32, 3*64)...)
			for first := true; ; first = false {
				err := s.Run(t.Context(), list(x), list(&tensor.Tensor{Name: "logits"}))
				if first {
					started <- struct{}{}
				}
				if errors.Is(err, infer.ErrClosed) {
					return
				}
				if err != nil {
					t.Errorf("a run beside Close: %v, want success or %q", err, infer.ErrClosed)
					return
				}
			}
		})
	}
	for range 4 {
		<-started
	}
	if err := s.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
	group.Wait()
}

func testClose(t *testing.T, b infer.Backend) {
	s := load(t, b, minus(1)) // whose cleanup closes it a second time
	if err := s.Close(); err != nil {
		t.Fatalf("close: %v", err)
	}
	in := list(floats("a", []int64{1}, 1), floats("b", []int64{1}, 1))
	if err := s.Run(t.Context(), in, list(&tensor.Tensor{Name: "negative"})); !errors.Is(err, infer.ErrClosed) {
		t.Errorf("run after close: %v, want %q", err, infer.ErrClosed)
	}
	if len(s.Inputs()) != 2 || len(s.Outputs()) != 2 {
		t.Error("a closed session must still say what its inputs and outputs were")
	}
}
