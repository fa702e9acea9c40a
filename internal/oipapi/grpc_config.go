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
	if d.Instances > 0 {
		c.InstanceGroup = []*oip.ModelInstanceGroup{{Name: d.Name, Kind: oip.ModelInstanceGroup_KIND_CPU, Count: int32(d.Instances)}}
	}
	if d.Batch > 1 {
		c.SchedulingChoice = &oip.ModelConfig_DynamicBatching{DynamicBatching: &oip.ModelDynamicBatching{
			PreferredBatchSize: []int32{int32(d.Batch)}, MaxQueueDelayMicroseconds: uint64(d.Delay.Microseconds()),
		}}
	}
	for name, value := range d.Parameters {
		if c.Parameters == nil {
			c.Parameters = map[string]*oip.ModelParameter{}
		}
		c.Parameters[name] = &oip.ModelParameter{StringValue: value}
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
