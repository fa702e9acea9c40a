package httpapi

import (
	"net/http"

	"github.com/goshawk-ai/goshawk/internal/problem"
	"github.com/goshawk-ai/goshawk/internal/wording"
)

// Admin is the operators' door: /livez and /readyz for everybody, as a prober
// carries no key, and what mux has, for reading, for whom admit lets in. Its
// refusals are problems like everybody's.
func Admin(o Options, admit func(*http.Request) error, mux *http.ServeMux) http.Handler {
	d := &door{Options: o.withDefaults()}
	d.metrics = newMetrics(d.Metrics)
	all := http.NewServeMux()
	for _, r := range d.routes() {
		if r.quiet {
			all.Handle(r.path, d.serve(route{path: r.path, quiet: true}, r.dispatch()))
		}
	}
	all.Handle("/", d.serve(route{path: "admin", quiet: true}, func(x *exchange, r *http.Request) error {
		if err := admit(r); err != nil {
			return err
		}
		return operate(x, r, mux)
	}))
	return all
}

func operate(x *exchange, r *http.Request, mux *http.ServeMux) error {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		x.Header().Set("Allow", "GET, HEAD")
		return problem.MethodNotAllowed.New("the operators' door is for reading, with GET and HEAD")
	}
	if _, pattern := mux.Handler(r); pattern == "" {
		return problem.NotFound.New("nothing is at %s; the operators' door has /metrics, /debug/pprof/, /livez and /readyz", wording.Quote(r.URL.Path))
	}
	mux.ServeHTTP(x, r)
	return nil
}
