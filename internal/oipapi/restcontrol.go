package oipapi

import (
	"encoding/base64"
	"errors"
	"net/http"
	"strings"

	"github.com/goshawk-ai/goshawk/internal/httpapi"
	"github.com/goshawk-ai/goshawk/internal/problem"
)

const maxFiles = 1024 // of one load

// small reads the body of a request that is an object, or nothing.
func small(x *httpapi.Exchange, r *http.Request, member func(s *scan, name string) error) error {
	body, err := x.Body(r)
	if err != nil {
		return err
	}
	s := &scan{text: body}
	if s.peek() == 0 && s.at == len(body) {
		return nil
	}
	seen := once{}
	err = s.object("the request", func(name []byte) error {
		if len(name) > maxText || len(seen) == maxParameters {
			return s.fail("it has too many members, or too long names")
		}
		if err := seen.see(string(name)); err != nil {
			return err
		}
		return member(s, string(name))
	})
	if err != nil {
		return err
	}
	return s.end()
}

type restState struct {
	Name    string `json:"name"`
	Version string `json:"version,omitempty"`
	State   string `json:"state,omitempty"`
	Reason  string `json:"reason,omitempty"`
}

func (s *Server) restIndex(x *httpapi.Exchange, r *http.Request) error {
	ready := false
	err := small(x, r, func(s *scan, name string) (err error) {
		if name == "ready" {
			ready, err = s.boolean("ready")
			return err
		}
		return s.skip()
	})
	if err != nil {
		return err
	}
	list := []restState{}
	for _, m := range s.service.repository.Index() {
		if !ready || m.State == "READY" {
			list = append(list, restState{m.Name, m.Number, m.State, m.Reason})
		}
	}
	return sendJSON(x, r, list)
}

func (s *Server) restLoad(x *httpapi.Exchange, r *http.Request) error {
	name, _, err := target(r)
	if err != nil {
		return err
	}
	var o LoadOptions
	err = small(x, r, func(s *scan, member string) error {
		if member != "parameters" {
			return s.skip()
		}
		return s.object("parameters", func(key []byte) error { return loadParameter(s, &o, string(key)) })
	})
	if err != nil {
		return err
	}
	if err := s.service.repository.Load(r.Context(), name, o); err != nil {
		return err
	}
	x.Send(r, httpapi.Answer{Type: typeJSON})
	return nil
}

// loadParameter reads one parameter of a load. A file stays where it stands in
// the body, decoded over its own base64.
func loadParameter(s *scan, o *LoadOptions, name string) error {
	if name == "config" {
		if o.Config != "" {
			return problem.InvalidRequest.New("the parameter config is given twice")
		}
		text, err := s.bytes("config")
		o.Config = string(text)
		return err
	}
	path, file := strings.CutPrefix(name, "file:")
	if !file {
		return problem.InvalidRequest.New("a load has no parameter %.60q; there are config and file:VERSION/NAME", name)
	}
	text, err := s.bytes("a file")
	if err != nil {
		return err
	}
	n, err := base64.StdEncoding.Decode(text, text)
	if err != nil {
		return problem.InvalidRequest.New("the parameter %.60q is no base64", name)
	}
	if _, twice := o.Files[path]; twice || len(o.Files) == maxFiles || len(path) > maxText {
		return problem.InvalidRequest.New("the parameter %.60q is given twice, or there are more than %d files, or its name is too long", name, maxFiles)
	}
	if o.Files == nil {
		o.Files = map[string][]byte{}
	}
	o.Files[path] = text[:n:n]
	return nil
}

// restUnload has no dependents to unload: no model here is made of others.
func (s *Server) restUnload(x *httpapi.Exchange, r *http.Request) error {
	name, _, err := target(r)
	if err != nil {
		return err
	}
	err = small(x, r, func(s *scan, member string) error {
		if member != "parameters" {
			return s.skip()
		}
		return s.object("parameters", func(key []byte) error {
			if string(key) == "unload_dependents" {
				_, err := s.boolean("unload_dependents")
				return err
			}
			return s.skip()
		})
	})
	if err != nil {
		return err
	}
	if err := s.service.repository.Unload(r.Context(), name); err != nil {
		return err
	}
	x.Send(r, httpapi.Answer{Type: typeJSON})
	return nil
}

// traceKind is the kind of settings that the address is about.
func (s *Server) traceKind(r *http.Request) (string, error) {
	if r.PathValue("model") == "" {
		return kindTrace, nil
	}
	name, _, err := target(r)
	if err != nil {
		return "", err
	}
	if err := s.service.repository.Ready(name); errors.Is(err, problem.ModelNotFound) {
		return "", err
	}
	return kindTrace + "/" + name, nil
}

func (s *Server) restTrace(x *httpapi.Exchange, r *http.Request) error {
	kind, err := s.traceKind(r)
	if err != nil {
		return err
	}
	return sendJSON(x, r, s.settings.get(kind))
}

func (s *Server) restSetTrace(x *httpapi.Exchange, r *http.Request) error {
	kind, err := s.traceKind(r)
	if err != nil {
		return err
	}
	return s.change(x, r, kind)
}

func (s *Server) restLogging(x *httpapi.Exchange, r *http.Request) error {
	return sendJSON(x, r, s.settings.get(kindLog))
}

func (s *Server) restSetLogging(x *httpapi.Exchange, r *http.Request) error {
	return s.change(x, r, kindLog)
}

func (s *Server) change(x *httpapi.Exchange, r *http.Request, kind string) error {
	values := map[string]any{}
	err := small(x, r, func(s *scan, name string) (err error) {
		values[name], err = settingValue(s)
		return err
	})
	if err != nil {
		return err
	}
	if err := s.settings.set(kind, values); err != nil {
		return err
	}
	return sendJSON(x, r, s.settings.get(kind))
}

// settingValue reads null, text, a number, true, false or a list of text.
func settingValue(s *scan) (any, error) {
	if s.peek() == '[' {
		list := []string{}
		err := s.list("a setting", func() error {
			text, err := s.short("a setting")
			if list = append(list, text); len(list) > maxParameters {
				return s.fail("the list is too long")
			}
			return err
		})
		return list, err
	}
	return s.parameter("a setting")
}
