package web

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/goshawk-ai/goshawk/internal/problem"
)

// docs is the API documentation in the form that the template draws.
type docs struct {
	Title       string
	Description []block
	Groups      []group
	Schemas     []schemaView
}

// group is the operations of one tag.
type group struct {
	ID          string
	Name        string
	Description []block
	Operations  []operationView
}

type operationView struct {
	ID          string
	Method      string
	Path        string
	Summary     string
	Deprecated  bool
	Description []block
	Commands    []codeSample
	Parameters  []field
	BodyNote    []block
	Bodies      []bodyView
	Responses   []responseView
}

// field is one line of a table: a parameter or a member of an object.
type field struct {
	Name        string
	In          string
	Type        []span
	Required    bool
	Facts       []string // default, bounds, allowed values
	Description []block
}

type bodyView struct {
	MediaType   string
	Type        []span
	Description []block
	Fields      []field
	Examples    []sampleView
}

type sampleView struct{ Title, Text string }

type responseView struct {
	Status      string
	Description []block
	Headers     []field
	Bodies      []bodyView
}

type schemaView struct {
	Name        string
	Type        []span
	Description []block
	Facts       []string
	Fields      []field
}

var errNoSpec = errors.New("this build carries no OpenAPI document")

func readDocs(spec []byte) (*docs, error) {
	if len(spec) == 0 {
		return nil, errNoSpec
	}
	var d document
	if err := yaml.Unmarshal(spec, &d); err != nil {
		return nil, fmt.Errorf("read the OpenAPI document: %w", err)
	}
	out := &docs{Title: d.Info.Title, Description: prose(d.Info.Description), Groups: d.groups()}
	for _, e := range d.Components.Schemas {
		out.Schemas = append(out.Schemas, schemaView{
			Name: e.Key, Type: typeOf(e.Value), Description: prose(e.Value.Description),
			Facts: facts(e.Value), Fields: d.fields(e.Value),
		})
	}
	return out, nil
}

// groups sorts the operations by their first tag, tags in the document's order.
func (d *document) groups() []group {
	var out []group
	for _, t := range d.Tags {
		out = append(out, group{ID: anchor(t.Name), Name: t.Name, Description: prose(t.Description)})
	}
	for _, path := range d.Paths {
		for _, op := range path.Value.Operations {
			name := "API"
			if len(op.Value.Tags) > 0 {
				name = op.Value.Tags[0]
			}
			i := slices.IndexFunc(out, func(g group) bool { return g.Name == name })
			if i < 0 {
				i = len(out)
				out = append(out, group{ID: anchor(name), Name: name})
			}
			out[i].Operations = append(out[i].Operations, d.operation(op.Key, path.Key, path.Value, op.Value))
		}
	}
	return slices.DeleteFunc(out, func(g group) bool { return len(g.Operations) == 0 })
}

func (d *document) operation(method, path string, item pathItem, op operation) operationView {
	view := operationView{
		ID: op.OperationID, Method: method, Path: path, Summary: op.Summary,
		Deprecated: op.Deprecated, Description: prose(op.Description), Commands: op.Samples,
	}
	if view.ID == "" {
		view.ID = anchor(method + " " + path)
	}
	for _, p := range slices.Concat(item.Parameters, op.Parameters) {
		view.Parameters = append(view.Parameters, d.parameterField(d.parameter(p)))
	}
	if body := d.body(op.RequestBody); body != nil {
		view.BodyNote, view.Bodies = prose(body.Description), d.bodies(body.Content)
	}
	for _, e := range op.Responses {
		r := d.response(e.Value)
		rv := responseView{Status: e.Key, Description: prose(r.Description), Bodies: d.bodies(r.Content)}
		for _, h := range r.Headers {
			header := h.Value
			if header.Ref != "" {
				header = d.Components.Headers[refName(header.Ref)]
			}
			header.Name, header.In = h.Key, "header"
			rv.Headers = append(rv.Headers, d.parameterField(header))
		}
		view.Responses = append(view.Responses, rv)
	}
	if len(view.Commands) == 0 {
		view.Commands = []codeSample{{Lang: "Shell", Source: plainCommand(view)}}
	}
	return view
}

func (d *document) parameterField(p parameter) field {
	f := field{Name: p.Name, In: p.In, Required: p.Required, Description: prose(p.Description)}
	if p.Schema != nil {
		f.Type, f.Facts = typeOf(p.Schema), facts(p.Schema)
		if p.Description == "" {
			f.Description = prose(p.Schema.Description)
		}
	}
	if text := scalar(p.Example); text != "" {
		f.Facts = append(f.Facts, "for example "+text)
	}
	return f
}

func (d *document) bodies(content ordered[mediaType]) []bodyView {
	out := make([]bodyView, 0, len(content))
	for _, e := range content {
		b := bodyView{MediaType: e.Key}
		if e.Value.Schema != nil {
			b.Type = typeOf(e.Value.Schema)
			if e.Value.Schema.Ref == "" { // a named one has its table below
				b.Fields, b.Description = d.fields(e.Value.Schema), prose(e.Value.Schema.Description)
			}
		}
		if !e.Value.Example.IsZero() {
			b.Examples = append(b.Examples, sampleView{Text: sampleText(e.Value.Example)})
		}
		for _, ex := range e.Value.Examples {
			value := ex.Value
			if value.Ref != "" {
				value = d.Components.Examples[refName(value.Ref)]
			}
			title := value.Summary
			if title == "" {
				title = ex.Key
			}
			if !value.Value.IsZero() {
				b.Examples = append(b.Examples, sampleView{Title: title, Text: sampleText(value.Value)})
			}
		}
		out = append(out, b)
	}
	return out
}

// sampleText shows text as it is sent (CSV) and everything else as JSON.
func sampleText(n yaml.Node) string {
	if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!str" {
		return strings.TrimRight(n.Value, "\n")
	}
	return jsonText(&n)
}

// plainCommand is the curl line of an operation that brings none.
func plainCommand(op operationView) string {
	method := ""
	if op.Method != http.MethodGet {
		method = " -X " + op.Method
	}
	return "curl -sS" + method + " " + specBase + op.Path
}

func anchor(text string) string {
	return strings.Trim(strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, strings.ToLower(text)), "-")
}

// specBase is the server that the specification's examples speak to: the
// default of --listen. The page puts its own address in its place.
const specBase = "http://127.0.0.1:8080"

func (s *Site) docsPage(w http.ResponseWriter, r *http.Request) {
	if s.docsErr != nil {
		s.Problem(w, r, problem.Internal.New("the API documentation is missing from this build").Because(s.docsErr))
		return
	}
	s.render(w, r, http.StatusOK, "docs", s.docs)
}
