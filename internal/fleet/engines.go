package fleet

import (
	"cmp"
	"context"
	"crypto/tls"
	"net"
	"slices"

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

	threads int // inside a run; 0 leaves it to the package
}

// load makes a session of a package's model, and says why it is in a process of
// its own where it is.
func (e engines) load(ctx context.Context, p *model.Package, say func(string)) (s infer.Session, apart string, err error) {
	if p.Manifest.Remote != nil {
		say("asking the other server for its model")
		s, err := e.far(ctx, p.Manifest.Remote)
		return s, "", err
	}
	say("reading the model")
	data, apart, err := inspect(p)
	if err != nil {
		return nil, "", err
	}
	backend := e.here
	if apart != "" {
		if backend = e.apart; backend == nil {
			return nil, "", problem.ModelInvalid.New("the model needs a process of its own (%s), and there is none to be had here", apart)
		}
	}
	say("loading the model")
	s, err = backend.Load(ctx, data, infer.Options{IntraThreads: cmp.Or(e.threads, p.Manifest.Serving.Threads), Again: p.Model})
	if err != nil {
		return nil, "", loadProblem(ctx, err)
	}
	return s, apart, nil
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
	}
	s, err := oip.Connect(ctx, r.Address, o)
	if err != nil {
		return nil, loadProblem(ctx, err)
	}
	return s, nil
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
