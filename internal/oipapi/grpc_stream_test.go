package oipapi_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/goshawk-ai/goshawk/api/oip"
	"github.com/goshawk-ai/goshawk/internal/fleet"
	"github.com/goshawk-ai/goshawk/internal/oipapi"
	"github.com/goshawk-ai/goshawk/internal/predict"
	"github.com/goshawk-ai/goshawk/internal/problem"
)

func TestProblemsBecomeCodes(t *testing.T) {
	var failure error
	e := &echo{do: func(context.Context, *predict.TensorRequest) (*predict.TensorAnswer, error) { return nil, failure }}
	c, _ := serve(t, e, oipapi.Options{})
	for kind, want := range map[*problem.Kind]codes.Code{
		problem.InvalidRequest: codes.InvalidArgument, problem.Unauthenticated: codes.Unauthenticated, problem.Forbidden: codes.PermissionDenied,
		problem.ModelNotFound: codes.NotFound, problem.PictureTooLarge: codes.InvalidArgument, problem.TooManyPixels: codes.InvalidArgument,
		problem.NotAPicture: codes.InvalidArgument, problem.PictureDamaged: codes.InvalidArgument, problem.IdempotencyInFlight: codes.Aborted,
		problem.Limited: codes.ResourceExhausted, problem.Overloaded: codes.Unavailable, problem.ModelUnhealthy: codes.Unavailable,
		problem.DeadlineExceeded: codes.DeadlineExceeded, problem.Internal: codes.Internal, problem.StorageFull: codes.ResourceExhausted,
	} {
		failure = kind.New("because of %s", kind.Slug).With("retry_after_seconds", 7)
		var trailer metadata.MD
		_, err := c.ModelInfer(t.Context(), raw("FP32", nil, 0), grpc.Trailer(&trailer))
		wants(t, err, want, "because of "+kind.Slug)
		later := ""
		if kind.Status == 429 || kind.Status == 503 {
			later = "7"
		}
		if got := strings.Join(trailer.Get("retry-after"), ""); got != later {
			t.Errorf("%s: retry-after %q, want %q", kind.Slug, got, later)
		}
	}
	failure = errors.New("the password is hunter2")
	_, err := c.ModelInfer(t.Context(), raw("FP32", nil, 0))
	if wants(t, err, codes.Internal); strings.Contains(err.Error(), "hunter2") {
		t.Errorf("an unnamed cause is shown: %v", err)
	}
}

// waiting is an echo whose answers wait until the call ends; begun hears of each.
func waiting(begun chan<- struct{}, ended chan<- error) *echo {
	return &echo{do: func(ctx context.Context, _ *predict.TensorRequest) (*predict.TensorAnswer, error) {
		begun <- struct{}{}
		<-ctx.Done()
		ended <- context.Cause(ctx)
		return nil, context.Cause(ctx)
	}}
}

func TestACallerWhoGoesEndsTheCall(t *testing.T) {
	begun, ended := make(chan struct{}, 1), make(chan error, 1)
	c, _ := serve(t, waiting(begun, ended), oipapi.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-begun
		cancel()
	}()
	_, err := c.ModelInfer(ctx, raw("FP32", nil, 0))
	wants(t, err, codes.Canceled)
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("the model's run ended with %v", err)
	}
}

func TestDeadlines(t *testing.T) {
	begun, ended := make(chan struct{}, 2), make(chan error, 2)
	c, _ := serve(t, waiting(begun, ended), oipapi.Options{})
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	_, err := c.ModelInfer(ctx, raw("FP32", nil, 0))
	wants(t, err, codes.DeadlineExceeded)

	r := raw("FP32", nil, 0)
	r.Parameters = parameter{"timeout": int64Parameter(1000)}
	_, err = c.ModelInfer(t.Context(), r)
	wants(t, err, codes.DeadlineExceeded, "timeout of 1ms")
}

func TestMessagesAreBounded(t *testing.T) {
	c, _ := serve(t, &echo{}, oipapi.Options{MaxBody: 10e6})
	big := make([]byte, 9e6) // above grpc's own 4 MB, below ours
	got, err := c.ModelInfer(t.Context(), raw("UINT8", big, int64(len(big))), grpc.MaxCallRecvMsgSize(10e6))
	if err != nil || len(got.GetRawOutputContents()[0]) != len(big) {
		t.Errorf("a message of 9 MB: %v", err)
	}
	_, err = c.ModelInfer(t.Context(), raw("UINT8", make([]byte, 11e6), 11e6))
	wants(t, err, codes.ResourceExhausted)
}

