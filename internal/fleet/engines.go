package fleet

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"os"
	"slices"
	"time"

	"github.com/goshawk-ai/goshawk/internal/infer"
	"github.com/goshawk-ai/goshawk/internal/infer/oip"
	"github.com/goshawk-ai/goshawk/internal/model"
	"github.com/goshawk-ai/goshawk/internal/problem"
	"github.com/goshawk-ai/goshawk/internal/wording"
)

// engines are those who may compute a package's model.
type engines struct {
	here  infer.Backend // this process
	apart infer.Backend // a process for each model; nil where there are none
	hosts []string      // HOST:PORT or HOST of other servers that packages may name
	key   string        // that they are sent; "" where they want none

	threads int // inside a run; 0 leaves it to the package
}

// load gives a model its session, and says why it is in a process of its own
// where it is.
func (o *opening) load(ctx context.Context, m *Model) (err error) {
	p := m.Package
	if p.Manifest.Remote != nil {
		o.doing("asking the other server for its model")
		o.watch.lap(Verify)
		m.Session, err = o.far(ctx, p.Manifest.Remote)
		o.watch.lap(Session)
		return err
	}
	o.doing("reading the model")
	threads := cmp.Or(o.threads, p.Manifest.Serving.Threads)
	data, free, err := o.read(ctx, p, threads)
	if err != nil {
		if _, ours := errors.AsType[*infer.Error](err); ours {
			return loadProblem(ctx, err)
		}
		return err
	}
	defer free()
	info, apart, err := inspect(p, data)
	if err != nil {
		return err
	}
	m.Apart, m.loops = apart, info.Loops
	backend := o.here
	if apart != "" {
		if backend = o.apart; backend == nil {
			return problem.ModelInvalid.New("the model needs a process of its own (%s), and there is none to be had here", apart)
		}
	}
	o.doing("loading the model")
	o.watch.lap(Verify)
	before := o.scale.used()
	m.Session, err = backend.Load(ctx, data, infer.Options{IntraThreads: threads, Again: p.Model})
	if err != nil {
		return loadProblem(ctx, err)
	}
	o.watch.lap(Session)
	if apart == "" {
		// Weights stay as large as they are in the file, give or take what is folded.
		m.session = o.scale.took(before, int64(len(data)))
		m.filled = o.scale.used()
	}
	return nil
}

// read gives a package's model file until free is called. It yields where the load
// will: not for a model that makes threads of its own.
func (e engines) read(ctx context.Context, p *model.Package, threads int) (data []byte, free func(), err error) {
	free = func() {}
	reader, able := e.here.(infer.Reader)
	if !able || !infer.IsAside(ctx) || threads > 1 {
		data, err = p.Model()
		return data, free, err
	}
	data, err = p.ModelBy(func(f *os.File, size int64) (data []byte, err error) {
		data, free, err = reader.ReadAside(ctx, f, size)
		return data, err
	})
	return data, free, err
}

// far connects to the server that a package names, if the operator allows it: a
// stranger's package must not make this program call wherever it likes.
func (e engines) far(ctx context.Context, r *model.Remote) (infer.Session, error) {
	if !e.allowed(r.Address) {
		return nil, problem.ModelInvalid.New("goshawk.yaml names the server %s, which the operator has not allowed; backends.remote_hosts lists those that are", wording.Quote(r.Address))
	}
	o := oip.Options{Model: r.Model, Version: r.Version}
	if r.TLS {
		o.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	} else if e.key != "" && !near(r.Address) {
		return nil, problem.ModelInvalid.New("goshawk.yaml calls the server %s in the clear, where anyone on the way could read the key that it would be sent (backends.remote_key); write its url as grpcs://%s", wording.Quote(r.Address), r.Address)
	}
	o.Key = e.key
	s, err := oip.Connect(ctx, r.Address, o)
	if err != nil {
		return nil, loadProblem(ctx, err)
	}
	return s, nil
}

// proof is how long another server may take to show that its model answers: until
// then nothing else is loaded here.
const proof = 10 * time.Second

// proving is ctx for the load of a package, and for the runs that prove it. Who
// computes here has been checked, and ends.
func proving(ctx context.Context, p *model.Package, within time.Duration) (context.Context, context.CancelFunc) {
	if p.Manifest.Remote == nil {
		return ctx, func() {}
	}
	return context.WithTimeoutCause(ctx, within, problem.ModelUnhealthy.New("the server %s did not answer within %v", wording.Cut(p.Manifest.Remote.Address), within))
}

// near tells whether an address is this machine's own.
func near(address string) bool {
	host, _, err := net.SplitHostPort(address)
	ip, errIP := netip.ParseAddr(host)
	return err == nil && (host == "localhost" || errIP == nil && ip.IsLoopback())
}

func (e engines) allowed(address string) bool {
	host, _, err := net.SplitHostPort(address)
	return err == nil && (slices.Contains(e.hosts, address) || slices.Contains(e.hosts, host))
}

// Ill says why requests would fail now: the model is marked unhealthy, or it is
// computed elsewhere, and whoever does is gone. Otherwise it is nil.
func (m *Model) Ill() error {
	if ill := m.Marked(); ill != nil {
		return ill
	}
	if m.monitor == nil {
		return nil
	}
	return m.illness(m.monitor.Health())
}

// await is Ill that waits a little where that promises an answer.
func (m *Model) await(ctx context.Context) error {
	if ill := m.Marked(); ill != nil {
		return ill
	}
	if m.monitor == nil {
		return nil
	}
	return m.illness(m.monitor.Await(ctx))
}

func (m *Model) illness(err error) error {
	if err == nil {
		return nil
	}
	return m.runProblem(context.Background(), err)
}
