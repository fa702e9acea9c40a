package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"strings"
	"testing"
	"time"
)

func TestTheSlopeIsOfTheLastRounds(t *testing.T) {
	curve := make([]int64, churnRounds)
	for i := range curve {
		if curve[i] = 50_000; i >= churnSettle {
			curve[i] += int64(7 * (i - churnSettle))
		}
	}
	if got := slope(curve); math.Abs(got-7) > 1e-9 {
		t.Errorf("a curve that rises by 7 KB a round after it has settled has a slope of %v", got)
	}
	if got := slope(curve[:churnSettle]); !math.IsNaN(got) {
		t.Errorf("a curve without the rounds that count has a slope of %v, want none", got)
	}
	plot := drawCurves([]churn{{Model: "one", RSS: curve}, {Model: "two", RSS: curve}})
	for d := xml.NewDecoder(bytes.NewReader(plot)); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("the plot is no XML: %v", err)
		}
	}
	if strings.Count(string(plot), "<polyline") != 2 || !strings.Contains(string(plot), "one: +7.0 KB a round") {
		t.Error("the plot lacks a curve or its slope")
	}
}

func TestInsideIsWhatWasUnderWayDuringALoad(t *testing.T) {
	at := func(ms int) time.Time { return time.Unix(0, 0).Add(time.Duration(ms) * time.Millisecond) }
	h := &hotload{
		Quiet: [][]sample{{{began: at(0), took: 10 * time.Millisecond, ok: true}}},
		Beside: [][]sample{{
			{began: at(0), took: 5 * time.Millisecond},
			{began: at(8), took: 5 * time.Millisecond},
			{began: at(15), took: time.Millisecond},
			{began: at(19), took: 30 * time.Millisecond},
			{began: at(21), took: time.Millisecond},
		}},
		Spans: [][]span{{{at(10), at(20)}}},
	}
	if got := len(h.inside()); got != 3 {
		t.Errorf("%d requests were under way during the load, want 3: one that began before, one within, one that ended after", got)
	}
	if got := h.ratio(.5).Median; got != .5 {
		t.Errorf("the ratio of the medians is %v, want 5 ms over 10", got)
	}
}
