package oipapi

import (
	"math"
	"strings"

	"github.com/goshawk-ai/goshawk/internal/jsonscan"
	"github.com/goshawk-ai/goshawk/internal/problem"
	"github.com/goshawk-ai/goshawk/internal/tensor"
)

const (
	maxTensors    = 1024 // inputs, and outputs, of one request
	maxParameters = 256  // of one request
)

// restCall is a call as REST has it.
type restCall struct {
	call
	binary bool // outputs that the call does not name come as binary data
}

// reading is what is known of a request while it is read.
type reading struct {
	jsonscan.Scanner
	c       *restCall
	reserve func(n int64) error // room for what the body becomes
	inputs  []*input
	unsaid  []int // the outputs that don't say whether they are binary
	shared  bool  // elements are parts of the JSON, which must stay as it is
}

// input is one input as the JSON describes it.
type input struct {
	name   string
	typ    tensor.Type
	shape  []int64
	shaped bool
	data   int   // where the data begin; -1: there are none
	size   int64 // of the binary data; -1: there are none
	base64 bool
	tensor *tensor.Tensor // nil while the data are not read
}

// readInfer reads a request: JSON in the first header bytes of the body, and the
// binary data that it announces behind. The tensors may be parts of the body.
// Nothing is allocated that the body is not long enough for.
func readInfer(body []byte, header int, reserve func(int64) error) (*restCall, error) {
	r := &reading{Scanner: jsonscan.Scanner{Text: body[:header:header]}, c: &restCall{}, reserve: reserve}
	if err := r.request(); err != nil {
		return nil, err
	}
	for _, i := range r.unsaid {
		r.c.outputs[i].binary = r.c.binary
	}
	for _, in := range r.inputs {
		if err := r.finish(in); err != nil {
			return nil, err
		}
	}
	if err := r.binaries(body, header); err != nil {
		return nil, err
	}
	for _, in := range r.inputs {
		r.c.inputs = append(r.c.inputs, in.tensor)
	}
	return r.c, nil
}

// request reads the whole of it. What is optional may be null, as many a client
// writes what it has nothing for.
func (r *reading) request() error {
	seen := jsonscan.Once{}
	err := r.Object("the request", func(name []byte) error {
		switch known := string(name); known {
		case "id", "parameters", "inputs", "outputs":
			if err := seen.See(known); err != nil {
				return err
			}
			if known != "inputs" && r.Null() {
				return nil
			}
		}
		switch string(name) {
		case "id":
			id, err := r.Short("id")
			r.c.id = id
			return err
		case "parameters":
			return r.parameters()
		case "inputs":
			return r.List("inputs", r.input)
		case "outputs":
			return r.List("outputs", r.output)
		}
		return r.Skip()
	})
	if err != nil {
		return err
	}
	if err := r.End(); err != nil {
		return err
	}
	if !seen["inputs"] {
		return problem.InvalidRequest.New(`the request has no "inputs": it is {"inputs": [{"name": …, "shape": […], "datatype": …, "data": […]}]}`)
	}
	return nil
}

// parameters reads the request's own.
func (r *reading) parameters() error {
	r.c.parameters = map[string]any{}
	return r.Object("parameters", func(name []byte) error {
		known := string(name[:min(len(name), jsonscan.MaxText)])
		if r.Null() {
			return nil
		}
		value, err := parameter(&r.Scanner, known)
		if err != nil {
			return err
		}
		if _, twice := r.c.parameters[known]; twice {
			return problem.InvalidRequest.New("the parameter %.60q is given twice", known)
		}
		if len(r.c.parameters) == maxParameters {
			return problem.InvalidRequest.New("the request has more than %d parameters", maxParameters)
		}
		if known == "binary_data_output" {
			binary, is := value.(bool)
			if !is {
				return problem.InvalidRequest.New("the parameter binary_data_output is true or false")
			}
			r.c.binary = binary
		}
		r.c.parameters[known] = value
		return nil
	})
}

// parameter reads a value: text, true or false, or a number. What is none of
// them is nil; other servers' clients send such, and nothing here reads it.
func parameter(s *jsonscan.Scanner, name string) (any, error) {
	switch c := s.Peek(); {
	case c == '"':
		return s.Short("parameter")
	case c == 't' || c == 'f':
		return s.Bool("the parameter")
	case c == '-' || c >= '0' && c <= '9':
		from := s.At
		if n, err := s.Signed(math.MinInt64, math.MaxInt64); err == nil {
			return n, nil
		}
		s.At = from
		if n, err := s.Unsigned(math.MaxUint64); err == nil {
			return n, nil
		}
		s.At = from
		number, err := s.Float64()
		if err != nil {
			return nil, problem.InvalidRequest.New("the parameter %.60q %v", name, err)
		}
		return number, nil
	}
	return nil, s.Skip()
}

