package model

import "github.com/goshawk-ai/goshawk/internal/problem"

// bearable is how much of a stranger's name is kept at all: names of 100,000
// letters are legal in ONNX, and a sentence shows less than that.
const bearable = 4 * 80

func refuse(format string, args ...any) *problem.Problem {
	return problem.ModelInvalid.New(format, args...)
}
