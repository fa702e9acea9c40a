package web

import "strings"

// typeOf names a schema's type; references become links to their tables.
func typeOf(s *schema) []span {
	switch {
	case s == nil || s.Anything:
		return []span{{Text: "anything"}}
	case s.Ref != "":
		name := refName(s.Ref)
		return []span{{Text: name, Href: "#schema-" + name}}
	case len(s.OneOf) > 0:
		return alternatives(s.OneOf)
	case len(s.AnyOf) > 0:
		return alternatives(s.AnyOf)
	case len(s.AllOf) == 1:
		return typeOf(s.AllOf[0])
	}
	return plainType(s)
}

func alternatives(of []*schema) []span {
	var out []span
	for i, s := range of {
		if i > 0 {
			out = append(out, span{Text: " or "})
		}
		out = append(out, typeOf(s)...)
	}
	return out
}

func plainType(s *schema) []span {
	text := strings.Join(s.Type, " or ")
	switch {
	case s.Items != nil:
		return append([]span{{Text: strings.Replace(text, "array", "array of ", 1)}}, typeOf(s.Items)...)
	case text == "" && (len(s.Properties) > 0 || len(s.AllOf) > 0):
		text = "object"
	case text == "" && s.ContentMediaType == "" && s.Const.IsZero() && len(s.Enum) == 0:
		text = "bytes" // 3.1: a body of raw bytes has a schema without a type
	}
	words := []string{text}
	for _, more := range []string{s.Format, s.ContentEncoding, s.ContentMediaType} {
		if more != "" {
			words = append(words, "("+more+")")
		}
	}
	return []span{{Text: strings.TrimSpace(strings.Join(words, " "))}}
}

// facts are what else a schema says about its values.
func facts(s *schema) []string {
	if s == nil {
		return nil
	}
	var out []string
	if len(s.Enum) > 0 {
		values := make([]string, len(s.Enum))
		for i, n := range s.Enum {
			values[i] = scalar(n)
		}
		out = append(out, "one of "+strings.Join(values, ", "))
	}
	for _, f := range []struct{ name, value string }{
		{"always", scalar(s.Const)},
		{"default", scalar(s.Default)},
		{"at least", scalar(s.Minimum)},
		{"at most", scalar(s.Maximum)},
		{"at least this many:", scalar(s.MinItems)},
		{"at most this many:", scalar(s.MaxItems)},
		{"longest", scalar(s.MaxLength)},
		{"pattern", s.Pattern},
		{"for example", scalar(s.Example)},
	} {
		if f.value != "" {
			out = append(out, f.name+" "+f.value)
		}
	}
	if len(s.Examples) > 0 {
		out = append(out, "for example "+scalar(s.Examples[0]))
	}
	return out
}

// fields lists the members of an object, those of its allOf parts included.
func (d *document) fields(s *schema) []field {
	return d.fieldsWithin(s, 0)
}

// deepest bounds how far allOf is followed: a document may refer to itself.
const deepest = 8

func (d *document) fieldsWithin(s *schema, depth int) []field {
	if s == nil || depth > deepest {
		return nil
	}
	if s.Ref != "" {
		target, ok := d.Components.Schemas.get(refName(s.Ref))
		if !ok {
			return nil
		}
		return d.fieldsWithin(target, depth+1)
	}
	var out []field
	for _, part := range s.AllOf {
		out = append(out, d.fieldsWithin(part, depth+1)...)
	}
	required := map[string]bool{}
	for _, name := range s.Required {
		required[name] = true
	}
	for _, e := range s.Properties {
		out = append(out, field{
			Name: e.Key, Type: typeOf(e.Value), Required: required[e.Key],
			Facts: facts(e.Value), Description: prose(e.Value.Description),
		})
	}
	return out
}
