package model

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	yaml "go.yaml.in/yaml/v3"

	"github.com/goshawk-ai/goshawk/internal/wording"
)

// boolean11 are the words that readers of YAML 1.1 take for true or false. Our
// parser takes them for text; another tool that reads the same file would not,
// so they must be quoted.
var boolean11 = regexp.MustCompile(`^(?i:y|n|yes|no|on|off|true|false)$`)

// text reads a string. Unquoted words that YAML, or another version of it,
// reads as something else are refused and said.
func (d *document) text(into *string, where string) field {
	return func(n *yaml.Node) error {
		if n.Kind != yaml.ScalarNode {
			return d.fail(n, "%s must be text, not %s", where, kindOf(n))
		}
		quoted := n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) != 0
		switch {
		case !quoted && n.Tag == "!!null":
			return d.fail(n, "%s is empty", where)
		case !quoted && boolean11.MatchString(n.Value):
			return d.fail(n, "%s must be text, and YAML reads %s as a truth value; put it in quotes: %q", where, n.Value, n.Value)
		case !quoted && n.Tag != "!!str":
			return d.fail(n, "%s must be text, not %s; put it in quotes: %s", where, kindOf(n), wording.Quote(n.Value))
		case strings.Trim(n.Value, " \t\n") == "":
			return d.fail(n, "%s is empty", where)
		case utf8.RuneCountInString(n.Value) > maxText:
			return d.fail(n, "%s has more than %d characters", where, maxText)
		case strings.ContainsFunc(n.Value, func(r rune) bool { return unicode.IsControl(r) && r != '\n' }):
			return d.fail(n, "%s holds a control character", where)
		}
		*into = n.Value
		return nil
	}
}

// choice reads one of a few words.
func choice[T ~string](d *document, into *T, where string, words ...T) field {
	return func(n *yaml.Node) error {
		for _, w := range words {
			if n.Kind == yaml.ScalarNode && n.Value == string(w) {
				*into = w
				return nil
			}
		}
		all := make([]string, len(words))
		for i, w := range words {
			all[i] = string(w)
		}
		return d.fail(n, "%s must be %s, not %s", where, oneOf(all), kindOf(n))
	}
}

func oneOf(words []string) string {
	if len(words) == 1 {
		return words[0]
	}
	return strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1]
}

var decimal = regexp.MustCompile(`^[-+]?[0-9]+$`)

// integer reads a whole number from least to most.
func (d *document) integer(into *int, where string, least, most int) field {
	return func(n *yaml.Node) error {
		v, err := strconv.ParseInt(n.Value, 10, 64)
		switch {
		case n.Kind != yaml.ScalarNode || n.Tag != "!!int" || !decimal.MatchString(n.Value):
			return d.fail(n, "%s must be a whole number, not %s", where, kindOf(n))
		case err != nil || v < int64(least) || v > int64(most):
			return d.fail(n, "%s is %s; it must be from %d to %d", where, wording.Cut(n.Value), least, most)
		}
		*into = int(v)
		return nil
	}
}

// number reads a finite number.
func (d *document) number(into *float64, where string) field {
	return func(n *yaml.Node) error {
		if n.Kind != yaml.ScalarNode || n.Tag != "!!int" && n.Tag != "!!float" {
			return d.fail(n, "%s must be a number, not %s", where, kindOf(n))
		}
		v, err := strconv.ParseFloat(n.Value, 64)
		if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
			return d.fail(n, "%s must be a finite decimal number, not %s", where, wording.Cut(n.Value))
		}
		*into = v
		return nil
	}
}

// positive reads a number above zero, up to most.
func (d *document) positive(into *float64, where string, most float64) field {
	return func(n *yaml.Node) error {
		var v float64
		if err := d.number(&v, where)(n); err != nil {
			return err
		}
		if v <= 0 || v > most {
			return d.fail(n, "%s is %s; it must be greater than 0 and at most %g", where, wording.Cut(n.Value), most)
		}
		*into = v
		return nil
	}
}

func (d *document) boolean(into *bool, where string) field {
	return func(n *yaml.Node) error {
		if n.Kind != yaml.ScalarNode || n.Tag != "!!bool" || n.Value != "true" && n.Value != "false" {
			return d.fail(n, "%s must be true or false, not %s", where, kindOf(n))
		}
		*into = n.Value == "true"
		return nil
	}
}

// duration reads 50ms, 2s; above zero, at most an hour.
func (d *document) duration(into *time.Duration, where string) field {
	return func(n *yaml.Node) error {
		v, err := time.ParseDuration(n.Value)
		if n.Kind != yaml.ScalarNode || err != nil {
			return d.fail(n, "%s must be a duration like 50ms, not %s", where, kindOf(n))
		}
		if v <= 0 || v > time.Hour {
			return d.fail(n, "%s is %s; it must be greater than 0 and at most 1h", where, wording.Cut(n.Value))
		}
		*into = v
		return nil
	}
}
