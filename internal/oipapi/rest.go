package oipapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/goshawk-ai/goshawk/internal/httpapi"
	"github.com/goshawk-ai/goshawk/internal/problem"
)

const (
	typeJSON   = "application/json"
	typeBinary = "application/octet-stream"
)

// restDoor is the protocol's REST form.
type restDoor struct {
	service  *service
	ready    func() error
	settings *Settings
	version  string
}

// Routes are the protocol's REST form, for httpapi.Options.Routes. The addresses
// and documents are those of kserve/open-inference-protocol
// (specification/protocol/inference_rest.md) and of Triton's extensions
// (triton-inference-server/server, docs/protocol).
func Routes(o Options) []httpapi.Route {
	s := &restDoor{
		service: &service{inference: o.Inference, repository: o.Repository},
		ready:   o.Ready, settings: o.Settings, version: o.Version,
	}
	if s.ready == nil {
		s.ready = func() error { return nil }
	}
	if s.settings == nil {
		s.settings = NewSettings(SettingsOptions{})
	}
	get := func(h httpapi.Handler) map[string]httpapi.Handler {
		return map[string]httpapi.Handler{http.MethodGet: h}
	}
	post := func(h httpapi.Handler) map[string]httpapi.Handler {
		return map[string]httpapi.Handler{http.MethodPost: h}
	}
	both := func(read, write httpapi.Handler) map[string]httpapi.Handler {
		return map[string]httpapi.Handler{http.MethodGet: read, http.MethodPost: write}
	}
	routes := []httpapi.Route{
		{Path: "/v2", Methods: get(s.restServer)},
		{Path: "/v2/{$}", Methods: get(s.restServer)}, // as the specification's OpenAPI document has it
		{Path: "/v2/health/live", Methods: get(s.restLive), Open: true, Quiet: true},
		{Path: "/v2/health/ready", Methods: get(s.restReady), Open: true, Quiet: true},
		{Path: "/v2/models/stats", Methods: get(s.restStatistics)},
		{Path: "/v2/repository/index", Methods: post(s.restIndex)},
		{Path: "/v2/repository/models/{model}/load", Methods: post(s.restLoad)},
		{Path: "/v2/repository/models/{model}/unload", Methods: post(s.restUnload)},
		{Path: "/v2/trace/setting", Methods: both(s.restTrace, s.restSetTrace)},
		{Path: "/v2/models/{model}/trace/setting", Methods: both(s.restTrace, s.restSetTrace)},
		{Path: "/v2/trace", Methods: both(s.restTrace, s.restSetTrace)}, // as Triton's documentation has it; its server and clients have the longer one
		{Path: "/v2/models/{model}/trace", Methods: both(s.restTrace, s.restSetTrace)},
		{Path: "/v2/logging", Methods: both(s.restLogging, s.restSetLogging)},
		{Path: "/v2/", Methods: nil},
	}
	for _, model := range []string{"/v2/models/{model}", "/v2/models/{model}/versions/{version}"} {
		routes = append(routes,
			httpapi.Route{Path: model, Methods: get(s.restModel)},
			httpapi.Route{Path: model + "/ready", Methods: get(s.restModelReady), Quiet: true},
			httpapi.Route{Path: model + "/infer", Methods: post(s.restInfer)},
			httpapi.Route{Path: model + "/config", Methods: get(s.restConfig)},
			httpapi.Route{Path: model + "/stats", Methods: get(s.restStatistics)},
		)
	}
	for _, memory := range []string{"/v2/systemsharedmemory", "/v2/cudasharedmemory"} {
		for _, region := range []string{memory, memory + "/region/{region}"} {
			routes = append(routes,
				httpapi.Route{Path: region + "/status", Methods: get(restSharedMemory)},
				httpapi.Route{Path: region + "/register", Methods: post(restSharedMemory)},
				httpapi.Route{Path: region + "/unregister", Methods: post(restSharedMemory)},
			)
		}
	}
	for i := range routes {
		routes[i].Refuse = restRefuse
	}
	return routes
}

// restRefuse writes the protocol's error.
func restRefuse(p *problem.Problem) (contentType string, content []byte) {
	return typeJSON, document(struct {
		Error string `json:"error"`
	}{p.Detail})
}

// document writes what holds nothing that JSON could not.
func document(v any) []byte {
	content, err := json.Marshal(v)
	if err != nil {
		return []byte(`{"error":"the answer could not be written"}`)
	}
	return content
}

func sendJSON(x *httpapi.Exchange, r *http.Request, v any) error {
	content, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode the answer: %w", err)
	}
	x.Send(r, httpapi.Answer{Type: typeJSON, Parts: [][]byte{content}})
	return nil
}

// checkVersion refuses what cannot name a model or a version: a reference to it
// could mean another.
func checkVersion(name, version string) error {
	if name == "" || strings.Contains(name, "/") {
		return problem.ModelNotFound.New("no model is called %.60q", name)
	}
	if strings.Trim(version, "0123456789") != "" || len(version) > 18 {
		return problem.ModelNotFound.New("the model %.60q has no version %.20q; versions are whole numbers", name, version)
	}
	return nil
}

// target is the model and the version that the address names.
func target(r *http.Request) (name, version string, err error) {
	name, version = r.PathValue("model"), r.PathValue("version")
	return name, version, checkVersion(name, version)
}

func (s *restDoor) restServer(x *httpapi.Exchange, r *http.Request) error {
	return sendJSON(x, r, struct {
		Name       string   `json:"name"`
		Version    string   `json:"version"`
		Extensions []string `json:"extensions"`
	}{"goshawk", s.version, s.settings.extensions()})
}

// The health documents have a member for each reader: the specification asks for
// live, KServe's client reads ready.
func (s *restDoor) restLive(x *httpapi.Exchange, r *http.Request) error {
	return sendJSON(x, r, map[string]bool{"live": true})
}

func (s *restDoor) restReady(x *httpapi.Exchange, r *http.Request) error {
	if err := s.ready(); err != nil {
		return notReady(err)
	}
	return sendJSON(x, r, map[string]bool{"live": true, "ready": true})
}

func (s *restDoor) restModelReady(x *httpapi.Exchange, r *http.Request) error {
	name, version, err := target(r)
	if err != nil {
		return err
	}
	if err := s.service.repository.Ready(reference(name, version)); err != nil {
		return notReady(err)
	}
	return sendJSON(x, r, map[string]any{"name": name, "ready": true})
}

// notReady is an error of status 503, or what is not there at all.
func notReady(err error) error {
	if p, ok := errors.AsType[*problem.Problem](err); ok && (p.Kind.Status == http.StatusServiceUnavailable || p.Kind.Status == http.StatusNotFound) {
		return p
	}
	return problem.ModelUnhealthy.New("not ready: %v", err).Because(err)
}

func restSharedMemory(*httpapi.Exchange, *http.Request) error {
	return problem.InvalidRequest.New("shared memory is not served here; send the data with the request")
}
