// Package backendtest is the suite that every infer.Backend passes: types and
// ranks, ownership of memory, bad input, damaged models, cancellation, many
// callers at once, closing while others run. Its models are made by onnxgen.
//
//	func TestBackend(t *testing.T) { backendtest.Run(t, open) }
package backendtest

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/goshawk-ai/goshawk/internal/infer"
	"github.com/goshawk-ai/goshawk/internal/infer/backendtest/onnxgen"
	"github.com/goshawk-ai/goshawk/internal/tensor"
)

// Lack is something that a backend's protocol has no word for.
type Lack int

// What a backend may lack.
const (
	Bytes Lack = iota + 1 // it is told a model's name: what is wrong with a file is not its affair
	Specs                 // names of open sizes, no shape at all, values that are no tensors
)

// Run runs the suite, without what the backend lacks. open may give the same
// backend every time.
func Run(t *testing.T, open func(testing.TB) infer.Backend, lacks ...Lack) {
	for _, c := range []struct {
		name string
		test func(*testing.T, infer.Backend)
		want Lack
	}{
		{"Lineage", testLineage, 0},
		{"EveryTypeAndRank", testEveryTypeAndRank, 0},
		{"Strings", testStrings, 0},
		{"NumbersAreExact", testNumbers, 0},
		{"Specs", testSpecs, Specs},
		{"SpecsOfNoTensor", testSpecsOfNoTensor, Specs},
		{"LongNames", testLongNames, 0},
		{"NamesDecideNotOrder", testNamesDecide, 0},
		{"GivenMemoryIsWritten", testGivenMemory, 0},
		{"GivenMemoryOfAnotherShape", testGivenMemoryMisfit, 0},
		{"OutputThatIsNoResult", testOutputThatIsNoResult, 0},
		{"InputsStayTheCallers", testInputsStay, 0},
		{"OptionsChangeNoAnswer", testOptions, 0},
		{"BadInput", testBadInput, 0},
		{"BadOutput", testBadOutput, 0},
		{"FailingNode", testFailingNode, 0},
		{"DamagedModels", testDamagedModels, Bytes},
		{"UnsupportedModels", testUnsupportedModels, Bytes},
		{"NothingOutsideIsOpened", testNothingOutside, Bytes},
		{"EndedContext", testEndedContext, 0},
		{"EndlessRunIsTerminated", testEndless, 0},
		{"ManyCancellations", testManyCancellations, 0},
		{"ManyCallers", testManyCallers, 0},
		{"CloseWhileOthersRun", testCloseWhileRunning, 0},
		{"CloseEndsTheSession", testClose, 0},
		{"PlainSpecs", testPlainSpecs, 0},
	} {
		if !slices.Contains(lacks, c.want) {
			t.Run(c.name, func(t *testing.T) { c.test(t, open(t)) })
		}
	}
}

func testLineage(t *testing.T, b infer.Backend) {
	if b.Name() == "" || b.Version() == "" {
		t.Fatalf("name %q, version %q: both are part of every answer's lineage", b.Name(), b.Version())
	}
}

// load loads a model that must load, and closes it after the test.
func load(t *testing.T, b infer.Backend, m onnxgen.Model) infer.Session {
	t.Helper()
	s, err := b.Load(t.Context(), m.Bytes(), infer.Options{})
	if err != nil {
		t.Fatalf("load: %v", err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

// run runs a session that must run.
func run(t *testing.T, s infer.Session, in, out []*tensor.Tensor) {
	t.Helper()
	if err := s.Run(t.Context(), in, out); err != nil {
		t.Fatalf("run: %v", err)
	}
}

// floats makes a float32 tensor.
func floats(name string, shape []int64, values ...float32) *tensor.Tensor {
	data := tensor.Aligned(4 * len(values))
	copy(tensor.View[float32](data), values)
	return &tensor.Tensor{Name: name, Type: tensor.Float32, Shape: shape, Data: data}
}

func list(ts ...*tensor.Tensor) []*tensor.Tensor { return ts }

// wantCode checks that an error is the runtime's and of a class.
func wantCode(t *testing.T, what string, err error, want infer.Code) {
	t.Helper()
	e, ok := errors.AsType[*infer.Error](err)
	switch {
	case err == nil:
		t.Errorf("%s: no error", what)
	case !ok:
		t.Errorf("%s: %v is no *infer.Error, so that a caller cannot tell what to do", what, err)
	case e.Code != want:
		t.Errorf("%s: code %d (%v), want %d", what, e.Code, err, want)
	case len([]rune(e.Message)) > 600 || slices.ContainsFunc([]rune(e.Message), func(r rune) bool { return r < ' ' }):
		t.Errorf("%s: the message is long or has control characters: %q", what, e.Message)
	}
}

var errGone = errors.New("the client is gone")

// gone gives a context that has ended, by errGone.
func gone(t *testing.T) context.Context {
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errGone)
	return ctx
}
