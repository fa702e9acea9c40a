package oipapi

import (
	"context"
	"log/slog"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/goshawk-ai/goshawk/api/oip"
	"github.com/goshawk-ai/goshawk/internal/problem"
	"github.com/goshawk-ai/goshawk/internal/schedule"
	"github.com/goshawk-ai/goshawk/internal/tensor"
)

// grpcDoor is the gRPC form of the protocol. It translates: what a call means is
// the service's to say.
type grpcDoor struct {
	oip.UnimplementedGRPCInferenceServiceServer
	service  *service
	ready    func() error
	settings *Settings
	version  string
	log      *slog.Logger
	inFlight int // requests of one stream
	calls    *calls
	answers  *answers

	budget     *schedule.Budget
	budgetWait time.Duration
}

func (g *grpcDoor) ServerLive(context.Context, *oip.ServerLiveRequest) (*oip.ServerLiveResponse, error) {
	return &oip.ServerLiveResponse{Live: true}, nil
}

func (g *grpcDoor) ServerReady(context.Context, *oip.ServerReadyRequest) (*oip.ServerReadyResponse, error) {
	return &oip.ServerReadyResponse{Ready: g.ready() == nil}, nil
}

// ModelReady is false for a model that is not here, as it is in Triton: a client
// that waits for a model asks before it is there.
func (g *grpcDoor) ModelReady(ctx context.Context, r *oip.ModelReadyRequest) (*oip.ModelReadyResponse, error) {
	if err := named(r.GetName()); err != nil {
		return nil, g.refuse(ctx, err)
	}
	ref, err := versionOf(r.GetName(), r.GetVersion())
	return &oip.ModelReadyResponse{Ready: err == nil && g.service.repository.Ready(ref) == nil}, nil
}

func (g *grpcDoor) ServerMetadata(context.Context, *oip.ServerMetadataRequest) (*oip.ServerMetadataResponse, error) {
	return &oip.ServerMetadataResponse{Name: "goshawk", Version: g.version, Extensions: g.settings.extensions()}, nil
}

func (g *grpcDoor) ModelMetadata(ctx context.Context, r *oip.ModelMetadataRequest) (*oip.ModelMetadataResponse, error) {
	d, err := g.describe(ctx, r.GetName(), r.GetVersion())
	if err != nil {
		return nil, g.refuse(ctx, err)
	}
	return &oip.ModelMetadataResponse{
		Name: d.Name, Versions: d.Versions, Platform: d.Platform,
		Inputs: metadataOf(d.Inputs), Outputs: metadataOf(d.Outputs),
	}, nil
}

func (g *grpcDoor) describe(ctx context.Context, name, version string) (Description, error) {
	if err := named(name); err != nil {
		return Description{}, err
	}
	ref, err := versionOf(name, version)
	if err != nil {
		return Description{}, err
	}
	return g.service.repository.Describe(ctx, ref)
}

// versionOf is the reference to what a request names. Version -1 is the current one,
// as it is to Triton.
func versionOf(name, version string) (string, error) {
	if version == "-1" {
		version = ""
	}
	return reference(name, version), checkVersion(name, version)
}

func named(model string) error {
	if model == "" {
		return problem.InvalidRequest.New("the request names no model")
	}
	return nil
}

func metadataOf(specs []tensor.Spec) []*oip.ModelMetadataResponse_TensorMetadata {
	all := make([]*oip.ModelMetadataResponse_TensorMetadata, 0, len(specs))
	for _, s := range specs {
		all = append(all, &oip.ModelMetadataResponse_TensorMetadata{Name: s.Name, Datatype: s.Type.Protocol(), Shape: shapeOf(s)})
	}
	return all
}

// shapeOf is what a model says of a shape. One that says nothing takes any; the
// protocol has no word for that, so it is a list of any length.
func shapeOf(s tensor.Spec) []int64 {
	if !s.Ranked {
		return []int64{-1}
	}
	return s.Shape
}

// sharedMemory is the answer to all methods of Triton's shared memory
// extensions; UNIMPLEMENTED is what Triton's own "unsupported" becomes.
func sharedMemory() error {
	return status.Error(codes.Unimplemented, "shared memory is not served here; send the data with the request")
}

func (g *grpcDoor) SystemSharedMemoryStatus(context.Context, *oip.SystemSharedMemoryStatusRequest) (*oip.SystemSharedMemoryStatusResponse, error) {
	return nil, sharedMemory()
}

func (g *grpcDoor) SystemSharedMemoryRegister(context.Context, *oip.SystemSharedMemoryRegisterRequest) (*oip.SystemSharedMemoryRegisterResponse, error) {
	return nil, sharedMemory()
}

func (g *grpcDoor) SystemSharedMemoryUnregister(context.Context, *oip.SystemSharedMemoryUnregisterRequest) (*oip.SystemSharedMemoryUnregisterResponse, error) {
	return nil, sharedMemory()
}

func (g *grpcDoor) CudaSharedMemoryStatus(context.Context, *oip.CudaSharedMemoryStatusRequest) (*oip.CudaSharedMemoryStatusResponse, error) {
	return nil, sharedMemory()
}

func (g *grpcDoor) CudaSharedMemoryRegister(context.Context, *oip.CudaSharedMemoryRegisterRequest) (*oip.CudaSharedMemoryRegisterResponse, error) {
	return nil, sharedMemory()
}

func (g *grpcDoor) CudaSharedMemoryUnregister(context.Context, *oip.CudaSharedMemoryUnregisterRequest) (*oip.CudaSharedMemoryUnregisterResponse, error) {
	return nil, sharedMemory()
}
