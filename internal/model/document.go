package model

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	yaml "go.yaml.in/yaml/v3"

	"github.com/goshawk-ai/goshawk/internal/strictyaml"
	"github.com/goshawk-ai/goshawk/internal/wording"
)

// A document is a YAML file that is read strictly: every error has its line and
// column, and what YAML can do beyond plain data is refused.
type document struct {
	file  string
	newer string    // "goshawk/v1.3" when the file is written for a later minor version
	noted *[]string // collects the fields that are known, when it is not nil
}

func (d *document) fail(n *yaml.Node, format string, args ...any) error {
	return refuse("%s", strictyaml.At(n, format, args...).In(d.file))
}

// parse returns the mapping at the top of the file.
func (d *document) parse(data []byte) (*yaml.Node, error) {
	top, err := strictyaml.Parse(data)
	switch {
	case err != nil:
		return nil, refuse("%s", err.In(d.file))
	case top == nil:
		return nil, refuse("%s is empty", d.file)
	case top.Kind != yaml.MappingNode:
		return nil, d.fail(top, "a mapping of fields is wanted here, %s was found", kindOf(top))
	}
	return top, nil
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
