package oipapi

import (
	"cmp"
	"context"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goshawk-ai/goshawk/internal/model"
	"github.com/goshawk-ai/goshawk/internal/predict"
	"github.com/goshawk-ai/goshawk/internal/problem"
	"github.com/goshawk-ai/goshawk/internal/tensor"
)

// Inference answers tensors. *predict.Predictor is one.
type Inference interface {
	Tensors(ctx context.Context, r *predict.TensorRequest) (*predict.TensorAnswer, error)
}

// Repository tells what is served and changes it. A reference is NAME, which
// means its default version, or NAME/N. What is not there is problem.ModelNotFound.
type Repository interface {
	// Describe loads a version that sleeps: its tensors are not known before.
	Describe(ctx context.Context, ref string) (Description, error)
	// Ready is nil when a request for ref would be answered now.
	Ready(ref string) error
	// Index lists all versions, by name and number.
	Index() []State
	// Statistics counts what a version did since the server began; all versions
	// of NAME, or of all models when ref is "".
	Statistics(ref string) ([]Statistics, error)
	// Load makes the model's newest version current, reading it anew. It waits
	// until the version answers, or fails with the reason why it never will.
	Load(ctx context.Context, name string, o LoadOptions) error
	// Unload takes all versions of a model out of service. Requests under way end first.
	Unload(ctx context.Context, name string) error
}

// Description is what a version takes and gives.
type Description struct {
	Name     string
	Number   string   // of the version
	Versions []string // numbers of all versions of the name, ascending
	Platform string   // onnxruntime_onnx
	Backend  string   // onnxruntime
	Inputs   []tensor.Spec
	Outputs  []tensor.Spec
	Pictures bool          // takes encoded pictures in place of its input, as BYTES [N] or [N,1]
	Scores   string        // the output whose last axis is Labels
	Labels   []model.Label // none for a model of tensors
	MaxBatch int           // rows of one run; 0 when the first axis is no batch

	Instances  int               // runs at a time
	Batch      int               // rows that requests are put together to
	Delay      time.Duration     // for which a run waits for them
	Parameters map[string]string // what Triton's configuration has no word for
}

// State is a line of the repository's index.
type State struct {
	Name   string
	Number string
	State  string // READY, LOADING, UNLOADING, UNAVAILABLE
	Reason string // why it is not ready
}

// LoadOptions are what a client may send with a load.
type LoadOptions struct {
	Config string            // replaces the model's configuration, for this load
	Files  map[string][]byte // VERSION/FILE: replaces the model's directory, for this load
}

// Statistics are one version's, since the server began. Outputs are taken from
// where a run left them: that happens, and takes no time of its own.
type Statistics struct {
	Name, Number string
	predict.Statistics
}

// taken is how often the model's outputs were taken.
func taken(infer predict.Count) predict.Count { return predict.Count{Times: infer.Times} }

// call is one inference as the protocol asks for it, whichever form it came in.
type call struct {
	id         string // the caller's, given back
	model      string
	ref        string // to the model's version that is meant
	parameters map[string]any
	inputs     []*tensor.Tensor
	outputs    []output            // none: all, without parameters
	trace      *trace              // nil: it is not traced
	reserve    func(n int64) error // room for what is made of the answer
}

// output is what a caller wants of one output.
type output struct {
	name    string
	classes int  // above 0: the best so many as "value:index:label", BYTES
	binary  bool // REST: as binary data behind the JSON
}

// answer is what goes back.
type answer struct {
	id      string
	model   string
	version string
	outputs []*tensor.Tensor // in the order of call.outputs where it has some
}

// service is the protocol without its forms: what REST and gRPC have in common.
type service struct {
	inference  Inference
	repository Repository
}

// maxTimeout bounds a caller's timeout parameter; nobody means more.
const maxTimeout = 24 * time.Hour

// infer answers a call.
func (s *service) infer(ctx context.Context, c *call) (*answer, error) {
	c.trace.mark("REQUEST_START", time.Now())
	defer func() { c.trace.mark("REQUEST_END", time.Now()) }()
	c.trace.show("TENSOR_QUEUE_INPUT", c.inputs)
	if err := refuseUnserved(c.parameters); err != nil {
		return nil, err
	}
	timeout, err := microseconds(c.parameters["timeout"])
	if err != nil {
		return nil, err
	}
	priority, err := level(c.parameters["priority"])
	if err != nil {
		return nil, err
	}
	if timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, timeout, problem.DeadlineExceeded.New("the request was not done within its timeout of %v", timeout))
		defer cancel()
	}
	r := predict.TensorRequest{Model: c.ref, Inputs: c.inputs, Priority: priority}
	for _, o := range c.outputs {
		r.Outputs = append(r.Outputs, o.name)
	}
	done, err := s.inference.Tensors(ctx, &r)
	if err != nil {
		return nil, err
	}
	c.trace.computed(done)
	c.trace.show("TENSOR_BACKEND_OUTPUT", done.Outputs)
	c.trace.mark("INFER_RESPONSE_COMPLETE", time.Now())
	a := &answer{id: c.id, model: c.model, version: strconv.Itoa(done.Version.Number), outputs: done.Outputs}
	for i, o := range c.outputs {
		if o.classes > 0 {
			labels := done.Labels
			if o.name != done.Scores {
				labels = nil
			}
			if a.outputs[i], err = classify(a.outputs[i], o.classes, done.Batch, labels, c.reserve); err != nil {
				return nil, err
			}
		}
	}
	return a, nil
}

