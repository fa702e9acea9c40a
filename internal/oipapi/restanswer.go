package oipapi

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
	"unicode/utf8"

	"github.com/goshawk-ai/goshawk/internal/problem"
	"github.com/goshawk-ai/goshawk/internal/tensor"
)

// restAnswer writes an answer: JSON, and behind it the outputs that go as binary
// data, as they lie in memory.
func restAnswer(c *restCall, a *answer) (parts [][]byte, jsonSize int, err error) {
	out := make([]byte, 0, 512+jsonSpace(c, a))
	out = append(out, '{')
	if a.id != "" {
		out = append(appendText(append(out, `"id":`...), a.id), ',')
	}
	out = appendText(append(out, `"model_name":`...), a.model)
	out = appendText(append(out, `,"model_version":`...), a.version)
	out = append(out, `,"outputs":[`...)
	parts = [][]byte{nil}
	for i, t := range a.outputs {
		if i > 0 {
			out = append(out, ',')
		}
		out = appendText(append(out, `{"name":`...), t.Name)
		out = appendText(append(out, `,"datatype":`...), t.Type.Protocol())
		out = appendShape(append(out, `,"shape":`...), t.Shape)
		if c.isBinary(i) {
			data := t.Data
			if t.Type == tensor.String {
				data = tensor.AppendElements(nil, t.Strings)
			}
			out = append(out, `,"parameters":{"binary_data_size":`...)
			out = append(strconv.AppendInt(out, int64(len(data)), 10), "}}"...)
			parts = append(parts, data)
			continue
		}
		out = append(out, `,"data":[`...)
		if out, err = appendData(out, t); err != nil {
			return nil, 0, err
		}
		out = append(out, "]}"...)
	}
	parts[0] = append(out, "]}"...)
	return parts, len(parts[0]), nil
}

func (c *restCall) isBinary(i int) bool {
	if i < len(c.outputs) {
		return c.outputs[i].binary
	}
	return c.binary
}

// jsonSpace guesses the text of the outputs that go as JSON, so that it is
// seldom moved while it grows.
func jsonSpace(c *restCall, a *answer) int64 {
	n := int64(0)
	for i, t := range a.outputs {
		switch {
		case c.isBinary(i):
		case t.Type == tensor.String:
			n += textSize(t, 3)
		default:
			n += int64(len(t.Data) / t.Type.Size() * min(3*t.Type.Size(), 20))
		}
	}
	return n
}

// answerSpace is the memory of an answer: the outputs, and what is made of them.
func answerSpace(c *restCall, a *answer) int64 {
	n := tensorSpace(a.outputs) + jsonSpace(c, a)
	for i, t := range a.outputs {
		if c.isBinary(i) && t.Type == tensor.String {
			n += textSize(t, 4) // with their lengths they are made anew
		}
	}
	return n
}

// tensorSpace is the memory of tensors.
func tensorSpace(list []*tensor.Tensor) (n int64) {
	const header = 24 // of a slice
	for _, t := range list {
		n += int64(len(t.Data)) + textSize(t, header)
	}
	return n
}

// textSize is the bytes of a tensor's strings, with so many more around each.
func textSize(t *tensor.Tensor, around int) (n int64) {
	for _, s := range t.Strings {
		n += int64(len(s) + around)
	}
	return n
}

func appendText(dst []byte, text string) []byte { return appendString(dst, []byte(text)) }

// appendString writes a JSON string.
func appendString(dst, text []byte) []byte {
	plain := bytes.IndexFunc(text, func(r rune) bool { return r < ' ' || r == '"' || r == '\\' || r == utf8.RuneError }) < 0
	if plain {
		return append(append(append(dst, '"'), text...), '"')
	}
	quoted, err := json.Marshal(string(text)) // a string is always written
	if err != nil {
		return append(dst, `""`...)
	}
	return append(dst, quoted...)
}

func appendShape(dst []byte, shape []int64) []byte {
	dst = append(dst, '[')
	for i, n := range shape {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = strconv.AppendInt(dst, n, 10)
	}
	return append(dst, ']')
}

// appendData writes the elements of an output, flat.
func appendData(dst []byte, t *tensor.Tensor) ([]byte, error) {
	switch t.Type {
	case tensor.Bool:
		return appendAll(dst, t.Data, func(dst []byte, b byte) []byte { return strconv.AppendBool(dst, b != 0) }), nil
	case tensor.Uint8:
		return appendAll(dst, t.Data, appendUnsigned), nil
	case tensor.Uint16:
		return appendAll(dst, tensor.View[uint16](t.Data), appendUnsigned), nil
	case tensor.Uint32:
		return appendAll(dst, tensor.View[uint32](t.Data), appendUnsigned), nil
	case tensor.Uint64:
		return appendAll(dst, tensor.View[uint64](t.Data), appendUnsigned), nil
	case tensor.Int8:
		return appendAll(dst, tensor.View[int8](t.Data), appendSigned), nil
	case tensor.Int16:
		return appendAll(dst, tensor.View[int16](t.Data), appendSigned), nil
	case tensor.Int32:
		return appendAll(dst, tensor.View[int32](t.Data), appendSigned), nil
	case tensor.Int64:
		return appendAll(dst, tensor.View[int64](t.Data), appendSigned), nil
	case tensor.Float32:
		return appendAll(dst, tensor.View[float32](t.Data), func(dst []byte, f float32) []byte { return appendFloat(dst, float64(f), 32) }), nil
	case tensor.Float64:
		return appendAll(dst, tensor.View[float64](t.Data), func(dst []byte, f float64) []byte { return appendFloat(dst, f, 64) }), nil
	case tensor.String:
		for _, e := range t.Strings {
			if !utf8.Valid(e) {
				return nil, problem.InvalidRequest.New("the output %q holds bytes that are no UTF-8 text, which JSON cannot carry: ask for it as binary data, with the parameter binary_data", t.Name)
			}
		}
		return appendAll(dst, t.Strings, appendString), nil
	}
	return nil, problem.InvalidRequest.New("the output %q is %s, which JSON cannot carry: ask for it as binary data, with the parameter binary_data", t.Name, t.Type.Protocol())
}

func appendAll[T any](dst []byte, src []T, one func(dst []byte, v T) []byte) []byte {
	for i, v := range src {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = one(dst, v)
	}
	return dst
}

func appendUnsigned[T uint8 | uint16 | uint32 | uint64](dst []byte, v T) []byte {
	return strconv.AppendUint(dst, uint64(v), 10)
}

func appendSigned[T int8 | int16 | int32 | int64](dst []byte, v T) []byte {
	return strconv.AppendInt(dst, int64(v), 10)
}

// appendFloat writes the shortest number that means this one, with a point or an
// exponent, so that typed readers see that it is no whole one. What is none is
// written in Triton's words, which Python's readers take; a reader that is strict
// fails, and does not take a wrong number for a right one.
func appendFloat(dst []byte, f float64, bits int) []byte {
	switch {
	case math.IsNaN(f):
		return append(dst, "NaN"...)
	case math.IsInf(f, 1):
		return append(dst, "Infinity"...)
	case math.IsInf(f, -1):
		return append(dst, "-Infinity"...)
	}
	from := len(dst)
	dst = strconv.AppendFloat(dst, f, 'g', -1, bits)
	if bytes.IndexByte(dst[from:], '.') < 0 && bytes.IndexByte(dst[from:], 'e') < 0 {
		dst = append(dst, ".0"...)
	}
	return dst
}
