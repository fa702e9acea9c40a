package app

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/goshawk-ai/goshawk/internal/fleet"
	"github.com/goshawk-ai/goshawk/internal/oipapi"
	"github.com/goshawk-ai/goshawk/internal/predict"
	"github.com/goshawk-ai/goshawk/internal/problem"
	"github.com/goshawk-ai/goshawk/internal/registry/folder"
)

// repository tells the doors of the Open Inference Protocol what is served, and
// changes it for them.
type repository struct {
	fleet     *fleet.Fleet
	predictor *predict.Predictor
	sources   *sources
	checker   *fleet.Checker
	turn      chan struct{} // held while something is loaded or unloaded
}

var _ oipapi.Repository = (*repository)(nil)

func newRepository(e *engine) *repository {
	return &repository{e.fleet, e.predictor, e.sources, e.checker, make(chan struct{}, 1)}
}

// Describe implements oipapi.Repository.
func (r *repository) Describe(ctx context.Context, ref string) (oipapi.Description, error) {
	m, release, err := r.fleet.Look(ctx, ref)
	if err != nil {
		return oipapi.Description{}, err
	}
	defer release()
	d := oipapi.Description{
		Name: m.Version.Name, Number: strconv.Itoa(m.Version.Number),
		Platform: "onnxruntime_onnx", Backend: "onnxruntime",
		Inputs: m.Inputs, Outputs: m.Outputs, Pictures: m.Pictures(),
	}
	for _, s := range r.versions(m.Version.Name) {
		n := strconv.Itoa(s.Number)
		if s.State != fleet.Failed && !slices.Contains(d.Versions, n) { // one whose files are replaced is there twice
			d.Versions = append(d.Versions, n)
		}
	}
	if d.Pictures {
		d.Scores, d.Labels = m.Binding.Logits.Name, m.Package.Labels
	} else if len(m.Package.Labels) > 0 {
		d.Scores, d.Labels = m.Package.Manifest.Output.Tensor, m.Package.Labels
	}
	if m.Batched() {
		d.MaxBatch = cmp.Or(m.Package.Manifest.Serving.MaxBatchSize, maxBatch)
	}
	plan := m.Plan()
	d.Instances, d.Batch, d.Delay = plan.Instances, plan.Batch, plan.Delay
	d.Parameters = planParameters(plan)
	if d.Pictures {
		d.Parameters["encoded_pictures"] = "true"
	}
	return d, nil
}

// maxBatch is what the configuration says of a model without a bound of its own:
// requests of any size are taken, within the body's limit.
const maxBatch = 64

// versions are those of a name, by number, without what has no number.
func (r *repository) versions(name string) []fleet.Status {
	all := r.fleet.Models()
	return slices.DeleteFunc(all, func(s fleet.Status) bool { return s.Name != name || s.Number == 0 })
}

// Ready implements oipapi.Repository. It wakes nothing: a probe is no request,
// and who sleeps wakes by itself when one comes.
func (r *repository) Ready(ref string) error {
	s, err := r.fleet.Status(ref)
	if err != nil {
		return err
	}
	line := state(s)
	if line.State == "READY" {
		return nil
	}
	return problem.ModelUnhealthy.New("the model %q is not ready: %s", s.Name, line.Reason)
}

// Index implements oipapi.Repository.
func (r *repository) Index() []oipapi.State {
	all := r.fleet.Models()
	list := make([]oipapi.State, 0, len(all))
	for _, s := range all {
		line := state(s)
		if last := len(list) - 1; last >= 0 && list[last].Name == line.Name && list[last].Number == line.Number {
			list[last] = replaced(list[last], line)
			continue
		}
		list = append(list, line)
	}
	return list
}

// replaced makes one line of two for the same number, whose files were replaced:
// the one that answers, and what became of the other.
func replaced(a, b oipapi.State) oipapi.State {
	if b.State == "READY" {
		a, b = b, a
	}
	switch {
	case a.State == "READY" && b.State == "LOADING":
		a.Reason = "its files were replaced, and what they are now is being loaded"
	case a.State == "READY" && b.State == "UNAVAILABLE":
		a.Reason = "its files were replaced, and what they are now cannot be served: " + b.Reason
	}
	return a
}

