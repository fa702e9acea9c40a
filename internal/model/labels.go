package model

import (
	"bytes"
	"encoding/json"
	"strings"
	"unicode"
	"unicode/utf8"

	yaml "go.yaml.in/yaml/v3"

	"github.com/goshawk-ai/goshawk/internal/wording"
)

const (
	maxLabelFile = 16 << 20 // bytes
	maxLabels    = 200_000
	maxLabel     = 1000 // characters of a name, and of a description
)

// ParseLabels reads a label file: one a line, in the order of the classes; a
// description may follow after a TAB. file is what sentences call it.
func ParseLabels(file string, data []byte) ([]Label, error) {
	labels, err := readLabels(file, data)
	if err != nil {
		return nil, err
	}
	if first, again := repeated(labels); again > 0 {
		return nil, refuse("%s:%d: the label %s stands in line %d already; tell the two apart, as in %q", file,
			again+1, wording.Quote(labels[again].Name), first+1, wording.Cut(labels[again].Name)+" (2)")
	}
	return labels, nil
}

// readLabels is ParseLabels without the rule that labels differ.
func readLabels(file string, data []byte) ([]Label, error) {
	if len(data) > maxLabelFile {
		return nil, refuse("%s has %d bytes; at most %d are read", file, len(data), maxLabelFile)
	}
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	if len(bytes.TrimSpace(data)) == 0 {
		return nil, refuse("%s is empty; one label a line is wanted", file)
	}
	if c := bytes.TrimSpace(data)[0]; (c == '{' || c == '[') && json.Valid(data) {
		return nil, refuse("%s is JSON; one label a line is wanted, in the order of the classes", file)
	}
	lines := strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
	if len(lines) > maxLabels {
		return nil, refuse("%s has %d lines; at most %d labels are read", file, len(lines), maxLabels)
	}
	labels := make([]Label, len(lines))
	for i, line := range lines {
		name, description, _ := strings.Cut(strings.TrimSuffix(line, "\r"), "\t")
		labels[i] = Label{Name: strings.TrimSpace(name), Description: strings.TrimSpace(description)}
		if why := badLabel(labels[i]); why != "" {
			return nil, refuse("%s:%d: %s", file, i+1, why)
		}
	}
	return labels, nil
}

// badLabel says what is wrong with a label, or "".
func badLabel(l Label) string {
	for _, s := range []string{l.Name, l.Description} {
		switch {
		case !utf8.ValidString(s):
			return "the label is not UTF-8; save the file as UTF-8"
		case strings.ContainsFunc(s, unicode.IsControl):
			return "the label " + wording.Quote(s) + " holds a control character"
		case utf8.RuneCountInString(s) > maxLabel:
			return "the label " + wording.Quote(s) + " is too long; at most 1000 characters are taken"
		}
	}
	if l.Name == "" {
		return "the label is empty; leaving it out would shift all that follow, so write what the class is"
	}
	return ""
}

// repeated finds two equal names; again is 0 when all differ.
func repeated(labels []Label) (first, again int) {
	seen := make(map[string]int, len(labels))
	for i, l := range labels {
		if at, twice := seen[l.Name]; twice {
			return at, i
		}
		seen[l.Name] = i
	}
	return 0, 0
}

// labelField reads the path of a file, or a list.
func (r *manifestReader) labelField(n *yaml.Node) error {
	const where = "output.labels"
	if n.Kind != yaml.SequenceNode {
		if n.Kind == yaml.MappingNode {
			return r.fail(n, "%s must be the name of a file or a list, not a mapping", where)
		}
		return r.path(&r.m.Output.Labels, where)(n)
	}
	if len(n.Content) == 0 {
		return r.fail(n, "%s is empty", where)
	}
	r.labels = make([]Label, len(n.Content))
	for i, item := range n.Content {
		if err := r.label(item, &r.labels[i]); err != nil {
			return err
		}
	}
	if first, again := repeated(r.labels); again > 0 {
		return r.fail(n.Content[again], "the label %s stands in line %d already; tell the two apart", wording.Quote(r.labels[again].Name), n.Content[first].Line)
	}
	return nil
}

func (r *manifestReader) label(n *yaml.Node, into *Label) error {
	const where = "a label"
	var err error
	if n.Kind == yaml.MappingNode {
		err = r.mapping(n, where, map[string]field{
			"name":        r.text(&into.Name, "a label's name"),
			"description": r.text(&into.Description, "a label's description"),
		})
	} else {
		err = r.text(&into.Name, where)(n)
	}
	if err != nil {
		return err
	}
	if why := badLabel(*into); why != "" {
		return r.fail(n, "%s", why)
	}
	return nil
}
