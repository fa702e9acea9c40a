package oipapi

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/goshawk-ai/goshawk/internal/problem"
)

// Settings are what a client may read and change of tracing and logging, by the
// names of Triton's trace and logging extensions. They are one for all doors of
// a server. Files are not a client's to choose: no setting names one.
type Settings struct {
	mu    sync.Mutex
	trace map[string]map[string][]string // by model, "" for all; what is not there is inherited
	log   map[string]any                 // bool, uint32 or string
}

// NewSettings begins with tracing off and everything but details logged.
func NewSettings() *Settings {
	return &Settings{
		trace: map[string]map[string][]string{"": traceDefaults()},
		log: map[string]any{
			"log_file": "", "log_info": true, "log_warning": true, "log_error": true,
			"log_verbose_level": uint32(0), "log_format": "default",
		},
	}
}

func traceDefaults() map[string][]string {
	return map[string][]string{
		"trace_level": {"OFF"}, "trace_rate": {"1000"}, "trace_count": {"-1"},
		"log_frequency": {"0"}, "trace_file": {""}, "trace_mode": {"triton"},
	}
}

// Trace changes a model's trace settings, all models' when it is "", and gives
// what holds then. A setting without a value goes back to what it would be had
// nobody changed it. All changes are made, or none.
func (s *Settings) Trace(model string, changes map[string][]string) (map[string][]string, error) {
	for name, values := range changes {
		if err := checkTrace(name, values); err != nil {
			return nil, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	own := s.trace[model]
	if own == nil {
		own = map[string][]string{}
	}
	for name, values := range changes {
		switch {
		case len(values) > 0:
			own[name] = slices.Clone(values)
		case model == "":
			own[name] = traceDefaults()[name]
		default:
			delete(own, name)
		}
	}
	if len(own) > 0 {
		s.trace[model] = own
	} else {
		delete(s.trace, model)
	}
	now := maps.Clone(s.trace[""])
	maps.Copy(now, own)
	return now, nil
}

func checkTrace(name string, values []string) error {
	fixed, known := traceDefaults()[name]
	if !known {
		return problem.InvalidRequest.New("there is no trace setting %s; there are %s", quoted(name), names(traceDefaults()))
	}
	if len(values) == 0 {
		return nil
	}
	switch name {
	case "trace_file", "trace_mode":
		if !slices.Equal(values, fixed) {
			return problem.InvalidRequest.New("the trace setting %s cannot be changed over the network", name)
		}
		return nil
	case "trace_level":
		for _, v := range values {
			if v != "OFF" && v != "TIMESTAMPS" && v != "TENSORS" {
				return problem.InvalidRequest.New("the trace level %s is none of OFF, TIMESTAMPS and TENSORS", quoted(v))
			}
			if v == "OFF" && len(values) > 1 {
				return problem.InvalidRequest.New("the trace level OFF stands alone, and %d levels were sent", len(values))
			}
		}
		return nil
	}
	least := map[string]int64{"trace_rate": 1, "trace_count": -1, "log_frequency": 0}[name]
	n, err := strconv.ParseInt(values[0], 10, 64)
	if err != nil || len(values) != 1 || n < least {
		return problem.InvalidRequest.New("the trace setting %s is %s; it is one whole number from %d up", name, quoted(strings.Join(values, ", ")), least)
	}
	return nil
}

// Log changes settings and gives what holds then. All changes are made, or none.
func (s *Settings) Log(changes map[string]any) (map[string]any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, value := range changes {
		if err := checkLog(name, value, s.log); err != nil {
			return nil, err
		}
	}
	maps.Copy(s.log, changes)
	return maps.Clone(s.log), nil
}

func checkLog(name string, value any, now map[string]any) error {
	old, known := now[name]
	if !known {
		return problem.InvalidRequest.New("there is no log setting %s; there are %s", quoted(name), names(now))
	}
	wrong := ""
	switch old.(type) {
	case bool:
		if _, ok := value.(bool); !ok {
			wrong = "true or false"
		}
	case uint32:
		if _, ok := value.(uint32); !ok {
			wrong = "a whole number from 0 up"
		}
	default:
		switch {
		case name == "log_file" && value != old:
			return problem.InvalidRequest.New("the log setting log_file cannot be changed over the network")
		case name == "log_format" && value != "default" && value != "ISO8601":
			wrong = "default or ISO8601"
		}
	}
	if wrong != "" {
		return problem.InvalidRequest.New("the log setting %s is %s", name, wrong)
	}
	return nil
}

// names lists what there is, for a caller who asked for something else.
func names[V any](m map[string]V) string {
	return strings.Join(slices.Sorted(maps.Keys(m)), ", ")
}

// quoted is a stranger's word as it may stand in a sentence.
func quoted(s string) string {
	const bearable = 64
	if len(s) > bearable {
		s = s[:bearable] + "…"
	}
	return strconv.Quote(s)
}
