package oipapi

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"net/http"
	"strings"

	"github.com/goshawk-ai/goshawk/internal/httpapi"
	"github.com/goshawk-ai/goshawk/internal/jsonscan"
	"github.com/goshawk-ai/goshawk/internal/problem"
)

const maxFiles = 1024 // of one load

// small reads the body of a request that is an object, or nothing.
func small(x *httpapi.Exchange, r *http.Request, member func(s *jsonscan.Scanner, name string) error) error {
	body, err := x.Body(r)
	if err != nil {
		return err
	}
	s := &jsonscan.Scanner{Text: body}
	if s.Peek() == 0 && s.At == len(body) {
		return nil
	}
	seen := jsonscan.Once{}
	err = s.Object("the request", func(name []byte) error {
		if len(name) > jsonscan.MaxText || len(seen) == maxParameters {
			return s.Fail("it has too many members, or too long names")
		}
		if err := seen.See(string(name)); err != nil {
			return err
		}
		return member(s, string(name))
	})
	if err != nil {
		return err
	}
	return s.End()
}

type restState struct {
	Name    string `json:"name"`
	Version string `json:"version,omitempty"`
	State   string `json:"state,omitempty"`
	Reason  string `json:"reason,omitempty"`
}

func (s *restDoor) restIndex(x *httpapi.Exchange, r *http.Request) error {
	ready := false
	err := small(x, r, func(s *jsonscan.Scanner, name string) (err error) {
		switch {
		case name != "ready":
			return s.Skip()
		case s.Null():
			return nil
		}
		ready, err = s.Bool("ready")
		return err
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

func (s *restDoor) restLoad(x *httpapi.Exchange, r *http.Request) error {
	name, _, err := target(r)
	if err != nil {
		return err
	}
	var o LoadOptions
	err = small(x, r, func(s *jsonscan.Scanner, member string) error {
		switch {
		case member != "parameters":
			return s.Skip()
		case s.Null():
			return nil
		}
		return s.Object("parameters", func(key []byte) error { return loadParameter(s, &o, string(key)) })
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
func loadParameter(s *jsonscan.Scanner, o *LoadOptions, name string) error {
	if name == "config" {
		if o.Config != "" {
			return problem.InvalidRequest.New("the parameter config is given twice")
		}
		text, err := s.Bytes("config")
		o.Config = string(text)
		return err
	}
	path, file := strings.CutPrefix(name, "file:")
	if !file {
		return problem.InvalidRequest.New("a load has no parameter %.60q; there are config and file:VERSION/NAME", name)
	}
	if !fs.ValidPath(path) || path == "." {
		return problem.InvalidRequest.New("the parameter %.60q names no file of a model's directory, such as file:1/model.onnx", name)
	}
	text, err := s.Bytes("a file")
	if err != nil {
		return err
	}
	n, err := base64.StdEncoding.Decode(text, text)
	if err != nil {
		return problem.InvalidRequest.New("the parameter %.60q is no base64", name)
	}
	if _, twice := o.Files[path]; twice || len(o.Files) == maxFiles || len(path) > jsonscan.MaxText {
		return problem.InvalidRequest.New("the parameter %.60q is given twice, or there are more than %d files, or its name is too long", name, maxFiles)
	}
	if o.Files == nil {
		o.Files = map[string][]byte{}
	}
	o.Files[path] = text[:n:n]
	return nil
}

// restUnload has no dependents to unload: no model here is made of others.
func (s *restDoor) restUnload(x *httpapi.Exchange, r *http.Request) error {
	name, _, err := target(r)
	if err != nil {
		return err
	}
	err = small(x, r, func(s *jsonscan.Scanner, member string) error {
		switch {
		case member != "parameters":
			return s.Skip()
		case s.Null():
			return nil
		}
		return s.Object("parameters", func(key []byte) error {
			if string(key) == "unload_dependents" {
				_, err := s.Bool("unload_dependents")
				return err
			}
			return s.Skip()
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

// traced is the model whose traces the address is about; "" for all.
func (s *restDoor) traced(r *http.Request) (string, error) {
	if r.PathValue("model") == "" {
		return "", nil
	}
	name, _, err := target(r)
	if err != nil {
		return "", err
	}
	if err := s.service.repository.Ready(name); errors.Is(err, problem.ModelNotFound) {
		return "", err
	}
	return name, nil
}

func (s *restDoor) restTrace(x *httpapi.Exchange, r *http.Request) error {
	name, err := s.traced(r)
	if err != nil {
		return err
	}
	return s.sendTrace(x, r, name, nil)
}

// restSetTrace changes what the body names. A null clears a setting; a body that
// names none clears all that a model has of its own.
func (s *restDoor) restSetTrace(x *httpapi.Exchange, r *http.Request) error {
	name, err := s.traced(r)
	if err != nil {
		return err
	}
	changes := map[string][]string{}
	err = small(x, r, func(s *jsonscan.Scanner, setting string) error {
		value, err := settingValue(s)
		switch v := value.(type) {
		case nil:
			changes[setting] = nil
		case []string:
			changes[setting] = v
		default:
			changes[setting] = []string{fmt.Sprint(v)}
		}
		return err
	})
	if err != nil {
		return err
	}
	if len(changes) == 0 && name != "" {
		for setting := range traceDefaults() {
			changes[setting] = nil
		}
	}
	return s.sendTrace(x, r, name, changes)
}

func (s *restDoor) sendTrace(x *httpapi.Exchange, r *http.Request, model string, changes map[string][]string) error {
	now, err := s.settings.Trace(model, changes)
	if err != nil {
		return err
	}
	// Only the levels are a list in this form.
	out := make(map[string]any, len(now))
	for name, values := range now {
		out[name] = strings.Join(values, ",")
		if name == "trace_level" {
			out[name] = values
		}
	}
	return sendJSON(x, r, out)
}

func (s *restDoor) restLogging(x *httpapi.Exchange, r *http.Request) error {
	return s.sendLogging(x, r, nil)
}

func (s *restDoor) restSetLogging(x *httpapi.Exchange, r *http.Request) error {
	changes := map[string]any{}
	err := small(x, r, func(s *jsonscan.Scanner, setting string) error {
		value, err := settingValue(s)
		if n, whole := value.(int64); whole && n >= 0 && n <= math.MaxUint32 {
			value = uint32(n)
		}
		if value != nil { // a null leaves a setting as it is
			changes[setting] = value
		}
		return err
	})
	if err != nil {
		return err
	}
	return s.sendLogging(x, r, changes)
}

func (s *restDoor) sendLogging(x *httpapi.Exchange, r *http.Request, changes map[string]any) error {
	now, err := s.settings.Log(changes)
	if err != nil {
		return err
	}
	return sendJSON(x, r, now)
}

// settingValue reads null, text, a number, true, false or a list of text.
func settingValue(s *jsonscan.Scanner) (any, error) {
	if s.Peek() == '[' {
		list := []string{}
		err := s.List("a setting", func() error {
			text, err := s.Short("a setting")
			if list = append(list, text); len(list) > maxParameters {
				return s.Fail("the list is too long")
			}
			return err
		})
		return list, err
	}
	return parameter(s, "a setting")
}
