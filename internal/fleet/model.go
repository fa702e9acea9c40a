package fleet

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/goshawk-ai/goshawk/internal/calibrate"
	"github.com/goshawk-ai/goshawk/internal/infer"
	"github.com/goshawk-ai/goshawk/internal/model"
	"github.com/goshawk-ai/goshawk/internal/problem"
	"github.com/goshawk-ai/goshawk/internal/tensor"
	"github.com/goshawk-ai/goshawk/internal/wording"
)

// Model is a loaded version. Everything but its pool of slots is read-only.
type Model struct {
	Version Version
	Package *model.Package
	Binding model.Binding // zero for a model of kind Tensor
	Inputs  []tensor.Spec // all that the model declares
	Outputs []tensor.Spec
	Session infer.Session
	Report  *Report // of the check; nil for a built-in package

	// Rows is how many pictures one run may hold: 0 any number, 1 one at a time,
	// N exactly N. A Slot has the right number and uses the first.
	Rows      int
	Classes   int
	Width     int // of the embedding; 0 where there is none
	LoadTime  time.Duration
	FirstTime time.Duration // of the first run, which allocates what later ones reuse

	// Apart says why the model runs in a process of its own; "" where it runs in
	// this one, or on another server.
	Apart string

	plan    atomic.Pointer[calibrate.Plan]
	session int64        // bytes that making the session took, or that its process takes
	runs    int64        // bytes that the first runs added
	slots   atomic.Int64 // bytes of the slots that were made
	filled  int64        // what was allocated when the session was there

	outputs []output        // logits, then embedding
	monitor infer.Monitored // the session, where it is computed elsewhere

	loops    bool            // how long a run takes depends on data, and may be for ever
	joins    atomic.Bool     // rows of different requests may share a run
	stamina  stamina         // how its runs end
	overruns int             // that make it unhealthy; 0 is Overruns
	condemn  func(why error) // takes it out of service; nil outside of a fleet

	mu      sync.Mutex
	free    []*Slot  // guarded by mu; no run is using them
	batches []*Batch // guarded by mu; the same
}

// output is what one run of the model really gave: not every model declares it.
type output struct {
	name  string
	typ   tensor.Type
	shape []int64
	row   int // elements of one picture
}

// inspect looks at the model file and refuses what can be seen without the runtime.
// apart is why it should run in a process of its own; "" when it need not. That
// it could kill the one it runs in counts more than what its package asks for.
func inspect(p *model.Package, data []byte) (info model.ONNXInfo, apart string, err error) {
	m := &p.Manifest
	info, err = model.InspectONNX(data)
	switch {
	case err != nil:
		return info, "", err
	case len(info.Hazards) > 0:
		apart = "it could kill the process that runs it: " + wording.Cut(info.Hazards[0])
	case m.Serving.Isolation == model.OwnChild:
		apart = "goshawk.yaml asks for it"
	}
	if m.Kind == model.KindTensor {
		return info, apart, nil
	}
	// What the file declares must fit as well as what the runtime makes of it
	// below: where the two differ, the file's promise is wrong.
	if _, err := model.Bind(p, info.Inputs, info.Outputs); err != nil {
		return info, "", err
	}
	return info, apart, nil
}

// opening is how a package is loaded.
type opening struct {
	engines
	scale *scale     // nil weighs nothing
	watch *stopwatch // nil times nothing
	say   func(string)
}

func (o *opening) doing(what string) {
	if o.say != nil {
		o.say(what)
	}
}

// load makes a model of a package: session, binding, and one run that shows the
// outputs' real shapes. o.say is told what is being done, in words that fit "…
// did not end".
func load(ctx context.Context, o opening, p *model.Package, v Version) (*Model, error) {
	began := time.Now()
	m := &Model{Version: v, Package: p}
	if err := o.load(ctx, m); err != nil {
		return nil, err
	}
	m.LoadTime = time.Since(began)
	m.monitor, _ = m.Session.(infer.Monitored)
	if err := m.prepare(ctx, o.doing); err != nil {
		return nil, errors.Join(err, m.Session.Close())
	}
	m.weigh(o.scale)
	return m, nil
}

// weigh counts what the runs so far have added, or what the model's own process
// takes.
func (m *Model) weigh(s *scale) {
	switch other, elsewhere := m.Session.(infer.Weighed); {
	case elsewhere:
		m.session = other.Weight()
	case m.filled > 0:
		m.runs = s.took(m.filled, 0)
	}
}

