package web

import (
	"bytes"
	"io/fs"
	"net/http"
	"strconv"
	"strings"

	"github.com/goshawk-ai/goshawk/internal/problem"
	"github.com/goshawk-ai/goshawk/internal/wording"
)

// Options is what the pages need from the rest of the house. The zero value
// serves pages without documentation, models and examples.
type Options struct {
	Spec            []byte         // the OpenAPI document, YAML or JSON
	Version         string         // shown at the foot of every page
	Models          func() []Model // what the chooser offers before the script asks /v1/models
	Examples        fs.FS          // pictures at its top level are offered to try
	MaxPictureBytes int64          // a larger file is told so before it is sent; 0: no bound
}

// Model is one line of the model chooser.
type Model struct {
	Name        string
	Description string
	Default     bool
}

// Site serves the pages: /, /docs, /errors, /examples and what they are made
// of. It also draws the answers of POST /predict for browsers without script.
type Site struct {
	options  Options
	assets   *assets
	pages    pages
	docs     *docs
	docsErr  error
	examples []example
	mux      *http.ServeMux
}

// New makes the site. A specification that cannot be read costs /docs only,
// which then says so: pictures must still be classified.
func New(o Options) *Site {
	if o.Models == nil {
		o.Models = func() []Model { return nil }
	}
	s := &Site{options: o, assets: newAssets(), mux: http.NewServeMux()}
	s.pages = newPages(s.assets)
	s.docs, s.docsErr = readDocs(o.Spec)
	s.examples = listExamples(o.Examples)

	s.mux.HandleFunc("GET /{$}", s.home)
	s.mux.HandleFunc("GET /docs", s.docsPage)
	s.mux.HandleFunc("GET /errors", s.errorsPage)
	s.mux.HandleFunc("GET /errors/{slug}", s.errorPage)
	s.mux.HandleFunc("GET /examples/{name}", s.example)
	s.mux.HandleFunc("GET /static/{hash}/{name}", s.static)
	s.mux.HandleFunc("GET /favicon.svg", s.assets.favicon)
	s.mux.HandleFunc("GET /favicon.ico", s.assets.favicon)
	s.mux.HandleFunc("/", s.elsewhere)
	return s
}

// ServeHTTP answers with the headers that every page carries.
func (s *Site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	secure(w.Header())
	s.mux.ServeHTTP(w, r)
}

// elsewhere answers what no page is at, telling a wrong method from a wrong address.
func (s *Site) elsewhere(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		asGet := r.Clone(r.Context())
		asGet.Method = http.MethodGet
		if _, pattern := s.mux.Handler(asGet); pattern != "/" {
			w.Header().Set("Allow", "GET, HEAD")
			s.Problem(w, r, problem.MethodNotAllowed.New("%s is not possible at %s; it can only be read", r.Method, wording.Quote(r.URL.Path)))
			return
		}
	}
	s.Problem(w, r, problem.NotFound.New("nothing is at %s", wording.Quote(r.URL.Path)))
}

// render writes a page whole or not at all: a template that fails halfway must
// not leave half a page with status 200.
func (s *Site) render(w http.ResponseWriter, r *http.Request, status int, name string, data any) {
	var page bytes.Buffer
	err := s.pages[name].ExecuteTemplate(&page, "layout", layout{
		Version: s.options.Version, Base: base(r), Path: r.URL.Path, Page: data,
	})
	if err != nil {
		s.writeProblem(w, named(r, problem.Internal.New("the page could not be drawn").Because(err)))
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-cache")
	// A refusal is read whole while the rest of its request is still under way.
	w.Header().Set("Content-Length", strconv.Itoa(page.Len()))
	w.WriteHeader(status)
	_, _ = w.Write(page.Bytes())
}

// base is the address under which the caller reached this server, for commands
// to copy. The host was checked before; the template escapes it all the same.
func base(r *http.Request) string {
	scheme := "http"
	if r.TLS != nil || strings.EqualFold(r.Header.Get("X-Forwarded-Proto"), "https") {
		scheme = "https"
	}
	return scheme + "://" + r.Host
}
