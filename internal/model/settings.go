package model

import (
	"encoding/json"
	"math"
	"slices"
	"strings"

	"github.com/goshawk-ai/goshawk/internal/wording"
)

// settings is a JSON object of an exporter, read key by key. What is left at
// the end and not switched off is refused by name: a setting that is passed
// over would change the numbers in silence.
type settings struct {
	file   string
	values map[string]json.RawMessage
	read   map[string]bool
	err    error // the first
}

func parseSettings(file string, data []byte) (*settings, error) {
	s := &settings{file: file, read: map[string]bool{}}
	if err := json.Unmarshal(data, &s.values); err != nil || s.values == nil {
		return nil, refuse("%s is no JSON object", file).Because(err)
	}
	return s, nil
}

func (s *settings) fail(format string, args ...any) {
	if s.err == nil {
		s.err = refuse(s.file+": "+format, args...)
	}
}

// get takes a value; null is as good as absent.
func (s *settings) get(key string) json.RawMessage {
	s.read[key] = true
	v := s.values[key]
	if string(v) == "null" {
		return nil
	}
	return v
}

func show(v json.RawMessage) string {
	return wording.Cut(strings.Join(strings.Fields(string(v)), " "))
}

func (s *settings) boolean(key string, otherwise bool) bool {
	v := s.get(key)
	if v == nil {
		return otherwise
	}
	if err := json.Unmarshal(v, &otherwise); err != nil {
		s.fail("%s must be true or false, not %s", key, show(v))
	}
	return otherwise
}

func (s *settings) text(key string) string {
	v := s.get(key)
	var text string
	if v != nil && json.Unmarshal(v, &text) != nil {
		s.fail("%s must be text, not %s", key, show(v))
	}
	return text
}

// number reads a number greater than 0.
func (s *settings) number(key string, otherwise float64) float64 {
	v := s.get(key)
	if v == nil {
		return otherwise
	}
	var n float64
	if json.Unmarshal(v, &n) != nil || n <= 0 || n > 1e6 {
		s.fail("%s must be a number greater than 0, not %s", key, show(v))
		return otherwise
	}
	return n
}

// triple reads one number or a list of one or three.
func (s *settings) triple(key string, otherwise [3]float64) [3]float64 {
	v := s.get(key)
	if v == nil {
		return otherwise
	}
	var one float64
	if json.Unmarshal(v, &one) == nil {
		return s.sane(key, all(one))
	}
	var list []float64
	if json.Unmarshal(v, &list) != nil || len(list) != 1 && len(list) != 3 {
		s.fail("%s must be a number or a list of 1 or 3, not %s", key, show(v))
		return otherwise
	}
	if len(list) == 1 {
		return s.sane(key, all(list[0]))
	}
	return s.sane(key, [3]float64(list))
}

func (s *settings) sane(key string, v [3]float64) [3]float64 {
	for _, n := range v {
		if math.Abs(n) > 1e6 || strings.HasSuffix(key, "std") && n <= 0 {
			s.fail("%s holds %g, which fits no picture", key, n)
			return all(1)
		}
	}
	return v
}

// An extent is a size as exporters write it: a side for the short edge, or both.
type extent struct{ short, height, width int }

// extent reads 224, [224, 224], {"height": …, "width": …} or
// {"shortest_edge": …}. square says what a bare number means.
func (s *settings) extent(key string, square bool, otherwise extent) extent {
	v := s.get(key)
	if v == nil {
		return otherwise
	}
	var one int
	if json.Unmarshal(v, &one) == nil {
		if square {
			return s.bounded(key, extent{height: one, width: one})
		}
		return s.bounded(key, extent{short: one})
	}
	var list []int
	if json.Unmarshal(v, &list) == nil && len(list) == 2 {
		return s.bounded(key, extent{height: list[0], width: list[1]})
	}
	var named map[string]*int
	if json.Unmarshal(v, &named) != nil {
		s.fail("%s must be a number of pixels or an object with height and width, not %s", key, show(v))
		return otherwise
	}
	var e extent
	for name, n := range named {
		switch {
		case n == nil:
		case name == "height":
			e.height = *n
		case name == "width":
			e.width = *n
		case name == "shortest_edge":
			e.short = *n
		default:
			s.fail("%s.%s is not supported; height and width, or shortest_edge, are", key, wording.Cut(name))
			return otherwise
		}
	}
	return s.bounded(key, e)
}

func (s *settings) bounded(key string, e extent) extent {
	both := e.height > 0 && e.width > 0 && e.short == 0
	one := e.short > 0 && e.height == 0 && e.width == 0
	if !both && !one || max(e.short, e.height, e.width) > maxSide {
		s.fail("%s must be from 1 to %d pixels, as height and width or as shortest_edge", key, maxSide)
		return extent{height: 1, width: 1}
	}
	return e
}

// rest refuses what nobody read, unless it is null, false or without effect.
func (s *settings) rest(inert ...string) error {
	if s.err != nil {
		return s.err
	}
	left := make([]string, 0, len(s.values))
	for key, v := range s.values {
		if !s.read[key] && !slices.Contains(inert, key) && string(v) != "null" && string(v) != "false" {
			left = append(left, key)
		}
	}
	if len(left) == 0 {
		return nil
	}
	slices.Sort(left)
	return refuse("%s: the setting %s = %s is not supported; write a %s that says how pictures are prepared", s.file, wording.Cut(left[0]), show(s.values[left[0]]), ManifestName)
}
