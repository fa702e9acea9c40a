package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/goshawk-ai/goshawk/internal/fleet"
	"github.com/goshawk-ai/goshawk/internal/model"
	"github.com/goshawk-ai/goshawk/internal/problem"
	"github.com/goshawk-ai/goshawk/internal/wording"
)

// Client changes a data directory, whether a server holds it or not: then the
// change goes through the server's spool. It is what commands use.
type Client struct {
	Dir     string
	BuiltIn []BuiltIn
	Checker *fleet.Checker // whatever is added passes its check
	Fetcher Fetcher
	Wait    time.Duration // for the server's answer; 0 is 2 s
}

// AddRequest is what 'models add' was asked for.
type AddRequest struct {
	Source  string // a path, or an address that begins with https://
	SHA256  string // of what the address gives; paths need none
	NoAlias bool   // leave the alias default where it is
	Import  model.ImportOptions
}

// Added is what AddSource made.
type Added struct {
	Version  fleet.Version
	Report   *fleet.Report
	Notes    []string // what the import decided that its caller may want to know
	ByServer bool     // a running server has taken it up
}

// AddSource fetches or reads the source, makes a package of it, checks it in a
// child process and adds it as the newest version of its name. What it refuses
// it refuses with a problem, and leaves nothing behind. say may be nil; it is
// told what is being done.
func (c *Client) AddSource(ctx context.Context, q AddRequest, say func(doing string)) (added *Added, err error) {
	if say == nil {
		say = func(string) {}
	}
	if err := prepare(c.Dir); err != nil {
		return nil, err
	}
	st, err := newStage(c.Dir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, st.close()) }()
	source := q.Source
	if Remote(source) {
		say("fetching")
		if source, err = c.Fetcher.Fetch(ctx, q.Source, q.SHA256, st.dir); err != nil {
			return nil, err
		}
	} else if q.SHA256 != "" {
		return nil, problem.InvalidRequest.New("--sha256 belongs to an https:// address; %s is a path", wording.Quote(q.Source))
	}
	say("reading")
	p, err := model.Import(ctx, source, st.path(bundleDir, packageInDir), q.Import)
	if err != nil {
		return nil, c.full(err)
	}
	say("checking")
	report, err := c.check(ctx, st.path(bundleDir, packageInDir), p)
	if err != nil {
		return nil, err
	}
	say("adding")
	v, taken, err := c.do(ctx, st, request{Do: "add", NoAlias: q.NoAlias})
	if err != nil {
		return nil, err
	}
	return &Added{Version: v, Report: report, Notes: p.Notes, ByServer: taken}, nil
}

func (c *Client) check(ctx context.Context, dir string, p *model.Package) (*fleet.Report, error) {
	r, err := c.Checker.Check(ctx, dir)
	if err != nil {
		return nil, err
	}
	if err := r.Err(); err != nil {
		return nil, err
	}
	if r.Digest != p.Digest {
		return nil, fmt.Errorf("the package changed while it was checked (%s, then %s)", short(p.Digest), short(r.Digest))
	}
	return r, nil
}

func (c *Client) full(err error) error {
	if _, ok := errors.AsType[*problem.Problem](err); ok {
		return err
	}
	return storage(c.Dir, err)
}

// Remove takes a version out, as Registry.Remove does: the one that ref means now.
func (c *Client) Remove(ctx context.Context, ref string) (fleet.Version, error) {
	digest, err := c.settle(meant(ref))
	if err != nil {
		return fleet.Version{}, err
	}
	return c.small(ctx, request{Do: "remove", Ref: digest})
}

// Alias points an alias of ref's name to the version that ref means now.
func (c *Client) Alias(ctx context.Context, ref, alias string) (fleet.Version, error) {
	if err := checkAlias(alias); err != nil {
		return fleet.Version{}, err
	}
	return c.point(ctx, alias, meant(ref))
}

