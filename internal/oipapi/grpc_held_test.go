package oipapi_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding/gzip"

	"github.com/goshawk-ai/goshawk/internal/fleet"
	"github.com/goshawk-ai/goshawk/internal/oipapi"
	"github.com/goshawk-ai/goshawk/internal/predict"
	"github.com/goshawk-ai/goshawk/internal/schedule"
	"github.com/goshawk-ai/goshawk/internal/tensor"
)

// until waits for what happens by itself.
func until(t *testing.T, why string, happened func() bool) {
	t.Helper()
	tick, late := time.NewTicker(time.Millisecond), time.After(20*time.Second)
	defer tick.Stop()
	for !happened() {
		select {
		case <-tick.C:
		case <-late:
			t.Fatal(why)
		}
	}
}

// giving answers every request with an output of so many bytes.
func giving(n int) *echo {
	return &echo{do: func(context.Context, *predict.TensorRequest) (*predict.TensorAnswer, error) {
		out := &tensor.Tensor{Name: "y", Type: tensor.Uint8, Shape: []int64{int64(n)}, Data: make([]byte, n)}
		return &predict.TensorAnswer{Version: fleet.Version{Number: 3}, Outputs: []*tensor.Tensor{out}}, nil
	}}
}

func TestAnAnswerHoldsTheBudgetUntilItIsTaken(t *testing.T) {
	const size = 3 << 20
	budget := schedule.NewBudget(16 << 20)
	c, _ := serve(t, giving(size), oipapi.Options{Budget: budget})

	stream := open(t, t.Context(), c)
	send(t, stream, raw("UINT8", []byte{1}, 1))
	until(t, "an answer that nobody reads is not counted", func() bool { return budget.Used() >= size })
	if got := receive(t, stream); got.GetErrorMessage() != "" {
		t.Error(got.GetErrorMessage())
	}
	until(t, "an answer that was taken still holds the budget", func() bool { return budget.Used() == 0 })
	closed(t, stream)

	ctx, cancel := context.WithCancel(t.Context())
	stream = open(t, ctx, c)
	send(t, stream, raw("UINT8", []byte{1}, 1))
	until(t, "an answer that nobody reads is not counted", func() bool { return budget.Used() >= size })
	cancel()
	until(t, "the caller has gone, and what it did not take still holds the budget", func() bool { return budget.Used() == 0 })

	if _, err := c.ModelInfer(t.Context(), raw("UINT8", []byte{1}, 1)); err != nil {
		t.Error(err)
	}
	until(t, "a plain call's answer still holds the budget", func() bool { return budget.Used() == 0 })
}

func TestWhoNeverTakesItsAnswerIsCutOff(t *testing.T) {
	budget := schedule.NewBudget(16 << 20)
	c, _ := serve(t, giving(3<<20), oipapi.Options{Budget: budget, Grace: 50 * time.Millisecond, LeastRate: 1 << 40})
	stream := open(t, t.Context(), c)
	send(t, stream, raw("UINT8", []byte{1}, 1))
	until(t, "an answer that nobody reads is not counted", func() bool { return budget.Used() >= 3<<20 })
	until(t, "nobody reads the answer, and it is kept for ever", func() bool { return budget.Used() == 0 })
	_, err := stream.Recv()
	wants(t, err, codes.Unavailable)
}

func TestWithoutRoomIsTold(t *testing.T) {
	budget := schedule.NewBudget(1 << 20)
	c, _ := serve(t, giving(4<<20), oipapi.Options{Budget: budget, BudgetWait: time.Millisecond})
	_, err := c.ModelInfer(t.Context(), raw("UINT8", []byte{1}, 1))
	wants(t, err, codes.InvalidArgument, "the answer takes", "fewer")

	const all = 1 << 20
	if err := budget.Acquire(t.Context(), all); err != nil {
		t.Fatal(err)
	}
	_, err = c.ModelInfer(t.Context(), raw("UINT8", make([]byte, 1000), 1000))
	wants(t, err, codes.Unavailable, "memory")
	budget.Release(all)
	if budget.Used() != 0 {
		t.Errorf("%d bytes of the budget were not given back", budget.Used())
	}

	small, _ := serve(t, giving(512<<10), oipapi.Options{Budget: budget})
	if err := budget.Acquire(t.Context(), 800<<10); err != nil {
		t.Fatal(err)
	}
	_, err = small.ModelInfer(t.Context(), raw("UINT8", []byte{1}, 1))
	wants(t, err, codes.Unavailable, "answers")
	budget.Release(800 << 10)
}