func (r *reading) input() error {
	if len(r.inputs) == maxTensors {
		return problem.InvalidRequest.New("the request has more than %d inputs", maxTensors)
	}
	in := &input{data: -1, size: -1}
	r.inputs = append(r.inputs, in)
	seen := jsonscan.Once{}
	return r.Object("an input", func(name []byte) error {
		known := string(name[:min(len(name), jsonscan.MaxText)])
		switch known {
		case "name", "shape", "datatype", "parameters", "data":
			if err := seen.See(known); err != nil {
				return err
			}
		}
		if (known == "parameters" || known == "data") && r.Null() {
			return nil
		}
		return r.inputMember(in, known)
	})
}

func (r *reading) inputMember(in *input, name string) (err error) {
	switch name {
	case "name":
		in.name, err = r.Short("an input's name")
	case "datatype":
		in.typ, err = r.datatype()
	case "shape":
		in.shaped = true
		err = r.List("shape", func() error {
			if len(in.shape) == jsonscan.MaxDepth {
				return r.Fail("the shape has more than %d axes", jsonscan.MaxDepth)
			}
			n, err := r.Size("a shape's size")
			in.shape = append(in.shape, n)
			return err
		})
	case "parameters":
		err = r.Object("parameters", func(name []byte) error {
			return r.inputParameter(in, string(name[:min(len(name), jsonscan.MaxText)]))
		})
	case "data":
		in.data = r.At
		if in.name != "" && in.shaped && in.typ != tensor.Invalid && in.typ != tensor.String {
			return r.data(in)
		}
		err = r.Skip() // what it is, is said later
	default:
		err = r.Skip()
	}
	return err
}

func (r *reading) datatype() (tensor.Type, error) {
	name, err := r.Short("datatype")
	if err != nil {
		return tensor.Invalid, err
	}
	typ := tensor.ParseProtocol(name)
	if typ == tensor.Invalid {
		return typ, problem.InvalidRequest.New("the datatype %.60q is not known; there are BOOL, UINT8, UINT16, UINT32, UINT64, INT8, INT16, INT32, INT64, FP16, BF16, FP32, FP64 and BYTES", name)
	}
	return typ, nil
}

func (r *reading) inputParameter(in *input, name string) error {
	if r.Null() {
		return nil
	}
	if name == "binary_data_size" {
		if in.size >= 0 {
			return problem.InvalidRequest.New("the parameter binary_data_size is given twice")
		}
		var err error
		in.size, err = r.Size("binary_data_size")
		return err
	}
	value, err := parameter(&r.Scanner, name)
	if err != nil {
		return err
	}
	if name == "content_type" { // MLServer's word for how text carries bytes
		in.base64 = value == "base64"
	}
	return noSharedMemory(name)
}

func noSharedMemory(name string) error {
	if !strings.HasPrefix(name, "shared_memory_") {
		return nil
	}
	return refuseUnserved(map[string]any{name: nil})
}

func (r *reading) output() error {
	if len(r.c.outputs) == maxTensors {
		return problem.InvalidRequest.New("the request has more than %d outputs", maxTensors)
	}
	seen := jsonscan.Once{}
	var o output
	said := false
	err := r.Object("an output", func(name []byte) (err error) {
		known := string(name[:min(len(name), jsonscan.MaxText)])
		switch known {
		case "name":
			if err := seen.See(known); err != nil {
				return err
			}
			o.name, err = r.Short("an output's name")
			return err
		case "parameters":
			if err := seen.See(known); err != nil || r.Null() {
				return err
			}
			return r.Object("parameters", func(name []byte) error {
				return r.outputParameter(&o, &said, string(name[:min(len(name), jsonscan.MaxText)]))
			})
		}
		return r.Skip()
	})
	if err != nil {
		return err
	}
	if o.name == "" {
		return problem.InvalidRequest.New("an output has no name")
	}
	if !said {
		r.unsaid = append(r.unsaid, len(r.c.outputs))
	}
	r.c.outputs = append(r.c.outputs, o)
	return nil
}

func (r *reading) outputParameter(o *output, said *bool, name string) (err error) {
	if r.Null() {
		return nil
	}
	switch name {
	case "binary_data":
		*said = true
		o.binary, err = r.Bool("binary_data")
		return err
	case "classification":
		n, err := r.Size("classification")
		o.classes = int(min(n, 1<<31-1))
		return err
	}
	if _, err := parameter(&r.Scanner, name); err != nil {
		return err
	}
	return noSharedMemory(name)
}
