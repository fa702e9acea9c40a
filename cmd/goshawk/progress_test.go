package main

import (
	"bytes"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func TestProgressLine(t *testing.T) {
	p := &progress{width: 80, done: 30, total: 120}
	if got, want := p.line(10*time.Second), "30/120 [##########..............................] 3.0/s 30s left"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	for width := range 60 {
		p.width = width
		if got := utf8.RuneCountInString(p.line(time.Second)); got > max(width-1, 1) {
			t.Errorf("%d columns on a terminal of %d: the line would wrap and could not be taken away", got, width)
		}
	}
}

func TestProgressIsDrawnNowAndThen(t *testing.T) {
	var out bytes.Buffer
	now := time.Unix(0, 0)
	p := newProgress(&console{err: &out, width: 80}, 100, func() time.Time { return now })
	for range 50 {
		now = now.Add(10 * time.Millisecond)
		p.makeWay()
		p.step()
	}
	if n := strings.Count(out.String(), "\r"); n != 5 {
		t.Errorf("drawn %d times in half a second; want 5, results elsewhere don't disturb it", n)
	}
	p.clear()
	if !strings.HasSuffix(out.String(), "\r\x1b[K") {
		t.Error("the last thing must take the line away")
	}
}

func TestProgressMakesWayOnASharedTerminal(t *testing.T) {
	var screen bytes.Buffer
	b := &console{out: &screen, err: &screen, outTerminal: true, errTerminal: true, width: 40}
	r := newReport(b, predictOptions{output: &format{}}, make([]source, 2))
	for range 2 {
		if err := r.add(outcome{name: "a", err: tooLarge(1)}); err != nil {
			t.Fatal(err)
		}
	}
	err := r.finish(nil)
	for line := range strings.SplitSeq(strings.TrimSpace(screen.String()), "\n") {
		if i := strings.LastIndex(line, "\r\x1b[K"); strings.Contains(line, "left") && i < strings.Index(line, "left") {
			t.Errorf("a result was written over the bar: %q", line)
		}
	}
	if err == nil || !strings.HasSuffix(screen.String(), "\x1b[K") {
		t.Errorf("err %v, screen ends %q; want a failure and no bar left behind", err, screen.String())
	}
	if quiet := newReport(b, predictOptions{output: &format{}, quiet: true}, make([]source, 2)); quiet.progress != nil {
		t.Error("--quiet has a bar")
	}
}
