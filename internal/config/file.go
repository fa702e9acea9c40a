package config

import (
	"errors"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/goshawk-ai/goshawk/internal/strictyaml"
	"github.com/goshawk-ai/goshawk/internal/wording"
)

// maxFile is far above any honest configuration, and keeps a wrong path (a
// device, a database) from being read whole.
const maxFile = 1 << 20

// setting is one key of the file with where it stands.
type setting struct {
	key  string
	text string
	line int
}

// readFile reads a configuration file into settings whose keys exist and whose
// values have the right shape. Every error begins with the file and the line.
func readFile(path string, table []Option) ([]setting, error) {
	data, err := strictyaml.ReadFile(path, maxFile)
	if err != nil {
		return nil, fmt.Errorf("cannot read the configuration %s: %w", wording.Quote(path), reason(err))
	}
	r := fileReader{path: path, table: table, seen: map[string]int{}}
	root, err := r.parse(data)
	if err != nil || root == nil {
		return nil, err
	}
	if err := r.group(root, ""); err != nil {
		return nil, err
	}
	return r.settings, nil
}

type fileReader struct {
	path     string
	table    []Option
	settings []setting
	seen     map[string]int // line of each key
}

// parse gives the document's top mapping, nil when the file is empty.
func (r *fileReader) parse(data []byte) (*yaml.Node, error) {
	root, err := strictyaml.Parse(data)
	if err != nil {
		return nil, errors.New(err.In(r.path))
	}
	if root == nil {
		return nil, nil
	}
	if root.Kind != yaml.MappingNode {
		return nil, r.errorf(root.Line, "a configuration is made of lines like 'listen: 127.0.0.1:8080'")
	}
	return root, nil
}

// group walks the keys of one mapping; prefix is "" or "limits.".
func (r *fileReader) group(m *yaml.Node, prefix string) error {
	for i := 0; i+1 < len(m.Content); i += 2 {
		if err := r.entry(m.Content[i], m.Content[i+1], prefix); err != nil {
			return err
		}
	}
	return nil
}

func (r *fileReader) entry(k, v *yaml.Node, prefix string) error {
	key := prefix + k.Value
	if k.Kind != yaml.ScalarNode {
		return r.errorf(k.Line, "a key must be a word")
	}
	if line, twice := r.seen[key]; twice {
		return r.errorf(k.Line, "%s is set a second time (first in line %d)", key, line)
	}
	r.seen[key] = k.Line
	option, isOption := find(r.table, key)
	switch {
	case isOption:
		return r.value(option, v)
	case isGroup(r.table, key) && v.Kind == yaml.MappingNode:
		return r.group(v, key+".")
	case isGroup(r.table, key) && v.Tag == "!!null": // its settings may all be commented out
		return nil
	case isGroup(r.table, key):
		return r.errorf(v.Line, "%s is a group of settings and takes no value of its own", key)
	}
	return r.errorf(k.Line, "there is no setting %s%s", wording.Quote(key), r.nearest(key, v))
}

// nearest is what an unknown key may have meant. What holds settings, or nothing,
// was meant as a group.
func (r *fileReader) nearest(key string, v *yaml.Node) string {
	if v.Kind == yaml.MappingNode || v.Tag == "!!null" {
		if hint := didYouMean(key, groupsOf(r.table)); hint != "" {
			return hint
		}
	}
	return didYouMean(key, keysOf(r.table))
}

func (r *fileReader) value(o Option, v *yaml.Node) error {
	text := v.Value
	switch kind := o.field(&Config{}); {
	case v.Kind == yaml.ScalarNode && v.Tag == "!!null":
		return r.errorf(v.Line, "%s has no value", o.Key)
	case v.Kind == yaml.MappingNode:
		return r.errorf(v.Line, "%s takes a value, not a group of settings", o.Key)
	case kind.Type() == "list":
		items, err := r.items(o, v)
		if err != nil {
			return err
		}
		text = strings.Join(items, ",")
	case v.Kind == yaml.SequenceNode:
		return r.errorf(v.Line, "%s takes one value, not a list", o.Key)
	case !scalarFits(kind.Type(), v.Tag):
		return r.errorf(v.Line, "%s must be a %s, and %s is a %s", o.Key, wanted(kind.Type()), wording.Quote(text), tagName(v.Tag))
	}
	if err := o.Parse(text); err != nil {
		return r.errorf(v.Line, "%s: %w", o.Key, err)
	}
	r.settings = append(r.settings, setting{o.Key, text, v.Line})
	return nil
}

// items are a list's texts. An item with a comma would fall apart on its way
// through the one textual form that flags, environment and file share.
func (r *fileReader) items(o Option, v *yaml.Node) ([]string, error) {
	if v.Kind != yaml.SequenceNode {
		return nil, r.errorf(v.Line, "%s must be a list, as in [a, b]", o.Key)
	}
	var items []string
	for _, n := range v.Content {
		if n.Kind != yaml.ScalarNode || n.Tag != "!!str" || strings.Contains(n.Value, ",") {
			return nil, r.errorf(n.Line, "%s is a list of texts without commas", o.Key)
		}
		items = append(items, n.Value)
	}
	return items, nil
}

// scalarFits says whether a YAML scalar of this tag may stand for a kind of
// value. A number in quotes is a text: YAML says so, and so do we.
func scalarFits(kind, tag string) bool {
	switch kind {
	case "size", "pixels":
		return tag == "!!int" || tag == "!!str"
	case "number": // let Set say which
		return tag == "!!int" || tag == "!!float"
	case "duration", "address": // let Set say how they are written
		return tag == "!!int" || tag == "!!str" || tag == "!!float"
	}
	return tag == "!!str"
}

func wanted(kind string) string {
	switch kind {
	case "number", "size":
		return kind
	case "pixels":
		return "number of pixels"
	}
	return "text"
}

func tagName(tag string) string {
	switch tag {
	case "!!str":
		return "text"
	case "!!int", "!!float":
		return "number"
	case "!!bool":
		return "truth value"
	case "!!timestamp":
		return "date"
	}
	return "value of another kind"
}

func (r *fileReader) errorf(line int, format string, args ...any) error {
	return fmt.Errorf("%s:%d: %w", r.path, line, fmt.Errorf(format, args...))
}
