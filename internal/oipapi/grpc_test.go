package oipapi_test

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	reflectionpb "google.golang.org/grpc/reflection/grpc_reflection_v1"
	alphapb "google.golang.org/grpc/reflection/grpc_reflection_v1alpha"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/goshawk-ai/goshawk/api/oip"
	"github.com/goshawk-ai/goshawk/internal/fleet"
	"github.com/goshawk-ai/goshawk/internal/model"
	"github.com/goshawk-ai/goshawk/internal/oipapi"
	"github.com/goshawk-ai/goshawk/internal/predict"
	"github.com/goshawk-ai/goshawk/internal/problem"
	"github.com/goshawk-ai/goshawk/internal/tensor"
)

// echo is an Inference that gives its inputs back, and remembers them. do, where
// there is one, answers in its place.
type echo struct {
	do func(ctx context.Context, r *predict.TensorRequest) (*predict.TensorAnswer, error)

	mu   sync.Mutex
	last *predict.TensorRequest
}

func (e *echo) Tensors(ctx context.Context, r *predict.TensorRequest) (*predict.TensorAnswer, error) {
	e.mu.Lock()
	e.last = r
	e.mu.Unlock()
	if e.do != nil {
		return e.do(ctx, r)
	}
	return &predict.TensorAnswer{Version: fleet.Version{Name: r.Model, Number: 3}, Outputs: r.Inputs, Began: time.Now(), Ended: time.Now()}, nil
}

func (e *echo) request() *predict.TensorRequest {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.last
}

// shelf is a Repository of one model, "flowers", whose version is 3.
type shelf struct {
	mu       sync.Mutex
	loaded   map[string]oipapi.LoadOptions
	unloaded []string
	fail     error
}

func flowers() oipapi.Description {
	return oipapi.Description{
		Name: "flowers", Number: "3", Versions: []string{"2", "3"}, Platform: "onnxruntime_onnx", Backend: "onnxruntime",
		Inputs:   []tensor.Spec{{Name: "input", Type: tensor.Float32, Shape: []int64{-1, 3, 224, 224}, Ranked: true}, {Name: "words", Type: tensor.String}},
		Outputs:  []tensor.Spec{{Name: "logits", Type: tensor.BFloat16, Shape: []int64{-1, 5}, Ranked: true}},
		Pictures: true, Scores: "logits", Labels: make([]model.Label, 5), MaxBatch: 8,
	}
}

func (s *shelf) known(ref string) error {
	if !slices.Contains([]string{"flowers", "flowers/3"}, ref) {
		return problem.ModelNotFound.New("there is no model %q", ref)
	}
	return s.fail
}

func (s *shelf) Describe(_ context.Context, ref string) (oipapi.Description, error) {
	return flowers(), s.known(ref)
}

func (s *shelf) Ready(ref string) error { return s.known(ref) }

func (s *shelf) Index() []oipapi.State {
	return []oipapi.State{{"flowers", "2", "UNAVAILABLE", "its probe failed"}, {"flowers", "3", "READY", ""}}
}

func (s *shelf) Statistics(ref string) ([]oipapi.Statistics, error) {
	if ref != "" && s.known(ref) != nil {
		return nil, s.known(ref)
	}
	count := func(n int64) predict.Count { return predict.Count{Times: n, Took: time.Duration(n) * time.Microsecond} }
	return []oipapi.Statistics{{Name: "flowers", Number: "3", Statistics: predict.Statistics{
		Last: time.UnixMilli(1234), Rows: 10, Runs: 5,
		Success: count(1), Fail: count(2), Queue: count(3), Input: count(4), Infer: count(5),
		Batches: map[int]predict.Batch{4: {Infer: count(7)}, 2: {Input: count(8)}},
	}}}, s.fail
}

func (s *shelf) Load(_ context.Context, name string, o oipapi.LoadOptions) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.loaded = map[string]oipapi.LoadOptions{name: o}
	return s.known(name)
}

func (s *shelf) Unload(_ context.Context, name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unloaded = append(s.unloaded, name)
	return s.known(name)
}

// serve runs a door for inference and gives a client of it.
func serve(t *testing.T, e *echo, o oipapi.Options) (oip.GRPCInferenceServiceClient, *grpc.ClientConn) {
	t.Helper()
	o.Inference, o.Version = e, "v1.2.3"
	if o.Repository == nil {
		o.Repository = &shelf{}
	}
	if o.Settings == nil {
		o.Settings = changeable(t, t.TempDir())
	}
	conn, _ := start(t, o)
	return oip.NewGRPCInferenceServiceClient(conn), conn
}

