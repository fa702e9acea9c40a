package model

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/goshawk-ai/goshawk/internal/problem"
)

// bearable is how many bytes of a stranger's text a sentence repeats: names of
// 100,000 letters are legal in ONNX.
const bearable = 80

// quote makes a stranger's text safe to show: escaped, and cut.
func quote(s string) string {
	if len(s) <= bearable {
		return strconv.Quote(s)
	}
	end := bearable
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return strconv.Quote(s[:end]) + "…"
}

// cut is quote without the marks, for words that stand out by themselves.
func cut(s string) string {
	text, cutOff := strings.CutSuffix(quote(s), "…")
	text = strings.ReplaceAll(text[1:len(text)-1], `\"`, `"`)
	return text + also(cutOff, "…")
}

// quoteAll lists names for a sentence: "a", "b" and 7 more.
func quoteAll(names []string) string {
	const shown = 8
	quoted := make([]string, 0, shown+1)
	for i, n := range names {
		if i == shown {
			return strings.Join(quoted, ", ") + " and " + strconv.Itoa(len(names)-shown) + " more"
		}
		quoted = append(quoted, quote(n))
	}
	return strings.Join(quoted, ", ")
}

func refuse(format string, args ...any) *problem.Problem {
	return problem.ModelInvalid.New(format, args...)
}
