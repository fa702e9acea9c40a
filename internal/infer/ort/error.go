package ort

import (
	"strings"
	"unicode"

	"github.com/goshawk-ai/goshawk/internal/infer"
)

// The runtime's own codes (enum OrtErrorCode), as far as they say more than "failed".
const (
	codeFail            = 1
	codeInvalidArgument = 2
	codeNoModel         = 4
	codeInvalidProtobuf = 7
	codeNotImplemented  = 9
	codeInvalidGraph    = 10
)

// longest is how much of the runtime's words is kept: names in them are a
// stranger's and may have a hundred thousand letters.
const longest = 400

// newError classifies what the runtime reported. misfit is what an argument
// that it does not like means: a bad file on loading, bad input on running.
func newError(native int, message string, misfit infer.Code) *infer.Error {
	return &infer.Error{Code: classify(native, message, misfit), Native: native, Message: clean(message)}
}

// The runtime reports a refused allocation and much else by the code "fail":
// only its words tell them apart. They are those of release 1.30.0, and
// TestErrorsAreClassified asks the library for each.
func classify(native int, message string, misfit infer.Code) infer.Code {
	for _, words := range []string{"Failed to allocate memory", "bad_alloc", "Available memory of", "bad allocation"} {
		if strings.Contains(message, words) {
			return infer.OutOfMemory
		}
	}
	for _, words := range []string{
		"Unsupported model IR version", "is not a registered function/op", "No Op registered for",
		"no opset import for domain", "is till opset",
		"Could not find an implementation", "is under development",
	} {
		if strings.Contains(message, words) {
			return infer.Unsupported
		}
	}
	switch native {
	case codeNotImplemented:
		return infer.Unsupported
	case codeInvalidArgument:
		return misfit
	case codeNoModel, codeInvalidProtobuf, codeInvalidGraph:
		return infer.InvalidFile
	}
	if misfit == infer.InvalidFile && native == codeFail {
		return infer.InvalidFile
	}
	return infer.Failed
}

// clean makes the runtime's words fit to show: one line, valid text, no control
// or direction marks, of a bearable length.
func clean(s string) string {
	var b strings.Builder
	n, gap := 0, false
	for _, r := range s {
		switch {
		case unicode.IsSpace(r):
			gap = b.Len() > 0
			continue
		case r == unicode.ReplacementChar || !unicode.IsGraphic(r):
			continue
		}
		if gap {
			b.WriteByte(' ')
			n++
		}
		if n >= longest {
			b.WriteString("…")
			break
		}
		gap = false
		b.WriteRune(r)
		n++
	}
	return b.String()
}