// wants fails the test unless err has the code and its text the words.
func wants(t *testing.T, err error, code codes.Code, words ...string) {
	t.Helper()
	if status.Code(err) != code {
		t.Errorf("got %v, want %v", err, code)
		return
	}
	for _, w := range words {
		if !strings.Contains(status.Convert(err).Message(), w) {
			t.Errorf("%q does not say %q", err, w)
		}
	}
}

func TestServerMethods(t *testing.T) {
	down := errors.New("loading")
	c, _ := serve(t, &echo{}, oipapi.Options{Ready: func() error { return down }})
	if got, err := c.ServerLive(t.Context(), &oip.ServerLiveRequest{}); err != nil || !got.GetLive() {
		t.Errorf("live: %v, %v", got, err)
	}
	if got, err := c.ServerReady(t.Context(), &oip.ServerReadyRequest{}); err != nil || got.GetReady() {
		t.Errorf("ready: %v, %v; what must serve cannot yet", got, err)
	}
	got, err := c.ServerMetadata(t.Context(), &oip.ServerMetadataRequest{})
	if err != nil || got.GetName() != "goshawk" || got.GetVersion() != "v1.2.3" {
		t.Errorf("metadata: %v, %v", got, err)
	}
	for _, absent := range []string{"sequence", "system_shared_memory", "cuda_shared_memory"} {
		if slices.ContainsFunc(got.GetExtensions(), func(e string) bool { return strings.HasPrefix(e, absent) }) {
			t.Errorf("%s is advertised and not served", absent)
		}
	}
	for _, there := range []string{"classification", "statistics", "trace", "logging", "model_configuration", "model_repository", "parameters", "schedule_policy", "binary_tensor_data"} {
		if !slices.Contains(got.GetExtensions(), there) {
			t.Errorf("%s is served and not advertised", there)
		}
	}
}

func TestModelMethods(t *testing.T) {
	c, _ := serve(t, &echo{}, oipapi.Options{})
	for name, want := range map[string]bool{"flowers": true, "trees": false} {
		if got, err := c.ModelReady(t.Context(), &oip.ModelReadyRequest{Name: name}); err != nil || got.GetReady() != want {
			t.Errorf("%s is ready: %v, %v; want %v and no error, as Triton answers", name, got, err, want)
		}
	}
	_, err := c.ModelReady(t.Context(), &oip.ModelReadyRequest{})
	wants(t, err, codes.InvalidArgument, "no model")

	got, err := c.ModelMetadata(t.Context(), &oip.ModelMetadataRequest{Name: "flowers", Version: "3"})
	want := &oip.ModelMetadataResponse{
		Name: "flowers", Versions: []string{"2", "3"}, Platform: "onnxruntime_onnx",
		Inputs: []*oip.ModelMetadataResponse_TensorMetadata{
			{Name: "input", Datatype: "FP32", Shape: []int64{-1, 3, 224, 224}}, {Name: "words", Datatype: "BYTES", Shape: []int64{-1}},
		},
		Outputs: []*oip.ModelMetadataResponse_TensorMetadata{{Name: "logits", Datatype: "BF16", Shape: []int64{-1, 5}}},
	}
	if diff := cmp.Diff(want, got, protocmp.Transform()); err != nil || diff != "" {
		t.Errorf("metadata: %v\n%s", err, diff)
	}

	config, err := c.ModelConfig(t.Context(), &oip.ModelConfigRequest{Name: "flowers"})
	if err != nil {
		t.Fatal(err)
	}
	k := config.GetConfig()
	if k.GetMaxBatchSize() != 8 || k.GetBackend() != "onnxruntime" || !slices.Equal(k.GetInput()[0].GetDims(), []int64{3, 224, 224}) {
		t.Errorf("config: %v; want the dims without the batch, and its size", k)
	}
	if k.GetInput()[1].GetDataType() != oip.DataType_TYPE_STRING || k.GetOutput()[0].GetDataType() != oip.DataType_TYPE_BF16 || k.GetOutput()[0].GetLabelFilename() == "" {
		t.Errorf("config: %v; want the types, and that there are labels", k)
	}

	_, err = c.ModelMetadata(t.Context(), &oip.ModelMetadataRequest{Name: "flowers", Version: "9"})
	wants(t, err, codes.NotFound, "flowers/9")
	_, err = c.ModelConfig(t.Context(), &oip.ModelConfigRequest{})
	wants(t, err, codes.InvalidArgument, "no model")
}

