package oipapi

import (
	"context"

	"github.com/goshawk-ai/goshawk/api/oip"
	"github.com/goshawk-ai/goshawk/internal/tensor"
)

func (g *grpcDoor) ModelInfer(ctx context.Context, r *oip.ModelInferRequest) (*oip.ModelInferResponse, error) {
	response, err := g.infer(ctx, r)
	if err != nil {
		return nil, g.refuse(ctx, err)
	}
	return response, nil
}

func (g *grpcDoor) infer(ctx context.Context, r *oip.ModelInferRequest) (*oip.ModelInferResponse, error) {
	c, err := callOf(r)
	if err != nil {
		return nil, err
	}
	a, err := g.service.infer(ctx, c)
	if err != nil {
		return nil, err
	}
	return responseOf(a), nil
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