// Rollback points an alias to what it pointed to before.
func (c *Client) Rollback(ctx context.Context, name, alias string) (fleet.Version, error) {
	return c.point(ctx, alias, func(s *state) (*modelRecord, string, error) { return s.before(name, alias) })
}

func (c *Client) point(ctx context.Context, alias string, to choice) (fleet.Version, error) {
	digest, err := c.settle(to)
	if err != nil {
		return fleet.Version{}, err
	}
	return c.small(ctx, request{Do: "alias", Ref: digest, Alias: alias})
}

// A choice picks one version.
type choice func(*state) (m *modelRecord, digest string, err error)

func meant(ref string) choice {
	return func(s *state) (*modelRecord, string, error) {
		m, v, err := s.resolve(ref)
		if err != nil {
			return nil, "", err
		}
		return m, v.Digest, nil
	}
}

// settle makes NAME@sha256:HEX of a choice, before anybody is asked to act on it.
// Until a server takes the change up the same name may mean another version, and
// a server that dies before it has answered makes the change again: "the one
// before" would then be the one that was left.
func (c *Client) settle(pick choice) (ref string, err error) {
	list, err := c.List()
	if err != nil {
		return "", err
	}
	m, digest, err := pick(list.now.Load())
	if err = errors.Join(err, list.Close()); err != nil {
		return "", err
	}
	return m.Name + "@" + digest, nil
}

// List reads what there is, beside whoever holds the directory.
func (c *Client) List() (*Registry, error) { return View(c.Dir, c.BuiltIn, Options{}) }

func (c *Client) small(ctx context.Context, q request) (v fleet.Version, err error) {
	if err := prepare(c.Dir); err != nil {
		return v, err
	}
	st, err := newStage(c.Dir)
	if err != nil {
		return v, err
	}
	defer func() { err = errors.Join(err, st.close()) }()
	v, _, err = c.do(ctx, st, q)
	return v, err
}

// Calibrate has whoever holds the directory measure a model, and gives what it
// answers. held is false where nobody holds it, or nobody who calibrates: then
// the caller may do it.
func (c *Client) Calibrate(ctx context.Context, q Calibration) (result json.RawMessage, held bool, err error) {
	if err := prepare(c.Dir); err != nil {
		return nil, false, err
	}
	st, err := newStage(c.Dir)
	if err != nil {
		return nil, false, err
	}
	defer func() { err = errors.Join(err, st.close()) }()
	a, held, err := ask(ctx, c.Dir, request{Do: "calibrate", Calibration: &q}, st, c.wait())
	if err != nil || a == nil {
		return nil, held, err
	}
	return a.Result, true, a.err()
}

func (c *Client) wait() time.Duration {
	if c.Wait > 0 {
		return c.Wait
	}
	return 2 * time.Second
}

// do makes the change itself where nobody holds the directory, else hands it to
// whoever does. The holder may be a command like this one, which takes nothing
// up but is soon done: then it is the first way again.
func (c *Client) do(ctx context.Context, st *stage, q request) (v fleet.Version, taken bool, err error) {
	wait := c.wait()
	v, err = c.direct(st, q)
	locked, ok := errors.AsType[*LockedError](err)
	if !ok {
		return v, false, err
	}
	if v, taken, err = submit(ctx, c.Dir, q, st, wait); taken || err != nil {
		return v, taken, err
	}
	v, err = c.direct(st, q)
	if _, still := errors.AsType[*LockedError](err); still {
		return v, false, fmt.Errorf("%w; it did not take the change up within %v", locked, wait)
	}
	return v, false, err
}

func (c *Client) direct(st *stage, q request) (fleet.Version, error) {
	r, err := Open(c.Dir, c.BuiltIn, Options{})
	if err != nil {
		return fleet.Version{}, err
	}
	v, err := r.do(q, st.path(bundleDir, packageInDir))
	return v, errors.Join(err, r.Close())
}
