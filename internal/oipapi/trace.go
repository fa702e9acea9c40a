package oipapi

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/goshawk-ai/goshawk/internal/predict"
	"github.com/goshawk-ai/goshawk/internal/tensor"
	"github.com/goshawk-ai/goshawk/internal/wording"
)

// trace is the record of one request, as Triton writes it
// (triton-inference-server/server, docs/user_guide/trace.md). A nil one takes
// everything and writes nothing.
type trace struct {
	to         *Traces
	every      int64 // traces to a file; 0: as many as it holds
	model      string
	version    int // -1: it is not known
	request    string
	timestamps bool
	tensors    bool

	base   time.Time // of the first mark
	marks  []traceMark
	values []traceTensor
	shown  int // bytes of them
}

type traceMark struct {
	Name string `json:"name"`
	NS   int64  `json:"ns"`
}

type traceTensor struct {
	Activity string `json:"activity"`
	Tensor   struct {
		Name  string `json:"name"`
		Data  string `json:"data"`
		Shape string `json:"shape"`
		Type  string `json:"dtype"`
	} `json:"tensor"`
}

// mark notes that something happened.
func (t *trace) mark(name string, at time.Time) {
	if t == nil || !t.timestamps {
		return
	}
	if len(t.marks) == 0 {
		t.base = at
	}
	// By the clock that never goes back, from where the other one was at first.
	t.marks = append(t.marks, traceMark{name, t.base.UnixNano() + at.Sub(t.base).Nanoseconds()})
}

// identify notes the id that the caller gave the request.
func (t *trace) identify(id string) {
	if t != nil {
		t.request = wording.Cut(id)
	}
}

// computed notes what the engine tells: when it began and ended, and what it spent
// where. Several rows are computed beside each other, so that their times are more
// than the whole; then they divide it between them.
func (t *trace) computed(a *predict.TensorAnswer) {
	if t == nil {
		return
	}
	t.version = a.Version.Number
	whole, s := a.Ended.Sub(a.Began), a.Stages
	if sum := s.Queue + s.Input + s.Infer; sum > whole {
		part := float64(whole) / float64(sum)
		s.Queue, s.Input, s.Infer = scaled(s.Queue, part), scaled(s.Input, part), scaled(s.Infer, part)
	}
	at := a.Began
	t.mark("QUEUE_START", at)
	at = at.Add(s.Queue)
	t.mark("COMPUTE_START", at)
	at = at.Add(s.Input)
	t.mark("COMPUTE_INPUT_END", at)
	at = at.Add(s.Infer)
	t.mark("COMPUTE_OUTPUT_START", at)
	t.mark("COMPUTE_END", a.Ended)
}

func scaled(d time.Duration, part float64) time.Duration {
	return time.Duration(float64(d) * part)
}

// show notes the tensors that came or went.
func (t *trace) show(activity string, list []*tensor.Tensor) {
	if t == nil || !t.tensors {
		return
	}
	for _, x := range list {
		v := traceTensor{Activity: activity}
		v.Tensor.Name, v.Tensor.Type = x.Name, x.Type.Protocol()
		v.Tensor.Shape, v.Tensor.Data = shapeText(x.Shape), "…"
		if t.shown < maxShownAll {
			v.Tensor.Data = dataText(x)
			t.shown += len(v.Tensor.Data)
		}
		t.values = append(t.values, v)
	}
}

func shapeText(shape []int64) string {
	parts := make([]string, len(shape))
	for i, n := range shape {
		parts[i] = strconv.FormatInt(n, 10)
	}
	return strings.Join(parts, ",")
}

// What is written of a tensor, and of all of a request, at most. What is longer is cut.
const (
	maxShown    = 64 << 10
	maxShownAll = 1 << 20
)

// dataText writes a tensor's elements; of BYTES, which may be pictures, their lengths.
func dataText(x *tensor.Tensor) string {
	if x.Type == tensor.String {
		parts := make([]string, min(len(x.Strings), maxShown/12))
		for i := range parts {
			parts[i] = strconv.Itoa(len(x.Strings[i])) + " bytes"
		}
		return cutShown(strings.Join(parts, ","), len(parts) < len(x.Strings))
	}
	n := len(x.Data) / x.Type.Size()
	values := make([]float64, min(n, maxShown/2))
	tensor.Widen(values, x)
	var b []byte
	for i, v := range values {
		if len(b) > maxShown {
			break
		}
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendFloat(b, v, 'g', -1, 64)
	}
	return cutShown(string(b), len(values) < n)
}

func cutShown(text string, cut bool) string {
	if len(text) > maxShown {
		text, cut = text[:maxShown], true
	}
	if cut {
		text += "…"
	}
	return text
}

// end writes the record.
func (t *trace) end() {
	if t == nil {
		return
	}
	t.to.write(t.every, func(id int64) []any {
		head := struct {
			ID      int64  `json:"id"`
			Model   string `json:"model_name"`
			Version int    `json:"model_version"`
			Request string `json:"request_id,omitempty"`
		}{id, t.model, t.version, t.request}
		list := []any{head}
		if len(t.marks) > 0 {
			list = append(list, struct {
				ID    int64       `json:"id"`
				Marks []traceMark `json:"timestamps"`
			}{id, t.marks})
		}
		for _, v := range t.values {
			list = append(list, struct {
				ID int64 `json:"id"`
				traceTensor
			}{id, v})
		}
		return list
	})
}

// lines writes records as elements of a list, without its brackets.
func lines(records []any) []byte {
	var b []byte
	for i, r := range records {
		text, err := json.Marshal(r) // of numbers and text
		if err != nil {
			continue
		}
		if i > 0 {
			b = append(b, ",\n"...)
		}
		b = append(b, text...)
	}
	return b
}
