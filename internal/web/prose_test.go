package web

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestProse(t *testing.T) {
	got := prose("# A heading\nand a **strong** line\n\n- one `code`\n  continued\n* two [there](/errors)\n\n```\na  b\n```\nend")
	want := []block{
		{Spans: []span{{Text: "A heading and a "}, {Text: "strong", Strong: true}, {Text: " line"}}},
		{Items: [][]span{
			{{Text: "one "}, {Text: "code", Code: true}, {Text: " continued"}},
			{{Text: "two "}, {Text: "there", Href: "/errors"}},
		}},
		{Code: "a  b"},
		{Spans: []span{{Text: "end"}}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("prose reads its little Markdown wrongly (-want +got):\n%s", diff)
	}
	if got := prose("```\nnever closed"); len(got) != 1 || got[0].Code != "never closed" {
		t.Errorf("an unclosed fence should run to the end, got %+v", got)
	}
}

// Whatever is written, no word may be lost: documentation that drops half a
// sentence is worse than one with a stray asterisk.
func TestProseLosesNoWord(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		words := rapid.SliceOf(rapid.StringMatching(`[a-z]{1,6}`)).Draw(t, "words")
		glue := rapid.SliceOfN(rapid.SampledFrom([]string{" ", "\n", "\n\n", "\n- ", "`", "**", "\n  ", "[", "](", ")"}), len(words), len(words)).Draw(t, "glue")
		var text strings.Builder
		for i, word := range words {
			text.WriteString(glue[i] + word)
		}
		var shown strings.Builder
		for _, b := range prose(text.String()) {
			for _, s := range append(b.Items, b.Spans) {
				for _, part := range s {
					shown.WriteString(" " + part.Text + " " + part.Href)
				}
			}
		}
		for _, word := range words {
			if !strings.Contains(shown.String(), word) {
				t.Fatalf("%q lost the word %q: %q", text.String(), word, shown.String())
			}
		}
	})
}

func TestSentence(t *testing.T) {
	for detail, want := range map[string]string{
		"the file ends": "The file ends.", "Done!": "Done!", "": "", "état": "État.", "wait…": "Wait…",
	} {
		if got := sentence(detail); got != want {
			t.Errorf("sentence(%q) = %q, want %q", detail, got, want)
		}
	}
}

func TestPercentNeverLies(t *testing.T) {
	for p, want := range map[float64]string{0: "0.0 %", 0.0004: "< 0.1 %", 0.5: "50.0 %", 0.9996: "> 99.9 %", 1: "100.0 %"} {
		if got := percent(p); got != want {
			t.Errorf("percent(%v) = %q, want %q: rounding must not turn likely into certain", p, got, want)
		}
	}
}
