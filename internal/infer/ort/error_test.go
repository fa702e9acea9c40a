package ort

import (
	"strings"
	"testing"

	"github.com/goshawk-ai/goshawk/internal/infer"
)

func TestCleanMakesOneBearableLine(t *testing.T) {
	for in, want := range map[string]string{
		"plain words":                     "plain words",
		"two\nlines\r\n\tand a tab":       "two lines and a tab",
		"  around  ":                      "around",
		"\x1b[31mred\x1b[0m\a":            "[31mred[0m",
		"right\u202eto left\u200b":        "rightto left",
		"bad \xff\xfe bytes":              "bad bytes",
		"日本 é":                            "日本 é",
		strings.Repeat("é", longest+1):    strings.Repeat("é", longest) + "…",
		strings.Repeat("a ", 100_000):     strings.Repeat("a ", longest/2-1) + "a…",
		strings.Repeat("\x00", 100) + "x": "x",
	} {
		if got := clean(in); got != want {
			t.Errorf("clean(%.40q) = %.60q, want %.60q", in, got, want)
		}
	}
}

func TestPlacesInTheSourceAreLeftOut(t *testing.T) {
	for in, want := range map[string]string{
		"no place": "no place",
		"/src/onnxruntime/core/graph/model.cc:191 a::B::B(onnx::P&&, const std::map<int, f(int)>&) Missing opset.":   "Missing opset.",
		"Node 'cos': /s/core/bfc_arena.cc:360 void* a::A::Raw(size_t, bool) const Available memory of 1 is smaller.": "Node 'cos': Available memory of 1 is smaller.",
		"/s/g.cc:1389 a::G::G(const a::M&, bool) !x::Has(y) was false. It has.":                                      "It has.",
		"/s/t.h:5 T a::get(int) [with T = int] wrong":                                                                "wrong",
		"Status: pool.cc:226 Compute Input dimension cannot be less than 3.":                                         "Status: Input dimension cannot be less than 3.",
		"a.cc:1 F one b.cc:2 G two": "one two",
		"/s/a.cc:1 unbalanced(":     "unbalanced(",
	} {
		if got := withoutSource(in); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
}

func TestErrorsAreClassified(t *testing.T) {
	for _, c := range []struct {
		native  int
		message string
		misfit  infer.Code
		want    infer.Code
	}{
		{1, "Available memory of 5 is smaller than requested bytes of 9", infer.BadInput, infer.OutOfMemory},
		{6, "std::bad_alloc", infer.InvalidFile, infer.OutOfMemory},
		{2, "Got invalid dimensions for input: x", infer.BadInput, infer.BadInput},
		{2, "Node input 'x' is not a graph input", infer.InvalidFile, infer.InvalidFile},
		{7, "protobuf parsing failed", infer.InvalidFile, infer.InvalidFile},
		{10, "Error No Op registered for Flux", infer.InvalidFile, infer.Unsupported},
		{9, "not implemented", infer.BadInput, infer.Unsupported},
		{1, "the graph is not acyclic", infer.InvalidFile, infer.InvalidFile},
		{1, "Non-zero status code returned", infer.BadInput, infer.Failed},
		{6, "anything", infer.InvalidFile, infer.Failed},
	} {
		e := newError(c.native, c.message, c.misfit)
		if e.Code != c.want || e.Native != c.native {
			t.Errorf("native %d %q is code %d, want %d", c.native, c.message, e.Code, c.want)
		}
	}
}

func FuzzErrorText(f *testing.F) {
	f.Add("/src/a.cc:1 a::B(c, d) const x was false. message\n\x1b")
	f.Add("b.h:2 F ")
	f.Fuzz(func(t *testing.T, s string) {
		got := newError(1, s, infer.Failed).Message
		if n := len([]rune(got)); n > longest+1 || strings.ContainsAny(got, "\n\r\x1b\x00") {
			t.Errorf("%q became %d characters: %q", s, n, got)
		}
	})
}
