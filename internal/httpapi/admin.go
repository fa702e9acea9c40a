package httpapi

import (
	"net/http"

	"github.com/goshawk-ai/goshawk/internal/problem"
)

// Admin is the operators' door: /livez, /readyz and what mux has, for reading,
// and for whom admit lets in. Its refusals are problems like everybody's.
func Admin(o Options, admit func(*http.Request) error, mux *http.ServeMux) http.Handler {
	d := &door{Options: o.withDefaults()}
	d.metrics = newMetrics(d.Metrics)
	admitted := func(path string, h handler) http.Handler {
		return d.serve(route{path: path, quiet: true}, func(x *exchange, r *http.Request) error {
			if err := admit(r); err != nil {
				return err
			}
			return h(x, r)
		})
	}
	all := http.NewServeMux()
	for _, r := range d.routes() {
		if r.quiet {
			all.Handle(r.path, admitted(r.path, r.dispatch()))
		}
	}
	all.Handle("/", admitted("admin", func(x *exchange, r *http.Request) error { return operate(x, r, mux) }))
	return all
}

func operate(x *exchange, r *http.Request, mux *http.ServeMux) error {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		x.Header().Set("Allow", "GET, HEAD")
		return problem.MethodNotAllowed.New("the operators' door is for reading, with GET and HEAD")
	}
	if _, pattern := mux.Handler(r); pattern == "" {
		return problem.NotFound.New("nothing is at %s; the operators' door has /metrics, /debug/pprof/, /livez and /readyz", quoted(r.URL.Path))
	}
	mux.ServeHTTP(x, r)
	return nil
}
