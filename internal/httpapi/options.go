package httpapi

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/goshawk-ai/goshawk/internal/access"
	"github.com/goshawk-ai/goshawk/internal/calibrate"
	"github.com/goshawk-ai/goshawk/internal/model"
	"github.com/goshawk-ai/goshawk/internal/predict"
	"github.com/goshawk-ai/goshawk/internal/telemetry"
)

// Predictor classifies. Answer.Results has one entry for each picture of the
// request, in its order.
type Predictor interface {
	Run(ctx context.Context, r predict.Request) (*predict.Answer, error)
}

// Models tells what is served.
type Models interface {
	// Models lists all versions, sorted by name and then from the newest on.
	Models() []ModelInfo
	// Model finds the version that NAME, NAME@ALIAS or NAME@sha256:HEX means;
	// otherwise it fails with problem.ModelNotFound.
	Model(ref string) (ModelInfo, error)
}

// Budget bounds the bytes that all requests together hold. *schedule.Budget is one.
type Budget interface {
	// Acquire takes n bytes, waiting as long as ctx lasts.
	Acquire(ctx context.Context, n int64) error
	Release(n int64)
}

// Limits bound what a request may make us spend. They are inclusive; zero
// values take the defaults in the comments.
type Limits struct {
	Picture  int64 // 20 MB: encoded bytes of one picture
	Body     int64 // 100 MB: bytes of one request
	Pictures int   // 64 in one request

	// A body must arrive at LeastRate (16 KB/s) and whole within BodyTime
	// (2 min), after a Grace (10 s) at its beginning: its bytes are memory that
	// others wait for. An answer must be taken at LeastRate, after a Grace.
	LeastRate int64
	BodyTime  time.Duration
	Grace     time.Duration
	// BudgetWait (5 s) is how long a request waits for its bytes of the budget
	// before it is refused as overload.
	BudgetWait time.Duration
}

func (l Limits) withDefaults() Limits {
	positive(&l.Picture, 20e6)
	positive(&l.Body, 100e6)
	positive(&l.Pictures, 64)
	positive(&l.LeastRate, 16e3)
	positive(&l.BodyTime, 2*time.Minute)
	positive(&l.Grace, 10*time.Second)
	positive(&l.BudgetWait, 5*time.Second)
	return l
}

func positive[T int | int64 | time.Duration](v *T, otherwise T) {
	if *v <= 0 {
		*v = otherwise
	}
}

// Options of New. Predictor, Models and Access are needed.
type Options struct {
	Predictor Predictor
	Models    Models
	Access    *access.Guard
	Limits    Limits
	Budget    Budget                // nil: without bound
	Ready     func() error          // nil: always; the sentence of the error is shown
	Logger    *slog.Logger          // nil: nothing is logged
	Metrics   prometheus.Registerer // nil: not exported
	Tracer    telemetry.Tracer      // nil: telemetry.NoTracer
	Routes    []Route               // addresses that other rooms serve behind this door
	Pages     http.Handler          // everything that is no route of this package, see also Drawer; nil: problem 404
	Version   string                // the release, for the specification
}

func (o Options) withDefaults() Options {
	o.Limits = o.Limits.withDefaults()
	if o.Budget == nil {
		o.Budget = unbounded{}
	}
	if o.Ready == nil {
		o.Ready = func() error { return nil }
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Metrics == nil {
		o.Metrics = prometheus.NewRegistry()
	}
	if o.Tracer == nil {
		o.Tracer = telemetry.NoTracer{}
	}
	return o
}

type unbounded struct{}

func (unbounded) Acquire(context.Context, int64) error { return nil }
func (unbounded) Release(int64)                        {}

// ModelInfo is the document of one model version.
type ModelInfo struct {
	Name        string     `json:"name"`
	Version     string     `json:"version"`        // sha256:HEX
	Kind        string     `json:"kind,omitempty"` // Model takes pictures, Tensor is served over /v2 only; "" until the package was opened
	Aliases     []string   `json:"aliases"`
	State       string     `json:"state"`            // "ready", or why not in one word
	Reason      string     `json:"reason,omitempty"` // a sentence, when it cannot answer
	Description string     `json:"description"`
	License     string     `json:"license"`
	BuiltIn     bool       `json:"built_in"`
	Required    bool       `json:"required"` // readiness waits for it
	Added       *time.Time `json:"added,omitempty"`
	Labels      int        `json:"labels"` // how many; LabelList has them
	TopK        int        `json:"top_k"`  // what an answer holds unless asked otherwise
	Input       *InputInfo `json:"input,omitempty"`
	Preprocess  any        `json:"preprocess,omitempty"` // as the package's goshawk.yaml writes it, presets filled in
	Outputs     []Tensor   `json:"outputs"`
	MemoryBytes int64      `json:"memory_bytes,omitempty"` // that it takes now; 0 where it is not loaded, or elsewhere
	ColdStart   *ColdStart `json:"cold_start,omitempty"`   // nil where it is not loaded

	Serving *calibrate.Document `json:"serving,omitempty"` // how it is run, and why so; nil until it was loaded

	LabelList []model.Label `json:"-"` // by index, for GET /v1/models/{name}/labels
}

// ColdStart is what it took until a version answered. The parts add up to TotalMS.
type ColdStart struct {
	Began         time.Time `json:"began"`
	WaitMS        float64   `json:"wait_ms"` // for its turn, and for memory that others held
	FetchMS       float64   `json:"fetch_ms"`
	VerifyMS      float64   `json:"verify_ms"`
	SessionMS     float64   `json:"session_ms"`
	WarmUpMS      float64   `json:"warm_up_ms"`
	FirstAnswerMS float64   `json:"first_answer_ms"` // 0 until there was one
	TotalMS       float64   `json:"total_ms"`
}

// InputInfo is the tensor that a picture becomes.
type InputInfo struct {
	Tensor
	Layout string `json:"layout"` // NCHW, NHWC
	Color  string `json:"color"`  // RGB, BGR, GRAY
}

// Tensor names a tensor of the model. -1 in the shape is any number.
type Tensor struct {
	Name  string  `json:"name"`
	Type  string  `json:"type"`
	Shape []int64 `json:"shape"`
}
