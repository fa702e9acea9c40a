package oipapi

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/goshawk-ai/goshawk/internal/access"
	"github.com/goshawk-ai/goshawk/internal/principal"
)

// Options of a Server.
type Options struct {
	Access  *access.Guard
	Ready   func() error // what health reports for the whole server
	TLS     *tls.Config  // nil: in the clear
	MaxBody int          // bytes of one message; 0 is grpc-go's 4 MB
	Logger  *slog.Logger
}

// Server is the gRPC door.
type Server struct{ grpc *grpc.Server }

// New makes the door. Every call but health asks for a key where keys are
// configured: a probe of Kubernetes has none.
func New(o Options) *Server {
	options := []grpc.ServerOption{grpc.ChainUnaryInterceptor(authenticate(o.Access))}
	if o.MaxBody > 0 {
		options = append(options, grpc.MaxRecvMsgSize(o.MaxBody))
	}
	if o.TLS != nil {
		options = append(options, grpc.Creds(credentials.NewTLS(o.TLS)))
	}
	s := grpc.NewServer(options...)
	grpc_health_v1.RegisterHealthServer(s, &health{ready: o.Ready})
	return &Server{s}
}

// Serve answers until Stop.
func (s *Server) Serve(l net.Listener) error {
	if err := s.grpc.Serve(l); !errors.Is(err, grpc.ErrServerStopped) {
		return err
	}
	return nil
}

// Stop finishes the calls under way; those that outlast ctx are cut off.
func (s *Server) Stop(ctx context.Context) error {
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.grpc.GracefulStop()
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		s.grpc.Stop() // makes GracefulStop return
		<-done
		return context.Cause(ctx)
	}
}

func authenticate(guard *access.Guard) grpc.UnaryServerInterceptor {
	return func(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
		if _, probe := info.Server.(*health); probe {
			return next(ctx, req)
		}
		md, _ := metadata.FromIncomingContext(ctx)
		who, err := guard.Who(md.Get("authorization"))
		if err != nil {
			return nil, status.Error(codes.Unauthenticated, err.Error())
		}
		return next(principal.With(ctx, who), req)
	}
}

// health answers for the whole server, which is the empty service name. Watch
// is left to clients that poll: the embedded type says so to those who call it.
type health struct {
	grpc_health_v1.UnimplementedHealthServer
	ready func() error
}

// Check is SERVING exactly when /readyz is 200.
func (h *health) Check(_ context.Context, r *grpc_health_v1.HealthCheckRequest) (*grpc_health_v1.HealthCheckResponse, error) {
	if r.GetService() != "" {
		return nil, status.Error(codes.NotFound, "this server reports health as a whole: ask with an empty service name")
	}
	if h.ready() != nil {
		return &grpc_health_v1.HealthCheckResponse{Status: grpc_health_v1.HealthCheckResponse_NOT_SERVING}, nil
	}
	return &grpc_health_v1.HealthCheckResponse{Status: grpc_health_v1.HealthCheckResponse_SERVING}, nil
}
