package fleet

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/goshawk-ai/goshawk/internal/calibrate"
	"github.com/goshawk-ai/goshawk/internal/infer"
	"github.com/goshawk-ai/goshawk/internal/model"
	"github.com/goshawk-ai/goshawk/internal/problem"
	"github.com/goshawk-ai/goshawk/internal/tensor"
)

// Batches is the largest batch that is tried: on a CPU there is nothing to be won
// by so many rows any more.
const Batches = 64

// Calibrate measures the version that a reference means, on sessions of its own
// beside the one that serves, and gives the table. Space.MaxBatch is set here: it
// is the model's. Nobody else should use the cores meanwhile.
func (f *Fleet) Calibrate(ctx context.Context, ref string, o calibrate.Options) (*calibrate.Result, error) {
	m, release, err := f.Look(ctx, ref)
	if err != nil {
		return nil, err
	}
	defer release()
	if m.Package.Manifest.Remote != nil {
		return nil, problem.InvalidRequest.New("the model %q is computed by another server, which has to be calibrated there", m.Version.Name)
	}
	shares, err := m.Independent(ctx)
	if err != nil {
		return nil, err
	}
	o.Space.MaxBatch = 1
	if shares {
		o.Space.MaxBatch = Batches
	}
	began := time.Now()
	table, err := calibrate.Measure(ctx, &measured{f.engines(), m}, o)
	if err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, fmt.Errorf("calibrate %q: %w", m.Version.Name, err)
	}
	return &calibrate.Result{
		Digest: m.Version.Digest, At: began.UTC().Truncate(time.Second), Took: time.Since(began), Space: o.Space, Table: table,
	}, nil
}

// measured is a model as a calibration loads it.
type measured struct {
	by engines
	m  *Model
}

// Load implements calibrate.Target.
func (t *measured) Load(ctx context.Context, threads int) (calibrate.Runner, error) {
	o := opening{engines: t.by}
	o.threads = threads
	m := &Model{Version: t.m.Version, Package: t.m.Package}
	if err := o.load(ctx, m); err != nil {
		return nil, err
	}
	return &runner{m: t.m, session: m.Session}, nil
}

// runner is one session of it. Each instance has outputs of its own, and all read
// the same input.
type runner struct {
	m       *Model
	session infer.Session
	batch   int
	in      []*tensor.Tensor
	out     [][]*tensor.Tensor // by instance
}

// Prepare implements calibrate.Runner. It runs each instance once: that allocates
// what later runs reuse, and shows whether the batch can be had at all.
func (r *runner) Prepare(ctx context.Context, instances, batch int) error {
	if r.batch == batch && len(r.out) >= instances {
		return nil
	}
	if r.batch != batch {
		in, err := r.m.example(batch)
		if err != nil {
			return errors.Join(calibrate.ErrUnfit, err)
		}
		r.in, r.out, r.batch = in, nil, batch
	}
	for len(r.out) < instances {
		out, err := r.m.Wanted(nil)
		if err != nil {
			return err
		}
		if err := r.session.Run(ctx, r.in, out); err != nil {
			r.batch = 0
			return r.unfit(ctx, err)
		}
		r.out = append(r.out, out)
	}
	return nil
}

// Run implements calibrate.Runner.
func (r *runner) Run(ctx context.Context, instance int) error {
	return r.unfit(ctx, r.session.Run(ctx, r.in, r.out[instance]))
}

// unfit marks what only this batch is refused for.
func (r *runner) unfit(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if _, refused := errors.AsType[*infer.Error](err); refused && ctx.Err() == nil {
		return errors.Join(calibrate.ErrUnfit, r.m.runProblem(ctx, err))
	}
	return r.m.runProblem(ctx, err)
}

// Close implements calibrate.Runner.
func (r *runner) Close() error { return r.session.Close() }

// example makes an input of so many rows: noise, as its recipe prepares it, for a
// model of pictures; zeros, and ones for its other open sizes, for one of tensors.
func (m *Model) example(rows int) ([]*tensor.Tensor, error) {
	if m.Pictures() {
		rows = max(rows, m.rows()) // a fixed batch is run whole
		in, err := tensor.New(m.Binding.Input.Name, m.Binding.Input.Type, m.inputShape(rows), maxInput)
		if err != nil {
			return nil, err
		}
		return []*tensor.Tensor{in}, noise(1).fill(&m.Binding.Recipe, in.Data, rows)
	}
	specs := make([]tensor.Spec, len(m.Inputs))
	for i, s := range m.Inputs {
		specs[i] = s
		if m.Batched() {
			specs[i].Shape = append([]int64{int64(rows)}, s.Shape[1:]...)
		}
	}
	in, _, err := zeros(specs)
	if err == nil && m.Apart != "" {
		ones(in)
	}
	return in, err
}

// Space is what there is to choose from for a package on so many cores: its own
// settings are fixed, and its objective counts before the server's.
func Space(p *model.Package, cores int, objective time.Duration) calibrate.Space {
	if own := p.Manifest.Serving.LatencyObjective; own > 0 {
		objective = own
	}
	return calibrate.Space{Cores: cores, MaxBatch: Batches, Fixed: Manual(p), Objective: objective}
}
