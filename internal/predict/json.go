package predict

import (
	"encoding/json"
	"math"
	"strconv"
)

// AppendJSON appends the document, byte for byte what encoding/json makes of it.
// It is written out because every answer passes here while models run and the
// caches are theirs: reflection took three times as long.
func (a *Answer) AppendJSON(to []byte) ([]byte, error) {
	w := writer{to: to}
	w.text(`{"id":`, a.ID)
	w.text(`,"model":{"name":`, a.Model.Name)
	w.text(`,"version":`, a.Model.Version)
	w.raw(`},"results":[`)
	for i := range a.Results {
		if i > 0 {
			w.raw(",")
		}
		w.result(&a.Results[i])
	}
	w.number(`],"timings":{"read_ms":`, a.Timings.Read)
	w.number(`,"decode_ms":`, a.Timings.Decode)
	w.number(`,"preprocess_ms":`, a.Timings.Preprocess)
	w.number(`,"queue_ms":`, a.Timings.Queue)
	w.number(`,"infer_ms":`, a.Timings.Infer)
	w.number(`,"total_ms":`, a.Timings.Total)
	w.raw("}}")
	return w.to, w.err
}

// writer appends members; the first failure stays in err.
type writer struct {
	to  []byte
	err error
}

func (w *writer) result(r *Result) {
	w.text(`{"name":`, r.Name)
	w.text(`,"sha256":`, r.SHA256)
	if r.Format != "" {
		w.text(`,"format":`, r.Format)
	}
	if r.Width != 0 {
		w.integer(`,"width":`, r.Width)
	}
	if r.Height != 0 {
		w.integer(`,"height":`, r.Height)
	}
	if r.Predictions != nil {
		w.raw(`,"predictions":[`)
		for i := range r.Predictions {
			if i > 0 {
				w.raw(",")
			}
			w.prediction(&r.Predictions[i])
		}
		w.raw("]")
	}
	if r.Error != nil {
		w.raw(`,"error":`)
		w.other(r.Error)
	}
	w.raw("}")
}

func (w *writer) prediction(p *Prediction) {
	w.text(`{"label":`, p.Label)
	w.integer(`,"index":`, p.Index)
	w.number(`,"probability":`, p.Probability)
	w.raw("}")
}

func (w *writer) raw(s string) { w.to = append(w.to, s...) }

func (w *writer) integer(key string, v int) {
	w.raw(key)
	w.to = strconv.AppendInt(w.to, int64(v), 10)
}

// number leaves the exponents, which JSON's readers expect in a form of their
// own, and what is no number to encoding/json.
func (w *writer) number(key string, v float64) {
	w.raw(key)
	if abs := math.Abs(v); abs < 1e-6 && v != 0 || !(abs < 1e21) {
		w.other(v)
		return
	}
	w.to = strconv.AppendFloat(w.to, v, 'f', -1, 64)
}

// text leaves what must be escaped to encoding/json.
func (w *writer) text(key, v string) {
	w.raw(key)
	for i := range len(v) {
		if c := v[i]; c < ' ' || c > '~' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			w.other(v)
			return
		}
	}
	w.to = append(w.to, '"')
	w.to = append(w.to, v...)
	w.to = append(w.to, '"')
}

func (w *writer) other(v any) {
	content, err := json.Marshal(v)
	if err != nil && w.err == nil {
		w.err = err
	}
	w.to = append(w.to, content...)
}