// reference is how the rooms below name a version.
func reference(name, version string) string {
	if version == "" {
		return name
	}
	return name + "/" + version
}

// refuseUnserved names the parameters of extensions that are not served here. A
// server that ignored them would answer something else than it was asked for.
func refuseUnserved(parameters map[string]any) error {
	for _, name := range slices.Sorted(maps.Keys(parameters)) { // so that the answer is always the same
		value := parameters[name]
		switch {
		case strings.HasPrefix(name, "shared_memory_"):
			return problem.InvalidRequest.New("shared memory is not served here (parameter %s); send the data with the request", name)
		case name == "sequence_id" && value != int64(0) && value != "" && value != 0.0:
			return problem.InvalidRequest.New("sequences are not served here (parameter sequence_id): no model keeps a state between requests")
		}
	}
	return nil
}

// microseconds reads a timeout, which is a whole number of microseconds.
func microseconds(value any) (time.Duration, error) {
	var n int64
	switch v := value.(type) {
	case nil:
		return 0, nil
	case int64:
		n = v
	case uint64:
		n = int64(min(v, math.MaxInt64))
	default:
		return 0, problem.InvalidRequest.New("the parameter timeout is a whole number of microseconds")
	}
	if n < 0 {
		return 0, problem.InvalidRequest.New("the parameter timeout is %d; it is a number of microseconds", n)
	}
	return time.Duration(min(n, int64(maxTimeout/time.Microsecond))) * time.Microsecond, nil
}

// level reads a priority: 1 is served first, 0 is the model's default. One that
// the model has no level for is its default too, as with Triton.
func level(value any) (int, error) {
	var n int64
	switch v := value.(type) {
	case nil:
		return 0, nil
	case int64:
		n = v
	case uint64:
		n = int64(min(v, math.MaxInt32))
	default:
		return 0, problem.InvalidRequest.New("the parameter priority is a whole number: 1 is served first, 0 is the model's default")
	}
	if n < 0 {
		return 0, problem.InvalidRequest.New("the parameter priority is %d; 1 is served first, 0 is the model's default", n)
	}
	return int(min(n, math.MaxInt32)), nil
}

// classify turns scores into the best k of each row, as Triton's classification
// extension writes them: "value:index" or "value:index:label", [N,k]. Without a batch
// all scores are one row, and there are [k].
func classify(t *tensor.Tensor, k int, batch bool, labels []model.Label, reserve func(n int64) error) (*tensor.Tensor, error) {
	if t.Type.Size() == 0 || len(t.Shape) == 0 {
		return nil, problem.InvalidRequest.New("the output %q is %s %v, of which there is no best class", t.Name, t.Type.Protocol(), t.Shape)
	}
	all := len(t.Data) / t.Type.Size()
	rows, classes := 1, all
	if batch {
		rows, classes = int(t.Shape[0]), 0
	}
	if rows > 0 {
		classes = all / rows
	}
	k = min(k, classes)
	const word = 8 // of a value, of an index
	if err := reserve(int64(all)*word + int64(classes)*word + int64(rows)*int64(k)*tensor.StringSpace); err != nil {
		return nil, err
	}
	best := &tensor.Tensor{Name: t.Name, Type: tensor.String, Shape: []int64{int64(k)}}
	if batch {
		best.Shape = []int64{int64(rows), int64(k)}
	}
	compare, text := scores(t)
	order := make([]int, classes)
	for row := range rows {
		from := row * classes
		for i := range order {
			order[i] = i
		}
		slices.SortStableFunc(order, func(a, b int) int { return compare(from+a, from+b) })
		for _, i := range order[:k] {
			one := append(text(from+i), ':')
			one = strconv.AppendInt(one, int64(i), 10)
			if i < len(labels) && len(labels) == classes {
				one = append(append(one, ':'), labels[i].Name...)
			}
			best.Strings = append(best.Strings, one)
		}
	}
	return best, nil
}

// scores tells how a tensor's elements are ordered, the best first, and how one is
// written: whole numbers as such, others with six digits behind the point.
func scores(t *tensor.Tensor) (compare func(a, b int) int, text func(i int) []byte) {
	switch t.Type {
	case tensor.Int64: // which a float64 does not hold
		v := tensor.View[int64](t.Data)
		return func(a, b int) int { return cmp.Compare(v[b], v[a]) }, func(i int) []byte { return strconv.AppendInt(nil, v[i], 10) }
	case tensor.Uint64:
		v := tensor.View[uint64](t.Data)
		return func(a, b int) int { return cmp.Compare(v[b], v[a]) }, func(i int) []byte { return strconv.AppendUint(nil, v[i], 10) }
	}
	digits := 0
	switch t.Type {
	case tensor.Float16, tensor.BFloat16, tensor.Float32, tensor.Float64:
		digits = 6
	}
	v := make([]float64, len(t.Data)/t.Type.Size())
	tensor.Widen(v, t)
	return func(a, b int) int { return descending(v[a], v[b]) }, func(i int) []byte { return strconv.AppendFloat(nil, v[i], 'f', digits, 64) }
}

// descending orders scores from the best on; what is no number comes last.
func descending(a, b float64) int {
	switch {
	case math.IsNaN(a) || math.IsNaN(b):
		if math.IsNaN(a) && !math.IsNaN(b) {
			return 1
		}
		if math.IsNaN(b) && !math.IsNaN(a) {
			return -1
		}
		return 0
	case a > b:
		return -1
	case a < b:
		return 1
	}
	return 0
}
