// Package wording has what the sentences of errors share: a stranger's text made
// fit to be shown, and what a mistyped name was probably meant to be.
package wording

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	longestName = 80  // bytes of a name that a sentence repeats: names of 100,000 letters are legal in ONNX
	longestText = 200 // letters of somebody else's sentence
	mostNames   = 8   // of a list
)

// Quote shows a stranger's name: in quotes, escaped, and cut to a bearable length.
func Quote(name string) string {
	if len(name) <= longestName {
		return strconv.Quote(name)
	}
	end := longestName
	for end > longestName-utf8.UTFMax && !utf8.RuneStart(name[end]) {
		end--
	}
	return strconv.Quote(name[:end]) + "…"
}

// QuoteAll lists names for a sentence: "a", "b" and 7 more.
func QuoteAll(names []string) string {
	quoted := make([]string, 0, mostNames)
	for _, n := range names[:min(len(names), mostNames)] {
		quoted = append(quoted, Quote(n))
	}
	list := strings.Join(quoted, ", ")
	if more := len(names) - mostNames; more > 0 {
		list += " and " + strconv.Itoa(more) + " more"
	}
	return list
}

// Cut shows a sentence that somebody else made, as it is: in one line, without
// what is not printed, and cut to a bearable length.
func Cut(text string) string {
	text = text[:min(len(text), 8*longestText)] // white space and the unprintable take room too
	clean := strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, text)
	runes := []rune(strings.Join(strings.Fields(clean), " "))
	if len(runes) > longestText {
		return string(runes[:longestText]) + "…"
	}
	return string(runes)
}
