package main

import (
	"strings"
	"testing"
	"time"
)

// TestAPartThatIsMeasuredAnewLeavesTheOthers, each with the time and the commit
// that it was measured at.
func TestAPartThatIsMeasuredAnewLeavesTheOthers(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 0, 0, time.UTC)
	first := &report{began: at, commit: "aaa", start: &startup{IdlePSS: 100e6}, large: []largeRound{{Entropy: 1, Small: 1, Large: 2}}}
	page := first.page("")
	second := &report{began: at.Add(time.Hour), commit: "bbb", large: []largeRound{{Entropy: 1, Small: 1, Large: 3}}}
	page = second.page(page)
	if got := section(page, "Start and memory"); !strings.Contains(got, "PSS 100 MB") || !strings.Contains(got, "03:04 UTC, commit aaa") {
		t.Errorf("the part that was not measured again is now %q", got)
	}
	if got := section(page, "A 12-megapixel photo"); !strings.Contains(got, "2.000") || strings.Contains(got, "1.000 |") || !strings.Contains(got, "04:04 UTC, commit bbb") {
		t.Errorf("the part that was measured again is %q", got)
	}
	if again := second.page(page); again != page {
		t.Errorf("the same figures once more give another page:\n%s\nwas\n%s", again, page)
	}
	if strings.Count(page, "\n## ") != 2 {
		t.Errorf("the page has other sections than were measured:\n%s", page)
	}
}
