package app

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/goshawk-ai/goshawk/internal/fleet"
	"github.com/goshawk-ai/goshawk/internal/oipapi"
	"github.com/goshawk-ai/goshawk/internal/predict"
	"github.com/goshawk-ai/goshawk/internal/problem"
)

// repository tells the doors of the Open Inference Protocol what is served.
type repository struct {
	fleet     *fleet.Fleet
	predictor *predict.Predictor
}

var _ oipapi.Repository = repository{}

// Describe implements oipapi.Repository.
func (r repository) Describe(ctx context.Context, ref string) (oipapi.Description, error) {
	m, release, err := r.fleet.AcquireContext(ctx, ref)
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
		d.Versions = append(d.Versions, strconv.Itoa(s.Number))
	}
	if d.Pictures {
		d.Scores, d.Labels = m.Binding.Logits.Name, m.Package.Labels
	}
	if m.Batched() {
		d.MaxBatch = maxBatch
	}
	return d, nil
}

// maxBatch is what the configuration says of a model without a bound of its own:
// requests of any size are taken, within the body's limit.
const maxBatch = 64

// versions are those of a name, by number.
func (r repository) versions(name string) []fleet.Status {
	all := r.fleet.Models()
	all = slices.DeleteFunc(all, func(s fleet.Status) bool { return s.Name != name })
	slices.SortFunc(all, func(a, b fleet.Status) int { return a.Number - b.Number })
	return all
}

// Ready implements oipapi.Repository. It wakes nothing: a probe is no request.
func (r repository) Ready(ref string) error {
	s, err := r.fleet.Status(ref)
	if err != nil {
		return err
	}
	if s.State == fleet.Ready {
		return nil
	}
	return problem.ModelUnhealthy.New("the model %q is not ready: %s", s.Name, state(s).Reason)
}

// Index implements oipapi.Repository.
func (r repository) Index() []oipapi.State {
	all := r.fleet.Models()
	slices.SortFunc(all, func(a, b fleet.Status) int {
		if c := strings.Compare(a.Name, b.Name); c != 0 {
			return c
		}
		return a.Number - b.Number
	})
	list := make([]oipapi.State, len(all))
	for i, s := range all {
		list[i] = state(s)
	}
	return list
}

// state says a version's with the protocol's words.
func state(s fleet.Status) oipapi.State {
	line := oipapi.State{Name: s.Name, Number: strconv.Itoa(s.Number), State: "UNAVAILABLE", Reason: s.Reason}
	switch s.State {
	case fleet.Ready:
		line.State = "READY"
	case fleet.Loading:
		line.State, line.Reason = "LOADING", "it is being loaded"
	case fleet.Sleeping:
		line.Reason = "it sleeps, and is loaded when it is asked for"
	}
	return line
}

// Statistics implements oipapi.Repository.
func (r repository) Statistics(ref string) ([]oipapi.Statistics, error) {
	var which []fleet.Status
	name, number, one := strings.Cut(ref, "/")
	if ref == "" {
		which = r.fleet.Models()
	} else if which = r.versions(name); one {
		which = slices.DeleteFunc(which, func(s fleet.Status) bool { return strconv.Itoa(s.Number) != number })
	}
	if ref != "" && len(which) == 0 {
		return nil, problem.ModelNotFound.New("there is no model %q", ref)
	}
	list := make([]oipapi.Statistics, len(which))
	for i, s := range which {
		list[i] = statistics(s, r.predictor.Statistics(s.Digest))
	}
	return list, nil
}

func statistics(v fleet.Status, s predict.Statistics) oipapi.Statistics {
	doc := oipapi.Statistics{
		Name: v.Name, Number: strconv.Itoa(v.Number), LastInference: s.Last, Inferences: s.Rows, Executions: s.Runs,
		Success: oipapi.Count(s.Success), Fail: oipapi.Count(s.Fail),
		Queue: oipapi.Count(s.Queue), Input: oipapi.Count(s.Input), Infer: oipapi.Count(s.Infer),
		// Outputs are taken from where the run left them: it happens, and takes no time of its own.
		Output:  oipapi.Count{Times: s.Infer.Times},
		Batches: make(map[int]oipapi.BatchCount, len(s.Batches)),
	}
	for size, b := range s.Batches {
		doc.Batches[size] = oipapi.BatchCount{Input: oipapi.Count(b.Input), Infer: oipapi.Count(b.Infer), Output: oipapi.Count{Times: b.Infer.Times}}
	}
	return doc
}

// Load implements oipapi.Repository.
func (r repository) Load(ctx context.Context, name string, o oipapi.LoadOptions) error {
	if o.Config != "" || len(o.Files) > 0 {
		return problem.InvalidRequest.New("loading %q with a config or files of the request's own is not served yet", name)
	}
	return r.fleet.Load(ctx, name)
}

// Unload implements oipapi.Repository.
func (r repository) Unload(ctx context.Context, name string) error { return r.fleet.Unload(ctx, name) }
