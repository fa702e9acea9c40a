package oip

import (
	"fmt"
	"slices"
	"unsafe"

	pb "github.com/goshawk-ai/goshawk/api/oip"
	"github.com/goshawk-ai/goshawk/internal/infer"
	"github.com/goshawk-ai/goshawk/internal/tensor"
	"github.com/goshawk-ai/goshawk/internal/wording"
)

func badInput(format string, args ...any) error {
	return &infer.Error{Code: infer.BadInput, Message: fmt.Sprintf(format, args...)}
}

// requestOf writes a run as a message, which shares the tensors' memory. Whether
// the names and types are the model's is the server's to say.
func requestOf(in, out []*tensor.Tensor) (*pb.ModelInferRequest, error) {
	if len(out) == 0 {
		return nil, badInput("no output is asked for") // to the server that would mean all
	}
	r := &pb.ModelInferRequest{}
	for i, t := range in {
		raw, err := rawOf(t)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(in[:i], func(other *tensor.Tensor) bool { return other.Name == t.Name }) {
			return nil, badInput("the input %s is there twice", wording.Quote(t.Name))
		}
		r.Inputs = append(r.Inputs, &pb.ModelInferRequest_InferInputTensor{Name: t.Name, Datatype: t.Type.Protocol(), Shape: t.Shape})
		r.RawInputContents = append(r.RawInputContents, raw)
	}
	for i, t := range out {
		if slices.ContainsFunc(out[:i], func(other *tensor.Tensor) bool { return other.Name == t.Name }) {
			return nil, badInput("the output %s is asked for twice", wording.Quote(t.Name))
		}
		r.Outputs = append(r.Outputs, &pb.ModelInferRequest_InferRequestedOutputTensor{Name: t.Name})
	}
	return r, nil
}

// rawOf is a tensor's raw contents.
func rawOf(t *tensor.Tensor) ([]byte, error) {
	n, err := tensor.Elements(t.Shape)
	if err != nil {
		return nil, badInput("the shape of the input %s cannot be: %v", wording.Quote(t.Name), err)
	}
	if t.Type == tensor.String {
		if int64(len(t.Strings)) != n {
			return nil, badInput("the input %s has %d strings for the shape %v", wording.Quote(t.Name), len(t.Strings), t.Shape)
		}
		return tensor.AppendElements([]byte{}, t.Strings), nil
	}
	if !holds(t, n) {
		return nil, badInput("the input %s has %d bytes for %s %v, or at an odd address", wording.Quote(t.Name), len(t.Data), t.Type, t.Shape)
	}
	return t.Data, nil
}

// holds tells whether Data is n elements, at an address that suits them: what
// computes in this process wants it so, and no caller shall come to rely on more.
func holds(t *tensor.Tensor, n int64) bool {
	size := int64(t.Type.Size())
	return size > 0 && n <= int64(len(t.Data))/size && n*size == int64(len(t.Data)) &&
		(n == 0 || uintptr(unsafe.Pointer(unsafe.SliceData(t.Data)))%uintptr(size) == 0)
}

// collect hands the outputs out. The response's memory becomes theirs.
func collect(r *pb.ModelInferResponse, out []*tensor.Tensor) error {
	if raw := len(r.GetRawOutputContents()); raw > 0 && raw != len(r.GetOutputs()) {
		return answered("%d raw contents for %d outputs", raw, len(r.GetOutputs()))
	}
	for _, t := range out {
		at := slices.IndexFunc(r.GetOutputs(), func(o *pb.ModelInferResponse_InferOutputTensor) bool { return o.GetName() == t.Name })
		if at < 0 {
			return answered("no output %s", wording.Quote(t.Name))
		}
		got, err := outputOf(r, at)
		if err != nil {
			return err
		}
		if t.Data == nil && t.Strings == nil || got.Type == tensor.String && t.Data == nil {
			t.Type, t.Shape, t.Data, t.Strings = got.Type, got.Shape, got.Data, got.Strings
			continue
		}
		if t.Type != got.Type || !slices.Equal(t.Shape, got.Shape) || len(t.Data) != len(got.Data) {
			return badInput("the output %s is %s %v, and the memory that was given for it is %s %v", wording.Quote(t.Name), got.Type, got.Shape, t.Type, t.Shape)
		}
		copy(t.Data, got.Data)
	}
	return nil
}