func (m *Model) prepare(ctx context.Context, say func(string)) error {
	m.Inputs, m.Outputs = m.Session.Inputs(), m.Session.Outputs()
	if !m.Pictures() {
		return m.warm(ctx, say)
	}
	binding, err := model.Bind(m.Package, m.Inputs, m.Outputs)
	if err != nil {
		return err
	}
	m.Binding, m.Rows = *binding, binding.Batch
	if err := m.boundInput(); err != nil {
		return err
	}
	say("running the model on a first picture")
	began := time.Now()
	if err := m.measure(ctx); err != nil {
		return err
	}
	m.FirstTime = time.Since(began)
	m.Answered(m.FirstTime, int64(m.Binding.Recipe.RowBytes())*int64(m.rows()))
	m.Binding.Classes = m.Classes
	return nil
}

// maxInput bounds a run's input, whatever the model declares: 256 MB is a batch
// of 400 pictures of 224 x 224.
const maxInput = 256 << 20

func (m *Model) boundInput() error {
	if size := int64(m.Binding.Recipe.RowBytes()) * int64(m.rows()); size > maxInput {
		return problem.ModelInvalid.New("the input %s takes %d bytes a run, more than the %d that are allowed", wording.Quote(m.Binding.Input.Name), size, maxInput)
	}
	return nil
}

// rows is the number of pictures of the tensor that a slot holds.
func (m *Model) rows() int { return max(1, m.Binding.Batch) }

// inputShape is the declared shape with its open sizes filled in.
func (m *Model) inputShape(rows int) []int64 {
	if m.Binding.Input.Ranked && len(m.Binding.Input.Shape) == 3 {
		return m.Binding.Recipe.Shape() // no axis for the batch
	}
	return append([]int64{int64(rows)}, m.Binding.Recipe.Shape()...)
}

// measure runs the model once, without knowing the outputs' shapes, and checks
// what it gives against what it declares and the labels.
func (m *Model) measure(ctx context.Context) error {
	rows := m.rows()
	in, err := tensor.New(m.Binding.Input.Name, m.Binding.Input.Type, m.inputShape(rows), maxInput)
	if err != nil {
		return problem.ModelInvalid.New("the input %s cannot be made: %v", wording.Quote(m.Binding.Input.Name), err)
	}
	if err := noise(1).fill(&m.Binding.Recipe, in.Data, rows); err != nil {
		return err
	}
	outs := []*tensor.Tensor{{Name: m.Binding.Logits.Name}}
	if m.Binding.Embedding != nil {
		outs = append(outs, &tensor.Tensor{Name: m.Binding.Embedding.Name})
	}
	if err := m.Session.Run(ctx, []*tensor.Tensor{in}, outs); err != nil {
		return m.runProblem(ctx, err)
	}
	if m.Classes, err = m.classes(outs[0], rows); err != nil {
		return err
	}
	for _, t := range outs {
		elements, err := tensor.Elements(t.Shape)
		if err != nil || elements%int64(rows) != 0 || elements == 0 {
			return problem.ModelInvalid.New("the output %s is %v in a test run with %d pictures, which gives no picture its part", wording.Quote(t.Name), t.Shape, rows)
		}
		m.outputs = append(m.outputs, output{t.Name, t.Type, t.Shape, int(elements) / rows})
	}
	if len(outs) == 2 {
		m.Width = m.outputs[1].row
	}
	return nil
}

// classes counts a picture's scores: the only axis beside the batch that is not 1.
func (m *Model) classes(t *tensor.Tensor, rows int) (int, error) {
	per := t.Shape
	if len(per) != 1 || rows != 1 { // a model without an axis for the batch may give [classes]
		if len(per) == 0 || per[0] != int64(rows) {
			return 0, problem.ModelInvalid.New("the output %s is %v in a test run with %d pictures: the first size should be the number of pictures", wording.Quote(t.Name), t.Shape, rows)
		}
		per = per[1:]
	}
	classes := int64(1)
	for _, n := range per {
		if n != 1 && classes != 1 {
			return 0, problem.ModelInvalid.New("the output %s is %v in a test run: a classifier gives one row of scores a picture, [N,classes]", wording.Quote(t.Name), t.Shape)
		}
		classes *= n
	}
	if want := m.Binding.Classes; want > 0 && classes != int64(want) {
		return 0, problem.ModelInvalid.New("the model declares %d classes and gives %d in a test run", want, classes)
	}
	if labels := len(m.Package.Labels); labels > 0 && classes != int64(labels) {
		return 0, problem.ModelInvalid.New("the model has %d outputs, the package %d labels", classes, labels)
	}
	return int(classes), nil
}

// close gives the model's memory back; nobody may hold a slot any more.
func (m *Model) close() error { return m.Session.Close() }
