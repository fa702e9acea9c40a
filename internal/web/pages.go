package web

import (
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"strings"

	"github.com/goshawk-ai/goshawk/internal/problem"
	"github.com/goshawk-ai/goshawk/internal/wording"
)

//go:embed templates
var templateFiles embed.FS

// pages holds one parsed template set for each page, all with the same layout.
type pages map[string]*template.Template

// layout is what every page is drawn from.
type layout struct {
	Version string
	Base    string // http://host, for commands to copy
	Path    string
	Page    any
}

// Under tells whether the page belongs to an entry of the navigation.
func (l layout) Under(entry string) bool {
	return l.Path == entry || entry != "/" && strings.HasPrefix(l.Path, entry+"/")
}

// newPages parses what is embedded: a mistake there is one of the program, and
// every test meets it.
func newPages(a *assets) pages {
	functions := template.FuncMap{
		"asset": a.url, "percent": percent, "barWidth": barWidth, "milliseconds": milliseconds,
		"dict": dict, "lower": strings.ToLower, "sentence": sentence, "here": here, "upper": strings.ToUpper,
	}
	out := pages{}
	for _, name := range []string{"home", "docs", "errors", "error", "answer", "failed"} {
		out[name] = template.Must(template.New(name).Funcs(functions).
			ParseFS(templateFiles, "templates/layout.html", "templates/parts.html", "templates/"+name+".html"))
	}
	return out
}

// dict hands several values to a part.
func dict(pairs ...any) (map[string]any, error) {
	out := make(map[string]any, len(pairs)/2)
	for i := 0; i+1 < len(pairs); i += 2 {
		key, ok := pairs[i].(string)
		if !ok {
			return nil, fmt.Errorf("dict: key %v is not a string", pairs[i])
		}
		out[key] = pairs[i+1]
	}
	return out, nil
}

// here puts the address at which the reader is into a command of the specification.
func here(command, base string) string { return strings.ReplaceAll(command, specBase, base) }

func (s *Site) home(w http.ResponseWriter, r *http.Request) {
	s.render(w, r, http.StatusOK, "home", map[string]any{
		"Models": s.options.Models(), "Examples": s.examples, "MaxBytes": s.options.MaxPictureBytes,
	})
}

func (s *Site) errorsPage(w http.ResponseWriter, r *http.Request) {
	s.render(w, r, http.StatusOK, "errors", problem.Kinds())
}

func (s *Site) errorPage(w http.ResponseWriter, r *http.Request) {
	slug := r.PathValue("slug")
	for _, k := range problem.Kinds() {
		if k.Slug == slug {
			s.render(w, r, http.StatusOK, "error", map[string]any{"Kind": k, "Example": problemExample(k)})
			return
		}
	}
	s.Problem(w, r, problem.NotFound.New("there is no kind of problem called %s; /errors lists them", wording.Quote(slug)))
}
