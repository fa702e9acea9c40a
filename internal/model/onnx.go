package model

import (
	"bytes"
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/goshawk-ai/goshawk/internal/problem"
	"github.com/goshawk-ai/goshawk/internal/tensor"
)

// ONNXInfo is what a model file says of itself, read without the runtime.
type ONNXInfo struct {
	IRVersion int64
	Opset     int64 // of the standard operators; 0 where none is named
	Producer  string
	Inputs    []tensor.Spec // without those that have an initializer
	Outputs   []tensor.Spec
	Makers    map[string]string // output: operator that makes it, as Softmax
	Nodes     int64             // with every function written out
	Loops     bool              // a Loop or Scan: how long a run takes depends on data
	// Hazards lists nodes that could kill the runtime: an integer Div or Mod
	// whose divisor is not a constant free of 0 and -1 raises SIGFPE in it.
	Hazards []string
}

// The newest versions that ONNX Runtime 1.30.0 loads, found by loading a model
// of each. Older ones are its own business.
const (
	runtimeName  = "ONNX Runtime 1.30.0"
	newestIR     = 13
	newestOpset  = 26
	maxNodes     = 500_000 // the largest known networks have a tenth
	maxFunctions = 64      // that call each other in a row
	maxGraphs    = 40      // within each other; the runtime's own reader ends near 33
	maxTypes     = 16      // sequences of sequences
	maxEnds      = 100_000 // inputs (old files list their weights among them) and outputs
	maxHazards   = 100     // that are listed
)

// newestDomains holds the other operator sets that the runtime brings.
var newestDomains = map[string]int64{
	"ai.onnx.ml": 5, "com.microsoft": 1, "ai.onnx.training": 1, "ai.onnx.preview.training": 1,
}

// InspectONNX reads a model file by our own small walk over it, before the
// runtime sees it: versions, inputs and outputs, and what must never reach the
// runtime (files outside, operators from elsewhere, graphs that explode). data
// is not kept. Errors are problems of kind model-invalid.
func InspectONNX(data []byte) (ONNXInfo, error) {
	if len(data) == 0 {
		return ONNXInfo{}, refuse("the model file is empty")
	}
	if what := foreign(data); what != "" {
		return ONNXInfo{}, refuse("the model file is not an ONNX model: %s", what)
	}
	w := &walker{info: ONNXInfo{Makers: map[string]string{}}}
	if err := w.model(data); err != nil {
		return ONNXInfo{}, w.explain(err, len(data))
	}
	return w.info, nil
}

// explain makes a sentence of what the walk met.
func (w *walker) explain(err error, length int) error {
	var p *problem.Problem
	var d *damageError
	switch {
	case errors.As(err, &p):
		return p
	case !errors.As(err, &d):
		return err
	case !w.versioned && w.graph == nil:
		return refuse("the model file is not an ONNX model").Because(err)
	case d.cutOff && w.graph == nil:
		return refuse("the model file is damaged: it is cut off after %d bytes and has no whole graph", length).Because(err)
	case d.cutOff:
		return refuse("the model file is damaged: it is cut off, or garbage begins, at byte %d of %d", d.at, length).Because(err)
	}
	return refuse("the model file is damaged at byte %d of %d: %s", d.at, length, d.why).Because(err)
}

// foreign says what a file is that is no ONNX model but is often found in its
// place; "" where nothing is known against it.
func foreign(data []byte) string {
	head := data[:min(len(data), 1024)]
	lower := bytes.ToLower(bytes.TrimSpace(head))
	at4 := func(magic string) bool { return len(head) >= 8 && string(head[4:8]) == magic }
	switch {
	case bytes.HasPrefix(head, []byte("version https://git-lfs")):
		return "it is a Git LFS pointer; fetch the file itself with git lfs pull"
	case bytes.HasPrefix(lower, []byte("<!doctype html")), bytes.HasPrefix(lower, []byte("<html")):
		return "it looks like an HTML page, perhaps an error page of the server that it came from"
	case bytes.HasPrefix(lower, []byte("<?xml")):
		return "it looks like XML, perhaps OpenVINO's; export the model to ONNX"
	case bytes.HasPrefix(head, []byte("\xfd7zXZ\x00")), bytes.HasPrefix(head, []byte("\x28\xb5\x2f\xfd")), bytes.HasPrefix(head, []byte("BZh")),
		bytes.HasPrefix(head, []byte("7z\xbc\xaf\x27\x1c")), bytes.HasPrefix(head, []byte("Rar!\x1a\x07")):
		return "it is an archive of a kind that is not read here; a package comes as a folder, .tar, .tar.gz or .zip"
	case bytes.HasPrefix(head, []byte("PK\x03\x04")):
		return "it is a zip file, perhaps PyTorch's or Keras's; export the model to ONNX"
	case len(head) > 2 && head[0] == 0x80 && head[1] >= 2 && head[1] <= 5 && bytes.IndexByte(head[2:], '}') >= 0:
		return "it looks like a Python pickle, as PyTorch writes; export the model to ONNX"
	case bytes.HasPrefix(head, []byte("\x89HDF\r\n")):
		return "it is an HDF5 file, as Keras writes; export the model to ONNX"
	case at4("TFL3"):
		return "it is a TensorFlow Lite model; convert it to ONNX"
	case at4("ORTM"):
		return "it is in ONNX Runtime's own .ort form; give the .onnx file that it was made from"
	case bytes.HasPrefix(head, []byte("GGUF")):
		return "it is a GGUF file; export the model to ONNX"
	case len(head) > 9 && head[8] == '{' && head[7] == 0 && head[6] == 0:
		return "it looks like safetensors, which hold weights and no graph; export the model to ONNX"
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		return "it is compressed with gzip"
	case bytes.HasPrefix(head, []byte("\x7fELF")):
		return "it is a program"
	case isText(head):
		return "it looks like text"
	}
	return ""
}

func isText(head []byte) bool {
	for i := 0; i < len(head); {
		r, size := utf8.DecodeRune(head[i:])
		if r == utf8.RuneError && size == 1 && len(head)-i >= utf8.UTFMax {
			return false
		}
		if unicode.IsControl(r) && !strings.ContainsRune("\n\r\t\f", r) {
			return false
		}
		i += size
	}
	return true
}
