package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/goshawk-ai/goshawk/internal/fleet"
	"github.com/goshawk-ai/goshawk/internal/model"
	"github.com/goshawk-ai/goshawk/internal/problem"
	"github.com/goshawk-ai/goshawk/internal/wording"
)

// Beside a running server a change goes through the spool. A request is a folder
// ID.new with request.json and, for an addition, the package; it appears whole,
// by a rename. Whoever renames it next has it: the server to ID.work, to carry it
// out, or its author, back, because nobody came. The answer is the file ID.answer.
const (
	requestFile  = "request.json"
	newSuffix    = ".new"
	workSuffix   = ".work"
	answerSuffix = ".answer"
	bundleDir    = "request"
	packageInDir = "package"

	spoolPoll  = 200 * time.Millisecond  // the server's; there is no portable way to be told
	answerLife = 10 * time.Minute        // an answer that nobody fetched
	takenWait  = 1500 * time.Millisecond // of the two seconds that a change's author waits
)

// request is one change that another process wants.
type request struct {
	Do      string `json:"do"`            // add, remove, alias, calibrate; each can be made twice and is then made once
	Ref     string `json:"ref,omitempty"` // NAME@sha256:HEX
	Alias   string `json:"alias,omitempty"`
	NoAlias bool   `json:"no_alias,omitempty"`

	// Of calibrate, which changes nothing here and may take a while.
	Calibration *Calibration `json:"calibration,omitempty"`
}

// Calibration asks for a measurement of the model that Ref means to the server.
type Calibration struct {
	Ref    string        `json:"ref"`
	Budget time.Duration `json:"budget_ns"`
	Idle   bool          `json:"idle,omitempty"` // only if nobody else uses the machine
}

// longer is how much longer than for a change one waits for the answer, once the
// request was taken up.
func (q *request) longer() time.Duration {
	if q.Calibration == nil {
		return 0
	}
	return q.Calibration.Budget + time.Minute // for loading, and one repetition of a slow model
}

// answer is what the server made of a request.
type answer struct {
	Version *fleet.Version  `json:"version,omitempty"`
	Result  json.RawMessage `json:"result,omitempty"` // of calibrate
	Kind    string          `json:"kind,omitempty"`   // a problem's slug
	Detail  string          `json:"detail,omitempty"`
}

func (a *answer) err() error {
	if a.Detail == "" {
		return nil
	}
	for _, k := range problem.Kinds() {
		if k.Slug == a.Kind {
			return k.New("%s", a.Detail)
		}
	}
	return errors.New(a.Detail)
}

