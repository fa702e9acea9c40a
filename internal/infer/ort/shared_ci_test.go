//go:build ci && cgo && linux

package ort_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goshawk-ai/goshawk/internal/infer"
	"github.com/goshawk-ai/goshawk/internal/infer/ort/orttest"
	"github.com/goshawk-ai/goshawk/internal/tensor"
	"github.com/goshawk-ai/goshawk/test/checkout"
)

func read(t *testing.T, parts ...string) []byte {
	t.Helper()
	data, err := os.ReadFile(checkout.Shared(t, parts...))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// npy reads numpy's format: a float32 array in C order.
func npy(t *testing.T, name string) *tensor.Tensor {
	t.Helper()
	data := read(t, "models", "golden", name)
	length := int(binary.LittleEndian.Uint16(data[8:]))
	header := string(data[10 : 10+length])
	_, after, found := strings.Cut(header, "'shape': (")
	shape, _, closed := strings.Cut(after, ")")
	if !bytes.HasPrefix(data, []byte("\x93NUMPY\x01")) || !strings.Contains(header, "'<f4'") || !found || !closed {
		t.Fatalf("%s: not the npy that this test reads: %s", name, header)
	}
	x := &tensor.Tensor{Type: tensor.Float32}
	for _, size := range strings.Split(strings.TrimSuffix(shape, ","), ",") {
		var n int64
		if _, err := fmt.Sscan(size, &n); err != nil {
			t.Fatal(err)
		}
		x.Shape = append(x.Shape, n)
	}
	x.Data = tensor.Aligned(len(data) - 10 - length)
	copy(x.Data, data[10+length:])
	return x
}

// TestGoldenLogits: the numbers that other implementations computed.
func TestGoldenLogits(t *testing.T) {
	for _, c := range []struct {
		model, golden string
		exact         bool // int8 numbers depend on the processor: only the best class counts
	}{
		{"cifar10-resnet20", "cifar10-resnet20", true},
		{"mobilenetv2", "mobilenetv2", true},
		{"mobilenetv2-w8", "mobilenetv2", true},
		{"squeezenet1.1", "squeezenet1.1", true},
		{"mobilenetv2-int8", "mobilenetv2", false},
	} {
		t.Run(c.model, func(t *testing.T) {
			want := npy(t, c.golden+".logits.npy")
			in := npy(t, c.golden+".input.npy")
			in.Name = "input"
			s, err := orttest.Open(t).Load(t.Context(), read(t, "models", c.model+".onnx"), infer.Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			out := &tensor.Tensor{Name: "logits"}
			if err := s.Run(t.Context(), []*tensor.Tensor{in}, []*tensor.Tensor{out}); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(out.Shape, want.Shape) {
				t.Fatalf("logits of shape %v, want %v", out.Shape, want.Shape)
			}
			compare(t, out, want, c.exact)
		})
	}
}

func compare(t *testing.T, out, golden *tensor.Tensor, exact bool) {
	t.Helper()
	got, want := tensor.View[float32](out.Data), tensor.View[float32](golden.Data)
	var largest, difference float64
	for i := range want {
		largest = max(largest, math.Abs(float64(want[i])))
		difference = max(difference, math.Abs(float64(want[i]-got[i])))
	}
	t.Logf("largest difference %.2g of a largest logit %.3g", difference, largest)
	if exact && difference > 1e-4*largest {
		t.Errorf("the logits differ by up to %g, more than 1e-4 of the largest (%g)", difference, largest)
	}
	width := int(golden.Shape[1])
	for row := range int(golden.Shape[0]) {
		g, w := got[row*width:][:width], want[row*width:][:width]
		if a, b := slices.Index(g, slices.Max(g)), slices.Index(w, slices.Max(w)); a != b {
			t.Errorf("picture %d: best class %d, want %d", row, a, b)
		}
	}
}

// TestOddModels runs every odd model, with a second for each: none may take the
// process down, or end in anything but a result, its deadline or a clear error.
func TestOddModels(t *testing.T) {
	want := map[string]infer.Code{
		"huge-tensor-runtime.onnx": infer.OutOfMemory, "huge-tensor-100k.onnx": infer.OutOfMemory,
		"external-parent.onnx": infer.InvalidFile, "external-deep-parent.onnx": infer.InvalidFile,
		"external-absolute.onnx": infer.InvalidFile, "external-proc.onnx": infer.InvalidFile,
		"external-missing.onnx": infer.InvalidFile, "external-device.onnx": infer.InvalidFile,
		"truncated.onnx": infer.InvalidFile, "random.onnx": infer.InvalidFile, "cycle.onnx": infer.InvalidFile,
		"unknown-op.onnx": infer.Unsupported, "custom-domain-op.onnx": infer.Unsupported,
		"opset-9999.onnx": infer.Unsupported, "ir-9999.onnx": infer.Unsupported, "opset-5.onnx": infer.Unsupported,
	}
	runs := []string{
		"00-good.onnx", "memory-grows-with-batch.onnx", "long-names.onnx", "html-names.onnx", "input-bfloat16.onnx",
		"input-float16.onnx", "output-float16.onnx", "many-nodes.onnx", "nested-if.onnx", "second-input-scalar.onnx",
	}
	endless := []string{"loop-forever.onnx", "loop-2e62.onnx"}
	files, err := filepath.Glob(checkout.Shared(t, "models", "odd") + "/*.onnx")
	if err != nil || len(files) < 90 {
		t.Fatalf("%d odd models, %v", len(files), err)
	}
	for _, file := range files {
		name := filepath.Base(file)
		err := attempt(t, read(t, "models", "odd", name))
		e, native := errors.AsType[*infer.Error](err)
		code, refused := want[name]
		switch {
		case refused && (!native || e.Code != code):
			t.Errorf("%s: %v, want an error of code %d", name, err, code)
		case slices.Contains(runs, name) && err != nil:
			t.Errorf("%s: %v, want a result", name, err)
		case slices.Contains(endless, name) != errors.Is(err, context.DeadlineExceeded):
			t.Errorf("%s: %v; only the endless ones pass their deadline", name, err)
		case err != nil && !native && !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, tensor.ErrTooLarge):
			t.Errorf("%s: %v is of no class", name, err)
		}
	}
}

// attempt loads a model and runs it once on zeros.
func attempt(t *testing.T, model []byte) error {
	t.Helper()
	s, err := orttest.Open(t).Load(t.Context(), model, infer.Options{})
	if err != nil {
		return err
	}
	defer s.Close()
	var in, out []*tensor.Tensor
	for _, spec := range s.Inputs() {
		x, err := tensor.New(spec.Name, spec.Type, sizes(spec), 1<<28)
		if err != nil {
			return err
		}
		in = append(in, x)
	}
	for _, spec := range s.Outputs() {
		out = append(out, &tensor.Tensor{Name: spec.Name})
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	return s.Run(ctx, in, out)
}

// sizes fills the open sizes: one picture of 32 by 32.
func sizes(spec tensor.Spec) []int64 {
	if !spec.Ranked {
		return []int64{1, 3, 32, 32}
	}
	shape := slices.Clone(spec.Shape)
	for i := range shape {
		if shape[i] < 0 {
			shape[i] = 32
			if i == 0 {
				shape[i] = 1
			}
		}
	}
	return shape
}
