package oipapi

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/goshawk-ai/goshawk/internal/httpapi"
	"github.com/goshawk-ai/goshawk/internal/problem"
	"github.com/goshawk-ai/goshawk/internal/tensor"
)

// headerLength is the header of the binary data extension: how many bytes of the
// body are JSON.
const headerLength = "Inference-Header-Content-Length"

func (s *restDoor) restInfer(x *httpapi.Exchange, r *http.Request) error {
	name, version, err := target(r)
	if err != nil {
		return err
	}
	// Not what it needs, but whether it exists: a body for nobody is not read.
	if err := s.service.repository.Ready(reference(name, version)); errors.Is(err, problem.ModelNotFound) {
		return err
	}
	t := s.settings.begin(name)
	defer t.end()
	t.mark("HTTP_RECV_START", x.Began())
	body, err := x.Body(r)
	if err != nil {
		return err
	}
	t.mark("HTTP_RECV_END", time.Now())
	header, err := jsonLength(r.Header, len(body))
	if err != nil {
		return err
	}
	reserve := func(n int64) error { return x.Reserve(r.Context(), n) }
	var c *restCall
	if header > 0 {
		c, err = readInfer(body, header, reserve)
	} else {
		c, err = s.rawInfer(r, reference(name, version), body, reserve)
	}
	if err != nil {
		return err
	}
	c.model, c.ref, c.trace, c.reserve = name, reference(name, version), t, reserve
	t.identify(c.id)
	a, err := s.service.infer(r.Context(), &c.call)
	if err != nil {
		return err
	}
	x.Answered(a.version)
	space := answerSpace(c, a)
	if err := x.Keep(space); err != nil {
		return err
	}
	parts, jsonSize, err := restAnswer(c, a)
	if err != nil {
		return err
	}
	if more := int64(cap(parts[0])) - jsonSpace(c, a); more > 1<<16 { // text with much to escape
		if err := x.Keep(space + more); err != nil {
			return err
		}
	}
	answer := httpapi.Answer{Type: typeJSON, Parts: parts, Compress: true}
	if len(parts) > 1 {
		answer.Type = typeBinary
		x.Header().Set(headerLength, strconv.Itoa(jsonSize))
	}
	t.mark("HTTP_SEND_START", time.Now())
	x.Send(r, answer)
	t.mark("HTTP_SEND_END", time.Now())
	return nil
}

// jsonLength is how many bytes of the body are JSON: all, unless the header says
// otherwise. 0 is a body that is nothing but the one input's data.
func jsonLength(h http.Header, body int) (int, error) {
	values := h.Values(headerLength)
	if len(values) == 0 {
		if body == 0 {
			return 0, problem.InvalidRequest.New("the request has no body; it is the inference request, as JSON")
		}
		return body, nil
	}
	text := strings.TrimSpace(values[0])
	n, err := strconv.ParseUint(text, 10, 63)
	if err != nil || len(values) > 1 {
		return 0, problem.InvalidRequest.New("the header %s is %.40q; it is the number of bytes of the JSON", headerLength, strings.Join(values, ", "))
	}
	if n > uint64(body) {
		return 0, problem.InvalidRequest.New("the header %s says %d bytes, and the body has %d", headerLength, n, body)
	}
	return int(n), nil
}

// rawInfer makes a call of a body without JSON: the elements of the model's one
// input, whose shape must follow from their number. BYTES are one element, the
// body as it is. The answer is binary too, as Triton's.
func (s *restDoor) rawInfer(r *http.Request, ref string, body []byte, reserve func(int64) error) (*restCall, error) {
	d, err := s.service.repository.Describe(r.Context(), ref)
	if err != nil {
		return nil, err
	}
	if len(d.Inputs) != 1 {
		return nil, problem.InvalidRequest.New("a body without JSON (%s: 0) is for models with one input, and %q has %d", headerLength, d.Name, len(d.Inputs))
	}
	spec := d.Inputs[0]
	in := &input{name: spec.Name, typ: spec.Type, size: int64(len(body)), data: -1, shaped: true}
	c := &restCall{binary: true}
	if in.shape, err = rawShape(spec, len(body)); err != nil {
		return nil, err
	}
	if spec.Type == tensor.String {
		c.inputs = []*tensor.Tensor{{Name: spec.Name, Type: spec.Type, Shape: in.shape, Strings: [][]byte{body}}}
		return c, nil
	}
	read := &reading{c: c, reserve: reserve, inputs: []*input{in}}
	if err := read.binaries(body, 0); err != nil {
		return nil, err
	}
	c.inputs = []*tensor.Tensor{in.tensor}
	return c, nil
}

// rawShape fills in the one size that a model leaves open.
func rawShape(spec tensor.Spec, size int) ([]int64, error) {
	elements := int64(1)
	if spec.Type != tensor.String {
		width := max(spec.Type.Size(), 1)
		if elements = int64(size / width); size%width != 0 {
			return nil, problem.InvalidRequest.New("the input %q is %s, and the body's %d bytes are no whole number of elements", spec.Name, spec.Type.Protocol(), size)
		}
	}
	shape, open, known := listed(shapeOf(spec)), -1, int64(1)
	for i, n := range shape {
		switch {
		case n >= 0 && (n == 0 || known > 1<<40/n):
			known = 0
		case n >= 0:
			known *= n
		case spec.Type == tensor.String:
			shape[i] = 1
		case open >= 0:
			return nil, problem.InvalidRequest.New("the input %q has the shape %v, of which a body without JSON says too little: send the shape with the request", spec.Name, spec.Shape)
		default:
			open = i
		}
	}
	if open >= 0 && known > 0 && elements%known == 0 {
		shape[open] = elements / known
		known = elements
	}
	if known != elements {
		return nil, problem.InvalidRequest.New("the input %q has the shape %v of %s, and the body's %d bytes do not make one", spec.Name, spec.Shape, spec.Type.Protocol(), size)
	}
	return shape, nil
}
