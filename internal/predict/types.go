package predict

import (
	"time"

	"github.com/goshawk-ai/goshawk/internal/problem"
)

// Request is what a door asks for.
type Request struct {
	Model     string  // NAME, NAME@ALIAS or NAME@sha256:HEX; "" is the default model
	TopK      int     // 0 takes the package's
	Threshold float64 // predictions below it are left out, after TopK
	Pictures  []Picture
	Read      time.Duration // what reading the body took, for the timings
}

// Picture is an encoded picture. Its bytes belong to the caller, who leaves
// them alone until Run has returned.
type Picture struct {
	Name string // the file's, or ""
	Data []byte
	Err  *problem.Problem // it could not be read: it fails alone, with this
}

// Answer is what a door gives back. It marshals to the document of POST /v1/predictions.
type Answer struct {
	ID      string   `json:"id"` // pred_ and 26 characters that sort by time
	Model   Model    `json:"model"`
	Results []Result `json:"results"`
	Timings Timings  `json:"timings"`
}

// Model names the version that answered.
type Model struct {
	Name    string `json:"name"`
	Version string `json:"version"` // sha256:HEX
}

// Result is one picture's: predictions, or an error.
type Result struct {
	Name        string           `json:"name"`
	SHA256      string           `json:"sha256"`
	Format      string           `json:"format,omitempty"`
	Width       int              `json:"width,omitempty"` // as displayed
	Height      int              `json:"height,omitempty"`
	Predictions []Prediction     `json:"predictions,omitzero"` // nil where there is an error; may be empty
	Error       *problem.Problem `json:"error,omitempty"`
}

// Prediction is one label with its probability.
type Prediction struct {
	Label       string  `json:"label"`
	Index       int     `json:"index"`
	Probability float64 `json:"probability"`
}

// Timings are milliseconds, summed over the pictures (Total is the wall clock).
type Timings struct {
	Read       float64 `json:"read_ms"`
	Decode     float64 `json:"decode_ms"`
	Preprocess float64 `json:"preprocess_ms"`
	Queue      float64 `json:"queue_ms"`
	Infer      float64 `json:"infer_ms"`
	Total      float64 `json:"total_ms"`
}
