package child

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/goshawk-ai/goshawk/internal/infer"
	"github.com/goshawk-ai/goshawk/internal/tensor"
	"github.com/goshawk-ai/goshawk/internal/wording"
)

// session is a model in a process, and after its death in the next one.
type session struct {
	backend   *Backend
	options   infer.Options
	ins, outs []tensor.Spec
	broken    chan struct{}
	stop      context.CancelFunc
	done      chan struct{} // closed when nobody supervises any more
	runs      sync.WaitGroup

	mu      sync.Mutex
	closed  bool          // guarded by mu; no new run may begin
	now     *life         // guarded by mu; nil while there is none
	ill     *infer.Error  // guarded by mu; why there is none
	until   time.Time     // guarded by mu; when the next one is started
	changed chan struct{} // guarded by mu; closed and replaced when there is one again, or never will be
}

var (
	_ infer.Monitored = (*session)(nil)
	_ infer.Weighed   = (*session)(nil)
)

func (s *session) Inputs() []tensor.Spec  { return slices.Clone(s.ins) }
func (s *session) Outputs() []tensor.Spec { return slices.Clone(s.outs) }

// Run runs the model in its process. Where that dies, and where there is none,
// it fails with an *infer.Error of the code Unavailable.
func (s *session) Run(ctx context.Context, in, out []*tensor.Tensor) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	for try := 1; ; try++ {
		l, err := s.enter(ctx)
		if err != nil {
			return err
		}
		err = l.session.Run(ctx, in, out)
		e, ok := errors.AsType[*infer.Error](err)
		if ok && e.Code == infer.Unavailable {
			err = s.mourn(ctx, l, e)
		}
		s.runs.Done()
		if !ok || !e.Unsent || ctx.Err() != nil || try == tries {
			return err
		}
	}
}

// tries of a request that met a process which was gone before it came.
const tries = 3

// aMoment is how long a run that is on its way already waits for a process that
// is being started: whoever comes later waits in Await, where it costs nobody.
const aMoment = 500 * time.Millisecond

