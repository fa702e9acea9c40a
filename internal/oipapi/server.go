package oipapi

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/gzip" // clients may compress with it
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/reflection"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/tap"

	"github.com/goshawk-ai/goshawk/api/oip"
	"github.com/goshawk-ai/goshawk/internal/access"
	"github.com/goshawk-ai/goshawk/internal/principal"
	"github.com/goshawk-ai/goshawk/internal/problem"
	"github.com/goshawk-ai/goshawk/internal/schedule"
	"github.com/goshawk-ai/goshawk/internal/telemetry"
)

const healthService = "/grpc.health.v1.Health/"

// Options of New. Access is needed. Without Inference and Repository, which come
// together, the door answers for the server's health and nothing else.
type Options struct {
	Access     *access.Guard
	Inference  Inference
	Repository Repository
	Settings   *Settings // nil: of its own; one for all doors of a server
	Version    string    // of this release

	Metrics prometheus.Registerer // nil: not exported
	Tracer  telemetry.Tracer      // nil: telemetry.NoTracer
	// Budget bounds the bytes of all requests and answers together; nil: without
	// bound. A request waits BudgetWait (5 s) for its part. An answer must be taken
	// at LeastRate (16 KB/s) after a Grace (10 s), else its connection is closed.
	Budget     *schedule.Budget
	BudgetWait time.Duration
	LeastRate  int64
	Grace      time.Duration

	Ready   func() error // nil: always
	TLS     *tls.Config  // nil: in the clear
	MaxBody int          // 100 MB: bytes of one message; grpc's own default is 4 MB
	Streams uint32       // 1024: calls at a time on one connection
	Logger  *slog.Logger // nil: nothing is logged
	// Poll (1 s) is how often a watcher of the health is told what changed.
	Poll time.Duration
	// InFlight (16) requests of one stream are computed at a time.
	InFlight int
}

// Server is the door. Make it with New, run it with Serve, end it with Stop.
type Server struct {
	server  *grpc.Server
	health  *health
	guard   *access.Guard
	log     *slog.Logger
	calls   *calls
	answers *answers
	intakes *intakes
	intake  intake       // what a connection begins with
	running atomic.Int64 // calls
}

func (o *Options) defaults() {
	if o.Ready == nil {
		o.Ready = func() error { return nil }
	}
	if o.MaxBody <= 0 {
		o.MaxBody = 100e6
	}
	if o.Streams == 0 {
		o.Streams = 1024
	}
	if o.Poll <= 0 {
		o.Poll = time.Second
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.InFlight <= 0 {
		o.InFlight = 16
	}
	if o.Metrics == nil {
		o.Metrics = prometheus.NewRegistry()
	}
	if o.Tracer == nil {
		o.Tracer = telemetry.NoTracer{}
	}
	if o.BudgetWait <= 0 {
		o.BudgetWait = 5 * time.Second
	}
	if o.LeastRate <= 0 {
		o.LeastRate = 16e3
	}
	if o.Grace <= 0 {
		o.Grace = 10 * time.Second
	}
}

// New makes the door.
func New(o Options) *Server {
	o.defaults()
	s := &Server{
		guard: o.Access, log: o.Logger, answers: &answers{grace: o.Grace, rate: o.LeastRate},
		calls:  &calls{log: o.Logger, tracer: o.Tracer, metrics: newGRPCMetrics(o.Metrics), methods: map[string]string{}},
		health: &health{ready: o.Ready, poll: o.Poll, stop: make(chan struct{}), services: []string{""}},
	}
	unfold := newCodec(2*int64(o.MaxBody), s.answers)
	s.intakes = &intakes{
		answers: s.answers, codec: unfold, most: int64(o.MaxBody), budget: o.Budget, wait: o.BudgetWait, refuse: refusal,
		inflating: make(chan struct{}, maxInflating),
	}
	s.intake = intake{budget: o.Budget, wait: o.BudgetWait, grace: o.Grace, rate: o.LeastRate}
	security := insecure.NewCredentials()
	if o.TLS != nil {
		security = credentials.NewTLS(o.TLS)
	}
	options := []grpc.ServerOption{
		grpc.Creds(metering{security}),
		grpc.MaxRecvMsgSize(o.MaxBody),
		grpc.MaxConcurrentStreams(o.Streams),
		grpc.ConnectionTimeout(10 * time.Second),
		grpc.InTapHandle(s.admit),
		grpc.ForceServerCodecV2(unfold),
		grpc.StatsHandler(s.calls),
		// The one way to have a decompressor for this server and not for the whole program.
		grpc.RPCDecompressor(inflater{int64(o.MaxBody)}), //nolint:staticcheck // deprecated for a global registry
		grpc.ChainUnaryInterceptor(s.unary),
		grpc.ChainStreamInterceptor(s.stream),
		// So that a method that is not here asks for a key like all others.
		grpc.UnknownServiceHandler(func(any, grpc.ServerStream) error {
			return status.Error(codes.Unimplemented, "this method is not served here")
		}),
	}
	s.server = grpc.NewServer(options...)
	s.server.RegisterService(bounded(healthpb.Health_ServiceDesc, s.intakes), s.health)
	if o.Inference != nil {
		s.serveInference(&o)
	}
	for name, service := range s.server.GetServiceInfo() {
		for _, m := range service.Methods {
			s.calls.know("/" + name + "/" + m.Name)
		}
	}
	return s
}

// serveInference adds the Open Inference Protocol, and reflection (v1 and
// v1alpha), by which tools find out what is served.
func (s *Server) serveInference(o *Options) {
	if o.Settings == nil {
		o.Settings = NewSettings(SettingsOptions{})
	}
	s.health.services = append(s.health.services, oip.GRPCInferenceService_ServiceDesc.ServiceName)
	s.server.RegisterService(bounded(oip.GRPCInferenceService_ServiceDesc, s.intakes), &grpcDoor{
		service: &service{inference: o.Inference, repository: o.Repository},
		ready:   o.Ready, settings: o.Settings, version: o.Version, log: o.Logger, inFlight: o.InFlight,
		calls: s.calls, answers: s.answers, budget: o.Budget, budgetWait: o.BudgetWait,
	})
	reflection.Register(s.server)
}

// Serve answers on the listener until Stop, and returns nil then.
func (s *Server) Serve(l net.Listener) error {
	if err := s.server.Serve(callers{l, s.intake}); err != nil {
		return fmt.Errorf("serve gRPC on %s: %w", l.Addr(), err)
	}
	return nil
}

// Stop lets the calls under way end, as long as ctx lasts, and then cuts them:
// so many.
func (s *Server) Stop(ctx context.Context) (cut int) {
	s.health.close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.server.GracefulStop()
	}()
	select {
	case <-done:
		return 0
	case <-ctx.Done():
		n := s.running.Load()
		s.server.Stop()
		<-done
		return int(n)
	}
}

