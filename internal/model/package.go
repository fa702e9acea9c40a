package model

import (
	"io/fs"

	"github.com/goshawk-ai/goshawk/internal/picture"
	"github.com/goshawk-ai/goshawk/internal/tensor"
)

// Package is a model package that was read and is consistent in itself. Whether
// the model fits it is Bind's question.
type Package struct {
	Manifest Manifest
	Digest   string // sha256:HEX over the files, see Digest
	Labels   []Label
	FS       fs.FS // the package's regular files and nothing else
}

// Label is one class.
type Label struct {
	Name        string
	Description string
}

// Activation is what turns a model's outputs into probabilities.
type Activation string

// The activations.
const (
	Softmax Activation = "softmax"
	Sigmoid Activation = "sigmoid"
	None    Activation = "none" // the outputs are probabilities already
)

// Binding is a package brought together with what its model really declares:
// everything that serving needs to know, with no question left open.
type Binding struct {
	Input      tensor.Spec
	Batch      int // rows a run must have; 0 when any number will do
	Recipe     picture.Recipe
	Logits     tensor.Spec // the output that holds the scores
	Classes    int         // 0 until a run has shown it (open in the declared shape)
	Activation Activation
	// Temperature divides logits before the activation.
	Temperature float64
	TopK        int
	Embedding   *tensor.Spec // nil where the package names none
}
