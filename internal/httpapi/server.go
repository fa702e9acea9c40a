package httpapi

import (
	"net/http"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/goshawk-ai/goshawk/api"
	"github.com/goshawk-ai/goshawk/internal/problem"
	"github.com/goshawk-ai/goshawk/internal/wording"
)

// door is what the handlers share. It is immutable but for the pools.
type door struct {
	Options
	metrics *metrics
	pools   pools

	compressors compressors
	spec        func() ([]byte, error)
}

// route is one path with its methods.
type route struct {
	path    string
	guarded bool // Host, Origin and key are checked
	quiet   bool // probes come every second: their lines are for debugging
	methods map[string]handler
	refuse  Refusal // nil: problem documents
}

func (d *door) routes() []route {
	get := func(h handler) map[string]handler { return map[string]handler{http.MethodGet: h} }
	post := func(h handler) map[string]handler { return map[string]handler{http.MethodPost: h} }
	return []route{
		{path: "/v1/predictions", guarded: true, methods: post(d.predictions)},
		{path: "/predict", guarded: true, methods: post(d.predictForm)},
		{path: "/v1/models", guarded: true, methods: get(d.models)},
		{path: "/v1/models/{name}", guarded: true, methods: get(d.model)},
		{path: "/v1/models/{name}/labels", guarded: true, methods: get(d.labels)},
		{path: "/openapi.json", methods: get(d.openAPI)},
		{path: "/livez", quiet: true, methods: get(d.livez)},
		{path: "/readyz", quiet: true, methods: get(d.readyz)},
	}
}

// New makes the handler of the /v1 door.
func New(o Options) http.Handler {
	d := &door{Options: o.withDefaults()}
	d.metrics = newMetrics(d.Metrics)
	d.spec = sync.OnceValues(func() ([]byte, error) { return api.JSON(d.Version) })
	mux := http.NewServeMux()
	for _, r := range d.routes() {
		mux.Handle(r.path, d.serve(r, r.dispatch()))
	}
	d.mount(mux)
	nothing := d.serve(route{path: "other"}, notFound)
	mux.Handle("/v1/", nothing)
	mux.Handle("/v1", nothing) // which the mux would redirect to the one above
	mux.Handle("/", d.serve(route{path: "pages"}, d.pages))
	places := map[string]http.Handler{} // of other rooms, where nothing is, in their form
	for _, r := range d.Routes {
		if len(r.Methods) == 0 {
			places[r.Path] = d.serve(route{path: r.Path, refuse: r.Refuse}, notFound)
		}
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// The mux would answer with a redirect that nobody logs.
		if p := path.Clean(r.URL.Path); p != r.URL.Path && p+"/" != r.URL.Path {
			where := nothing
			for place, h := range places {
				if strings.HasPrefix(r.URL.Path, place) {
					where = h
				}
			}
			where.ServeHTTP(w, r)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// dispatch picks by method, and says which there are.
func (r route) dispatch() handler {
	allow := make([]string, 0, len(r.methods)+1)
	for method := range r.methods {
		allow = append(allow, method)
	}
	if r.methods[http.MethodGet] != nil {
		allow = append(allow, http.MethodHead)
	}
	slices.Sort(allow)
	return func(x *exchange, req *http.Request) error {
		method := req.Method
		if method == http.MethodHead {
			method = http.MethodGet
		}
		if h := r.methods[method]; h != nil {
			return h(x, req)
		}
		if len(allow) == 0 {
			return notFound(x, req)
		}
		x.Header().Set("Allow", strings.Join(allow, ", "))
		method = knownMethod(req.Method)
		if method == "other" {
			method = "this method"
		}
		return problem.MethodNotAllowed.New("%s does not take %s, only %s", r.path, method, strings.Join(allow, " and "))
	}
}

func notFound(_ *exchange, r *http.Request) error {
	return problem.NotFound.New("nothing is at %s; /docs lists what there is", wording.Quote(r.URL.Path))
}

func (d *door) pages(x *exchange, r *http.Request) error {
	if d.Pages == nil {
		return notFound(x, r)
	}
	// Pages have nothing to steal, but a page of a rebound name must not pass
	// for one of ours.
	if err := d.Access.Origin(r); err != nil {
		return err
	}
	d.Pages.ServeHTTP(x, r)
	return nil
}

// secure sets the headers of every answer. Pages set a wider
// Content-Security-Policy of their own.
func secure(h http.Header) {
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	// Not no-referrer: with that, browsers hide the origin of our own forms too.
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
}
