package oipapi

import (
	"context"

	"github.com/goshawk-ai/goshawk/api/oip"
	"github.com/goshawk-ai/goshawk/internal/tensor"
)

func (g *grpcDoor) ModelConfig(ctx context.Context, r *oip.ModelConfigRequest) (*oip.ModelConfigResponse, error) {
	d, err := g.describe(ctx, r.GetName(), r.GetVersion())
	if err != nil {
		return nil, g.refuse(ctx, err)
	}
	return &oip.ModelConfigResponse{Config: configOf(&d)}, nil
}

// configOf tells how a version is served in the words of Triton's model
// configuration, which counts the first axis of a batch apart.
func configOf(d *Description) *oip.ModelConfig {
	c := &oip.ModelConfig{
		Name: d.Name, Platform: d.Platform, Backend: d.Backend, MaxBatchSize: int32(d.MaxBatch),
		VersionPolicy:          &oip.ModelVersionPolicy{PolicyChoice: &oip.ModelVersionPolicy_All_{All: &oip.ModelVersionPolicy_All{}}},
		ModelTransactionPolicy: &oip.ModelTransactionPolicy{},
	}
	for _, s := range d.Inputs {
		c.Input = append(c.Input, &oip.ModelInput{Name: s.Name, DataType: dataType(s.Type), Dims: dims(s, d.MaxBatch)})
	}
	for _, s := range d.Outputs {
		o := &oip.ModelOutput{Name: s.Name, DataType: dataType(s.Type), Dims: dims(s, d.MaxBatch)}
		if s.Name == d.Scores && len(d.Labels) > 0 {
			o.LabelFilename = "labels.txt"
		}
		c.Output = append(c.Output, o)
	}
	if d.Pictures {
		c.Parameters = map[string]*oip.ModelParameter{"encoded_pictures": {StringValue: "true"}}
	}
	return c
}

func dims(s tensor.Spec, maxBatch int) []int64 {
	shape := shapeOf(s)
	if maxBatch > 0 && s.Ranked && len(shape) > 0 {
		return shape[1:]
	}
	return shape
}

func dataType(t tensor.Type) oip.DataType {
	if t == tensor.String {
		return oip.DataType_TYPE_STRING
	}
	return oip.DataType(oip.DataType_value["TYPE_"+t.Protocol()]) // what is not there is 0, TYPE_INVALID
}
