package wording

import (
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestQuote(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"cats", `"cats"`},
		{"", `""`},
		{"a\nb\x1b[31m", `"a\nb\x1b[31m"`}, // nothing that moves a terminal's cursor
		{"\u202egnp.tac", `"\u202egnp.tac"`},
		{"say \"hi\"", `"say \"hi\""`},
		{strings.Repeat("x", 80), `"` + strings.Repeat("x", 80) + `"`},
		{strings.Repeat("x", 81), `"` + strings.Repeat("x", 80) + `"…`},
		{strings.Repeat("x", 79) + "猫", `"` + strings.Repeat("x", 79) + `"…`}, // no half letter
		{"x" + strings.Repeat("\x80", 100), `"x` + strings.Repeat(`\x80`, 75) + `"…`},
	} {
		if got := Quote(c.in); got != c.want {
			t.Errorf("Quote(%.20q) = %s, want %s", c.in, got, c.want)
		}
	}
}

func TestQuoteAll(t *testing.T) {
	names := strings.Split("abcdefghij", "")
	for n, want := range map[int]string{
		0: "", 1: `"a"`, 2: `"a", "b"`,
		8:  `"a", "b", "c", "d", "e", "f", "g", "h"`,
		10: `"a", "b", "c", "d", "e", "f", "g", "h" and 2 more`,
	} {
		if got := QuoteAll(names[:n]); got != want {
			t.Errorf("%d names: %s, want %s", n, got, want)
		}
	}
}

func TestCut(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"no such host", "no such host"},
		{" two\n lines\t", "two lines"},
		{"red \x1b[31m \u202e \x80 end", "red [31m end"},
		{strings.Repeat("猫", 200), strings.Repeat("猫", 200)},
		{strings.Repeat("猫", 201), strings.Repeat("猫", 200) + "…"},
	} {
		if got := Cut(c.in); got != c.want {
			t.Errorf("Cut(%.20q) = %s, want %s", c.in, got, c.want)
		}
	}
}

func TestNearest(t *testing.T) {
	known := []string{"listen", "limits.picture_bytes", "limits.pictures", "tls.cert", "color", "license", "std", "mean"}
	for name, want := range map[string]string{
		"listn":                        "listen",
		"LISTEN":                       "listen",
		"picture_bytes":                "limits.picture_bytes",
		"limits.picture_bites":         "limits.picture_bytes",
		"licence":                      "license",
		"colour":                       "color",
		"colour_space":                 "color",
		"certificate":                  "",
		"means":                        "mean",
		"":                             "",
		"zebra":                        "",
		"a_word_that_is_no_key":        "",
		strings.Repeat("listen", 1000): "",
	} {
		if got := Nearest(name, known); got != want {
			t.Errorf("Nearest(%.30q) = %q, want %q", name, got, want)
		}
	}
	if got := Nearest("cat", []string{"car", "cap"}); got != "car" {
		t.Errorf("of two that are equally near got %q, want the first", got)
	}
}

func FuzzWording(f *testing.F) {
	f.Add("cats", "cast")
	f.Add(strings.Repeat("\xe7\x8c", 50), "\u202e")
	f.Fuzz(func(t *testing.T, a, b string) {
		q := strings.TrimSuffix(Quote(a), "…")
		if back, err := strconv.Unquote(q); err != nil || !strings.HasPrefix(a, back) || len(back) > longestName {
			t.Errorf("Quote(%q) = %s", a, q)
		}
		if c := Cut(a); !utf8.ValidString(c) || strings.ContainsAny(c, "\n\r\x1b") || utf8.RuneCountInString(c) > longestText+1 {
			t.Errorf("Cut(%q) = %q", a, c)
		}
		if n := Nearest(a, []string{b}); n != "" && n != b {
			t.Errorf("Nearest(%q, %q) = %q", a, b, n)
		}
		if d := distance(a[:min(len(a), 50)], b[:min(len(b), 50)]); d != distance(b[:min(len(b), 50)], a[:min(len(a), 50)]) {
			t.Errorf("%q and %q are %d apart, and another distance the other way", a, b, d)
		}
	})
}