func TestAPanicEndsOneCall(t *testing.T) {
	e := &echo{do: func(_ context.Context, r *predict.TensorRequest) (*predict.TensorAnswer, error) {
		if len(r.Inputs) == 0 {
			panic("secret")
		}
		return &predict.TensorAnswer{Outputs: r.Inputs}, nil
	}}
	c, _ := serve(t, e, oipapi.Options{})
	_, err := c.ModelInfer(t.Context(), &request{ModelName: "flowers"})
	if wants(t, err, codes.Internal); strings.Contains(err.Error(), "secret") {
		t.Errorf("it tells its cause: %v", err)
	}
	stream := open(t, t.Context(), c)
	send(t, stream, &request{ModelName: "flowers", Id: "bad"}, raw("FP32", nil, 0))
	if got := receive(t, stream); got.GetErrorMessage() == "" || strings.Contains(got.GetErrorMessage(), "secret") || got.GetInferResponse().GetId() != "bad" {
		t.Errorf("got %v; want to hear that it went wrong, and nothing of why", got)
	}
	if got := receive(t, stream); got.GetErrorMessage() != "" {
		t.Errorf("got %v; the next request of the stream is another", got)
	}
	closed(t, stream)
}

type clientStream = grpc.BidiStreamingClient[oip.ModelInferRequest, oip.ModelStreamInferResponse]

