package oipapi

import (
	"context"
	"time"

	"github.com/goshawk-ai/goshawk/api/oip"
	"github.com/goshawk-ai/goshawk/internal/tensor"
)

func (g *grpcDoor) ModelInfer(ctx context.Context, r *oip.ModelInferRequest) (*oip.ModelInferResponse, error) {
	s := seenFrom(ctx)
	t := g.settings.begin(r.GetModelName())
	if t != nil && s != nil {
		s.record = t // written when the call has ended
		t.mark("GRPC_WAITREAD_START", s.began)
		t.mark("GRPC_WAITREAD_END", time.Now())
	}
	response, held, err := g.infer(ctx, r, t)
	if err != nil {
		return nil, g.refuse(ctx, err)
	}
	g.answers.hand(response, held)
	t.mark("GRPC_SEND_START", time.Now())
	return response, nil
}

// infer answers a request. What it holds of the budget goes to whoever sends the
// answer.
func (g *grpcDoor) infer(ctx context.Context, r *oip.ModelInferRequest, t *trace) (*oip.ModelInferResponse, *hold, error) {
	held := g.answers.taken(r) // it was taken before the message was unfolded
	if held == nil {
		held = &hold{budget: g.budget, by: callerFrom(ctx)}
	}
	given := false
	defer func() {
		if !given { // in a panic too
			held.release()
		}
	}()
	reserve := func(n int64) error { return held.more(ctx, g.budgetWait, n) }
	c, err := callOf(r, reserve)
	if err != nil {
		return nil, nil, err
	}
	c.trace, c.reserve = t, reserve
	t.identify(c.id)
	a, err := g.service.infer(ctx, c)
	if err != nil {
		return nil, nil, err
	}
	if err := held.keep(tensorSpace(a.outputs)); err != nil {
		return nil, nil, err
	}
	given = true
	return responseOf(a), held, nil
}

// responseOf writes an answer, always raw as Triton does, whichever form the
// request had: FP16 and BF16 have no other, and clients read both.
func responseOf(a *answer) *oip.ModelInferResponse {
	r := &oip.ModelInferResponse{ModelName: a.model, ModelVersion: a.version, Id: a.id}
	for _, t := range a.outputs {
		r.Outputs = append(r.Outputs, &oip.ModelInferResponse_InferOutputTensor{Name: t.Name, Datatype: t.Type.Protocol(), Shape: t.Shape})
		raw := t.Data
		if t.Type == tensor.String {
			raw = tensor.AppendElements(nil, t.Strings)
		}
		r.RawOutputContents = append(r.RawOutputContents, raw)
	}
	return r
}
