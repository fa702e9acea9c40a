package web

import (
	"encoding/json"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// The part of OpenAPI 3.1 (spec.openapis.org/oas/v3.1.1) that the documentation
// shows. What it does not know it leaves out: the committed document is checked
// elsewhere, against the routes and every exchange of the tests.

type document struct {
	Info struct {
		Title, Description string
	}
	Tags       []struct{ Name, Description string }
	Paths      ordered[pathItem]
	Components struct {
		Schemas       ordered[*schema]
		Parameters    map[string]parameter
		RequestBodies map[string]requestBody `yaml:"requestBodies"`
		Responses     map[string]response
		Examples      map[string]exampleObject
		Headers       map[string]parameter
	}
}

type pathItem struct {
	Parameters []parameter
	Operations ordered[operation]
}

type operation struct {
	OperationID string `yaml:"operationId"`
	Summary     string
	Description string
	Tags        []string
	Deprecated  bool
	Parameters  []parameter
	RequestBody *requestBody `yaml:"requestBody"`
	Responses   ordered[response]
	Samples     []codeSample `yaml:"x-codeSamples"`
}

// codeSample is the widespread extension x-codeSamples.
type codeSample struct{ Lang, Label, Source string }

type parameter struct {
	Ref         string `yaml:"$ref"`
	Name        string
	In          string
	Required    bool
	Description string
	Schema      *schema
	Example     yaml.Node
}

type requestBody struct {
	Ref         string `yaml:"$ref"`
	Description string
	Required    bool
	Content     ordered[mediaType]
}

type response struct {
	Ref         string `yaml:"$ref"`
	Description string
	Headers     ordered[parameter]
	Content     ordered[mediaType]
}

type mediaType struct {
	Schema   *schema
	Example  yaml.Node
	Examples ordered[exampleObject]
}

type exampleObject struct {
	Ref         string `yaml:"$ref"`
	Summary     string
	Description string
	Value       yaml.Node
}

type schema struct {
	Ref                  string `yaml:"$ref"`
	Type                 types
	Format               string
	Description          string
	Properties           ordered[*schema]
	Required             []string
	Items                *schema
	Enum                 []yaml.Node
	Const                yaml.Node
	Default              yaml.Node
	Example              yaml.Node
	Examples             []yaml.Node
	Minimum              yaml.Node
	Maximum              yaml.Node
	MinItems             yaml.Node `yaml:"minItems"`
	MaxItems             yaml.Node `yaml:"maxItems"`
	MaxLength            yaml.Node `yaml:"maxLength"`
	Pattern              string
	ContentMediaType     string    `yaml:"contentMediaType"`
	ContentEncoding      string    `yaml:"contentEncoding"`
	OneOf                []*schema `yaml:"oneOf"`
	AnyOf                []*schema `yaml:"anyOf"`
	AllOf                []*schema `yaml:"allOf"`
	AdditionalProperties *schema   `yaml:"additionalProperties"`
	Anything             bool      `yaml:"-"` // the schema is just "true"
	Nothing              bool      `yaml:"-"` // the schema is just "false"
}

func (s *schema) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		var open bool
		if err := n.Decode(&open); err != nil {
			return fmt.Errorf("line %d: a schema is an object, true or false", n.Line)
		}
		s.Anything, s.Nothing = open, !open
		return nil
	}
	type plain schema // without this method, or decoding would never end
	return n.Decode((*plain)(s))
}

// types is one type or, since 3.1, a list of them.
type types []string

func (t *types) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		*t = types{n.Value}
		return nil
	}
	return n.Decode((*[]string)(t))
}

