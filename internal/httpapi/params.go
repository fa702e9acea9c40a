package httpapi

import (
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/goshawk-ai/goshawk/internal/problem"
	"github.com/goshawk-ai/goshawk/internal/wording"
)

const (
	maxTopK  = 100_000 // more classes than any model has
	maxModel = 256     // bytes of a reference to a model; the longest real one has 136
)

// params are the parameters of a prediction: query values, form fields or JSON
// members, each once.
type params struct {
	model     string
	topK      int // 0: not given
	threshold float64

	given     []string
	emptyLeft bool // an empty value counts as left out: browsers send empty fields
}

func isParam(name string) bool { return name == "model" || name == "top_k" || name == "threshold" }

// set takes a parameter as text. The name must be one of isParam's.
func (p *params) set(name, value string) error {
	if err := p.once(name); err != nil {
		return err
	}
	if value == "" {
		if p.emptyLeft {
			return nil
		}
		return emptyParam(name)
	}
	switch name {
	case "model":
		return p.setModel(value)
	case "top_k":
		n, err := strconv.Atoi(value)
		if err != nil || !isDigits(value) {
			return badTopK(value)
		}
		return p.setTopK(n, value)
	default:
		f, err := strconv.ParseFloat(value, 64)
		if err != nil || !isDecimal(value) {
			return badThreshold(value)
		}
		return p.setThreshold(f, value)
	}
}

// once refuses what was given before, wherever that was.
func (p *params) once(name string) error {
	if slices.Contains(p.given, name) {
		return problem.InvalidRequest.New("%s is given twice (query values, form fields and JSON members count together)", name)
	}
	p.given = append(p.given, name)
	return nil
}

func (p *params) setModel(ref string) error {
	if ref == "" {
		return emptyParam("model")
	}
	if len(ref) > maxModel || strings.ContainsFunc(ref, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		return problem.InvalidRequest.New("model is %s; want NAME, NAME@ALIAS or NAME@sha256:DIGEST", wording.Quote(ref))
	}
	p.model = ref
	return nil
}

func (p *params) setTopK(n int, text string) error {
	if n < 1 || n > maxTopK {
		return badTopK(text)
	}
	p.topK = n
	return nil
}

func (p *params) setThreshold(f float64, text string) error {
	if !(f >= 0 && f <= 1) { // NaN is neither
		return badThreshold(text)
	}
	p.threshold = f
	return nil
}

func emptyParam(name string) error {
	return problem.InvalidRequest.New("%s is empty; leave it out to take what the model or the server is set to", name)
}

func badTopK(text string) error {
	return problem.InvalidRequest.New("top_k is %s; want a whole number from 1 to %d", wording.Quote(text), maxTopK)
}

func badThreshold(text string) error {
	return problem.InvalidRequest.New("threshold is %s; want a number from 0 to 1", wording.Quote(text))
}

// query takes the query's values.
func (p *params) query(u *url.URL) error {
	if u.RawQuery == "" {
		return nil
	}
	values, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return badQuery(err)
	}
	for _, name := range sorted(values) {
		if !isParam(name) {
			return unknownParam(name, "model, top_k, threshold")
		}
		for _, value := range values[name] {
			if err := p.set(name, value); err != nil {
				return err
			}
		}
	}
	return nil
}

func badQuery(err error) error {
	return problem.InvalidRequest.New("the query cannot be read: it must be NAME=VALUE, joined by &, with %%XX for what is no letter or digit").Because(err)
}

// noQuery refuses every query value.
func noQuery(u *url.URL) error {
	if u.RawQuery == "" {
		return nil
	}
	name, _, _ := strings.Cut(u.RawQuery, "=")
	return unknownParam(name, "none here")
}

func unknownParam(name, known string) error {
	return problem.InvalidRequest.New("unknown query parameter %s (known: %s)", wording.Quote(name), known)
}

func sorted(values url.Values) []string {
	names := make([]string, 0, len(values))
	for name := range values {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func isDigits(s string) bool { return strings.Trim(s, "0123456789") == "" }

// isDecimal keeps out what ParseFloat takes besides: NaN, Inf, hexadecimal, _.
func isDecimal(s string) bool { return strings.Trim(s, "0123456789.eE+-") == "" }
