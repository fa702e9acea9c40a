package oip_test

import (
	"context"
	"errors"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc/test/bufconn"

	"github.com/goshawk-ai/goshawk/internal/access"
	"github.com/goshawk-ai/goshawk/internal/fleet"
	"github.com/goshawk-ai/goshawk/internal/infer"
	"github.com/goshawk-ai/goshawk/internal/infer/backendtest"
	"github.com/goshawk-ai/goshawk/internal/infer/oip"
	"github.com/goshawk-ai/goshawk/internal/infer/ort/orttest"
	"github.com/goshawk-ai/goshawk/internal/oipapi"
	"github.com/goshawk-ai/goshawk/internal/predict"
	"github.com/goshawk-ai/goshawk/internal/problem"
	"github.com/goshawk-ai/goshawk/internal/tensor"
)

// TestAgainstAServer runs the suite against Goshawk's own door. The protocol has
// no word for what is lacking; everything else must be as it is in this process.
func TestAgainstAServer(t *testing.T) {
	house := &house{sessions: map[string]infer.Session{}}
	address := house.open(t)
	backendtest.Run(t, func(tb testing.TB) infer.Backend {
		return &stage{tb: tb, engine: orttest.Open(tb), put: house.put, open: func(name string) (*oip.Backend, error) {
			return oip.Open(address, oip.Options{Model: name})
		}}
	}, backendtest.Bytes, backendtest.Specs)
}

// TestAgainstAWorker runs it against the door that a process of its own has for
// its parent, which tells the specs beside the protocol.
func TestAgainstAWorker(t *testing.T) {
	backendtest.Run(t, func(tb testing.TB) infer.Backend {
		var doors sync.Map
		return &stage{
			tb: tb, engine: orttest.Open(tb),
			put: func(name string, s infer.Session) {
				l := bufconn.Listen(1 << 20)
				server := oip.NewServer(s, oip.ServeOptions{Name: name, Runs: 4})
				go func() { _ = server.Serve(l) }()
				tb.Cleanup(server.Stop)
				doors.Store(name, door{l, s})
			},
			open: func(name string) (*oip.Backend, error) {
				found, _ := doors.Load(name)
				d := found.(door)
				return oip.Open("", oip.Options{
					Model: name, Inputs: d.session.Inputs(), Outputs: d.session.Outputs(),
					Dial: func(ctx context.Context) (net.Conn, error) { return d.listener.DialContext(ctx) },
				})
			},
		}
	}, backendtest.Bytes)
}

type door struct {
	listener *bufconn.Listener
	session  infer.Session
}

// stage is the remote backend as the suite wants it: what is loaded is first put
// on the other side, under a name of its own.
type stage struct {
	tb     testing.TB
	engine infer.Backend
	put    func(name string, s infer.Session)
	open   func(name string) (*oip.Backend, error)
	loaded int
}

func (s *stage) Name() string    { return "oip" }
func (s *stage) Version() string { return "v2" }

func (s *stage) Load(ctx context.Context, model []byte, o infer.Options) (infer.Session, error) {
	there, err := s.engine.Load(context.WithoutCancel(ctx), model, o)
	if err != nil {
		return nil, err
	}
	s.loaded++
	name := strings.ReplaceAll(s.tb.Name(), "/", "-") + strconv.Itoa(s.loaded)
	s.put(name, there)
	backend, err := s.open(name)
	if err != nil {
		return nil, errors.Join(err, there.Close())
	}
	here, err := backend.Load(ctx, nil, o)
	if err != nil {
		return nil, errors.Join(err, backend.Close(), there.Close())
	}
	return &pair{here, backend, there}, nil
}

// pair is a session here and there.
type pair struct {
	infer.Session
	backend *oip.Backend
	there   infer.Session
}

func (p *pair) Close() error {
	return errors.Join(p.Session.Close(), p.backend.Close(), p.there.Close())
}

// house is what stands behind the door: models by name, and no lanes.
type house struct {
	mu       sync.Mutex
	sessions map[string]infer.Session
}

func (h *house) put(name string, s infer.Session) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.sessions[name] = s
}

func (h *house) get(name string) (infer.Session, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if s := h.sessions[name]; s != nil {
		return s, nil
	}
	return nil, problem.ModelNotFound.New("there is no model %q", name)
}

func (h *house) open(t *testing.T) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := oipapi.New(oipapi.Options{Access: access.New(access.Options{Loopback: true}), Inference: h, Repository: h, Version: "1.2.3"})
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		server.Stop(ctx)
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return l.Addr().String()
}

func (h *house) Tensors(ctx context.Context, r *predict.TensorRequest) (*predict.TensorAnswer, error) {
	s, err := h.get(r.Model)
	if err != nil {
		return nil, err
	}
	a := &predict.TensorAnswer{Version: fleet.Version{Name: r.Model, Number: 1}}
	for _, name := range r.Outputs {
		a.Outputs = append(a.Outputs, &tensor.Tensor{Name: name})
	}
	err = s.Run(ctx, r.Inputs, a.Outputs)
	if native, ok := errors.AsType[*infer.Error](err); ok {
		if native.Code == infer.BadInput {
			return nil, problem.InvalidRequest.New("%s", native.Message)
		}
		return nil, problem.Internal.New("%s", native.Message)
	}
	return a, err
}

func (h *house) Describe(_ context.Context, ref string) (oipapi.Description, error) {
	s, err := h.get(ref)
	if err != nil {
		return oipapi.Description{}, err
	}
	return oipapi.Description{Name: ref, Number: "1", Versions: []string{"1"}, Inputs: s.Inputs(), Outputs: s.Outputs()}, nil
}

func (h *house) Ready(ref string) error {
	_, err := h.get(ref)
	return err
}

func (h *house) Index() []oipapi.State                                  { return nil }
func (h *house) Statistics(string) ([]oipapi.Statistics, error)         { return nil, nil }
func (h *house) Load(context.Context, string, oipapi.LoadOptions) error { return nil }
func (h *house) Unload(context.Context, string) error                   { return nil }
