package predict

import (
	"context"
	"time"

	"github.com/goshawk-ai/goshawk/internal/fleet"
	"github.com/goshawk-ai/goshawk/internal/model"
	"github.com/goshawk-ai/goshawk/internal/problem"
	"github.com/goshawk-ai/goshawk/internal/tensor"
)

// TensorRequest is what the doors of the Open Inference Protocol ask for.
type TensorRequest struct {
	Model string // NAME, or NAME/N for its N-th version
	// Inputs are the tensors that the model declares, in any order. In place of
	// the input of a model that takes pictures there may be a String tensor of
	// its name, [N] or [N,1], of encoded pictures. Their memory belongs to the
	// caller, who leaves it alone until Tensors has returned.
	Inputs  []*tensor.Tensor
	Outputs []string // names; all of the model's where there are none
	// Priority is 1 for what is served first; 0 is the model's default.
	Priority int
}

// TensorAnswer owns its memory.
type TensorAnswer struct {
	Version fleet.Version
	Outputs []*tensor.Tensor // as asked for, else in the model's order
	Batch   bool             // the first axis of the outputs is that of pictures, or of the rows of a batch
	Scores  string           // the output whose last axis is Labels; "" where none has labels
	Labels  []model.Label
	Stages  TensorStages
	Began   time.Time // of the computation, and its end
	Ended   time.Time
}

// TensorStages are what the computation took, summed over the pictures.
type TensorStages struct {
	Queue time.Duration // until a lane was free
	Input time.Duration // decoding and preprocessing of pictures
	Infer time.Duration // the model's run
}

// TensorCall is a TensorRequest at an engine, and what the engine gives back.
type TensorCall struct {
	In       []*tensor.Tensor
	Wanted   []string
	Priority int
	Out      []*tensor.Tensor
	Rows     int   // pictures, or rows of the first axis where it is a batch
	Led      []Run // of the model, that this request led
	Stages   TensorStages
}

// Tensors answers a request for tensors. It fails with a problem, or with the
// cause with which ctx ended. One picture of several that fails is the whole
// request's failure: the protocol has no other.
func (p *Predictor) Tensors(ctx context.Context, r *TensorRequest) (*TensorAnswer, error) {
	began := time.Now()
	ctx, cancel := p.bounded(ctx)
	defer cancel()
	m, release, err := p.Catalog.AcquireContext(ctx, r.Model)
	if err != nil {
		return nil, err
	}
	defer release()
	call := TensorCall{In: r.Inputs, Wanted: r.Outputs, Priority: r.Priority}
	ctx, span := p.Tracer.Start(ctx, "predict")
	computing := time.Now()
	pictures := len(m.Encoded(r.Inputs))
	if p.Pictures > 0 && pictures > p.Pictures {
		err = problem.InvalidRequest.New("the request has %d pictures, and at most %d are taken; split it", pictures, p.Pictures).
			With("limit_pictures", p.Pictures)
	} else {
		err = p.Engine.Infer(ctx, m.Version.Name+"@"+m.Version.Digest, &call)
	}
	ended := time.Now()
	span.End(err)
	p.Metrics.tensors(m.Version, &call, err)
	p.ledger.note(m.Version, call.Rows, call.Led, call.Stages, ended.Sub(began), err)
	if err != nil {
		return nil, err
	}
	answer := &TensorAnswer{
		Version: m.Version, Outputs: call.Out, Batch: pictures > 0 || m.Batched(),
		Stages: call.Stages, Began: computing, Ended: ended,
	}
	if m.Pictures() {
		answer.Scores, answer.Labels = m.Binding.Logits.Name, m.Package.Labels
	} else if len(m.Package.Labels) > 0 {
		answer.Scores, answer.Labels = m.Package.Manifest.Output.Tensor, m.Package.Labels
	}
	return answer, nil
}

// bounded is ctx with the time that a request may take.
func (p *Predictor) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	if p.Timeout <= 0 {
		return ctx, func() {}
	}
	return context.WithTimeoutCause(ctx, p.Timeout, problem.DeadlineExceeded.New("the request was not done within %v", p.Timeout))
}
