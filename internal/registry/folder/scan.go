package folder

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode"
)

// A setting is one field of a model configuration, by its path: input.dims.
type setting struct{ path, value string }

// unset tells whether a setting says what is so without it.
func (s setting) unset() bool {
	return s.value == "false" || s.value == "0" || s.value == `""` || s.value == "null"
}

const maxNesting = 32 // of a configuration; Triton's own has six levels

// A textScan lists the fields of a text in protobuf's text form, those too that
// our slim copy of the schema lacks. It need not judge the form: the parser does.
type textScan struct {
	text string
	at   int
	list []setting
	deep bool // nested deeper than any configuration; the list is not whole then
}

func settingsOfText(text string) (list []setting, ok bool) {
	s := &textScan{text: text}
	for s.at < len(s.text) && !s.deep { // a stray brace ends a message
		s.message("", 0)
	}
	return s.list, !s.deep
}

// token takes the next: a word, a string in quotes, or a single sign; "" at the end.
func (s *textScan) token() string {
	for s.at < len(s.text) {
		switch c := s.text[s.at]; {
		case c == '#':
			for s.at < len(s.text) && s.text[s.at] != '\n' {
				s.at++
			}
		case c == ',' || c == ';' || unicode.IsSpace(rune(c)):
			s.at++
		default:
			start := s.at
			s.at = s.end(c)
			return s.text[start:s.at]
		}
	}
	return ""
}

// end is where the token that begins at s.at with c ends.
func (s *textScan) end(c byte) int {
	i := s.at + 1
	switch {
	case c == '"' || c == '\'':
		for ; i < len(s.text) && s.text[i] != c; i++ {
			if s.text[i] == '\\' {
				i++
			}
		}
		return min(i+1, len(s.text))
	case strings.IndexByte("{}<>[]:", c) >= 0:
		return i
	}
	for i < len(s.text) && strings.IndexByte("{}<>[]:,;#\"' \t\r\n", s.text[i]) < 0 {
		i++
	}
	return i
}

func (s *textScan) peek() string {
	before := s.at
	token := s.token()
	s.at = before
	return token
}

// message reads fields until its end.
func (s *textScan) message(path string, depth int) {
	for {
		name := s.token()
		if name == "" || name == "}" || name == ">" || s.deep {
			return
		}
		if s.peek() == ":" {
			s.token()
		}
		s.value(join(path, name), depth)
	}
}

func (s *textScan) value(path string, depth int) {
	if depth > maxNesting {
		s.deep = true
		return
	}
	switch token := s.token(); token {
	case "{", "<":
		s.list = append(s.list, setting{path: path})
		s.message(path, depth+1)
	case "[":
		for next := s.peek(); next != "" && next != "]" && !s.deep; next = s.peek() {
			s.value(path, depth+1)
		}
		s.token()
	default:
		s.list = append(s.list, setting{path, token})
	}
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// settingsOfJSON lists the fields of a configuration in JSON.
func settingsOfJSON(text string) ([]setting, error) {
	var top map[string]any
	err := json.Unmarshal([]byte(text), &top)
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return nil, fmt.Errorf("the %s is no object", wrong.Value)
	}
	if err != nil {
		return nil, err
	}
	var list []setting
	var walk func(path string, v any)
	walk = func(path string, v any) {
		switch v := v.(type) {
		case map[string]any:
			if path != "" {
				list = append(list, setting{path: path})
			}
			for name, inner := range v {
				if path != "parameters" { // whose names are the owner's
					walk(join(path, snake(name)), inner)
				}
			}
		case []any:
			for _, inner := range v {
				walk(path, inner)
			}
		default:
			text, _ := json.Marshal(v)
			list = append(list, setting{path, string(text)})
		}
	}
	walk("", top)
	return list, nil
}

// snake writes maxBatchSize as max_batch_size: JSON has both forms.
func snake(name string) string {
	var b strings.Builder
	for _, r := range name {
		if unicode.IsUpper(r) {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}
