package oipapi_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/goshawk-ai/goshawk/internal/access"
	"github.com/goshawk-ai/goshawk/internal/oipapi"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start runs a door and gives a connection to it. What it returns last ends both.
func start(t *testing.T, o oipapi.Options) (*grpc.ClientConn, *oipapi.Server) {
	t.Helper()
	o.Poll = time.Millisecond
	if o.Access == nil {
		o.Access = access.New(access.Options{Loopback: true})
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := oipapi.New(o)
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	conn, err := grpc.NewClient(l.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = conn.Close()
		_ = s.Stop(context.Background()) // after a test's own Stop it has nothing left to do
		if err := <-served; err != nil {
			t.Errorf("Serve ended with %v, want nil after Stop", err)
		}
	})
	return conn, s
}

const (
	serving    = healthpb.HealthCheckResponse_SERVING
	notServing = healthpb.HealthCheckResponse_NOT_SERVING
)

func TestHealthIsReadiness(t *testing.T) {
	var ready atomic.Bool
	conn, _ := start(t, oipapi.Options{Ready: func() error {
		if ready.Load() {
			return nil
		}
		return errors.New("still loading")
	}})
	client := healthpb.NewHealthClient(conn)
	watch, err := client.Watch(t.Context(), &healthpb.HealthCheckRequest{})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []healthpb.HealthCheckResponse_ServingStatus{notServing, serving, notServing} {
		ready.Store(want == serving)
		if got, err := watch.Recv(); err != nil || got.GetStatus() != want {
			t.Fatalf("watched %v, %v; want %v", got, err, want)
		}
		if got, err := client.Check(t.Context(), &healthpb.HealthCheckRequest{}); err != nil || got.GetStatus() != want {
			t.Errorf("checked %v, %v; want %v", got, err, want)
		}
		if got, err := client.List(t.Context(), &healthpb.HealthListRequest{}); err != nil || got.GetStatuses()[""].GetStatus() != want {
			t.Errorf("listed %v, %v; want %v", got, err, want)
		}
	}
	_, err = client.Check(t.Context(), &healthpb.HealthCheckRequest{Service: "nothing"})
	if status.Code(err) != codes.NotFound {
		t.Errorf("an unknown service: %v, want NotFound", err)
	}
	unknown, err := client.Watch(t.Context(), &healthpb.HealthCheckRequest{Service: "nothing"})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := unknown.Recv(); err != nil || got.GetStatus() != healthpb.HealthCheckResponse_SERVICE_UNKNOWN {
		t.Errorf("an unknown service is watched as %v, %v", got, err)
	}
}

func TestStopTellsWatchersAndEndsThem(t *testing.T) {
	conn, s := start(t, oipapi.Options{})
	watch, err := healthpb.NewHealthClient(conn).Watch(t.Context(), &healthpb.HealthCheckRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := watch.Recv(); err != nil || got.GetStatus() != serving {
		t.Fatalf("got %v, %v", got, err)
	}
	if cut := s.Stop(t.Context()); cut != 0 {
		t.Errorf("a watcher must not hold up the end: %d calls were cut", cut)
	}
	if got, err := watch.Recv(); err != nil || got.GetStatus() != notServing {
		t.Errorf("got %v, %v; want to be told", got, err)
	}
	if _, err := watch.Recv(); err == nil {
		t.Error("the stream must end")
	}
}

func TestStopCutsWhatDoesNotEnd(t *testing.T) {
	began, release := make(chan struct{}), make(chan struct{})
	conn, s := start(t, oipapi.Options{Ready: func() error {
		close(began)
		<-release
		return nil
	}})
	go func() { // until the connection is cut
		defer close(release)
		if _, err := healthpb.NewHealthClient(conn).Check(context.Background(), &healthpb.HealthCheckRequest{}); err == nil {
			t.Error("the call that was cut has an answer")
		}
	}()
	<-began
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if cut := s.Stop(ctx); cut != 1 {
		t.Errorf("%d calls were cut, want to hear of the one that ran", cut)
	}
}

func TestKeys(t *testing.T) {
	keys, err := access.ParseKeys([]byte("keys: [{id: a, sha256: 2c70e12b7a0646f92279f427c7b38e7334d8e5389cff167a1dc30e73f826b683}]")) // of "key"
	if err != nil {
		t.Fatal(err)
	}
	conn, _ := start(t, oipapi.Options{Access: access.New(access.Options{Keys: keys})})
	const method = "/inference.GRPCInferenceService/ModelInfer"
	for _, c := range []struct {
		authorization string
		want          codes.Code
	}{
		{"", codes.Unauthenticated},
		{"Bearer wrong", codes.Unauthenticated},
		{"Bearer key", codes.Unimplemented},
	} {
		ctx := t.Context()
		if c.authorization != "" {
			ctx = metadata.AppendToOutgoingContext(ctx, "authorization", c.authorization)
		}
		err := conn.Invoke(ctx, method, &emptypb.Empty{}, &emptypb.Empty{})
		if status.Code(err) != c.want || strings.Contains(err.Error(), "wrong") {
			t.Errorf("%q: %v, want %v", c.authorization, err, c.want)
		}
	}
	if _, err := healthpb.NewHealthClient(conn).Check(t.Context(), &healthpb.HealthCheckRequest{}); err != nil {
		t.Errorf("a probe needs no key: %v", err)
	}
	err = conn.Invoke(t.Context(), "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", &emptypb.Empty{}, &emptypb.Empty{})
	if status.Code(err) != codes.Unauthenticated {
		t.Errorf("reflection without a key: %v", err)
	}
}

func TestAPanicIsInternal(t *testing.T) {
	conn, _ := start(t, oipapi.Options{Ready: func() error { panic("secret") }})
	client := healthpb.NewHealthClient(conn)
	_, err := client.Check(t.Context(), &healthpb.HealthCheckRequest{})
	if status.Code(err) != codes.Internal || strings.Contains(err.Error(), "secret") {
		t.Errorf("got %v", err)
	}
	watch, err := client.Watch(t.Context(), &healthpb.HealthCheckRequest{})
	if err == nil {
		_, err = watch.Recv()
	}
	if status.Code(err) != codes.Internal {
		t.Errorf("got %v", err)
	}
}
