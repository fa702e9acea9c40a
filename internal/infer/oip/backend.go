package oip

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	pb "github.com/goshawk-ai/goshawk/api/oip"
	"github.com/goshawk-ai/goshawk/internal/infer"
	"github.com/goshawk-ai/goshawk/internal/tensor"
)

// MaxMessage is the largest message in either direction: a fleet's largest input
// of 256 MB, and what stands around it.
const MaxMessage = 257 << 20

// Options of Open.
type Options struct {
	Model   string
	Version string // "" is the server's current one

	TLS         *tls.Config // nil: in the clear
	Key         string      // sent as a bearer token; "" sends none
	Connections int         // 2
	Poll        time.Duration
	// Dial is called once for each connection instead of dialing the target.
	Dial func(context.Context) (net.Conn, error)
	// Inputs and Outputs are what the model declares where the caller knows it;
	// the protocol has no word for the names of open sizes, or for no shape at all.
	Inputs, Outputs []tensor.Spec
}

// Backend is a model on another server. Its connections are made when they are
// needed and made again when they broke.
type Backend struct {
	target  string
	o       Options
	conns   []*grpc.ClientConn
	next    atomic.Uint32
	version atomic.Value // string
}

var _ infer.Backend = (*Backend)(nil)

// Open names a model on a server, HOST:PORT. It sends nothing yet.
func Open(target string, o Options) (*Backend, error) {
	if o.Model == "" {
		return nil, errors.New("the model on the other server has no name")
	}
	o.Connections = cmp.Or(o.Connections, 2)
	b := &Backend{target: target, o: o}
	b.version.Store("")
	for range o.Connections {
		conn, err := b.dial()
		if err != nil {
			return nil, errors.Join(fmt.Errorf("open %q: %w", target, err), b.Close())
		}
		b.conns = append(b.conns, conn)
	}
	return b, nil
}

// window lets a picture's tensor through without waiting for the other side.
const window = 8 << 20

func (b *Backend) dial() (*grpc.ClientConn, error) {
	safety := insecure.NewCredentials()
	if b.o.TLS != nil {
		safety = credentials.NewTLS(b.o.TLS)
	}
	options := []grpc.DialOption{
		grpc.WithTransportCredentials(safety),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(MaxMessage), grpc.MaxCallSendMsgSize(MaxMessage)),
		grpc.WithStatsHandler(witness{}),
		grpc.WithInitialWindowSize(window), grpc.WithInitialConnWindowSize(window),
		grpc.WithReadBufferSize(buffer), grpc.WithWriteBufferSize(buffer),
		// Whether a call is made again is decided here, and not by what a server says of itself.
		grpc.WithDisableRetry(), grpc.WithDisableServiceConfig(), grpc.WithNoProxy(),
	}
	if b.o.Dial != nil {
		return grpc.NewClient("passthrough:///child", append(options,
			grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return b.o.Dial(ctx) }),
			grpc.WithIdleTimeout(0), // the connection cannot be made a second time
		)...)
	}
	return grpc.NewClient(b.target, append(options,
		// A silent connection is asked whether it is alive. The background check
		// keeps each busy, so that no server finds this too often.
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: time.Minute, Timeout: 10 * time.Second}),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 200 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: 5 * time.Second},
			MinConnectTimeout: 3 * time.Second,
		}),
	)...)
}

// buffer is as large as a frame of HTTP/2 several times over: fewer system calls.
const buffer = 128 << 10

// Name is "oip".
func (b *Backend) Name() string { return "oip" }

// Version is the server's name and version, known after Load; before that only
// the protocol's.
func (b *Backend) Version() string { return cmp.Or(b.version.Load().(string), "v2") }

// Target is the server's address.
func (b *Backend) Target() string { return b.target }

// Close ends the connections, and with them the calls of all sessions.
func (b *Backend) Close() error {
	var errs []error
	for _, c := range b.conns {
		if err := c.Close(); status.Code(err) != codes.Canceled { // closed already
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// Load asks the server for the model's tensors. The bytes, which may be nil, and
// the options are the server's own affair and are not looked at.
func (b *Backend) Load(ctx context.Context, _ []byte, _ infer.Options) (infer.Session, error) {
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	s := newSession(b)
	if b.o.Inputs != nil || b.o.Outputs != nil {
		s.ins, s.outs = b.o.Inputs, b.o.Outputs
		return s, nil
	}
	timed, cancel := context.WithTimeout(ctx, loadTime)
	defer cancel()
	about, err := b.client().ModelMetadata(b.outgoing(timed), &pb.ModelMetadataRequest{Name: b.o.Model, Version: b.o.Version})
	if err != nil {
		return nil, failure(ctx, err, nil)
	}
	s.ins, s.outs = specsOf(about.GetInputs()), specsOf(about.GetOutputs())
	if server, err := b.client().ServerMetadata(b.outgoing(timed), &pb.ServerMetadataRequest{}); err == nil {
		b.version.Store(server.GetName() + " " + server.GetVersion())
	}
	s.watch()
	return s, nil
}

// Connect is Open and Load, for a session that has the connections to itself.
func Connect(ctx context.Context, target string, o Options) (infer.Monitored, error) {
	b, err := Open(target, o)
	if err != nil {
		return nil, err
	}
	s, err := b.Load(ctx, nil, infer.Options{})
	if err != nil {
		return nil, errors.Join(err, b.Close())
	}
	return &owner{s.(*session)}, nil
}

// owner closes the connections with the session.
type owner struct{ *session }

func (o *owner) Close() error { return errors.Join(o.session.Close(), o.backend.Close()) }

const loadTime = 30 * time.Second

func specsOf(list []*pb.ModelMetadataResponse_TensorMetadata) []tensor.Spec {
	specs := make([]tensor.Spec, len(list))
	for i, t := range list {
		specs[i] = tensor.Spec{
			Name: t.GetName(), Type: tensor.ParseProtocol(t.GetDatatype()), Kind: "tensor",
			Shape: t.GetShape(), Symbols: make([]string, len(t.GetShape())), Ranked: true,
		}
	}
	return specs
}

// client takes the connections in turn.
func (b *Backend) client() pb.GRPCInferenceServiceClient {
	return pb.NewGRPCInferenceServiceClient(b.conns[int(b.next.Add(1))%len(b.conns)])
}

func (b *Backend) outgoing(ctx context.Context) context.Context {
	if b.o.Key == "" {
		return ctx
	}
	return metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+b.o.Key)
}

// infer sends a request, on another connection once more where the first surely
// never took it: nothing may be computed twice.
func (b *Backend) infer(ctx context.Context, r *pb.ModelInferRequest) (response *pb.ModelInferResponse, trailer metadata.MD, sent bool, err error) {
	ctx = b.outgoing(ctx)
	for try := 1; ; try++ {
		var left atomic.Bool
		response, err = b.client().ModelInfer(context.WithValue(ctx, leftKey{}, &left), r, grpc.Trailer(&trailer))
		if err == nil || left.Load() || status.Code(err) != codes.Unavailable || try == max(2, len(b.conns)) {
			return response, trailer, left.Load(), err
		}
	}
}
