package oipapi

import (
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/goshawk-ai/goshawk/internal/problem"
	"github.com/goshawk-ai/goshawk/internal/telemetry"
	"github.com/goshawk-ai/goshawk/internal/wording"
)

// SettingsOptions say what clients may change. The zero value lets them change
// nothing, and then neither extension is advertised.
type SettingsOptions struct {
	// Traces is where records of requests are written. nil: none are.
	Traces *Traces
	// Tensors lets clients have the tensors of requests, everybody's, written there.
	Tensors bool
	// Log is what the log settings change. nil: they are not served.
	Log *telemetry.Switch
	// Logger is told of each change. nil: nobody is.
	Logger *slog.Logger
}

// Settings are what a client may read and change of tracing and logging, by the
// names of Triton's trace and logging extensions. They are one for all doors of
// a server. Files are not a client's to choose: no setting names one.
type Settings struct {
	o       SettingsOptions
	tracing atomic.Bool // some level is not OFF

	mu    sync.Mutex
	trace map[string]*traceScope // guarded by mu; by model, "" for all
}

// traceScope is what was set for a model, or for all.
type traceScope struct {
	own  map[string][]string // what is not there is inherited
	seen int64               // requests
	left int64               // traces until no more are made; -1: for ever
}

// NewSettings begins with tracing off, and logging as it is.
func NewSettings(o SettingsOptions) *Settings {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Settings{o: o, trace: map[string]*traceScope{"": {own: traceDefaults(), left: -1}}}
}

// extensions are those of Triton's that are served, in both forms together.
func (s *Settings) extensions() []string {
	list := []string{
		"binary_tensor_data", "classification", "model_configuration", "model_repository",
		"model_repository(unload_dependents)", "parameters", "schedule_policy", "statistics",
	}
	if s.o.Log != nil {
		list = append(list, "logging")
	}
	if s.o.Traces != nil {
		list = append(list, "trace")
	}
	slices.Sort(list)
	return list
}

func traceDefaults() map[string][]string {
	return map[string][]string{
		"trace_level": {"OFF"}, "trace_rate": {"1000"}, "trace_count": {"-1"},
		"log_frequency": {"0"}, "trace_file": {traceName}, "trace_mode": {"triton"},
	}
}

// Trace changes a model's trace settings, all models' when it is "", and gives
// what holds then. A setting without a value goes back to what it would be had
// nobody changed it. All changes are made, or none.
func (s *Settings) Trace(model string, changes map[string][]string) (map[string][]string, error) {
	if s.o.Traces == nil {
		return nil, problem.InvalidRequest.New("traces are not served here (trace.allow)")
	}
	for name, values := range changes {
		if err := s.checkTrace(name, values); err != nil {
			return nil, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	scope := s.trace[model]
	if scope == nil {
		scope = &traceScope{own: map[string][]string{}, left: s.trace[""].left}
	}
	for name, values := range changes {
		switch {
		case len(values) > 0:
			scope.own[name] = slices.Clone(values)
		case model == "":
			scope.own[name] = traceDefaults()[name]
		default:
			delete(scope.own, name)
		}
		if name == "trace_count" {
			scope.left = s.trace[""].left
			if n, err := strconv.ParseInt(strings.Join(scope.own[name], ""), 10, 64); err == nil {
				scope.left = n
			}
		}
	}
	if len(scope.own) > 0 {
		s.trace[model] = scope
	} else {
		delete(s.trace, model)
	}
	s.tracing.Store(slices.ContainsFunc(slices.Collect(maps.Keys(s.trace)), func(m string) bool { return s.holds(m)["trace_level"][0] != "OFF" }))
	if len(changes) > 0 {
		s.o.Logger.Warn("trace settings were changed by a client", "model", model, "settings", fmt.Sprint(s.holds(model)))
	}
	return s.holds(model), nil
}

// holds are the settings of a model. s.mu is held.
func (s *Settings) holds(model string) map[string][]string {
	now, scope := maps.Clone(s.trace[""].own), s.trace[""]
	if own := s.trace[model]; own != nil {
		scope = own
		maps.Copy(now, own.own)
	}
	now["trace_count"] = []string{strconv.FormatInt(scope.left, 10)}
	return now
}

func (s *Settings) checkTrace(name string, values []string) error {
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
			return problem.InvalidRequest.New("the trace setting %s cannot be changed over the network; it is %s", name, fixed[0])
		}
		return nil
	case "trace_level":
		for _, v := range values {
			switch {
			case v != "OFF" && v != "TIMESTAMPS" && v != "TENSORS":
				return problem.InvalidRequest.New("the trace level %s is none of OFF, TIMESTAMPS and TENSORS", quoted(v))
			case v == "OFF" && len(values) > 1:
				return problem.InvalidRequest.New("the trace level OFF stands alone, and %d levels were sent", len(values))
			case v == "TENSORS" && !s.o.Tensors:
				return problem.InvalidRequest.New("the trace level TENSORS is not served here: it would keep what others send; the operator may allow it (trace.allow)")
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

// begin says whether a request is to be traced; if not it gives nil.
func (s *Settings) begin(model string) *trace {
	if !s.tracing.Load() {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	name := model
	scope := s.trace[name]
	if scope == nil {
		name, scope = "", s.trace[""]
	}
	holds := s.holds(name)
	if holds["trace_level"][0] == "OFF" || scope.left == 0 {
		return nil
	}
	scope.seen++
	number := func(name string) int64 {
		n, _ := strconv.ParseInt(holds[name][0], 10, 64) // it was checked
		return n
	}
	if scope.seen%max(1, number("trace_rate")) != 0 {
		return nil
	}
	if scope.left > 0 {
		scope.left--
	}
	return &trace{
		to: s.o.Traces, every: number("log_frequency"), model: wording.Cut(model), version: -1,
		timestamps: slices.Contains(holds["trace_level"], "TIMESTAMPS"), tensors: slices.Contains(holds["trace_level"], "TENSORS"),
	}
}

// logValues are the log settings that hold.
func (s *Settings) logValues() map[string]any {
	now, format := s.o.Log.Levels(), "default"
	if now.Plain {
		format = "ISO8601"
	}
	return map[string]any{
		"log_file": "", "log_info": now.Info, "log_warning": now.Warn, "log_error": now.Error,
		"log_verbose_level": now.Verbose, "log_format": format,
	}
}

// logNames are the names that Triton's documentation has and its server has not.
var logNames = map[string]string{"log_warnings": "log_warning", "log_errors": "log_error"}

// Log changes settings and gives what holds then. All changes are made, or none.
func (s *Settings) Log(changes map[string]any) (map[string]any, error) {
	if s.o.Log == nil {
		return nil, problem.InvalidRequest.New("log settings are not served here (log.allow)")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	values := s.logValues()
	for name, value := range changes {
		if as := logNames[name]; as != "" {
			name = as
		}
		if err := checkLog(name, value, values); err != nil {
			return nil, err
		}
		values[name] = value
	}
	if len(changes) == 0 {
		return values, nil
	}
	var l telemetry.Levels
	l.Info, _ = values["log_info"].(bool)
	l.Warn, _ = values["log_warning"].(bool)
	l.Error, _ = values["log_error"].(bool)
	l.Verbose, _ = values["log_verbose_level"].(uint32)
	l.Plain = values["log_format"] == "ISO8601"
	s.o.Log.Set(l)
	s.o.Logger.Warn("log settings were changed by a client", "settings", fmt.Sprint(values))
	return values, nil
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