// TestTheDeadlineOfAWaitIsTheCallers: a caller that stops waiting is not told of load.
func TestTheDeadlineOfAWaitIsTheCallers(t *testing.T) {
	budget := schedule.NewBudget(1000)
	c, _ := serve(t, &echo{}, oipapi.Options{Budget: budget})
	if err := budget.Acquire(t.Context(), 1000); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err := c.ModelInfer(ctx, raw("UINT8", make([]byte, 100), 100))
	wants(t, err, codes.DeadlineExceeded)
	budget.Release(1000)
	until(t, "the budget is not whole again", func() bool { return budget.Used() == 0 })
}

// TestTypedContentsCount: they are unfolded before they are a tensor.
func TestTypedContentsCount(t *testing.T) {
	budget := schedule.NewBudget(1 << 20)
	c, _ := serve(t, &echo{}, oipapi.Options{Budget: budget})
	many := slices.Repeat([]int64{1}, 100_000)
	_, err := c.ModelInfer(t.Context(), typed("INT64", &contents{Int64Contents: many}, 100_000))
	wants(t, err, codes.InvalidArgument, "bytes of memory")
	_, err = c.ModelInfer(t.Context(), typed("INT64", &contents{Int64Contents: many[:1000]}, 1000))
	wants(t, err, codes.OK)
}

// TestAnswersOfAStreamCountTogether: each is less than what a connection buffers.
func TestAnswersOfAStreamCountTogether(t *testing.T) {
	const size, n = 48 << 10, 16
	budget := schedule.NewBudget(16 << 20)
	c, _ := serve(t, giving(size), oipapi.Options{Budget: budget})
	stream := open(t, t.Context(), c)
	for range n {
		send(t, stream, raw("UINT8", []byte{1}, 1))
	}
	until(t, "answers that nobody reads are not counted", func() bool { return budget.Used() >= (n-4)*size })
	for range n {
		receive(t, stream)
	}
	until(t, "answers that were taken still hold the budget", func() bool { return budget.Used() == 0 })
	closed(t, stream)
}

// TestAnAnswerToACompressedRequestIsHeldToo: as long as nobody has taken it, whatever
// form the request had.
func TestAnAnswerToACompressedRequestIsHeldToo(t *testing.T) {
	const size = 3 << 20
	data := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{}).Read(data) // no algorithm makes it smaller
	e := &echo{do: func(context.Context, *predict.TensorRequest) (*predict.TensorAnswer, error) {
		out := &tensor.Tensor{Name: "y", Type: tensor.Uint8, Shape: []int64{size}, Data: data}
		return &predict.TensorAnswer{Version: fleet.Version{Number: 3}, Outputs: []*tensor.Tensor{out}}, nil
	}}
	budget, metrics := schedule.NewBudget(16<<20), prometheus.NewRegistry()
	_, conn := serve(t, e, oipapi.Options{Budget: budget, Metrics: metrics})
	for _, method := range []string{"ModelInfer", "ModelStreamInfer"} {
		ctx, cancel := context.WithCancel(t.Context())
		stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, "/inference.GRPCInferenceService/"+method, grpc.UseCompressor(gzip.Name))
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(stream.SendMsg(raw("UINT8", []byte{1}, 1)), stream.CloseSend()); err != nil {
			t.Fatal(err)
		}
		until(t, "the request has no end", func() bool { return counted(t, metrics, "goshawk_grpc_requests_total", "OK", method) == 1 })
		if budget.Used() < size {
			t.Errorf("%s: an answer of %d bytes that nobody reads holds %d", method, size, budget.Used())
		}
		cancel()
		until(t, "the caller has gone, and the budget is still held", func() bool { return budget.Used() == 0 })
	}
}
