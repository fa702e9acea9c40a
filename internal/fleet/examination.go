package fleet

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/goshawk-ai/goshawk/internal/interpret"
	"github.com/goshawk-ai/goshawk/internal/model"
	"github.com/goshawk-ai/goshawk/internal/picture"
	"github.com/goshawk-ai/goshawk/internal/problem"
	"github.com/goshawk-ai/goshawk/internal/tensor"
	"github.com/goshawk-ai/goshawk/internal/wording"
)

// examination is one check of a loaded model. Its steps run in the order of run.
type examination struct {
	*Model
	report  *Report
	decoder *picture.Decoder
	say     func(string)
	scores  [][]float32 // of the noise pictures
}

// whiteTime is how long the model may take for a picture of one color, which is
// stopped then: a model that hangs there is no reason to refuse it, since a
// request has a deadline of its own, but its owner is told.
const whiteTime = 2 * time.Second

func (x *examination) run(ctx context.Context) error {
	if !x.Pictures() {
		return nil // its first run is all that can be known of it
	}
	for _, step := range []func(context.Context) error{
		x.noise, x.flat, x.batch, x.activation, x.probe, x.parity,
	} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	x.report.Rows, x.report.Activation = x.Rows, x.Binding.Activation
	return nil
}

func (x *examination) warn(format string, args ...any) {
	x.report.Warnings = append(x.report.Warnings, fmt.Sprintf(format, args...))
}

// noise shows the model three pictures, the first of them twice.
func (x *examination) noise(ctx context.Context) error {
	x.say("running the model on a test picture")
	quickest := time.Duration(math.MaxInt64)
	for seed := uint64(1); seed <= 3; seed++ {
		began := time.Now()
		rows, err := x.infer(ctx, noise(seed))
		if err != nil {
			return err
		}
		quickest = min(quickest, time.Since(began))
		if err := x.usable(rows[0]); err != nil {
			return err
		}
		x.scores = append(x.scores, rows[0])
	}
	again, err := x.infer(ctx, noise(1))
	if err != nil {
		return err
	}
	if !slices.Equal(again[0], x.scores[0]) {
		x.warn("two runs of the same picture differ by up to %.4g: answers are not repeatable", difference(again[0], x.scores[0]))
	}
	x.report.RunMS = ms(quickest)
	return nil
}

func (x *examination) usable(scores []float32) error {
	// Softmax is the strictest reader: what it can use, the others can.
	activation := model.Softmax
	if x.Binding.Activation == model.Sigmoid {
		activation = model.Sigmoid
	}
	return unusable(interpret.Probabilities(make([]float64, len(scores)), scores, activation, 1))
}

// flat shows the model a black and a white picture. Real uploads hold such
// pictures, but a model that fails on one serves all others.
func (x *examination) flat(ctx context.Context) error {
	for _, s := range []scene{flat("black", 0), flat("white", 255)} {
		timed, cancel := context.WithTimeoutCause(ctx, whiteTime, errLate)
		rows, err := x.infer(timed, s)
		cancel()
		if err == nil {
			err = x.usable(rows[0])
		}
		switch {
		case errors.Is(err, errLate):
			x.warn("a run on a %s picture did not end within %v: such a request will meet its deadline", s.name, whiteTime)
		case err != nil:
			x.warn("on a %s picture: %s", s.name, sentence(err))
		}
	}
	return nil
}

// batch runs two pictures together, where the model says it can, and compares
// with what each gives alone: nobody's answer may depend on somebody else's picture.
func (x *examination) batch(ctx context.Context) error {
	if x.Binding.Batch != 0 {
		return nil
	}
	x.say("running the model on two pictures at a time")
	one := func(why string, args ...any) error {
		x.Rows = 1
		x.warn("pictures are run one at a time: "+why, args...)
		return nil
	}
	both, err := x.infer(ctx, noise(1), noise(2))
	switch {
	case ctx.Err() != nil:
		return err
	case err != nil:
		return one("a run of two fails: %s", sentence(err))
	}
	for i, row := range both {
		if d := difference(row, x.scores[i]); !(d <= 1e-4*largest(x.scores[i])+1e-6) {
			return one("in a run of two, the scores of one differ by %.4g from those it gets alone", d)
		}
	}
	return nil
}

// activation finds out whether the outputs are probabilities already.
func (x *examination) activation(context.Context) error {
	sums, within := true, true
	for _, row := range x.scores {
		sum := 0.0
		for _, s := range row {
			sum += float64(s)
			within = within && s >= -1e-4 && s <= 1+1e-4
		}
		sums = sums && math.Abs(sum-1) < 1e-3
	}
	switch {
	case x.Binding.Activation == model.None && !within:
		return problem.ModelInvalid.New("output.activation is none, but the outputs are no probabilities: they lie outside 0 to 1; say softmax or sigmoid")
	case x.Binding.Activation == model.Softmax && sums && within && x.Classes > 1:
		x.Binding.Activation = model.None
		x.warn("the outputs are probabilities already (they sum to 1), so no softmax is applied; say activation: none under output")
	}
	return nil
}

func (x *examination) probe(ctx context.Context) error {
	x.say("running the model on the probe picture")
	label, err := x.Probe(ctx, x.decoder)
	if x.Package.Manifest.Probe != nil {
		x.report.Probe = label
	}
	return err
}

// infer runs the scenes together and copies the scores of each. A model of fixed
// batch runs the one scene in every row.
func (x *examination) infer(ctx context.Context, scenes ...scene) ([][]float32, error) {
	rows := max(x.rows(), len(scenes))
	in, err := tensor.New(x.Binding.Input.Name, x.Binding.Input.Type, x.inputShape(rows), maxInput)
	if err != nil {
		return nil, err
	}
	n := x.Binding.Recipe.RowBytes()
	for i := range rows {
		if err := scenes[min(i, len(scenes)-1)].fill(&x.Binding.Recipe, in.Data[i*n:], 1); err != nil {
			return nil, err
		}
	}
	out := &tensor.Tensor{Name: x.outputs[0].name}
	if err := x.Session.Run(ctx, []*tensor.Tensor{in}, []*tensor.Tensor{out}); err != nil {
		return nil, x.runProblem(ctx, err)
	}
	want := int64(rows * x.Classes)
	if got, err := tensor.Elements(out.Shape); err != nil || got != want {
		return nil, problem.ModelInvalid.New("the output %s is %v in a run with %d pictures, which does not give each its %d scores", wording.Quote(out.Name), out.Shape, rows, x.Classes)
	}
	all := make([]float32, want)
	tensor.Widen(all, out)
	return slices.Collect(slices.Chunk(all[:len(scenes)*x.Classes], x.Classes)), nil
}

// difference is the largest between two rows; NaN where one has a NaN.
func difference(a, b []float32) float64 {
	worst := 0.0
	for i := range a {
		if a[i] == b[i] { // also infinities
			continue
		}
		if d := math.Abs(float64(a[i]) - float64(b[i])); d > worst || d != d {
			worst = d
		}
	}
	return worst
}

// largest is the largest finite magnitude of a row.
func largest(row []float32) float64 {
	most := 0.0
	for _, v := range row {
		if a := math.Abs(float64(v)); a > most && !math.IsInf(a, 0) {
			most = a
		}
	}
	return most
}

// parity compares with the package's certificate, stage by stage.
func (x *examination) parity(ctx context.Context) error {
	x.say("comparing with the parity certificate")
	stages, err := x.Parity(ctx, x.decoder)
	x.report.Parity = stages
	for _, s := range stages {
		if s.Name == "picture" && !s.OK {
			x.warn("%s", s.Detail)
		}
	}
	return err
}
