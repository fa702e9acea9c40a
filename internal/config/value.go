package config

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goshawk-ai/goshawk/internal/units"
	"github.com/goshawk-ai/goshawk/internal/wording"
)

// Value is an option's place in a Config. It has the methods that flag packages ask for.
type Value interface {
	Set(text string) error
	String() string
	Type() string
}

// The kinds of values. Each points into the Config that it belongs to.
type (
	text   struct{ p *string }
	secret struct{ p *Secret }
	list   struct{ p *[]string }
	pixels struct{ p *units.Pixels }
	level  struct{ p *slog.Level }
	choice struct {
		p       *string
		allowed []string
	}
	count struct {
		p        *int
		min, max int
	}
	size struct {
		p    *units.Bytes
		auto bool // Auto is a value, and 0 in the Config
	}
	duration struct {
		p    *time.Duration
		none bool // 0s is a value
	}
	address struct {
		p   *string
		off bool // may be Off
	}
)

func (v *text) Type() string   { return "text" }
func (v *secret) Type() string { return "secret" }
func (v *list) Type() string   { return "list" }
func (v *size) Type() string {
	if v.auto {
		return "size or auto"
	}
	return "size"
}
func (v *pixels) Type() string   { return "pixels" }
func (v *level) Type() string    { return "level" }
func (v *choice) Type() string   { return strings.Join(v.allowed, "|") }
func (v *count) Type() string    { return "number" }
func (v *duration) Type() string { return "duration" }
func (v *address) Type() string  { return "address" }

func (v *text) String() string   { return *v.p }
func (v *secret) String() string { return v.p.String() }
func (v *list) String() string   { return strings.Join(*v.p, ",") }
func (v *size) String() string {
	if v.auto && *v.p == 0 {
		return Auto
	}
	return v.p.String()
}
func (v *pixels) String() string  { return v.p.String() }
func (v *level) String() string   { return strings.ToLower(v.p.String()) }
func (v *choice) String() string  { return *v.p }
func (v *count) String() string   { return strconv.Itoa(*v.p) }
func (v *address) String() string { return *v.p }

// String drops the zero minutes and seconds that Go writes after hours: 1h, not 1h0m0s.
func (v *duration) String() string {
	s := v.p.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

func (v *text) Set(s string) error {
	*v.p = s
	return nil
}

func (v *secret) Set(s string) error {
	*v.p = Secret(s)
	return nil
}

func (v *list) Set(s string) error {
	*v.p = nil
	for item := range strings.SplitSeq(s, ",") {
		if item = strings.TrimSpace(item); item != "" {
			*v.p = append(*v.p, item)
		}
	}
	return nil
}

var errZero = errors.New("it must be more than zero")

func (v *size) Set(s string) error {
	if v.auto && s == Auto {
		*v.p = 0
		return nil
	}
	n, err := units.ParseBytes(s)
	if err == nil && n == 0 {
		err = errZero
	}
	*v.p = n
	return err
}

func (v *pixels) Set(s string) error {
	n, err := units.ParsePixels(s)
	if err == nil && n == 0 {
		err = errZero
	}
	*v.p = n
	return err
}

func (v *level) Set(s string) error {
	switch s {
	case "debug", "info", "warn", "error":
		return v.p.UnmarshalText([]byte(s))
	}
	return notOneOf(s, []string{"debug", "info", "warn", "error"})
}

func (v *choice) Set(s string) error {
	if !slices.Contains(v.allowed, s) {
		return notOneOf(s, v.allowed)
	}
	*v.p = s
	return nil
}

func notOneOf(s string, allowed []string) error {
	last := len(allowed) - 1
	return fmt.Errorf("%s is none of %s and %s", wording.Quote(s), strings.Join(allowed[:last], ", "), allowed[last])
}

func (v *count) Set(s string) error {
	n, err := strconv.Atoi(s)
	if err != nil || n < v.min || n > v.max {
		return fmt.Errorf("%s is no whole number from %d to %d", wording.Quote(s), v.min, v.max)
	}
	*v.p = n
	return nil
}

func (v *duration) Set(s string) error {
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 || d == 0 && !v.none {
		what := "duration above zero"
		if v.none {
			what = "duration"
		}
		return fmt.Errorf("%s is no %s (write it as 50ms or 30s)", wording.Quote(s), what)
	}
	*v.p = d
	return nil
}

func (v *address) Set(s string) error {
	if s == Off && v.off {
		*v.p = s
		return nil
	}
	_, port, err := net.SplitHostPort(s)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		hint := "write it as 127.0.0.1:8080"
		if v.off {
			hint += ", or off"
		}
		return fmt.Errorf("%s is no address (%s)", wording.Quote(s), hint)
	}
	*v.p = s
	return nil
}
