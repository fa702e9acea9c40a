//go:build cgo && (linux || darwin)

package ort

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/goshawk-ai/goshawk/internal/infer"
	"github.com/goshawk-ai/goshawk/internal/infer/backendtest/onnxgen"
	"github.com/goshawk-ai/goshawk/internal/tensor"
	"github.com/goshawk-ai/goshawk/test/checkout"
)

// entryNames reads the functions that we call from api.h, in the table's order.
func entryNames(t *testing.T) []string {
	t.Helper()
	header, err := os.ReadFile("api.h")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	last := 0
	for _, m := range regexp.MustCompile(`F\((\d+), (\w+),`).FindAllStringSubmatch(string(header), -1) {
		position, err := strconv.Atoi(m[1])
		if err != nil || position <= last {
			t.Errorf("%s stands at %d, which is not after %d: keep the list in the runtime's order", m[2], position, last)
		}
		last = position
		names = append(names, m[2])
	}
	return names
}

// TestEveryEntryAgainstTheLibrary proves each line of api.h: everything that we
// do with the library gives the right results, and does reach that function.
// For the second half each function in turn is taken out of the table, in a
// process of its own, which must then die of calling it.
func TestEveryEntryAgainstTheLibrary(t *testing.T) {
	if child := childOf(); child != "" {
		if err := everything(t, child); err != nil {
			t.Fatal(err)
		}
		return
	}
	if out, err := inChild(t, "whole"); err != nil {
		t.Fatalf("with the whole table: %v\n%s", err, out)
	}
	names := entryNames(t)
	if len(names) < 40 {
		t.Fatalf("api.h has %d functions; the reading goes wrong", len(names))
	}
	for i, name := range names {
		out, err := inChild(t, strconv.Itoa(i))
		if err == nil || !strings.Contains(out, "PC=0x0") {
			t.Errorf("%s was never called (%v): nothing proves its position and signature\n%.500s", name, err, out)
		}
	}
}

// everything uses all of the library that the package uses. without is the
// entry to take out.
func everything(t *testing.T, without string) error {
	path := os.Getenv(Variable)
	if path == "" {
		path = checkout.Root(t) + "/lib/" + fileName()
	}
	rt, err := open(path)
	if err != nil {
		return err
	}
	if i, err := strconv.Atoi(without); err == nil {
		// The table is the first member of the runtime.
		*(*uintptr)(unsafe.Add(unsafe.Pointer(rt), uintptr(i)*unsafe.Sizeof(uintptr(0)))) = 0
	}
	b := &Backend{rt: rt}
	if err := b.start(1 << 28); err != nil {
		return err
	}
	// A library without these providers refuses them, by the very functions.
	if b.choose(CUDA) == nil || b.choose(TensorRT) == nil {
		return errors.New("this library has providers for GPUs")
	}
	b.provider = providers[CPU]
	return errors.Join(computes(t, b), words(t, b), refuses(t, b), stops(t, b), b.Close())
}

func computes(t *testing.T, b *Backend) error {
	s := loadRaw(t, b, onnxgen.Classifier("batch", 2, 3).Bytes())
	defer s.Close()
	if in := s.Inputs()[0]; in.Name != "input" || in.Symbols[0] != "batch" || fmt.Sprint(in.Shape) != "[-1 3 2 2]" {
		return fmt.Errorf("the input is %+v", in)
	}
	x, err := tensor.New("input", tensor.Float32, []int64{1, 3, 2, 2}, 1<<20)
	if err != nil {
		return err
	}
	copy(tensor.View[float32](x.Data), []float32{1, 1, 1, 1, 2, 2, 2, 2, 4, 4, 4, 4})
	y := &tensor.Tensor{Name: "logits"}
	if err := s.Run(t.Context(), []*tensor.Tensor{x}, []*tensor.Tensor{y}); err != nil {
		return err
	}
	if got := fmt.Sprint(y.Shape, tensor.View[float32](y.Data)); got != "[1 3] [0 3 6]" {
		return fmt.Errorf("the logits are %s", got)
	}
	return nil
}

func words(t *testing.T, b *Backend) error {
	s := loadRaw(t, b, onnxgen.Identity(tensor.String, 2).Bytes())
	defer s.Close()
	x := &tensor.Tensor{Name: "in", Type: tensor.String, Shape: []int64{2}, Strings: [][]byte{[]byte("a"), []byte("bc")}}
	y := &tensor.Tensor{Name: "out"}
	if err := s.Run(t.Context(), []*tensor.Tensor{x}, []*tensor.Tensor{y}); err != nil {
		return err
	}
	if got := fmt.Sprintf("%s", y.Strings); got != "[a bc]" {
		return fmt.Errorf("the strings came back as %s", got)
	}
	return nil
}

func refuses(t *testing.T, b *Backend) error {
	_, err := b.Load(t.Context(), []byte("no model"), infer.Options{})
	if e, ok := errors.AsType[*infer.Error](err); !ok || e.Native != codeInvalidProtobuf || !strings.Contains(e.Message, "rotobuf") {
		return fmt.Errorf("text was refused by %w", err)
	}
	return nil
}

// stops ends a run, and a load, from outside.
func stops(t *testing.T, b *Backend) error {
	s := loadRaw(t, b, onnxgen.Endless().Bytes())
	defer s.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	x := &tensor.Tensor{Name: "in", Type: tensor.Float32, Data: tensor.Aligned(4)}
	err := s.Run(ctx, []*tensor.Tensor{x}, []*tensor.Tensor{{Name: "out"}})
	if !errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("the endless run ended by %w", err)
	}
	// The request reaches the load at once or a little later: try until it was in time.
	chain := onnxgen.Identity(tensor.Float32, 1)
	chain.Nodes = nil
	last := "in"
	for i := range 2000 {
		next := fmt.Sprint("n", i)
		chain.Nodes = append(chain.Nodes, onnxgen.Node{Op: "Neg", In: []string{last}, Out: []string{next}})
		last = next
	}
	chain.Nodes = append(chain.Nodes, onnxgen.Node{Op: "Neg", In: []string{last}, Out: []string{"out"}})
	for range 100 {
		native, err := b.load(ctx, chain.Bytes(), infer.Options{})
		if errors.Is(err, context.DeadlineExceeded) {
			return nil
		}
		if err != nil {
			return err
		}
		unload(b, native)
	}
	return errors.New("no load was cancelled")
}
