package oipapi

import (
	"context"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
)

// health answers gRPC's health protocol (grpc/grpc, doc/health-checking.md) for
// the server as a whole, which is the service "", and for the services on it,
// which are as ready as it is. It asks when it is asked, instead of being told:
// readiness has one source.
type health struct {
	healthpb.UnimplementedHealthServer
	ready    func() error
	poll     time.Duration
	services []string // "" among them

	once sync.Once
	stop chan struct{} // closed by close
}

func (h *health) close() { h.once.Do(func() { close(h.stop) }) }

func (h *health) now() healthpb.HealthCheckResponse_ServingStatus {
	select {
	case <-h.stop:
		return healthpb.HealthCheckResponse_NOT_SERVING
	default:
	}
	if h.ready() != nil {
		return healthpb.HealthCheckResponse_NOT_SERVING
	}
	return healthpb.HealthCheckResponse_SERVING
}

// Check answers for one service.
func (h *health) Check(_ context.Context, r *healthpb.HealthCheckRequest) (*healthpb.HealthCheckResponse, error) {
	if !slices.Contains(h.services, r.GetService()) {
		return nil, status.Error(codes.NotFound, "there is no such service here; the server as a whole is the service \"\"")
	}
	return &healthpb.HealthCheckResponse{Status: h.now()}, nil
}

// List answers for all services.
func (h *health) List(context.Context, *healthpb.HealthListRequest) (*healthpb.HealthListResponse, error) {
	now := h.now()
	statuses := make(map[string]*healthpb.HealthCheckResponse, len(h.services))
	for _, name := range h.services {
		statuses[name] = &healthpb.HealthCheckResponse{Status: now}
	}
	return &healthpb.HealthListResponse{Statuses: statuses}, nil
}

// Watch sends the health and then each change, until the caller goes or the
// server stops. The protocol wants SERVICE_UNKNOWN, and no end, for a service
// that is not here.
func (h *health) Watch(r *healthpb.HealthCheckRequest, stream grpc.ServerStreamingServer[healthpb.HealthCheckResponse]) error {
	tick := time.NewTicker(h.poll)
	defer tick.Stop()
	last := healthpb.HealthCheckResponse_UNKNOWN
	for stopped := false; ; {
		status := healthpb.HealthCheckResponse_SERVICE_UNKNOWN
		if slices.Contains(h.services, r.GetService()) {
			status = h.now()
		}
		if status != last {
			if err := stream.Send(&healthpb.HealthCheckResponse{Status: status}); err != nil {
				return err
			}
			last = status
		}
		if stopped {
			return nil
		}
		select {
		case <-tick.C:
		case <-h.stop:
			stopped = true
		case <-stream.Context().Done():
			return nil
		}
	}
}