// UnmarshalYAML picks the operations out of a path item, in the order written.
func (p *pathItem) UnmarshalYAML(n *yaml.Node) error {
	var all ordered[yaml.Node]
	if err := n.Decode(&all); err != nil {
		return err
	}
	for _, e := range all {
		switch e.Key {
		case "parameters":
			if err := e.Value.Decode(&p.Parameters); err != nil {
				return err
			}
		case "get", "put", "post", "delete", "patch", "head", "options":
			var op operation
			if err := e.Value.Decode(&op); err != nil {
				return err
			}
			p.Operations = append(p.Operations, entry[operation]{strings.ToUpper(e.Key), op})
		}
	}
	return nil
}

// ordered is a mapping that remembers the order in which it was written:
// readers of documentation care.
type ordered[T any] []entry[T]

type entry[T any] struct {
	Key   string
	Value T
}

func (o *ordered[T]) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if n.Kind != yaml.MappingNode {
		return fmt.Errorf("line %d: a mapping is needed here", n.Line)
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		e := entry[T]{Key: n.Content[i].Value}
		if err := n.Content[i+1].Decode(&e.Value); err != nil {
			return fmt.Errorf("%s: %w", e.Key, err)
		}
		*o = append(*o, e)
	}
	return nil
}

func (o ordered[T]) get(key string) (found T, ok bool) {
	for _, e := range o {
		if e.Key == key {
			return e.Value, true
		}
	}
	return found, false
}

// refName is the last part of a local reference.
func refName(ref string) string { return ref[strings.LastIndexByte(ref, '/')+1:] }

func (d *document) parameter(p parameter) parameter {
	if p.Ref == "" {
		return p
	}
	return d.Components.Parameters[refName(p.Ref)]
}

func (d *document) body(b *requestBody) *requestBody {
	if b == nil || b.Ref == "" {
		return b
	}
	found := d.Components.RequestBodies[refName(b.Ref)]
	return &found
}

func (d *document) response(r response) response {
	if r.Ref == "" {
		return r
	}
	return d.Components.Responses[refName(r.Ref)]
}

// scalar writes a value as people read it in a table.
func scalar(n yaml.Node) string {
	if n.IsZero() {
		return ""
	}
	if n.Kind == yaml.ScalarNode {
		return n.Value
	}
	return jsonText(&n)
}

// jsonText writes a YAML value as indented JSON, its members in the order
// written, which a decoded map would lose.
func jsonText(n *yaml.Node) string {
	var out strings.Builder
	writeJSON(&out, n, "")
	return out.String()
}

func writeJSON(out *strings.Builder, n *yaml.Node, indent string) {
	deeper := indent + "  "
	switch n.Kind {
	case yaml.AliasNode:
		writeJSON(out, n.Alias, indent)
	case yaml.MappingNode:
		writeList(out, "{", "}", indent, len(n.Content)/2, func(i int) {
			writeScalar(out, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: n.Content[2*i].Value})
			out.WriteString(": ")
			writeJSON(out, n.Content[2*i+1], deeper)
		})
	case yaml.SequenceNode:
		writeList(out, "[", "]", indent, len(n.Content), func(i int) { writeJSON(out, n.Content[i], deeper) })
	default:
		writeScalar(out, n)
	}
}

func writeList(out *strings.Builder, first, last, indent string, count int, item func(int)) {
	out.WriteString(first)
	for i := range count {
		if i > 0 {
			out.WriteString(",")
		}
		out.WriteString("\n" + indent + "  ")
		item(i)
	}
	if count > 0 {
		out.WriteString("\n" + indent)
	}
	out.WriteString(last)
}

func writeScalar(out *strings.Builder, n *yaml.Node) {
	switch n.ShortTag() {
	case "!!int", "!!float", "!!bool":
		out.WriteString(n.Value)
	case "!!null":
		out.WriteString("null")
	default:
		var quoted strings.Builder
		encoder := json.NewEncoder(&quoted)
		encoder.SetEscapeHTML(false) // the template escapes; \u003c would only be harder to read
		_ = encoder.Encode(n.Value)
		out.WriteString(strings.TrimSuffix(quoted.String(), "\n"))
	}
}
