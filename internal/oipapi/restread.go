package oipapi

import (
	"strings"

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
	scan
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
	r := &reading{scan: scan{text: body[:header:header]}, c: &restCall{}, reserve: reserve}
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

// once refuses a member that is known and comes twice: which one is meant?
type once map[string]bool

func (o once) see(name string) error {
	if o[name] {
		return problem.InvalidRequest.New("the JSON member %q is given twice", name)
	}
	o[name] = true
	return nil
}

func (r *reading) request() error {
	seen := once{}
	err := r.object("the request", func(name []byte) error {
		switch known := string(name); known {
		case "id", "parameters", "inputs", "outputs":
			if err := seen.see(known); err != nil {
				return err
			}
		}
		switch string(name) {
		case "id":
			id, err := r.short("id")
			r.c.id = id
			return err
		case "parameters":
			return r.parameters()
		case "inputs":
			return r.list("inputs", r.input)
		case "outputs":
			return r.list("outputs", r.output)
		}
		return r.skip()
	})
	if err != nil {
		return err
	}
	if err := r.end(); err != nil {
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
	return r.object("parameters", func(name []byte) error {
		known := string(name[:min(len(name), maxText)])
		value, err := r.parameter(known)
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
func (s *scan) parameter(name string) (any, error) {
	switch c := s.peek(); {
	case c == '"':
		return s.short("parameter")
	case c == 't' || c == 'f':
		return s.boolean("the parameter")
	case c == '-' || c >= '0' && c <= '9':
		from := s.at
		value, negative, err := s.whole()
		if err == nil && !negative && value <= 1<<63-1 {
			return int64(value), nil
		}
		if err == nil && !negative {
			return value, nil
		}
		s.at = from
		if n, err := s.signed(-1<<63, 1<<63-1); err == nil {
			return n, nil
		}
		s.at = from
		number, err := s.float64()
		if err != nil {
			return nil, problem.InvalidRequest.New("the parameter %.60q %v", name, err)
		}
		return number, nil
	}
	return nil, s.skip()
}

func (r *reading) input() error {
	if len(r.inputs) == maxTensors {
		return problem.InvalidRequest.New("the request has more than %d inputs", maxTensors)
	}
	in := &input{data: -1, size: -1}
	r.inputs = append(r.inputs, in)
	seen := once{}
	return r.object("an input", func(name []byte) error {
		known := string(name[:min(len(name), maxText)])
		switch known {
		case "name", "shape", "datatype", "parameters", "data":
			if err := seen.see(known); err != nil {
				return err
			}
		}
		return r.inputMember(in, known)
	})
}

func (r *reading) inputMember(in *input, name string) (err error) {
	switch name {
	case "name":
		in.name, err = r.short("an input's name")
	case "datatype":
		in.typ, err = r.datatype()
	case "shape":
		in.shaped = true
		err = r.list("shape", func() error {
			if len(in.shape) == maxDepth {
				return r.fail("the shape has more than %d axes", maxDepth)
			}
			n, err := r.size("a shape's size")
			in.shape = append(in.shape, n)
			return err
		})
	case "parameters":
		err = r.object("parameters", func(name []byte) error {
			return r.inputParameter(in, string(name[:min(len(name), maxText)]))
		})
	case "data":
		in.data = r.at
		if in.name != "" && in.shaped && in.typ != tensor.Invalid && in.typ != tensor.String {
			return r.data(in)
		}
		err = r.skip() // what it is, is said later
	default:
		err = r.skip()
	}
	return err
}

func (r *reading) datatype() (tensor.Type, error) {
	name, err := r.short("datatype")
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
	if name == "binary_data_size" {
		if in.size >= 0 {
			return problem.InvalidRequest.New("the parameter binary_data_size is given twice")
		}
		var err error
		in.size, err = r.size("binary_data_size")
		return err
	}
	value, err := r.parameter(name)
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
	seen := once{}
	var o output
	said := false
	err := r.object("an output", func(name []byte) (err error) {
		known := string(name[:min(len(name), maxText)])
		switch known {
		case "name":
			if err := seen.see(known); err != nil {
				return err
			}
			o.name, err = r.short("an output's name")
			return err
		case "parameters":
			if err := seen.see(known); err != nil {
				return err
			}
			return r.object("parameters", func(name []byte) error {
				return r.outputParameter(&o, &said, string(name[:min(len(name), maxText)]))
			})
		}
		return r.skip()
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
	switch name {
	case "binary_data":
		*said = true
		o.binary, err = r.boolean("binary_data")
		return err
	case "classification":
		n, err := r.size("classification")
		o.classes = int(min(n, 1<<31-1))
		return err
	}
	if _, err := r.parameter(name); err != nil {
		return err
	}
	return noSharedMemory(name)
}
