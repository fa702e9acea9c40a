package oip

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	pb "github.com/goshawk-ai/goshawk/api/oip"
	"github.com/goshawk-ai/goshawk/internal/infer"
	"github.com/goshawk-ai/goshawk/internal/tensor"
)

// session is a model on the other server, and what is known of its health.
type session struct {
	backend   *Backend
	ins, outs []tensor.Spec

	mu     sync.Mutex
	closed bool  // guarded by mu; no new run may begin
	ill    error // guarded by mu; why runs would fail now

	runs  sync.WaitGroup // runs under way
	doubt chan struct{}  // one place: look at the server now
	stop  context.CancelFunc
	done  chan struct{} // closed when the watch has ended
}

var _ infer.Monitored = (*session)(nil)

func newSession(b *Backend) *session {
	s := &session{backend: b, doubt: make(chan struct{}, 1), stop: func() {}, done: make(chan struct{})}
	close(s.done) // until watch
	return s
}

func (s *session) Inputs() []tensor.Spec  { return slices.Clone(s.ins) }
func (s *session) Outputs() []tensor.Spec { return slices.Clone(s.outs) }

// Run sends the inputs, and puts the answer where out wants it.
func (s *session) Run(ctx context.Context, in, out []*tensor.Tensor) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	if err := s.enter(); err != nil {
		return err
	}
	defer s.runs.Done()
	request, err := requestOf(in, out)
	if err != nil {
		return err
	}
	request.ModelName, request.ModelVersion = s.backend.o.Model, s.backend.o.Version
	response, trailer, sent, err := s.backend.infer(ctx, request)
	if err != nil {
		err = failure(ctx, err, trailer)
		if e, ok := errors.AsType[*infer.Error](err); ok && e.Code == infer.Unavailable {
			e.Unsent = !sent
			s.wonder()
		}
		return err
	}
	return collect(response, out)
}

// enter begins a run, which ends with runs.Done.
func (s *session) enter() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return infer.ErrClosed
	}
	if s.ill != nil {
		return s.ill
	}
	s.runs.Add(1)
	return nil
}

// Close waits for running calls. The connections stay the backend's.
func (s *session) Close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.runs.Wait()
	s.stop()
	<-s.done
	return nil
}

// Health is what the last look at the server has shown.
func (s *session) Health() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ill
}

// Await does not wait: when the other server comes back is not known here.
func (s *session) Await(context.Context) error { return s.Health() }

// Broken is nil: another server may always come back.
func (s *session) Broken() <-chan struct{} { return nil }

func (s *session) wonder() {
	select {
	case s.doubt <- struct{}{}:
	default:
	}
}

// How often the server is looked at: while it is well, and with growing pauses
// while it is not.
const (
	calm     = 5 * time.Second
	soonest  = 250 * time.Millisecond
	latest   = 10 * time.Second
	lookTime = 2 * time.Second
)

// watch looks at the server from time to time, until Close.
func (s *session) watch() {
	ctx, cancel := context.WithCancel(context.Background())
	s.stop, s.done = cancel, make(chan struct{})
	rest := calm
	if s.backend.o.Poll > 0 {
		rest = s.backend.o.Poll
	}
	go func() {
		defer close(s.done)
		pause := rest
		for {
			timer := time.NewTimer(pause)
			select {
			case <-ctx.Done():
				timer.Stop()
				return
			case <-s.doubt:
				timer.Stop()
			case <-timer.C:
			}
			ill := s.look(ctx)
			if ctx.Err() != nil {
				return
			}
			was := s.note(ill)
			switch {
			case ill == nil:
				pause = rest
			case was == nil:
				pause = min(soonest, rest)
			default:
				pause = min(2*pause, latest)
			}
		}
	}()
}

func (s *session) note(ill error) (was error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	was, s.ill = s.ill, ill
	return was
}

// look asks on every connection whether the server is alive, which makes a
// broken one again, and then for the model.
func (s *session) look(ctx context.Context) error {
	timed, cancel := context.WithTimeout(s.backend.outgoing(ctx), lookTime)
	defer cancel()
	var last error
	alive := false
	for _, conn := range s.backend.conns {
		r, err := pb.NewGRPCInferenceServiceClient(conn).ServerLive(timed, &pb.ServerLiveRequest{})
		if err == nil && r.GetLive() {
			alive = true
		} else if err != nil {
			last = err
		}
	}
	if !alive {
		return gone("the server %s does not answer", s.backend.target).because(last)
	}
	r, err := s.backend.client().ModelReady(timed, &pb.ModelReadyRequest{Name: s.backend.o.Model, Version: s.backend.o.Version})
	if err != nil {
		return gone("the server %s does not say whether its model is ready", s.backend.target).because(err)
	}
	if !r.GetReady() {
		return gone("the model on the server %s is not ready", s.backend.target).because(nil)
	}
	return nil
}
