package picture

import "strings"

const longestText = 160

// cutText makes a library's message fit for a problem's sentence.
func cutText(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
	if len(s) > longestText {
		s = s[:longestText] + "…"
	}
	return strings.TrimSpace(s)
}