// enter begins a run, which ends with runs.Done.
func (s *session) enter(ctx context.Context) (*life, error) {
	var late <-chan time.Time
	for {
		s.mu.Lock()
		if s.closed {
			s.mu.Unlock()
			return nil, infer.ErrClosed
		}
		if l := s.living(); l != nil {
			s.runs.Add(1)
			s.mu.Unlock()
			return l, nil
		}
		ill, soon, changed := s.ill, time.Until(s.until), s.changed
		s.mu.Unlock()
		if late == nil {
			timer := time.NewTimer(aMoment)
			defer timer.Stop()
			late = timer.C
		}
		if soon > aMoment || s.isBroken() {
			return nil, ill
		}
		select {
		case <-changed:
		case <-late:
			return nil, ill
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// mourn says of a run that got no answer what became of the process: that it is
// gone is seen on its connection first.
func (s *session) mourn(ctx context.Context, l *life, err *infer.Error) error {
	timer := time.NewTimer(2 * time.Second)
	defer timer.Stop()
	select {
	case <-l.process.done:
		return &infer.Error{
			Code: infer.Unavailable, Retry: time.Second,
			Message: "the process that runs it died while it computed this request (" + l.process.why + ")",
		}
	case <-timer.C:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Close waits for running calls and ends the process.
func (s *session) Close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.runs.Wait()
	s.stop()
	<-s.done
	return nil
}

// Health says why there is no process.
func (s *session) Health() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed && s.living() == nil {
		return s.ill
	}
	return nil
}

// living is the process that answers now, or nil: that it has ended may be known
// here before its supervisor has looked. s.mu is held.
func (s *session) living() *life {
	if s.now == nil {
		return nil
	}
	select {
	case <-s.now.process.done:
		s.absent(s.now.process.why, time.Now())
	default:
	}
	return s.now
}

// patience is how long Await waits for the next process.
const patience = 3 * time.Second

// Await waits for the next process where it is started soon.
func (s *session) Await(ctx context.Context) error {
	var late <-chan time.Time
	for {
		s.mu.Lock()
		there := s.closed || s.living() != nil
		ill, soon, changed := s.ill, time.Until(s.until), s.changed
		s.mu.Unlock()
		switch {
		case there:
			return nil
		case soon > patience || s.isBroken():
			return ill
		case late == nil:
			timer := time.NewTimer(patience)
			defer timer.Stop()
			late = timer.C
		}
		select {
		case <-changed:
		case <-late:
			return ill
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// Weight is the memory that the process has for itself; 0 where there is none.
func (s *session) Weight() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.living()
	if l == nil {
		return 0
	}
	bytes, err := ownMemory(l.process.pid)
	if err != nil {
		return 0 // it has ended meanwhile, or this system does not tell
	}
	return bytes
}

// Broken is closed when the process died too often.
func (s *session) Broken() <-chan struct{} { return s.broken }

func (s *session) isBroken() bool {
	select {
	case <-s.broken:
		return true
	default:
		return false
	}
}

// supervise starts the process again when it died, until Close or until it died
// too often.
func (s *session) supervise(ctx context.Context, l *life) {
	defer close(s.done)
	var deaths []time.Time // within the window
	inRow, failed := 0, ""
	policy, log := s.backend.o.Restart, s.backend.o.Logger
	for {
		why, lived := failed, time.Duration(0)
		if l != nil {
			select {
			case <-ctx.Done():
				l.end()
				return
			case <-l.process.done:
			}
			_ = l.remote.Close()
			l.process.close()
			why, lived = l.process.why, time.Since(l.began)
		}
		if lived >= policy.Healthy {
			inRow = 0
		}
		inRow++
		now := time.Now()
		deaths = append(slices.DeleteFunc(deaths, func(at time.Time) bool { return now.Sub(at) > policy.Window }), now)
		if len(deaths) >= policy.Deaths {
			log.Error("a model's process died too often and stays down", "deaths", len(deaths), "reason", why)
			s.giveUp(fmt.Sprintf("the process that runs it died %d times in %v (%s); loading it again tries anew", len(deaths), now.Sub(deaths[0]).Round(time.Second), why))
			return
		}
		pause := pauseAfter(inRow, policy)
		log.Warn("a model's process died and is started again", "reason", why, "pause", pause.String())
		s.without(why, now.Add(pause))
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
		var err error
		if l, err = s.again(ctx); err != nil {
			if ctx.Err() != nil {
				return
			}
			failed = wording.Cut(err.Error())
		}
		s.with(l)
	}
}

// pauseAfter is nothing after the first death, and then First, doubled each time.
func pauseAfter(inRow int, r Restart) time.Duration {
	if inRow <= 1 {
		return 0
	}
	return min(r.First<<min(inRow-2, 20), r.Most)
}

func (s *session) again(ctx context.Context) (*life, error) {
	model, err := s.options.Again()
	if err != nil {
		return nil, err
	}
	return s.backend.open(ctx, model, s.options)
}

// without notes that there is no process until the next one is started.
func (s *session) without(why string, until time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.absent(why, until)
}

// absent is without. s.mu is held.
func (s *session) absent(why string, until time.Time) {
	s.now, s.until = nil, until
	s.ill = &infer.Error{
		Code: infer.Unavailable, Retry: max(time.Second, time.Until(until)),
		Message: "the process that runs it died (" + why + ") and is being started again",
	}
}

// with notes the next process; nil where it could not be started.
func (s *session) with(l *life) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.now = l; l != nil {
		s.ill = nil
		close(s.changed)
		s.changed = make(chan struct{})
	}
}

func (s *session) giveUp(why string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now, s.ill = nil, &infer.Error{Code: infer.Unavailable, Message: why}
	close(s.broken)
	close(s.changed)
	s.changed = make(chan struct{})
}
