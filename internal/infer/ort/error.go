package ort

import (
	"regexp"
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
	e := &infer.Error{Code: classify(native, message, misfit), Native: native, Message: clean(withoutSource(message))}
	if strings.Contains(message, "xternal data") {
		// Its own words name the folder that we point it to so that it finds nothing.
		e.Message = "the model keeps weights outside of its own file, which is not allowed here"
	}
	return e
}

// A place in the runtime's source: with a path (then the function's whole
// signature follows) or without (then only its name).
var place = regexp.MustCompile(`(\S*/)?\w+\.(?:cc|h|cpp):\d+ `)

// withoutSource takes places in the runtime's source out of its words: they say
// nothing to a reader and may fill all of the room.
func withoutSource(s string) string {
	var b strings.Builder
	for {
		at := place.FindStringSubmatchIndex(s)
		if at == nil {
			return b.String() + s
		}
		b.WriteString(s[:at[0]])
		s = s[at[1]:]
		if at[2] >= 0 {
			s = afterSignature(s)
		} else if _, rest, found := strings.Cut(s, " "); found {
			s = rest
		}
		if condition, rest, found := strings.Cut(s, " was false. "); found && len(condition) < 200 {
			s = rest
		}
	}
}

// afterSignature cuts a C++ function's signature off.
func afterSignature(s string) string {
	depth := 0
	for i, r := range s {
		switch r {
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				rest := strings.TrimPrefix(s[i+1:], " const")
				if _, after, found := strings.Cut(rest, "] "); found && strings.HasPrefix(rest, " [with ") {
					return after
				}
				return strings.TrimPrefix(rest, " ")
			}
		}
	}
	return s
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
		if n >= longest || gap && n >= longest-1 { // a gap takes a place too
			b.WriteString("…")
			break
		}
		if gap {
			b.WriteByte(' ')
			n++
		}
		gap = false
		b.WriteRune(r)
		n++
	}
	return b.String()
}
