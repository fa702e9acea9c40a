package oipapi

import (
	"slices"

	"github.com/goshawk-ai/goshawk/api/oip"
	"github.com/goshawk-ai/goshawk/internal/problem"
	"github.com/goshawk-ai/goshawk/internal/tensor"
)

// callOf reads a request. The tensors share the request's memory where they can;
// reserve makes room for what they need besides.
func callOf(r *oip.ModelInferRequest, reserve func(n int64) error) (*call, error) {
	if err := named(r.GetModelName()); err != nil {
		return nil, err
	}
	ref, err := versionOf(r.GetModelName(), r.GetModelVersion())
	if err != nil {
		return nil, err
	}
	c := &call{id: r.GetId(), model: r.GetModelName(), ref: ref}
	if c.parameters, err = parametersOf(r.GetParameters()); err != nil {
		return nil, err
	}
	raw := r.GetRawInputContents()
	if len(raw) > 0 && len(raw) != len(r.GetInputs()) {
		return nil, problem.InvalidRequest.New("there are %d raw_input_contents for %d inputs; send one for each, in their order", len(raw), len(r.GetInputs()))
	}
	for i, in := range r.GetInputs() {
		var content []byte
		if len(raw) > 0 {
			content = raw[i]
			if in.GetContents() != nil {
				return nil, problem.InvalidRequest.New("the input %s has contents and there are raw_input_contents; send one or the other", quoted(in.GetName()))
			}
		}
		t, err := inputOf(in, content, len(raw) > 0, reserve)
		if err != nil {
			return nil, err
		}
		c.inputs = append(c.inputs, t)
	}
	for _, o := range r.GetOutputs() {
		wanted, err := outputOf(o)
		if err != nil {
			return nil, err
		}
		c.outputs = append(c.outputs, wanted)
	}
	return c, nil
}

func parametersOf(parameters map[string]*oip.InferParameter) (map[string]any, error) {
	values := make(map[string]any, len(parameters))
	for name, p := range parameters {
		switch v := p.GetParameterChoice().(type) {
		case *oip.InferParameter_BoolParam:
			values[name] = v.BoolParam
		case *oip.InferParameter_Int64Param:
			values[name] = v.Int64Param
		case *oip.InferParameter_StringParam:
			values[name] = v.StringParam
		case *oip.InferParameter_DoubleParam:
			values[name] = v.DoubleParam
		case *oip.InferParameter_Uint64Param:
			values[name] = v.Uint64Param
		default:
			return nil, problem.InvalidRequest.New("the parameter %s has no value", quoted(name))
		}
	}
	return values, nil
}

func outputOf(o *oip.ModelInferRequest_InferRequestedOutputTensor) (output, error) {
	wanted := output{name: o.GetName()}
	parameters, err := parametersOf(o.GetParameters())
	if err == nil {
		err = refuseUnserved(parameters)
	}
	if err != nil {
		return wanted, err
	}
	if classes, ok := parameters["classification"]; ok {
		n, ok := classes.(int64)
		if !ok || n < 1 {
			return wanted, problem.InvalidRequest.New("the parameter classification of the output %s is a whole number from 1 up, int64_param", quoted(o.GetName()))
		}
		wanted.classes = int(min(n, 1<<30)) // there are never so many
	}
	return wanted, nil
}

// maxRank bounds what a shape may make us say; no model comes near it.
const maxRank = 64

// inputOf reads one tensor. Its shape is held against what came before anything
// is allocated for it, so that a message bounds what it can make us spend.
func inputOf(in *oip.ModelInferRequest_InferInputTensor, raw []byte, isRaw bool, reserve func(n int64) error) (*tensor.Tensor, error) {
	parameters, err := parametersOf(in.GetParameters())
	if err == nil {
		err = refuseUnserved(parameters)
	}
	if err != nil {
		return nil, err
	}
	t := &tensor.Tensor{Name: in.GetName(), Type: tensor.ParseProtocol(in.GetDatatype()), Shape: in.GetShape()}
	if t.Type == tensor.Invalid {
		return nil, problem.InvalidRequest.New("the datatype %s of the input %s is not known", quoted(in.GetDatatype()), quoted(in.GetName()))
	}
	if len(t.Shape) > maxRank {
		return nil, problem.InvalidRequest.New("the shape of the input %s has %d sizes; at most %d are taken", quoted(t.Name), len(t.Shape), maxRank)
	}
	n, err := tensor.Elements(t.Shape)
	if err != nil {
		return nil, problem.InvalidRequest.New("the shape of the input %s cannot be: %v", quoted(t.Name), err)
	}
	if isRaw {
		return t, fillRaw(t, n, raw, reserve)
	}
	return t, fillTyped(t, n, in.GetContents(), reserve)
}

func fillRaw(t *tensor.Tensor, n int64, raw []byte, reserve func(n int64) error) error {
	if t.Type == tensor.String {
		if n <= int64(len(raw)) { // else they are refused below
			if err := reserve(n * tensor.StringSpace); err != nil {
				return err
			}
		}
		elements, err := tensor.ParseElements(raw, n)
		if err != nil {
			return problem.InvalidRequest.New("the raw contents of the input %s do not fit its shape %v: %v", quoted(t.Name), t.Shape, err)
		}
		t.Strings = elements
		return nil
	}
	size := int64(t.Type.Size())
	if n > int64(len(raw))/size || n*size != int64(len(raw)) {
		return problem.InvalidRequest.New("the input %s is %s %v, %d elements of %d bytes, and its raw contents have %d bytes",
			quoted(t.Name), t.Type.Protocol(), t.Shape, n, size, len(raw))
	}
	if t.Type == tensor.Bool && slices.ContainsFunc(raw, func(b byte) bool { return b > 1 }) {
		// What runs a model takes other bytes for neither true nor false.
		return problem.InvalidRequest.New("the input %s is BOOL and has bytes other than 0 and 1", quoted(t.Name))
	}
	t.Data = tensor.Align(raw, t.Type)
	return nil
}
