package main

import (
	"encoding/xml"
	"errors"
	"io"
	"math"
	"slices"
	"strings"
	"testing"
)

func TestAPlotIsWellFormed(t *testing.T) {
	t.Parallel()
	for name, p := range map[string]plot{
		"empty":     {Title: "nothing"},
		"one point": {Curves: []curve{{Name: "a", X: []float64{1}, Y: []float64{1}}}},
		"gaps":      {Title: "p99 < 50 & more", X: "s", Y: "ms", Lines: map[string]float64{"objective": 50}, Marks: map[string]float64{"step": 2}, Curves: []curve{{Name: "a", X: []float64{0, 1, 2, 3}, Y: []float64{1, math.NaN(), 3, 4}}, {Name: "b", Points: true, X: []float64{1}, Y: []float64{9}}}},
	} {
		text := p.svg()
		d := xml.NewDecoder(strings.NewReader(text))
		for {
			_, err := d.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v in\n%s", name, err, text)
			}
		}
		if strings.Contains(text, "NaN") || strings.Contains(text, "Inf") {
			t.Errorf("%s: a number is none in\n%s", name, text)
		}
	}
}

func TestTicksAreRound(t *testing.T) {
	t.Parallel()
	if got := ticks(0, 100); !slices.Equal(got, []float64{0, 20, 40, 60, 80, 100}) {
		t.Errorf("ticks(0, 100) = %v", got)
	}
	if got := ticks(0, 7); len(got) < 3 || len(got) > 8 {
		t.Errorf("ticks(0, 7) = %v, want a few", got)
	}
}
