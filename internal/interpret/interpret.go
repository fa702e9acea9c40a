package interpret

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/goshawk-ai/goshawk/internal/model"
)

// Candidate is one class with its probability.
type Candidate struct {
	Index       int
	Probability float64
}

// NotFiniteError says that a model gave no usable number for a class.
type NotFiniteError struct {
	Index int
	Score float32
}

func (e *NotFiniteError) Error() string {
	return fmt.Sprintf("the score of class %d is %v", e.Index, e.Score)
}

// Probabilities writes the probability of each class into dst, which is as long
// as scores. Logits are divided by temperature before softmax or sigmoid; with
// model.None the scores are probabilities and are only checked. NaN anywhere,
// and +Inf under softmax (which would make NaN), is a *NotFiniteError; -Inf is
// a probability of 0.
func Probabilities(dst []float64, scores []float32, activation model.Activation, temperature float64) error {
	for i, s := range scores {
		if s != s || math.IsInf(float64(s), 1) && activation != model.Sigmoid || activation == model.None && math.IsInf(float64(s), -1) {
			return &NotFiniteError{i, s}
		}
	}
	switch activation {
	case model.Softmax:
		softmax(dst, scores, temperature)
	case model.Sigmoid:
		for i, s := range scores {
			dst[i] = 1 / (1 + math.Exp(-float64(s)/temperature))
		}
	default:
		for i, s := range scores {
			dst[i] = float64(s)
		}
	}
	return nil
}

// softmax subtracts the maximum first, so that scores of 1e30 do not overflow.
func softmax(dst []float64, scores []float32, temperature float64) {
	if len(scores) == 0 {
		return
	}
	highest := float64(slices.Max(scores))
	if math.IsInf(highest, -1) { // every class is impossible: none is likelier
		for i := range dst {
			dst[i] = 1 / float64(len(dst))
		}
		return
	}
	sum := 0.0
	for i, s := range scores {
		dst[i] = math.Exp((float64(s) - highest) / temperature)
		sum += dst[i]
	}
	for i := range dst {
		dst[i] /= sum
	}
}

// Top gives the k likeliest classes, likeliest first, ties by index. It appends
// to into[:0] and looks at each probability once, so that 21,843 classes cost
// little more than reading them.
func Top(into []Candidate, probabilities []float64, k int) []Candidate {
	best := into[:0]
	if k <= 0 {
		return best
	}
	for i, p := range probabilities {
		if len(best) == k && p <= best[k-1].Probability {
			continue
		}
		c := Candidate{i, p}
		at, _ := slices.BinarySearchFunc(best, c, order)
		if len(best) == k {
			best = best[:k-1]
		}
		best = slices.Insert(best, at, c)
	}
	return best
}

func order(a, b Candidate) int {
	return cmp.Or(cmp.Compare(b.Probability, a.Probability), cmp.Compare(a.Index, b.Index))
}
