package oip_test

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	pb "github.com/goshawk-ai/goshawk/api/oip"
	"github.com/goshawk-ai/goshawk/internal/infer"
	"github.com/goshawk-ai/goshawk/internal/infer/oip"
	"github.com/goshawk-ai/goshawk/internal/tensor"
)

// other is a server of the protocol that does what a test wants.
type other struct {
	pb.UnimplementedGRPCInferenceServiceServer
	infer func(context.Context, *pb.ModelInferRequest) (*pb.ModelInferResponse, error)
	ready atomic.Bool
	asked atomic.Int32
}

func (o *other) ServerLive(context.Context, *pb.ServerLiveRequest) (*pb.ServerLiveResponse, error) {
	return &pb.ServerLiveResponse{Live: true}, nil
}

func (o *other) ModelReady(context.Context, *pb.ModelReadyRequest) (*pb.ModelReadyResponse, error) {
	return &pb.ModelReadyResponse{Ready: o.ready.Load()}, nil
}

func (o *other) ServerMetadata(context.Context, *pb.ServerMetadataRequest) (*pb.ServerMetadataResponse, error) {
	return &pb.ServerMetadataResponse{Name: "another", Version: "7"}, nil
}

func (o *other) ModelMetadata(ctx context.Context, r *pb.ModelMetadataRequest) (*pb.ModelMetadataResponse, error) {
	if key := metadata.ValueFromIncomingContext(ctx, "authorization"); len(key) != 1 || key[0] != "Bearer hunter2" {
		return nil, status.Error(codes.Unauthenticated, "no key")
	}
	if r.GetName() != "m" || r.GetVersion() != "3" {
		return nil, status.Error(codes.NotFound, "no such model")
	}
	return &pb.ModelMetadataResponse{
		Inputs:  []*pb.ModelMetadataResponse_TensorMetadata{{Name: "x", Datatype: "FP32", Shape: []int64{-1, 2}}},
		Outputs: []*pb.ModelMetadataResponse_TensorMetadata{{Name: "y", Datatype: "FP32", Shape: []int64{-1, 2}}},
	}, nil
}

func (o *other) ModelInfer(ctx context.Context, r *pb.ModelInferRequest) (*pb.ModelInferResponse, error) {
	o.asked.Add(1)
	return o.infer(ctx, r)
}

