package oipapi

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/goshawk-ai/goshawk/internal/problem"
)

// The kinds of settings. Those of one model's traces are kindTrace, a slash and
// the model's name.
const (
	kindLog   = "log"
	kindTrace = "trace"
)

// settings are what the protocol's extensions for logs and traces let a caller
// read and change. Both forms share one.
type settings struct {
	mu    sync.Mutex
	log   map[string]any            // guarded by mu
	trace map[string]any            // guarded by mu
	model map[string]map[string]any // guarded by mu; what a model has of its own
}

// maxTraced bounds for how many models there are settings; each exists, so that
// this is never met but by names that come and go.
const maxTraced = 10_000

func newSettings() *settings {
	return &settings{
		log: map[string]any{
			"log_file": "", "log_info": true, "log_warning": true, "log_error": true,
			"log_verbose_level": int64(0), "log_format": "default",
		},
		trace: map[string]any{
			"trace_level": []string{"OFF"}, "trace_rate": "1000", "trace_count": "-1",
			"log_frequency": "0", "trace_file": "",
		},
		model: map[string]map[string]any{},
	}
}

// get gives a copy of the settings of a kind: for log strings, bools and an
// int64, for traces strings and []string.
func (s *settings) get(kind string) map[string]any {
	s.mu.Lock()
	defer s.mu.Unlock()
	if kind == kindLog {
		return maps.Clone(s.log)
	}
	all := maps.Clone(s.trace)
	maps.Copy(all, s.model[strings.TrimPrefix(kind, kindTrace+"/")])
	return all
}

// set changes the settings that values names, all or none of them. A nil clears
// one of a model's, which then has the server's, and leaves one of the server's
// as it is. Names that are not known are passed over, as elsewhere in requests.
func (s *settings) set(kind string, values map[string]any) error {
	checked := make(map[string]any, len(values))
	for name, value := range values {
		check := checks[strings.SplitN(kind, "/", 2)[0]][name]
		if check == nil {
			continue
		}
		if value != nil {
			var err error
			if value, err = check(name, value); err != nil {
				return err
			}
		}
		checked[name] = value
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	of := s.log
	if kind != kindLog {
		of = s.trace
	}
	if name, own := strings.CutPrefix(kind, kindTrace+"/"); own {
		if len(values) == 0 { // asks for the model's own settings to be forgotten
			delete(s.model, name)
			return nil
		}
		if of = s.model[name]; of == nil {
			if len(s.model) >= maxTraced {
				return problem.InvalidRequest.New("%d models have trace settings of their own, which is all that is kept", maxTraced)
			}
			of = map[string]any{}
			s.model[name] = of
		}
		maps.DeleteFunc(of, func(name string, _ any) bool {
			value, named := checked[name]
			return named && value == nil
		})
	}
	for name, value := range checked {
		if value != nil {
			of[name] = value
		}
	}
	return nil
}

// checks read a value of each setting that is known.
var checks = map[string]map[string]func(name string, value any) (any, error){
	kindLog: {
		"log_file": aFile, "log_info": aBool, "log_warning": aBool, "log_error": aBool,
		"log_verbose_level": aLevel, "log_format": aFormat,
	},
	kindTrace: {
		"trace_level": traceLevels, "trace_file": aFile,
		"trace_rate": aCount(0, math.MaxUint32), "trace_count": aCount(-1, math.MaxInt32), "log_frequency": aCount(0, math.MaxUint32),
	},
}

// aFile is never set from outside: a caller would have the server write where it likes.
func aFile(name string, value any) (any, error) {
	if text, ok := value.(string); ok && text == "" {
		return text, nil
	}
	return nil, problem.InvalidRequest.New("%s cannot be changed by a request; it is for the server's own configuration", name)
}

func aBool(name string, value any) (any, error) {
	if _, ok := value.(bool); !ok {
		return nil, problem.InvalidRequest.New("%s is true or false", name)
	}
	return value, nil
}

func aLevel(name string, value any) (any, error) {
	n := int64(-1)
	switch v := value.(type) {
	case int64:
		n = v
	case uint32:
		n = int64(v)
	case uint64:
		n = int64(min(v, math.MaxInt64))
	}
	if n < 0 || n > math.MaxUint32 {
		return nil, problem.InvalidRequest.New("%s is a whole number from 0 to %d", name, uint32(math.MaxUint32))
	}
	return n, nil
}

func aFormat(name string, value any) (any, error) {
	if value != "default" && value != "ISO8601" {
		return nil, problem.InvalidRequest.New("%s is default or ISO8601", name)
	}
	return value, nil
}

// aCount is a whole number, written as a string as the protocol has it, or as a number.
func aCount(least, most int64) func(string, any) (any, error) {
	return func(name string, value any) (any, error) {
		text := fmt.Sprint(value)
		if list, ok := value.([]string); ok && len(list) == 1 { // gRPC has lists only
			text = list[0]
		}
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n < least || n > most {
			return nil, problem.InvalidRequest.New("%s is a whole number from %d to %d", name, least, most)
		}
		return strconv.FormatInt(n, 10), nil
	}
}

func traceLevels(name string, value any) (any, error) {
	var levels []string
	switch v := value.(type) {
	case string:
		levels = []string{v}
	case []string:
		levels = v
	case []any:
		for _, element := range v {
			text, _ := element.(string)
			levels = append(levels, text)
		}
	}
	known := slices.Compact(slices.Sorted(slices.Values(levels)))
	for _, level := range known {
		if level != "TIMESTAMPS" && level != "TENSORS" && level != "OFF" || level == "OFF" && len(known) > 1 {
			known = nil
			break
		}
	}
	if len(known) == 0 {
		return nil, problem.InvalidRequest.New(`%s is a list, ["OFF"] or some of TIMESTAMPS and TENSORS`, name)
	}
	return known, nil
}
