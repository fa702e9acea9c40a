package main

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// redraw is how often the bar may change: often enough to look alive.
const redraw = 100 * time.Millisecond

// progress is a line at the bottom of a terminal. A nil one does nothing. It is
// used from one goroutine, the one that writes the results.
type progress struct {
	w           io.Writer
	width       int
	shared      bool // the results go to the same terminal, and the line must make way for them
	done, total int
	start, last time.Time
	shown       bool
	now         func() time.Time
}

func newProgress(c *console, total int, now func() time.Time) *progress {
	return &progress{w: c.err, width: c.width, shared: c.outTerminal, total: total, start: now(), now: now}
}

// makeWay is called before a result is written.
func (p *progress) makeWay() {
	if p != nil && p.shared {
		p.clear()
	}
}

// clear takes the line away for good, or until the next step.
func (p *progress) clear() {
	if p != nil && p.shown {
		io.WriteString(p.w, "\r\x1b[K")
		p.shown = false
	}
}

// step counts one more and draws the line, unless it was drawn a moment ago.
func (p *progress) step() {
	if p == nil {
		return
	}
	p.done++
	now := p.now()
	if p.shown && now.Sub(p.last) < redraw {
		return
	}
	p.last, p.shown = now, true
	io.WriteString(p.w, "\r"+p.line(now.Sub(p.start))+"\x1b[K")
}

// line is "  37/120 [#####.....] 18.4/s 5s left", shortened to the terminal.
func (p *progress) line(spent time.Duration) string {
	rate := float64(p.done) / max(spent.Seconds(), 1e-3)
	left := time.Duration(float64(p.total-p.done) / rate * float64(time.Second)).Round(time.Second)
	head := fmt.Sprintf("%d/%d", p.done, p.total)
	tail := fmt.Sprintf("%.1f/s %s left", rate, left)
	room := min(40, p.width-len(head)-len(tail)-5)
	if room < 5 {
		return shorten(head+" "+tail, max(p.width-1, 1))
	}
	full := room * p.done / p.total
	return head + " [" + strings.Repeat("#", full) + strings.Repeat(".", room-full) + "] " + tail
}

// transfer shows how much of a download has arrived, on a terminal alone.
func (c *console) transfer() func(done, total int64) {
	if !c.errTerminal {
		return nil
	}
	var last time.Time
	return func(done, total int64) {
		now := time.Now()
		if done != total && now.Sub(last) < redraw {
			return
		}
		last = now
		line := fmt.Sprintf("%.1f MB", float64(done)/1e6)
		if total > 0 {
			line += fmt.Sprintf(" of %.1f MB (%d %%)", float64(total)/1e6, 100*done/total)
		}
		io.WriteString(c.err, "\r"+line+"\x1b[K")
		if done == total {
			io.WriteString(c.err, "\r\x1b[K")
		}
	}
}
