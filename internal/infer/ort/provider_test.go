//go:build cgo && (linux || darwin)

package ort

import (
	"strings"
	"testing"

	"github.com/goshawk-ai/goshawk/test/checkout"
)

// The library that this program comes with has no provider but the CPU's, and a
// build that has one needs libraries of NVIDIA: whoever asks for a GPU without
// them is told so before a model is loaded.
func TestAProviderWithoutItsLibrariesIsRefused(t *testing.T) {
	path, err := Find("")
	if err != nil {
		path = checkout.Root(t) + "/lib/" + fileName()
	}
	for provider, wants := range map[Provider][]string{
		CUDA:     {"backends.provider is cuda, and ONNX Runtime at ", "cannot compute with it: ", "Cuda", "or say cpu"},
		TensorRT: {"backends.provider is tensorrt, and ONNX Runtime at ", "cannot compute with it: ", "TensorRT", "or say cpu"},
		"npu":    {`there is no provider "npu"; cpu, cuda and tensorrt are known`},
	} {
		b, err := Open(LibraryOptions{Path: path, Provider: provider})
		if err == nil {
			t.Errorf("%s: it was opened; this library has no such provider", provider)
			_ = b.Close()
			continue
		}
		for _, want := range wants {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v; want a sentence with %q", provider, err, want)
			}
		}
		if strings.Count(err.Error(), "\n") > 0 {
			t.Errorf("%s: %q is more than a sentence", provider, err)
		}
	}
	b, err := Open(LibraryOptions{Path: path, Provider: CPU}) // nothing is left of the others
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
}
