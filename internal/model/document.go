package model

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	yaml "go.yaml.in/yaml/v3"

	"github.com/goshawk-ai/goshawk/internal/wording"
)

// A document is a YAML file that is read strictly: every error has its line and
// column, and what YAML can do beyond plain data is refused.
type document struct {
	file  string
	newer string    // "goshawk/v1.3" when the file is written for a later minor version
	noted *[]string // collects the fields that are known, when it is not nil
}

const (
	maxDepth    = 8  // levels of fields; goshawk.yaml needs four
	maxBrackets = 64 // open at a time, those in texts counted too
)

func (d *document) fail(n *yaml.Node, format string, args ...any) error {
	return refuse("%s:%d:%d: %s", d.file, n.Line, n.Column, fmt.Sprintf(format, args...))
}

// parse returns the mapping at the top of the file.
func (d *document) parse(data []byte) (*yaml.Node, error) {
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	if !utf8.Valid(data) {
		line, column := badUTF8(data)
		return nil, refuse("%s:%d:%d: the text is not UTF-8; save the file as UTF-8", d.file, line, column)
	}
	if len(bytes.TrimSpace(data)) == 0 {
		return nil, refuse("%s is empty", d.file)
	}
	if flowDepth(data) > maxBrackets {
		return nil, refuse("%s: brackets are nested more than %d deep", d.file, maxBrackets)
	}
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var root, second yaml.Node
	if err := decoder.Decode(&root); err != nil {
		return nil, d.syntax(err)
	}
	switch err := decoder.Decode(&second); {
	case err == nil:
		return nil, d.fail(&second, "a second YAML document begins here; one package has one document")
	case !errors.Is(err, io.EOF):
		return nil, d.syntax(err)
	}
	if root.Kind != yaml.DocumentNode || len(root.Content) != 1 {
		return nil, refuse("%s is empty", d.file)
	}
	top := root.Content[0]
	if err := d.plain(top, 0); err != nil {
		return nil, err
	}
	if top.Kind != yaml.MappingNode {
		return nil, d.fail(top, "a mapping of fields is wanted here, %s was found", kindOf(top))
	}
	return top, nil
}

// flowDepth counts open brackets. The YAML parser recurses for each, so this
// comes first.
func flowDepth(data []byte) int {
	depth, most := 0, 0
	for _, c := range data {
		switch c {
		case '[', '{':
			depth++
			most = max(most, depth)
		case ']', '}':
			depth = max(0, depth-1)
		}
	}
	return most
}

// plain refuses aliases, which can expand to any size, tags, which name types
// of programming languages, and nesting.
func (d *document) plain(n *yaml.Node, depth int) error {
	switch {
	case depth > maxDepth:
		return d.fail(n, "fields are nested more than %d deep", maxDepth)
	case n.Kind == yaml.AliasNode:
		return d.fail(n, "the alias *%s is not allowed; write the value out", wording.Cut(n.Value))
	case n.Anchor != "":
		return d.fail(n, "the anchor &%s is not allowed; write values out", wording.Cut(n.Anchor))
	case n.Style&yaml.TaggedStyle != 0:
		return d.fail(n, "the tag %s is not allowed; values here are plain text, numbers, true or false", wording.Quote(n.Tag))
	}
	for _, c := range n.Content {
		if err := d.plain(c, depth+1); err != nil {
			return err
		}
	}
	return nil
}

var yamlLine = regexp.MustCompile(`^line (\d+): `)

// syntax puts the parser's words into our form.
func (d *document) syntax(err error) error {
	words := strings.TrimPrefix(err.Error(), "yaml: ")
	if m := yamlLine.FindStringSubmatch(words); m != nil {
		return refuse("%s:%s: this is no YAML: %s", d.file, m[1], wording.Cut(words[len(m[0]):]))
	}
	return refuse("%s: this is no YAML: %s", d.file, wording.Cut(words))
}

func badUTF8(data []byte) (line, column int) {
	line, column = 1, 1
	for len(data) > 0 {
		r, size := utf8.DecodeRune(data)
		if r == utf8.RuneError && size == 1 {
			return line, column
		}
		column++
		if r == '\n' {
			line, column = line+1, 1
		}
		data = data[size:]
	}
	return line, column
}

// A field reads one value.
type field func(*yaml.Node) error

// mapping hands every value to the field of its key. where is the mapping's own
// name, "" at the top.
func (d *document) mapping(n *yaml.Node, where string, fields map[string]field) error {
	if n.Kind != yaml.MappingNode {
		return d.fail(n, "%s must be a mapping of fields, not %s", where, kindOf(n))
	}
	if d.noted != nil {
		for name := range fields {
			*d.noted = append(*d.noted, strings.TrimPrefix(where+"."+name, "."))
		}
	}
	seen := make(map[string]int, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.Kind != yaml.ScalarNode {
			return d.fail(key, "the name of a field is wanted here, %s was found", kindOf(key))
		}
		if line, twice := seen[key.Value]; twice {
			return d.fail(key, "the field %s stands here a second time (first in line %d)", wording.Quote(key.Value), line)
		}
		seen[key.Value] = key.Line
		read, known := fields[key.Value]
		if !known {
			return d.unknown(key, where, fields)
		}
		if err := read(value); err != nil {
			return err
		}
	}
	return nil
}

func (d *document) unknown(key *yaml.Node, where string, fields map[string]field) error {
	inside := ""
	if where != "" {
		inside = " in " + where
	}
	hint := ""
	if near := wording.Nearest(key.Value, slices.Sorted(maps.Keys(fields))); near != "" {
		hint = fmt.Sprintf("; did you mean %q?", near)
	}
	if d.newer != "" {
		hint = fmt.Sprintf("; the file is written for %s and this release knows %s: use a release that knows %s", d.newer, APIVersion, d.newer)
	}
	return d.fail(key, "unknown field %s%s%s", wording.Quote(key.Value), inside, hint)
}

// kindOf names a node for a person.
func kindOf(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	case yaml.ScalarNode:
		switch n.Tag {
		case "!!null":
			return "nothing"
		case "!!bool":
			return "the truth value " + wording.Quote(n.Value)
		case "!!int", "!!float":
			return "the number " + wording.Quote(n.Value)
		case "!!timestamp":
			return "the date " + wording.Quote(n.Value)
		}
		return "the text " + wording.Quote(n.Value)
	}
	return "something else"
}
