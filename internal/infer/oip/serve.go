package oip

import (
	"context"
	"errors"
	"slices"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "github.com/goshawk-ai/goshawk/api/oip"
	"github.com/goshawk-ai/goshawk/internal/infer"
	"github.com/goshawk-ai/goshawk/internal/tensor"
	"github.com/goshawk-ai/goshawk/internal/wording"
)

// ServeOptions of NewServer.
type ServeOptions struct {
	Name string // of the model
	Runs int    // at a time; more of them wait
	// Stuck is called when a run goes on for Grace after its caller has gone or
	// its time was over: what computes cannot be stopped.
	Stuck func()
	Grace time.Duration
}

// NewServer answers the protocol for one session: what is needed to run it, with
// raw contents only. It is for a caller that is known, over a connection that
// nobody else has, and asks for no key.
func NewServer(s infer.Session, o ServeOptions) *grpc.Server {
	g := grpc.NewServer(
		grpc.MaxRecvMsgSize(MaxMessage), grpc.MaxSendMsgSize(MaxMessage),
		grpc.InitialWindowSize(window), grpc.InitialConnWindowSize(window),
		grpc.ReadBufferSize(buffer), grpc.WriteBufferSize(buffer),
	)
	pb.RegisterGRPCInferenceServiceServer(g, &one{session: s, o: o, places: make(chan struct{}, max(1, o.Runs))})
	return g
}

// one serves one session.
type one struct {
	pb.UnimplementedGRPCInferenceServiceServer
	session infer.Session
	o       ServeOptions
	places  chan struct{} // as many runs as fit
}

func (*one) ServerLive(context.Context, *pb.ServerLiveRequest) (*pb.ServerLiveResponse, error) {
	return &pb.ServerLiveResponse{Live: true}, nil
}

func (*one) ServerReady(context.Context, *pb.ServerReadyRequest) (*pb.ServerReadyResponse, error) {
	return &pb.ServerReadyResponse{Ready: true}, nil
}

func (s *one) ModelReady(_ context.Context, r *pb.ModelReadyRequest) (*pb.ModelReadyResponse, error) {
	return &pb.ModelReadyResponse{Ready: r.GetName() == s.o.Name}, nil
}

func (s *one) ModelMetadata(_ context.Context, r *pb.ModelMetadataRequest) (*pb.ModelMetadataResponse, error) {
	if err := s.known(r.GetName()); err != nil {
		return nil, err
	}
	return &pb.ModelMetadataResponse{Name: s.o.Name, Inputs: metadataOf(s.session.Inputs()), Outputs: metadataOf(s.session.Outputs())}, nil
}

func metadataOf(specs []tensor.Spec) []*pb.ModelMetadataResponse_TensorMetadata {
	list := make([]*pb.ModelMetadataResponse_TensorMetadata, len(specs))
	for i, s := range specs {
		list[i] = &pb.ModelMetadataResponse_TensorMetadata{Name: s.Name, Datatype: s.Type.Protocol(), Shape: s.Shape}
	}
	return list
}

func (s *one) known(name string) error {
	if name != s.o.Name {
		return status.Errorf(codes.NotFound, "there is no model %s here", wording.Quote(name))
	}
	return nil
}

// ModelInfer runs the session.
func (s *one) ModelInfer(ctx context.Context, r *pb.ModelInferRequest) (*pb.ModelInferResponse, error) {
	if err := s.known(r.GetModelName()); err != nil {
		return nil, err
	}
	in, err := inputsOf(r)
	if err != nil {
		return nil, statusOf(err)
	}
	out := make([]*tensor.Tensor, 0, len(r.GetOutputs()))
	for _, o := range r.GetOutputs() {
		out = append(out, &tensor.Tensor{Name: o.GetName()})
	}
	select {
	case s.places <- struct{}{}:
		defer func() { <-s.places }()
	case <-ctx.Done():
		return nil, status.FromContextError(ctx.Err()).Err()
	}
	if err := s.run(ctx, in, out); err != nil {
		if ctx.Err() != nil {
			return nil, status.FromContextError(ctx.Err()).Err()
		}
		return nil, statusOf(err)
	}
	return responseOf(r, out), nil
}

// run is the session's, under watch from when its caller is gone.
func (s *one) run(ctx context.Context, in, out []*tensor.Tensor) error {
	if s.o.Stuck == nil {
		return s.session.Run(ctx, in, out)
	}
	ended := make(chan struct{})
	defer close(ended)
	stop := context.AfterFunc(ctx, func() {
		timer := time.NewTimer(s.o.Grace)
		defer timer.Stop()
		select {
		case <-ended:
		case <-timer.C:
			s.o.Stuck()
		}
	})
	defer stop()
	return s.session.Run(ctx, in, out)
}

// inputsOf reads a request, whose memory the tensors share.
func inputsOf(r *pb.ModelInferRequest) ([]*tensor.Tensor, error) {
	if len(r.GetRawInputContents()) != len(r.GetInputs()) {
		return nil, badInput("there are %d raw_input_contents for %d inputs; this door takes no other contents", len(r.GetRawInputContents()), len(r.GetInputs()))
	}
	in := make([]*tensor.Tensor, len(r.GetInputs()))
	for i, input := range r.GetInputs() {
		raw := r.GetRawInputContents()[i]
		t := &tensor.Tensor{Name: input.GetName(), Type: tensor.ParseProtocol(input.GetDatatype()), Shape: slices.Clone(input.GetShape())}
		if t.Type == tensor.Invalid {
			return nil, badInput("the datatype %s of the input %s is not known", wording.Quote(input.GetDatatype()), wording.Quote(t.Name))
		}
		if t.Type == tensor.String {
			n, err := tensor.Elements(t.Shape)
			if err == nil {
				t.Strings, err = tensor.ParseElements(raw, n)
			}
			if err != nil {
				return nil, badInput("the raw contents of the input %s do not fit its shape %v: %v", wording.Quote(t.Name), t.Shape, err)
			}
		} else if t.Data = tensor.Align(raw, t.Type); len(raw) == 0 {
			t.Data = []byte{}
		}
		in[i] = t
	}
	return in, nil
}

func responseOf(r *pb.ModelInferRequest, out []*tensor.Tensor) *pb.ModelInferResponse {
	response := &pb.ModelInferResponse{ModelName: r.GetModelName(), ModelVersion: r.GetModelVersion(), Id: r.GetId()}
	for _, t := range out {
		response.Outputs = append(response.Outputs, &pb.ModelInferResponse_InferOutputTensor{Name: t.Name, Datatype: t.Type.Protocol(), Shape: t.Shape})
		raw := t.Data
		if t.Type == tensor.String {
			raw = tensor.AppendElements([]byte{}, t.Strings)
		}
		response.RawOutputContents = append(response.RawOutputContents, raw)
	}
	return response
}

// statusOf is codeOf the other way about.
func statusOf(err error) error {
	if errors.Is(err, infer.ErrClosed) {
		return status.Error(codes.Unavailable, err.Error())
	}
	e, ok := errors.AsType[*infer.Error](err)
	if !ok {
		return status.Error(codes.Internal, err.Error())
	}
	code := codes.Internal
	switch e.Code {
	case infer.BadInput:
		code = codes.InvalidArgument
	case infer.Unsupported:
		code = codes.Unimplemented
	case infer.OutOfMemory:
		code = codes.ResourceExhausted
	case infer.Unavailable:
		code = codes.Unavailable
	}
	return status.Error(code, e.Message)
}