// Start makes the registry carry out what other processes put into the spool,
// until Close.
func (r *Registry) Start(ctx context.Context) {
	ctx, r.stop = context.WithCancel(ctx)
	r.done = make(chan struct{})
	go func() {
		defer close(r.done)
		tick := time.NewTicker(spoolPoll)
		defer tick.Stop()
		for {
			r.serveSpool(ctx)
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
	}()
}

// serveSpool takes up everything that is there, oldest first.
func (r *Registry) serveSpool(ctx context.Context) {
	dir := filepath.Join(r.dir, spoolDir)
	entries, err := os.ReadDir(dir)
	if err != nil {
		r.o.Logger.Error("the spool cannot be read", "cause", err.Error())
		return
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		id, suffix := strings.TrimSuffix(e.Name(), filepath.Ext(e.Name())), filepath.Ext(e.Name())
		switch suffix {
		case newSuffix:
			work := filepath.Join(dir, id+workSuffix)
			if os.Rename(path, work) == nil { // else its author took it back
				r.carryOut(ctx, work, id, false)
			}
		case workSuffix: // a server died over it: every change can be made twice
			if r.isBeside(id) {
				continue
			}
			if _, err := os.Stat(path); err == nil { // else it was answered since the folder was read
				r.carryOut(ctx, path, id, true)
			}
		default:
			removeOld(path, e, r.o.Now())
		}
	}
}

func removeOld(path string, e fs.DirEntry, now time.Time) {
	if info, err := e.Info(); err == nil && now.Sub(info.ModTime()) > answerLife {
		_ = erase(path)
	}
}

// carryOut makes one change, and has it answered when requests are. A calibration
// over which a server died has nobody who waits for it.
func (r *Registry) carryOut(ctx context.Context, work, id string, again bool) {
	q, err := readRequest(work)
	if err == nil && q.Calibration != nil && !again {
		r.calibrate(ctx, q.Calibration, work, id)
		return
	}
	var v fleet.Version
	if err == nil {
		v, err = r.obey(q, work)
	}
	if err != nil || q.Do == "remove" || r.o.Taken == nil {
		r.reply(answer{Version: &v}, err, work, id)
		return
	}
	r.beside(id, func() {
		ctx, cancel := context.WithDeadline(ctx, bornOf(id).Add(takenWait))
		defer cancel()
		r.o.Taken(ctx, q.means(v), v)
		r.reply(answer{Version: &v}, nil, work, id)
	})
}

// calibrate carries a calibration out while others change what they like.
func (r *Registry) calibrate(ctx context.Context, q *Calibration, work, id string) {
	r.beside(id, func() {
		var a answer
		err := error(problem.InvalidRequest.New("who holds the data directory calibrates nothing"))
		if r.o.Calibrate != nil {
			a.Result, err = r.o.Calibrate(ctx, *q)
		}
		r.reply(a, err, work, id)
	})
}

// beside does what is left of a request while others are taken up.
func (r *Registry) beside(id string, rest func()) {
	r.besides.Store(id, true)
	r.side.Go(func() {
		defer r.besides.Delete(id)
		rest()
	})
}

func (r *Registry) isBeside(id string) bool {
	_, busy := r.besides.Load(id)
	return busy
}

// bornOf is when a request was put into the spool, by its id; the zero time of an
// id that no program of this release writes.
func bornOf(id string) (at time.Time) {
	stamp, _, _ := strings.Cut(id, "-")
	if ns, err := strconv.ParseInt(stamp, 10, 64); err == nil {
		at = time.Unix(0, ns)
	}
	return at
}

// reply writes the answer to a request, which is done with.
func (r *Registry) reply(a answer, err error, work, id string) {
	if err != nil {
		p := problem.Of(err)
		a = answer{Kind: p.Kind.Slug, Detail: p.Detail}
		attrs := []any{"reason", p.Detail}
		if cause := errors.Unwrap(p); cause != nil {
			attrs = append(attrs, "cause", cause.Error())
		}
		r.o.Logger.Warn("a change from the spool was refused", attrs...)
	}
	data, err := json.Marshal(a)
	if err == nil {
		// Not synced: whoever waits for an answer does not outlive a crash, and the
		// change itself is on disk.
		passing := disk{fault: r.disk.fault, hasty: true}
		err = passing.replace(filepath.Join(r.dir, spoolDir, id+answerSuffix), data, 0o600)
	}
	if err = errors.Join(err, erase(work)); err != nil {
		r.o.Logger.Error("a change from the spool could not be answered", "cause", err.Error())
	}
}

func readRequest(work string) (q request, err error) {
	data, err := os.ReadFile(filepath.Join(work, requestFile))
	if err != nil {
		return q, err
	}
	if err := json.Unmarshal(data, &q); err != nil {
		return q, problem.InvalidRequest.New("the request in the spool cannot be read: %v", err)
	}
	return q, nil
}

func (r *Registry) obey(q request, work string) (fleet.Version, error) {
	if q.Do != "add" && q.Ref != "" && !isVersion(q.Ref) {
		return fleet.Version{}, problem.InvalidRequest.New("the request in the spool names %s, which may mean another version now than when it was written; ask again with a program of this release", wording.Quote(q.Ref))
	}
	return r.do(q, filepath.Join(work, packageInDir))
}

// means is the reference that leads to v since an addition or the move of an alias.
func (q *request) means(v fleet.Version) string {
	switch {
	case q.Do == "alias":
		return v.Name + "@" + q.Alias
	case q.NoAlias:
		return v.Name + "@" + v.Digest
	}
	return v.Name + "@" + fleet.DefaultAlias
}

// do makes the change; packageDir is on our file system and ours to move.
func (r *Registry) do(q request, packageDir string) (fleet.Version, error) {
	switch q.Do {
	case "remove":
		return r.Remove(q.Ref)
	case "alias":
		return r.Alias(q.Ref, q.Alias)
	case "add":
		p, err := model.Open(os.DirFS(packageDir))
		if err != nil {
			return fleet.Version{}, err
		}
		return r.take(packageDir, p, AddOptions{NoAlias: q.NoAlias})
	}
	if q.Calibration != nil {
		return fleet.Version{}, problem.Overloaded.New("the server was stopped while it measured; ask again")
	}
	return fleet.Version{}, problem.InvalidRequest.New("the server knows no change %s: it is of another release than this program", wording.Quote(q.Do))
}

// submit hands a change to whoever holds the data directory and waits for the
// answer. taken is false when nobody took it up; then it was withdrawn.
func submit(ctx context.Context, dir string, q request, st *stage, wait time.Duration) (v fleet.Version, taken bool, err error) {
	a, taken, err := ask(ctx, dir, q, st, wait)
	if a == nil {
		return v, taken, err
	}
	if a.Version != nil {
		v = *a.Version
	}
	return v, true, a.err()
}

// ask is submit that gives the whole answer, nil where there is none.
func ask(ctx context.Context, dir string, q request, st *stage, wait time.Duration) (a *answer, taken bool, err error) {
	data, err := json.Marshal(q)
	if err != nil {
		return nil, false, err
	}
	bundle := st.path(bundleDir)
	if err := os.WriteFile(filepath.Join(bundle, requestFile), data, 0o600); err != nil {
		return nil, false, storage(dir, err)
	}
	id := filepath.Join(dir, spoolDir, fmt.Sprintf("%020d-%s", time.Now().UnixNano(), filepath.Base(st.dir)))
	if err := os.Rename(bundle, id+newSuffix); err != nil {
		return nil, false, storage(dir, err)
	}
	a, err = await(ctx, id, wait)
	if err != nil || a == nil {
		// Back into the stage, with the package: the caller may try otherwise.
		if os.Rename(id+newSuffix, bundle) == nil {
			return nil, false, err
		}
		if more := q.longer(); err == nil && more > 0 {
			wait += more
			a, err = await(ctx, id, more)
		}
	}
	switch {
	case err != nil:
		return nil, true, err
	case a == nil:
		return nil, true, problem.Overloaded.New("the server has taken the change up and did not answer within %v; 'goshawk models ls' shows whether it was made", wait)
	}
	_ = os.Remove(id + answerSuffix)
	return a, true, nil
}

// await polls for the answer; nil when none came in time.
func await(ctx context.Context, id string, wait time.Duration) (*answer, error) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	late := time.NewTimer(wait)
	defer late.Stop()
	for {
		data, err := os.ReadFile(id + answerSuffix)
		if err == nil {
			a := new(answer)
			return a, json.Unmarshal(data, a)
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		select {
		case <-tick.C:
		case <-late.C:
			return nil, nil
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}
