package model

import (
	"time"

	"github.com/goshawk-ai/goshawk/internal/picture"
)

// ManifestName is the file that makes a folder a package.
const ManifestName = "goshawk.yaml"

// Kind says what a package's model is for.
type Kind string

// The kinds of this release.
const (
	KindModel  Kind = "Model"  // classifies pictures
	KindTensor Kind = "Tensor" // tensors in, tensors out
)

// Manifest is goshawk.yaml: what was written, the preset filled in. What the
// file leaves to the model (a layout, a size) is empty here; Bind settles it.
type Manifest struct {
	Kind        Kind
	Name        string
	Description string
	License     string
	Model       string // path of the model file in the package; "" where Remote is
	Remote      *Remote
	Input       Input
	Preprocess  Preprocess
	Output      Output
	Probe       *Probe // nil where there is none
	Parity      string // folder of the certificate, "" where there is none
	Serving     Serving
}

// Remote names a model on another server that speaks the Open Inference Protocol
// over gRPC.
type Remote struct {
	Address string // HOST:PORT
	TLS     bool
	Model   string
	Version string // "" is the server's current one
}

// Input is what is said of the picture's tensor.
type Input struct {
	Tensor string         // "" takes the only one
	Layout picture.Layout // "" is read from the shape
	Color  picture.Color  // "" is RGB, or GRAY for one channel
}

// Preprocess is how a picture becomes the tensor. A step that is not written is
// not done.
type Preprocess struct {
	Preset     string
	Resize     picture.Resize
	Crop       picture.Crop
	Rescale    float64    // 1 where nothing is said
	Mean       [3]float64 // in the tensor's channel order
	Std        [3]float64 // 1 where nothing is said
	Background [3]uint8   // white where nothing is said
	Exact      bool

	// Written says that rescale, mean or std stand in the file itself. A
	// preset's values are meant for floating point; an integer tensor takes
	// 0..255 as it is unless the file says otherwise.
	Written bool
	color   picture.Color // the preset's
}

// Output is what the scores mean.
type Output struct {
	Tensor      string // "" takes the only one that is no embedding
	Activation  Activation
	Temperature float64
	Labels      string // path of the label file; "" when they stand in the manifest
	TopK        int
	Embedding   string // name of a second output, or ""
}

// Probe is a picture with its label, by which a loaded model shows that it works.
type Probe struct {
	Image string
	Label string
}

// Serving holds the manual settings; zero leaves a setting to calibration.
type Serving struct {
	LatencyObjective time.Duration
	Instances        int
	Threads          int
	MaxBatchSize     int
	Unbatched        bool // max_batch_size: 0, of a Tensor: its first axis is no batch, whatever it looks like
	MaxDelay         time.Duration
	Weight           int // of the model's share of the cores
	MaxQueueSize     int // requests that may wait
	PriorityLevels   int
	DefaultPriority  int
	RunTimeout       time.Duration
	Isolation        Isolation
}

// Isolation says where a model runs.
type Isolation string

// The isolations. The zero value leaves the choice to the server.
const (
	InProcess Isolation = "none"
	OwnChild  Isolation = "process"
)

// What a manifest may ask for at most. Every one is inclusive.
const (
	maxManifest  = 64 << 10    // bytes of goshawk.yaml; ours have less than one kilobyte
	maxSide      = 8192        // pixels a side that a picture is resized to
	maxPixels    = 2048 * 2048 // of the model's input, and of what is resized to it
	maxTopK      = 1000
	maxText      = 4000 // characters of a text field
	maxInstances = 256
	maxWeight    = 1000
	maxPriority  = 64
	maxQueue     = 1_000_000
	maxBatch     = 1024
)