func (s *Server) unary(ctx context.Context, request any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (answer any, err error) {
	s.running.Add(1)
	defer s.running.Add(-1)
	defer s.recover(info.FullMethod, &err)
	say(ctx)
	seenFrom(ctx).names(request)
	return handle(ctx, request)
}

func (s *Server) stream(server any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handle grpc.StreamHandler) (err error) {
	s.running.Add(1)
	defer s.running.Add(-1)
	defer s.recover(info.FullMethod, &err)
	say(stream.Context())
	return handle(server, received{stream, s.intakes})
}

// say tells the caller by which id the log knows the call, and that the answer is
// not compressed, as the request may be: grpc gives an answer's memory back when it
// is compressed, and what that made of it would count nowhere until it is taken.
func say(ctx context.Context) {
	if s := seenFrom(ctx); s != nil {
		_ = grpc.SetHeader(ctx, metadata.Pairs(requestID, s.id)) // fails where there is nobody to tell
		_ = grpc.SetSendCompressor(ctx, encoding.Identity)
	}
}

// admit says who asks, by the call's headers: before a byte of its message is
// read. Probes need no key: they have none to send, and /readyz tells as much.
func (s *Server) admit(ctx context.Context, call *tap.Info) (context.Context, error) {
	if probe(call.FullMethodName) {
		return ctx, nil
	}
	who, err := s.guard.Who(call.Header.Get("authorization"))
	if err != nil {
		s.calls.refused(ctx, call.FullMethodName, call.Header, problem.Of(err))
		return nil, status.Error(codes.Unauthenticated, problem.Of(err).Detail)
	}
	callerFrom(ctx).known()
	return principal.With(ctx, who), nil
}

// probe tells the methods for which no key is asked.
func probe(method string) bool {
	return method == oip.GRPCInferenceService_ServerLive_FullMethodName || method == oip.GRPCInferenceService_ServerReady_FullMethodName ||
		strings.HasPrefix(method, healthService)
}

func (s *Server) recover(method string, err *error) {
	v := recover()
	if v == nil {
		return
	}
	s.log.Error("panic in a gRPC method", slog.String("method", method), slog.Any("panic", v), slog.String("stack", string(debug.Stack())))
	*err = status.Error(codes.Internal, "something went wrong here; the log says what")
}