// answered says what is wrong with a server's answer.
func answered(format string, args ...any) error {
	return &infer.Error{Code: infer.Failed, Message: "the server's answer has " + fmt.Sprintf(format, args...)}
}

func outputOf(r *pb.ModelInferResponse, at int) (*tensor.Tensor, error) {
	o := r.GetOutputs()[at]
	t := &tensor.Tensor{Name: o.GetName(), Type: tensor.ParseProtocol(o.GetDatatype()), Shape: slices.Clone(o.GetShape())}
	n, err := tensor.Elements(t.Shape)
	if err != nil || t.Type == tensor.Invalid {
		return nil, answered("an output %s of %s %v, which cannot be", wording.Quote(t.Name), wording.Quote(o.GetDatatype()), t.Shape)
	}
	if len(r.GetRawOutputContents()) == 0 {
		return t, typed(t, n, o.GetContents())
	}
	raw := r.GetRawOutputContents()[at]
	if t.Type == tensor.String {
		if t.Strings, err = tensor.ParseElements(raw, n); err != nil {
			return nil, answered("an output %s whose contents do not fit its shape %v: %v", wording.Quote(t.Name), t.Shape, err)
		}
		return t, nil
	}
	if size := int64(t.Type.Size()); n > int64(len(raw))/size || n*size != int64(len(raw)) {
		return nil, answered("%d bytes for the output %s of %s %v", len(raw), wording.Quote(t.Name), t.Type, t.Shape)
	}
	if t.Data = tensor.Align(raw, t.Type); len(raw) == 0 {
		t.Data = []byte{}
	}
	return t, nil
}

// typed reads an answer in typed contents, which some servers prefer.
func typed(t *tensor.Tensor, n int64, c *pb.InferTensorContents) error {
	switch t.Type {
	case tensor.Bool:
		t.Data = make([]byte, len(c.GetBoolContents()))
		for i, v := range c.GetBoolContents() {
			if v {
				t.Data[i] = 1
			}
		}
	case tensor.Int8:
		t.Data = converted[int8](c.GetIntContents())
	case tensor.Int16:
		t.Data = converted[int16](c.GetIntContents())
	case tensor.Int32:
		t.Data = converted[int32](c.GetIntContents())
	case tensor.Int64:
		t.Data = converted[int64](c.GetInt64Contents())
	case tensor.Uint8:
		t.Data = converted[uint8](c.GetUintContents())
	case tensor.Uint16:
		t.Data = converted[uint16](c.GetUintContents())
	case tensor.Uint32:
		t.Data = converted[uint32](c.GetUintContents())
	case tensor.Uint64:
		t.Data = converted[uint64](c.GetUint64Contents())
	case tensor.Float32:
		t.Data = converted[float32](c.GetFp32Contents())
	case tensor.Float64:
		t.Data = converted[float64](c.GetFp64Contents())
	case tensor.String:
		if t.Strings = c.GetBytesContents(); int64(len(t.Strings)) == n {
			return nil
		}
	}
	if t.Data == nil || int64(len(t.Data)) != n*int64(t.Type.Size()) {
		return answered("typed contents that do not fit the output %s of %s %v", wording.Quote(t.Name), t.Type, t.Shape)
	}
	return nil
}

func converted[D, S tensor.Number](values []S) []byte {
	var d D
	data := tensor.Aligned(len(values) * int(unsafe.Sizeof(d)))
	for i, view := 0, tensor.View[D](data); i < len(values); i++ {
		view[i] = D(values[i])
	}
	return data
}