// start serves on an address, "" for any.
func (o *other) start(t *testing.T, address string) (*grpc.Server, string) {
	t.Helper()
	if address == "" {
		address = "127.0.0.1:0"
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	pb.RegisterGRPCInferenceServiceServer(server, o)
	go func() { _ = server.Serve(l) }()
	t.Cleanup(server.Stop)
	return server, l.Addr().String()
}

func connect(t *testing.T, address string) infer.Monitored {
	t.Helper()
	s, err := oip.Connect(t.Context(), address, oip.Options{Model: "m", Version: "3", Key: "hunter2", Poll: 5 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

func ask(ctx context.Context, s infer.Session) (*tensor.Tensor, error) {
	x := &tensor.Tensor{Name: "x", Type: tensor.Float32, Shape: []int64{1, 2}, Data: tensor.Aligned(8)}
	y := &tensor.Tensor{Name: "y"}
	return y, s.Run(ctx, []*tensor.Tensor{x}, []*tensor.Tensor{y})
}

func wantCode(t *testing.T, what string, err error, want infer.Code) *infer.Error {
	t.Helper()
	e, ok := errors.AsType[*infer.Error](err)
	if !ok || e.Code != want {
		t.Fatalf("%s: %v, want an error of code %d", what, err, want)
	}
	return e
}

func TestWhatCannotBeReached(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close() // nobody listens there any more
	_, err = oip.Connect(t.Context(), l.Addr().String(), oip.Options{Model: "m"})
	_ = wantCode(t, "nobody there", err, infer.Unavailable)
	o := &other{}
	_, address := o.start(t, "")
	_, err = oip.Connect(t.Context(), address, oip.Options{Model: "m", Version: "3"})
	_ = wantCode(t, "no key", err, infer.Unavailable)
	_, err = oip.Connect(t.Context(), address, oip.Options{Model: "strange", Key: "hunter2"})
	if e := wantCode(t, "no such model", err, infer.Unavailable); !strings.Contains(e.Message, "no such model") {
		t.Errorf("%q does not give the server's reason", e.Message)
	}
	if _, err := oip.Open(address, oip.Options{}); err == nil {
		t.Error("a model without a name was taken")
	}
}

// TestHealthFollowsTheServer: it goes, a request fails quickly, it comes back.
func TestHealthFollowsTheServer(t *testing.T) {
	o := &other{infer: echo}
	o.ready.Store(true)
	server, address := o.start(t, "")
	s := connect(t, address)
	if _, err := ask(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	until(t, "healthy", func() bool { return s.Health() == nil })
	o.ready.Store(false)
	until(t, "ill while the model is not ready", func() bool { return s.Health() != nil })
	_, err := ask(t.Context(), s)
	_ = wantCode(t, "a model that is not ready", err, infer.Unavailable)
	o.ready.Store(true)
	until(t, "healthy again", func() bool { return s.Health() == nil })
	server.Stop()
	until(t, "ill without a server", func() bool { return s.Health() != nil })
	before := o.asked.Load()
	_, err = ask(t.Context(), s)
	if e := wantCode(t, "no server", err, infer.Unavailable); !strings.Contains(e.Message, address) {
		t.Errorf("%q does not name the server", e.Message)
	}
	if o.asked.Load() != before {
		t.Error("an ill server was asked all the same")
	}
	o.start(t, address)
	until(t, "healthy with the next server", func() bool { return s.Health() == nil && s.Await(t.Context()) == nil })
	if _, err := ask(t.Context(), s); err != nil {
		t.Errorf("with the next server: %v", err)
	}
}

func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not %s within a minute", what)
		}
	}
}

func echo(_ context.Context, r *pb.ModelInferRequest) (*pb.ModelInferResponse, error) {
	return &pb.ModelInferResponse{
		Outputs:           []*pb.ModelInferResponse_InferOutputTensor{{Name: "y", Datatype: "FP32", Shape: r.GetInputs()[0].GetShape()}},
		RawOutputContents: r.GetRawInputContents(),
	}, nil
}

// TestNothingIsComputedTwice: a server that fails while it computes is not asked again.
func TestNothingIsComputedTwice(t *testing.T) {
	o := &other{infer: func(context.Context, *pb.ModelInferRequest) (*pb.ModelInferResponse, error) {
		return nil, status.Error(codes.Unavailable, "overloaded")
	}}
	o.ready.Store(true)
	_, address := o.start(t, "")
	s := connect(t, address)
	_, err := ask(t.Context(), s)
	_ = wantCode(t, "overloaded", err, infer.Unavailable)
	if n := o.asked.Load(); n != 1 {
		t.Errorf("the server was asked %d times for one request, want once: it may have computed it", n)
	}
}

func TestCodes(t *testing.T) {
	for code, want := range map[codes.Code]infer.Code{
		codes.InvalidArgument: infer.BadInput, codes.Unimplemented: infer.Unsupported, codes.ResourceExhausted: infer.OutOfMemory,
		codes.Internal: infer.Failed, codes.Unknown: infer.Failed, codes.NotFound: infer.Unavailable, codes.Unauthenticated: infer.Unavailable,
		codes.DeadlineExceeded: infer.Failed, // the server's own
	} {
		o := &other{infer: func(ctx context.Context, _ *pb.ModelInferRequest) (*pb.ModelInferResponse, error) {
			_ = grpc.SetTrailer(ctx, metadata.Pairs("retry-after", "7"))
			return nil, status.Error(code, "a reason\nwith \x1b[31m colors")
		}}
		_, address := o.start(t, "")
		o.ready.Store(true)
		_, err := ask(t.Context(), connect(t, address))
		e := wantCode(t, code.String(), err, want)
		if e.Message != "a reason with [31m colors" {
			t.Errorf("%s: the reason became %q", code, e.Message)
		}
		if retry := e.Retry == 7*time.Second; retry != (want == infer.Unavailable) {
			t.Errorf("%s: try again after %v", code, e.Retry)
		}
	}
}

// TestAnswersThatCannotBe are refused, and harm nobody.
func TestAnswersThatCannotBe(t *testing.T) {
	type tensors = []*pb.ModelInferResponse_InferOutputTensor
	y := func(typ string, contents *pb.InferTensorContents, shape ...int64) tensors {
		return tensors{{Name: "y", Datatype: typ, Shape: shape, Contents: contents}}
	}
	for what, r := range map[string]*pb.ModelInferResponse{
		"nothing":              {},
		"another output":       {Outputs: tensors{{Name: "z", Datatype: "FP32", Shape: []int64{0}}}, RawOutputContents: [][]byte{{}}},
		"too few contents":     {Outputs: append(y("FP32", nil, 1), y("FP32", nil, 1)...), RawOutputContents: [][]byte{{1, 2, 3, 4}}},
		"an unknown type":      {Outputs: y("FP33", nil, 1), RawOutputContents: [][]byte{{1, 2, 3, 4}}},
		"a negative size":      {Outputs: y("FP32", nil, -1), RawOutputContents: [][]byte{{1, 2, 3, 4}}},
		"a size past counting": {Outputs: y("FP32", nil, 1<<62, 4), RawOutputContents: [][]byte{{1, 2, 3, 4}}},
		"too few bytes":        {Outputs: y("FP32", nil, 2), RawOutputContents: [][]byte{{1, 2, 3, 4}}},
		"strings that are cut": {Outputs: y("BYTES", nil, 2), RawOutputContents: [][]byte{{1, 0, 0, 0, 'a', 9}}},
		"no typed contents":    {Outputs: y("FP32", nil, 2)},
		"another field":        {Outputs: y("FP32", &pb.InferTensorContents{Fp64Contents: []float64{1, 2}}, 2)},
		"halves as typed":      {Outputs: y("FP16", &pb.InferTensorContents{Fp32Contents: []float32{1, 2}}, 2)},
		"too few strings":      {Outputs: y("BYTES", &pb.InferTensorContents{BytesContents: [][]byte{{1}}}, 2)},
	} {
		o := &other{infer: func(context.Context, *pb.ModelInferRequest) (*pb.ModelInferResponse, error) { return r, nil }}
		o.ready.Store(true)
		_, address := o.start(t, "")
		_, err := ask(t.Context(), connect(t, address))
		_ = wantCode(t, what, err, infer.Failed)
	}
}

func TestTypedAnswersAreRead(t *testing.T) {
	for typ, c := range map[tensor.Type]struct {
		contents *pb.InferTensorContents
		want     []float64
	}{
		tensor.Bool:    {&pb.InferTensorContents{BoolContents: []bool{true, false}}, []float64{1, 0}},
		tensor.Int8:    {&pb.InferTensorContents{IntContents: []int32{-3, 4}}, []float64{-3, 4}},
		tensor.Int16:   {&pb.InferTensorContents{IntContents: []int32{-300, 4}}, []float64{-300, 4}},
		tensor.Int32:   {&pb.InferTensorContents{IntContents: []int32{-70000, 4}}, []float64{-70000, 4}},
		tensor.Int64:   {&pb.InferTensorContents{Int64Contents: []int64{-1 << 40, 4}}, []float64{-1 << 40, 4}},
		tensor.Uint8:   {&pb.InferTensorContents{UintContents: []uint32{200, 4}}, []float64{200, 4}},
		tensor.Uint16:  {&pb.InferTensorContents{UintContents: []uint32{60000, 4}}, []float64{60000, 4}},
		tensor.Uint32:  {&pb.InferTensorContents{UintContents: []uint32{4e9, 4}}, []float64{4e9, 4}},
		tensor.Uint64:  {&pb.InferTensorContents{Uint64Contents: []uint64{1 << 50, 4}}, []float64{1 << 50, 4}},
		tensor.Float32: {&pb.InferTensorContents{Fp32Contents: []float32{0.5, 4}}, []float64{0.5, 4}},
		tensor.Float64: {&pb.InferTensorContents{Fp64Contents: []float64{-0.25, 4}}, []float64{-0.25, 4}},
	} {
		o := &other{infer: func(context.Context, *pb.ModelInferRequest) (*pb.ModelInferResponse, error) {
			return &pb.ModelInferResponse{Outputs: []*pb.ModelInferResponse_InferOutputTensor{
				{Name: "y", Datatype: typ.Protocol(), Shape: []int64{2}, Contents: c.contents},
			}}, nil
		}}
		o.ready.Store(true)
		_, address := o.start(t, "")
		got, err := ask(t.Context(), connect(t, address))
		if err != nil {
			t.Fatalf("%s: %v", typ, err)
		}
		numbers := make([]float64, 2)
		if tensor.Widen(numbers, got); !slices.Equal(numbers, c.want) {
			t.Errorf("%s: %v; want %v", typ, numbers, c.want)
		}
	}
}

// deaf is a session whose runs nothing ends but the test.
type deaf struct {
	infer.Session
	began, end chan struct{}
}

func (d *deaf) Run(context.Context, []*tensor.Tensor, []*tensor.Tensor) error {
	close(d.began)
	<-d.end
	return nil
}

// TestARunThatCannotBeStoppedIsTold: the process that has it must end itself.
func TestARunThatCannotBeStoppedIsTold(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d := &deaf{began: make(chan struct{}), end: make(chan struct{})}
	stuck := make(chan struct{})
	server := oip.NewServer(d, oip.ServeOptions{Name: "m", Runs: 1, Grace: time.Millisecond, Stuck: func() { close(stuck) }})
	go func() { _ = server.Serve(l) }()
	defer server.Stop()
	b, err := oip.Open(l.Addr().String(), oip.Options{Model: "m", Inputs: []tensor.Spec{}, Outputs: []tensor.Spec{}})
	if err != nil {
		t.Fatal(err)
	}
	s, err := b.Load(t.Context(), nil, infer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-d.began
		cancel()
	}()
	if _, err := ask(ctx, s); !errors.Is(err, context.Canceled) {
		t.Errorf("the caller got %v, want its own cancellation at once", err)
	}
	<-stuck
	close(d.end)
	if err := errors.Join(s.Close(), b.Close()); err != nil {
		t.Error(err)
	}
}