func TestStatistics(t *testing.T) {
	c, _ := serve(t, &echo{}, oipapi.Options{})
	d := func(n uint64) *oip.StatisticDuration { return &oip.StatisticDuration{Count: n, Ns: n * 1000} }
	taken := func(n uint64) *oip.StatisticDuration { return &oip.StatisticDuration{Count: n} } // outputs, in no time
	want := &oip.ModelStatisticsResponse{ModelStats: []*oip.ModelStatistics{{
		Name: "flowers", Version: "3", LastInference: 1234, InferenceCount: 10, ExecutionCount: 5,
		InferenceStats: &oip.InferStatistics{
			Success: d(1), Fail: d(2), Queue: d(3), ComputeInput: d(4), ComputeInfer: d(5), ComputeOutput: taken(5), CacheHit: d(0), CacheMiss: d(0),
		},
		BatchStats: []*oip.InferBatchStatistics{
			{BatchSize: 2, ComputeInput: d(8), ComputeInfer: d(0), ComputeOutput: d(0)},
			{BatchSize: 4, ComputeInput: d(0), ComputeInfer: d(7), ComputeOutput: taken(7)},
		},
	}}}
	for _, r := range []*oip.ModelStatisticsRequest{{}, {Name: "flowers"}, {Name: "flowers", Version: "3"}} {
		got, err := c.ModelStatistics(t.Context(), r)
		if diff := cmp.Diff(want, got, protocmp.Transform()); err != nil || diff != "" {
			t.Errorf("%v: %v\n%s", r, err, diff)
		}
	}
	_, err := c.ModelStatistics(t.Context(), &oip.ModelStatisticsRequest{Name: "trees"})
	wants(t, err, codes.NotFound, "trees")
	_, err = c.ModelStatistics(t.Context(), &oip.ModelStatisticsRequest{Version: "3"})
	wants(t, err, codes.InvalidArgument, "no model")
}

func TestHealthOfTheService(t *testing.T) {
	_, conn := serve(t, &echo{}, oipapi.Options{})
	client := healthpb.NewHealthClient(conn)
	for _, name := range []string{"", "inference.GRPCInferenceService"} {
		if got, err := client.Check(t.Context(), &healthpb.HealthCheckRequest{Service: name}); err != nil || got.GetStatus() != serving {
			t.Errorf("%q: %v, %v", name, got, err)
		}
	}
	if got, err := client.List(t.Context(), &healthpb.HealthListRequest{}); err != nil || len(got.GetStatuses()) != 2 {
		t.Errorf("listed %v, %v; want both", got, err)
	}
}

func TestReflectionKnowsTheService(t *testing.T) {
	_, conn := serve(t, &echo{}, oipapi.Options{})
	stream, err := reflectionpb.NewServerReflectionClient(conn).ServerReflectionInfo(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(&reflectionpb.ServerReflectionRequest{MessageRequest: &reflectionpb.ServerReflectionRequest_FileContainingSymbol{FileContainingSymbol: "inference.GRPCInferenceService"}}); err != nil {
		t.Fatal(err)
	}
	got, err := stream.Recv()
	if err != nil || len(got.GetFileDescriptorResponse().GetFileDescriptorProto()) == 0 {
		t.Errorf("got %v, %v; want the service's file", got, err)
	}
	old, err := alphapb.NewServerReflectionClient(conn).ServerReflectionInfo(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	//nolint:staticcheck // deprecated, and what older tools ask for
	if err := old.Send(&alphapb.ServerReflectionRequest{MessageRequest: &alphapb.ServerReflectionRequest_ListServices{}}); err != nil {
		t.Fatal(err)
	}
	list, err := old.Recv()
	if err != nil || !strings.Contains(list.String(), "inference.GRPCInferenceService") {
		t.Errorf("got %v, %v; want the list with the service", list, err)
	}
	if err := errors.Join(stream.CloseSend(), old.CloseSend()); err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); !errors.Is(err, io.EOF) {
		t.Error(err)
	}
	if _, err := old.Recv(); !errors.Is(err, io.EOF) {
		t.Error(err)
	}
}

func TestSharedMemoryIsRefused(t *testing.T) {
	c, _ := serve(t, &echo{}, oipapi.Options{})
	ctx := t.Context()
	var errs []error
	note := func(_ any, err error) { errs = append(errs, err) }
	note(c.SystemSharedMemoryStatus(ctx, &oip.SystemSharedMemoryStatusRequest{}))
	note(c.SystemSharedMemoryRegister(ctx, &oip.SystemSharedMemoryRegisterRequest{Name: "a", Key: "/a", ByteSize: 8}))
	note(c.SystemSharedMemoryUnregister(ctx, &oip.SystemSharedMemoryUnregisterRequest{}))
	note(c.CudaSharedMemoryStatus(ctx, &oip.CudaSharedMemoryStatusRequest{}))
	note(c.CudaSharedMemoryRegister(ctx, &oip.CudaSharedMemoryRegisterRequest{Name: "a"}))
	note(c.CudaSharedMemoryUnregister(ctx, &oip.CudaSharedMemoryUnregisterRequest{}))
	for _, err := range errs {
		wants(t, err, codes.Unimplemented, "shared memory")
	}
}