// state says a version's with the protocol's words. What has no number has none
// there either.
func state(s fleet.Status) oipapi.State {
	line := oipapi.State{Name: s.Name, State: "UNAVAILABLE", Reason: s.Reason}
	if s.Number > 0 {
		line.Number = strconv.Itoa(s.Number)
	}
	switch s.State {
	case fleet.Ready:
		line.State = "READY"
	case fleet.Loading:
		line.State, line.Reason = "LOADING", "it is being loaded"
	case fleet.Unloaded:
		line.Reason = "it is unloaded, until it is loaded by request"
	case fleet.Sleeping:
		// Clients ask whether a model is ready before they send it anything, and
		// give up when it is not: one that wakes by itself is ready for them.
		line.State = "READY"
		if line.Reason == "" {
			line.Reason = "it sleeps, and a request wakes it"
		}
	}
	return line
}

// Statistics implements oipapi.Repository.
func (r *repository) Statistics(ref string) ([]oipapi.Statistics, error) {
	var which []fleet.Status
	name, number, one := strings.Cut(ref, "/")
	if ref == "" {
		which = slices.DeleteFunc(r.fleet.Models(), func(s fleet.Status) bool { return s.Number == 0 })
	} else if which = r.versions(name); one {
		which = slices.DeleteFunc(which, func(s fleet.Status) bool { return strconv.Itoa(s.Number) != number })
	}
	if ref != "" && len(which) == 0 {
		return nil, problem.ModelNotFound.New("there is no model %q", ref)
	}
	list := make([]oipapi.Statistics, len(which))
	for i, s := range which {
		list[i] = oipapi.Statistics{Name: s.Name, Number: strconv.Itoa(s.Number), Statistics: r.predictor.Statistics(s.Digest)}
	}
	return list, nil
}

// Load implements oipapi.Repository. What a request brings is checked before it
// takes anybody's place; what it replaces goes on until it answers.
func (r *repository) Load(ctx context.Context, name string, o oipapi.LoadOptions) error {
	release, err := r.wait(ctx)
	if err != nil {
		return err
	}
	defer release()
	if o.Config == "" && len(o.Files) == 0 {
		r.sources.refresh(ctx, name)
		return r.fleet.Load(ctx, name)
	}
	versions, err := r.brought(ctx, name, o)
	if err != nil {
		return errors.Join(err, r.sources.loads.Sweep())
	}
	s, err := r.fleet.Status(name)
	idle := err != nil || s.State == fleet.Unloaded
	before := r.sources.loads.Put(name, versions)
	r.sources.tell()
	if err := r.fleet.Load(ctx, name); err != nil {
		return errors.Join(err, r.undo(context.WithoutCancel(ctx), name, before, idle))
	}
	return r.sources.loads.Sweep()
}

// undo puts back what a failed load has replaced. What was not in service
// before is not so afterwards.
func (r *repository) undo(ctx context.Context, name string, before []fleet.Version, idle bool) error {
	var err error
	if idle {
		err = r.fleet.Unload(ctx, name)
	}
	r.sources.loads.Put(name, before)
	r.sources.tell()
	return errors.Join(err, r.sources.loads.Sweep())
}

// brought makes versions of what a request brought, and has each of them checked.
func (r *repository) brought(ctx context.Context, name string, o oipapi.LoadOptions) ([]fleet.Version, error) {
	base, err := r.sources.base(ctx, name)
	if err != nil {
		return nil, err
	}
	versions, err := r.sources.loads.Make(ctx, name, folder.Override(o), base)
	if err != nil {
		return nil, err
	}
	for _, v := range versions {
		dir, ok := r.sources.loads.Directory(v.Digest)
		if !ok {
			return nil, problem.Internal.New("the files of the model %q are gone", name)
		}
		report, err := r.checker.Check(ctx, dir)
		if err == nil {
			err = report.Err()
		}
		if err != nil {
			return nil, err
		}
	}
	return versions, nil
}

// wait takes the turn: what changes the repository is done one after the other.
func (r *repository) wait(ctx context.Context) (release func(), err error) {
	select {
	case r.turn <- struct{}{}:
		return func() { <-r.turn }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// Unload implements oipapi.Repository. What a request brought is forgotten.
func (r *repository) Unload(ctx context.Context, name string) error {
	release, err := r.wait(ctx)
	if err != nil {
		return err
	}
	defer release()
	if err := r.fleet.Unload(ctx, name); err != nil {
		return err
	}
	if r.sources.loads.Put(name, nil) != nil {
		r.sources.tell()
	}
	return r.sources.loads.Sweep()
}
