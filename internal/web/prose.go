package web

import (
	"regexp"
	"strings"

	"github.com/goshawk-ai/goshawk/internal/problem"
)

// block is a paragraph, a list or a piece of code of a description. The
// templates draw blocks and spans, so that no text ever becomes markup.
type block struct {
	Code  string
	Items [][]span
	Spans []span
}

// span is a run of text in one style.
type span struct {
	Text   string
	Code   bool
	Strong bool
	Href   string
}

// prose reads the little of Markdown that the specification uses: paragraphs,
// lists with "- ", fenced code, `code`, **strong** and [links](/docs).
func prose(text string) []block {
	var out []block
	var paragraph []string
	flush := func() {
		if len(paragraph) > 0 {
			out = append(out, block{Spans: spans(strings.Join(paragraph, " "))})
			paragraph = nil
		}
	}
	lines := strings.Split(strings.TrimSpace(text), "\n")
	for i := 0; i < len(lines); i++ {
		line := strings.TrimSpace(lines[i])
		item, isItem := listItem(line)
		switch {
		case strings.HasPrefix(line, "```"):
			flush()
			from := i + 1
			for i++; i < len(lines) && !strings.HasPrefix(strings.TrimSpace(lines[i]), "```"); i++ {
			}
			out = append(out, block{Code: strings.Join(lines[min(from, len(lines)):min(i, len(lines))], "\n")})
		case line == "":
			flush()
		case isItem:
			flush()
			whole := []string{item}
			for i+1 < len(lines) && continues(lines[i+1]) {
				i++
				whole = append(whole, strings.TrimSpace(lines[i]))
			}
			item = strings.Join(whole, " ")
			if last := len(out) - 1; last >= 0 && out[last].Items != nil {
				out[last].Items = append(out[last].Items, spans(item))
			} else {
				out = append(out, block{Items: [][]span{spans(item)}})
			}
		default:
			paragraph = append(paragraph, strings.TrimLeft(line, "# "))
		}
	}
	flush()
	return out
}

func listItem(line string) (string, bool) {
	for _, mark := range []string{"- ", "* "} {
		if rest, ok := strings.CutPrefix(line, mark); ok {
			return rest, true
		}
	}
	return "", false
}

// continues tells whether a line belongs to the list item above it.
func continues(line string) bool {
	_, isItem := listItem(strings.TrimSpace(line))
	return strings.HasPrefix(line, "  ") && !isItem && strings.TrimSpace(line) != ""
}

// problemPage is where a kind of problem that the text names is explained.
func problemPage(slug string) string {
	for _, k := range problem.Kinds() {
		if k.Slug == slug {
			return k.URI()
		}
	}
	return ""
}

var inline = regexp.MustCompile("`([^`]+)`" + `|\*\*([^*]+)\*\*|\[([^\]]+)\]\(([^)\s]+)\)`)

func spans(text string) []span {
	var out []span
	for {
		at := inline.FindStringSubmatchIndex(text)
		if at == nil {
			break
		}
		if at[0] > 0 {
			out = append(out, span{Text: text[:at[0]]})
		}
		part := func(n int) string { return text[at[2*n]:at[2*n+1]] }
		switch {
		case at[2] >= 0:
			out = append(out, span{Text: part(1), Code: true, Href: problemPage(part(1))})
		case at[4] >= 0:
			out = append(out, span{Text: part(2), Strong: true})
		default:
			out = append(out, span{Text: part(3), Href: part(4)})
		}
		text = text[at[1]:]
	}
	if text != "" {
		out = append(out, span{Text: text})
	}
	return out
}