func open(t *testing.T, ctx context.Context, c oip.GRPCInferenceServiceClient) clientStream { //nolint:revive // t first, as all of these
	t.Helper()
	stream, err := c.ModelStreamInfer(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return stream
}

func send(t *testing.T, stream clientStream, requests ...*request) {
	t.Helper()
	for _, r := range requests {
		if err := stream.Send(r); err != nil {
			t.Fatal(err)
		}
	}
}

func receive(t *testing.T, stream clientStream) *oip.ModelStreamInferResponse {
	t.Helper()
	got, err := stream.Recv()
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// closed ends a stream and wants nothing more from it.
func closed(t *testing.T, stream clientStream) {
	t.Helper()
	if err := stream.CloseSend(); err != nil {
		t.Error(err)
	}
	if got, err := stream.Recv(); !errors.Is(err, io.EOF) {
		t.Errorf("got %v, %v; want the end", got, err)
	}
}

// TestStreamKeepsTheOrder lets later requests be done first.
func TestStreamKeepsTheOrder(t *testing.T) {
	release := make([]chan struct{}, 8)
	for i := range release {
		release[i] = make(chan struct{})
	}
	e := &echo{do: func(_ context.Context, r *predict.TensorRequest) (*predict.TensorAnswer, error) {
		i := int(r.Inputs[0].Data[0])
		if i+1 < len(release) {
			<-release[i+1] // its successor is done
		}
		defer close(release[i])
		if i == 3 {
			return nil, problem.PictureDamaged.New("number 3 is damaged \xff")
		}
		return &predict.TensorAnswer{Version: fleet.Version{Number: 3}, Outputs: r.Inputs}, nil
	}}
	c, _ := serve(t, e, oipapi.Options{})
	stream := open(t, t.Context(), c)
	for i := range release {
		r := raw("UINT8", []byte{byte(i)}, 1)
		r.Id = strconv.Itoa(i)
		r.Parameters = parameter{"triton_enable_empty_final_response": {ParameterChoice: &oip.InferParameter_BoolParam{BoolParam: true}}}
		send(t, stream, r)
	}
	for i := range release {
		got := receive(t, stream)
		a := got.GetInferResponse()
		if a.GetId() != strconv.Itoa(i) || !a.GetParameters()["triton_final_response"].GetBoolParam() {
			t.Errorf("answer %d is of request %q, %v; want the order of the requests, each marked final", i, a.GetId(), a.GetParameters())
		}
		if failed := got.GetErrorMessage() != ""; failed != (i == 3) {
			t.Errorf("answer %d: %q", i, got.GetErrorMessage())
		}
		if i != 3 && !bytes.Equal(a.GetRawOutputContents()[0], []byte{byte(i)}) {
			t.Errorf("answer %d has the numbers of another: %v", i, a.GetRawOutputContents())
		}
	}
	closed(t, stream)
}

func TestStreamRefusesAWrongParameterAndGoesOn(t *testing.T) {
	c, _ := serve(t, &echo{}, oipapi.Options{})
	stream := open(t, t.Context(), c)
	wrong := raw("FP32", nil, 0)
	wrong.Parameters = parameter{"triton_enable_empty_final_response": int64Parameter(1)}
	send(t, stream, wrong, raw("FP32", nil, 1), raw("FP32", nil, 0))
	for i, says := range []string{"triton_enable_empty_final_response", "0 bytes", ""} {
		if got := receive(t, stream); !strings.Contains(got.GetErrorMessage(), says) || (got.GetErrorMessage() == "") != (says == "") {
			t.Errorf("answer %d: %q, want %q", i, got.GetErrorMessage(), says)
		}
	}
	closed(t, stream)
}

func TestStreamIsBounded(t *testing.T) {
	const most = 3
	var now, peak atomic.Int32
	full, release := make(chan struct{}, 100), make(chan struct{})
	e := &echo{do: func(_ context.Context, r *predict.TensorRequest) (*predict.TensorAnswer, error) {
		peak.Store(max(peak.Load(), now.Add(1)))
		defer now.Add(-1)
		full <- struct{}{}
		<-release
		return &predict.TensorAnswer{Outputs: r.Inputs}, nil
	}}
	c, _ := serve(t, e, oipapi.Options{InFlight: most})
	stream := open(t, t.Context(), c)
	for range 20 {
		send(t, stream, raw("FP32", nil, 0))
	}
	for range most {
		<-full
	}
	close(release)
	for range 20 {
		receive(t, stream)
	}
	closed(t, stream)
	if peak.Load() > most {
		t.Errorf("%d requests of a stream were computed at a time, want at most %d", peak.Load(), most)
	}
}

func TestAStreamThatIsCutEndsItsRequests(t *testing.T) {
	begun, ended := make(chan struct{}, 4), make(chan error, 4)
	c, _ := serve(t, waiting(begun, ended), oipapi.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	stream := open(t, ctx, c)
	send(t, stream, raw("FP32", nil, 0), raw("FP32", nil, 0))
	<-begun
	<-begun
	cancel()
	for range 2 {
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("a request ended with %v; nobody waits for it", err)
		}
	}
	if _, err := stream.Recv(); status.Code(err) != codes.Canceled {
		t.Errorf("got %v", err)
	}
}

func TestAnOversizedMessageEndsTheStreamAfterWhatCameBefore(t *testing.T) {
	c, _ := serve(t, &echo{}, oipapi.Options{MaxBody: 1000})
	stream := open(t, t.Context(), c)
	send(t, stream, raw("UINT8", []byte{7}, 1))
	if got := receive(t, stream); got.GetErrorMessage() != "" {
		t.Error(got)
	}
	send(t, stream, raw("UINT8", make([]byte, 2000), 2000))
	_, err := stream.Recv()
	wants(t, err, codes.ResourceExhausted)
}

// TestStreamWithErrorsAsItsEnd is what Triton's header triton_grpc_error asks for.
func TestStreamWithErrorsAsItsEnd(t *testing.T) {
	c, _ := serve(t, &echo{}, oipapi.Options{})
	stream := open(t, metadata.AppendToOutgoingContext(t.Context(), "triton_grpc_error", "true"), c)
	send(t, stream, raw("FP32", nil, 0), raw("FP32", nil, 1))
	if got := receive(t, stream); got.GetErrorMessage() != "" || !got.GetInferResponse().GetParameters()["triton_final_response"].GetBoolParam() {
		t.Error(got)
	}
	_, err := stream.Recv()
	wants(t, err, codes.InvalidArgument, "0 bytes")

	stream = open(t, metadata.AppendToOutgoingContext(t.Context(), "triton_grpc_error", "true"), c)
	send(t, stream, raw("FP32", nil, 0))
	receive(t, stream)
	closed(t, stream)
}
