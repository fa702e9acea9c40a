package fleet

import (
	"time"

	"github.com/goshawk-ai/goshawk/internal/model"
	"github.com/goshawk-ai/goshawk/internal/problem"
)

// Report is what the check of a package found. It is kept by digest, runtime,
// decoder and processor, so that waking a model does not pay for the check again.
type Report struct {
	Accepted bool      `json:"accepted"`
	Problem  string    `json:"problem,omitempty"` // one sentence for people, when not accepted
	Away     bool      `json:"away,omitempty"`    // whoever computes the model did not answer, and may do so later
	Digest   string    `json:"digest,omitempty"`
	Name     string    `json:"name,omitempty"`
	Runtime  string    `json:"runtime,omitempty"` // "onnxruntime 1.30.0"
	Decoder  string    `json:"decoder,omitempty"` // "libjpeg-turbo 2.1.5"
	CPU      string    `json:"cpu,omitempty"`
	Checked  time.Time `json:"checked,omitzero"`

	// Rows is how many pictures one run may hold: 0 any number, 1 one at a time,
	// N exactly N (a fixed batch, filled up).
	Rows       int              `json:"rows"`
	Activation model.Activation `json:"activation,omitempty"`
	Classes    int              `json:"classes,omitempty"`
	Embedding  int              `json:"embedding,omitempty"` // width; 0 where there is none
	Probe      string           `json:"probe,omitempty"`     // what the probe picture was taken for
	Parity     []Stage          `json:"parity,omitempty"`    // what the certificate's stages came to
	Warnings   []string         `json:"warnings,omitempty"`

	LoadMS  float64 `json:"load_ms,omitempty"`
	RunMS   float64 `json:"run_ms,omitempty"` // the quickest of the check's runs with one picture
	CheckMS float64 `json:"check_ms,omitempty"`
}

// Stage is one comparison of a parity certificate.
type Stage struct {
	Case   string `json:"case"`
	Name   string `json:"stage"` // picture, tensor or logits
	OK     bool   `json:"ok"`
	Detail string `json:"detail,omitempty"` // where it differs, and likely why
}

// Err is nil for an accepted package, else the problem that its owner sees.
func (r *Report) Err() error {
	if r.Accepted {
		return nil
	}
	if r.Away {
		return problem.ModelUnhealthy.New("%s", r.Problem)
	}
	return problem.ModelInvalid.New("%s", r.Problem)
}

// ms is milliseconds with microseconds behind the point.
func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
