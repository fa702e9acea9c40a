package predict

import (
	"context"
	"time"
)

// Engine computes a picture's raw scores, here or on a worker. Everything that
// a picture costs is behind it.
type Engine interface {
	// Classify runs one encoded picture through one version, named
	// NAME@sha256:HEX, and writes into raw, whose slices it reuses. Errors are
	// problems, or the cause with which ctx ended.
	Classify(ctx context.Context, version string, encoded []byte, raw *Raw) error
	// Infer runs one version on tensors, or on encoded pictures in place of a
	// tensor, and fills call.Out and call.Stages. Errors are as Classify's.
	Infer(ctx context.Context, version string, call *TensorCall) error
}

// Raw is what an engine gives back of one picture.
type Raw struct {
	Scores     []float32 // [classes], before activation
	Embedding  []float32 // [width], empty when the model has none
	Format     string
	Width      int // as displayed
	Height     int
	SHA256     [32]byte
	Decode     time.Duration
	Preprocess time.Duration
	Queue      time.Duration
	Infer      time.Duration
	Led        Run // zero where the picture went along in another's run
}

// Run is one run of a model, of so many rows, which may be those of several
// requests. Statistics count it with the one that led it.
type Run struct {
	Rows         int
	Input, Infer time.Duration
}
