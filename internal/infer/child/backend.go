package child

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/goshawk-ai/goshawk/internal/infer"
	"github.com/goshawk-ai/goshawk/internal/infer/oip"
)

// Options of New. The zero value of each but Engine is fit to use.
type Options struct {
	Engine  infer.Backend // whose name and version the children have too
	Program []string      // the command that runs WorkerMain; nil is this program with Command
	Library string        // the runtime's; "" leaves it to the child to find
	Memory  int64         // 1 GB: for the runs of one child
	Runs    int           // 2: at a time in one child
	Load    time.Duration // 30 s: of one load
	Logger  *slog.Logger
	Restart Restart
}

// Restart says how a child that died is started again: at once the first time,
// and then after First, twice First, and so on up to Most. After Healthy without
// a death this begins anew. Deaths within Window are the end: the session is broken.
type Restart struct {
	First, Most     time.Duration // 1 s, 30 s
	Healthy, Window time.Duration // 1 min, 5 min
	Deaths          int           // 5
}

func (r Restart) filled() Restart {
	r.First, r.Most = cmp.Or(r.First, time.Second), cmp.Or(r.Most, 30*time.Second)
	r.Healthy, r.Window = cmp.Or(r.Healthy, time.Minute), cmp.Or(r.Window, 5*time.Minute)
	r.Deaths = cmp.Or(r.Deaths, 5)
	return r
}

// Backend loads each model in a process of its own.
type Backend struct{ o Options }

var _ infer.Backend = (*Backend)(nil)

// New makes the backend, which starts nothing before Load.
func New(o Options) *Backend {
	o.Memory, o.Runs, o.Load = cmp.Or(o.Memory, 1e9), cmp.Or(o.Runs, 2), cmp.Or(o.Load, 30*time.Second)
	o.Restart = o.Restart.filled()
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Backend{o}
}

// Name is the engine's.
func (b *Backend) Name() string { return b.o.Engine.Name() }

// Version is the engine's.
func (b *Backend) Version() string { return b.o.Engine.Version() }

// Load starts a process and loads the model there.
func (b *Backend) Load(ctx context.Context, model []byte, o infer.Options) (infer.Session, error) {
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	s := &session{backend: b, options: o, changed: make(chan struct{}), broken: make(chan struct{}), done: make(chan struct{})}
	if s.options.Again == nil {
		kept := append([]byte(nil), model...)
		s.options.Again = func() ([]byte, error) { return kept, nil }
	}
	first, err := b.open(ctx, model, o)
	if err != nil {
		return nil, err
	}
	s.ins, s.outs, s.now = first.process.greeting.Inputs, first.process.greeting.Outputs, first
	ctx, s.stop = context.WithCancel(context.WithoutCancel(ctx))
	go s.supervise(ctx, first)
	return s, nil
}

// life is one process, and the way to it.
type life struct {
	process *process
	remote  *oip.Backend
	session infer.Session
	began   time.Time
}

func (b *Backend) open(ctx context.Context, model []byte, o infer.Options) (*life, error) {
	program, err := b.program()
	if err != nil {
		return nil, err
	}
	timed, cancel := context.WithTimeoutCause(ctx, b.o.Load, fmt.Errorf("the model was not loaded within %v", b.o.Load))
	defer cancel()
	p, err := start(timed, program, request{
		Library: b.o.Library, Memory: b.o.Memory, Runs: b.o.Runs, Connections: min(b.o.Runs, 4),
		IntraThreads: o.IntraThreads, Raw: o.Raw,
	}, model, b.o.Logger)
	if err != nil {
		return nil, err
	}
	l := &life{process: p, began: time.Now()}
	l.remote, err = oip.Open("", oip.Options{
		Model: modelName, Connections: len(p.conns), Dial: dialer(p.conns),
		Inputs: p.greeting.Inputs, Outputs: p.greeting.Outputs,
	})
	if err == nil {
		l.session, err = l.remote.Load(timed, nil, o)
	}
	if err != nil {
		l.end()
		return nil, err
	}
	return l, nil
}

func (b *Backend) program() ([]string, error) {
	if len(b.o.Program) > 0 {
		return b.o.Program, nil
	}
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program's own file: %w", err)
	}
	return []string{self, Command}, nil
}

// end ends the process; no run may be in it that shall be answered.
func (l *life) end() {
	if l.remote != nil {
		_ = l.remote.Close()
	}
	l.process.end(2 * time.Second)
}
