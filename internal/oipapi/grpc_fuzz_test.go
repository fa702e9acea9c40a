package oipapi

import (
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/goshawk-ai/goshawk/api/oip"
	"github.com/goshawk-ai/goshawk/internal/problem"
	"github.com/goshawk-ai/goshawk/internal/tensor"
)

// FuzzGRPCRequest reads what a stranger may send: it ends in a tensor that is
// what its shape says, or in a problem that is the caller's.
func FuzzGRPCRequest(f *testing.F) {
	for _, r := range []*oip.ModelInferRequest{
		{ModelName: "m", Inputs: []*oip.ModelInferRequest_InferInputTensor{{Name: "x", Datatype: "FP32", Shape: []int64{2}}}, RawInputContents: [][]byte{make([]byte, 8)}},
		{ModelName: "m", Inputs: []*oip.ModelInferRequest_InferInputTensor{{Name: "x", Datatype: "BYTES", Shape: []int64{1, 1}}}, RawInputContents: [][]byte{{1, 0, 0, 0, 'a'}}},
		{ModelName: "m", Inputs: []*oip.ModelInferRequest_InferInputTensor{{Name: "x", Datatype: "INT8", Shape: []int64{2}, Contents: &oip.InferTensorContents{IntContents: []int32{-1, 2}}}}},
		{ModelName: "m", Outputs: []*oip.ModelInferRequest_InferRequestedOutputTensor{{Name: "y", Parameters: map[string]*oip.InferParameter{
			"classification": {ParameterChoice: &oip.InferParameter_Int64Param{Int64Param: 3}},
		}}}},
	} {
		seed, err := proto.Marshal(r)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var r oip.ModelInferRequest
		if proto.Unmarshal(data, &r) != nil {
			return // grpc refuses it
		}
		c, err := callOf(&r, free)
		if err != nil {
			if p := problem.Of(err); p.Kind.Status != 400 && p.Kind.Status != 404 || len(p.Detail) > 2000+20*len(data) {
				t.Errorf("refused with %d and %d bytes: %s", p.Kind.Status, len(p.Detail), p.Detail)
			}
			return
		}
		for _, in := range c.inputs {
			n, err := tensor.Elements(in.Shape)
			if err != nil {
				t.Fatalf("%v was taken: %v", in.Shape, err)
			}
			if in.Type == tensor.String && int64(len(in.Strings)) != n || in.Type != tensor.String && int64(len(in.Data)) != n*int64(in.Type.Size()) {
				t.Errorf("%s %v has %d bytes and %d strings", in.Type, in.Shape, len(in.Data), len(in.Strings))
			}
			if in.Type != tensor.String {
				tensor.Widen(make([]float64, n), in) // panics where memory is not aligned
			}
		}
	})
}
