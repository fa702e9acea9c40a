package main

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/goshawk-ai/goshawk/internal/predict"
	"github.com/goshawk-ai/goshawk/internal/problem"
)

// report writes outcomes as they come and keeps count.
type report struct {
	console  *console
	options  predictOptions
	total    int
	failed   int
	progress *progress // nil where nobody watches
	write    func(outcome) error
}

func newReport(c *console, o predictOptions, sources []source) *report {
	r := &report{console: c, options: o, total: len(sources)}
	switch {
	case o.output.value == "json":
		r.write = r.json
	case o.output.value == "csv":
		r.write = r.csv()
	case o.output.aligned(c):
		r.write = r.table(sources)
	default:
		r.write = r.tabs
	}
	if c.errTerminal && !o.quiet && len(sources) > 1 {
		r.progress = newProgress(c, len(sources), time.Now)
	}
	return r
}

// add writes one outcome; the bar makes way for it and comes back.
func (r *report) add(o outcome) error {
	if o.problem() != nil {
		r.failed++
	}
	r.progress.makeWay()
	err := r.write(o)
	r.progress.step()
	return err
}

// finish turns what happened into the command's error.
func (r *report) finish(err error) error {
	r.progress.clear()
	switch {
	case err != nil:
		return err
	case r.failed == 0:
		return nil
	case r.failed == r.total && r.total == 1:
		return &exitError{exitFailed, errors.New("the picture could not be classified")}
	case r.failed == r.total:
		return &exitError{exitFailed, fmt.Errorf("none of %s could be classified", countOf(r.total, "picture"))}
	}
	return &exitError{exitPartly, fmt.Errorf("%d of %s could not be classified", r.failed, countOf(r.total, "picture"))}
}

// problem is why an outcome has no labels. A file that could not be read has
// one too: its reader is here, so the sentence may be shown. Nothing in the
// program broke: what was asked for cannot be had.
func (o outcome) problem() *problem.Problem {
	switch {
	case o.err == nil:
		return o.answer.Results[0].Error
	case errors.Is(o.err, problem.Internal):
		return problem.Of(o.err)
	}
	if p, ok := errors.AsType[*problem.Problem](o.err); ok {
		return p
	}
	return problem.InvalidRequest.New("%s", o.err.Error())
}

// result has the name that the caller gave, and the problem where there is one.
func (o outcome) result() predict.Result {
	if o.err != nil {
		return predict.Result{Name: o.name, Error: o.problem()}
	}
	result := o.answer.Results[0]
	result.Name = o.name
	return result
}

// json writes one answer document a line, so that a long job can be read while it runs.
func (r *report) json(o outcome) error {
	answer := predict.Answer{}
	if o.answer != nil {
		answer = *o.answer
	}
	answer.Results = []predict.Result{o.result()}
	enc := json.NewEncoder(r.console.out)
	enc.SetEscapeHTML(false)
	return enc.Encode(answer)
}

func (r *report) csv() func(outcome) error {
	w := csv.NewWriter(r.console.out)
	head := []string{"name", "sha256", "rank", "label", "index", "probability", "error"}
	return func(o outcome) error {
		if head != nil {
			w.Write(head)
			head = nil
		}
		result := o.result()
		if p := result.Error; p != nil {
			w.Write([]string{result.Name, result.SHA256, "", "", "", "", p.Kind.Slug + ": " + p.Detail})
		}
		for i, p := range result.Predictions {
			w.Write([]string{
				result.Name, result.SHA256, strconv.Itoa(i + 1), p.Label, strconv.Itoa(p.Index),
				strconv.FormatFloat(p.Probability, 'g', -1, 64), "",
			})
		}
		w.Flush() // a pipe may be read line by line
		return w.Error()
	}
}

// widest is where names are cut in the table; the other columns need the rest.
const widest = 48

// table writes aligned columns without waiting for the last picture: the names
// are known beforehand, and the labels, which are not, come last.
func (r *report) table(sources []source) func(outcome) error {
	column := len("PICTURE")
	for _, s := range sources {
		column = min(max(column, utf8.RuneCountInString(s.name)), widest)
	}
	begun := false
	line := func(name, probability, ms, label string) error {
		pad := strings.Repeat(" ", max(0, column-utf8.RuneCountInString(name)))
		_, err := fmt.Fprintf(r.console.out, "%s%s  %11s  %7s  %s\n", name, pad, probability, ms, label)
		return err
	}
	return func(o outcome) error {
		if !begun {
			begun = true
			if _, err := fmt.Fprintln(r.console.out, r.console.paint(bold, fmt.Sprintf("%-*s  PROBABILITY       MS  LABEL", column, "PICTURE"))); err != nil {
				return err
			}
		}
		name := shorten(printable(o.name), column)
		if p := o.problem(); p != nil {
			return line(name, "-", "-", r.console.paint(red, "error: "+printable(p.Detail)))
		}
		labels := r.shown(o.answer.Results[0].Predictions)
		if len(labels) == 0 {
			return line(name, "-", milliseconds(o), "nothing above the threshold")
		}
		for i, p := range labels {
			ms := milliseconds(o)
			if i > 0 {
				name, ms = "", ""
			}
			if err := line(name, strconv.FormatFloat(p.Probability, 'f', 3, 64), ms, printable(p.Label)); err != nil {
				return err
			}
		}
		return nil
	}
}

// shown cuts a table of many pictures to the best label of each, unless
// --top-k asked for more.
func (r *report) shown(labels []predict.Prediction) []predict.Prediction {
	if r.total > 1 && r.options.topK == 0 && len(labels) > 1 {
		return labels[:1]
	}
	return labels
}

func milliseconds(o outcome) string { return strconv.FormatFloat(o.answer.Timings.Total, 'f', 1, 64) }

// tabs is the table for a pipe: name, probability, label (or the error's type and sentence).
func (r *report) tabs(o outcome) error {
	if p := o.problem(); p != nil {
		_, err := fmt.Fprintf(r.console.out, "%s\t\terror: %s: %s\n", printable(o.name), printable(p.Kind.Slug), printable(p.Detail))
		return err
	}
	for _, p := range r.shown(o.answer.Results[0].Predictions) {
		if _, err := fmt.Fprintf(r.console.out, "%s\t%.6f\t%s\n", printable(o.name), p.Probability, printable(p.Label)); err != nil {
			return err
		}
	}
	return nil
}

// shorten keeps the end of a path, which tells pictures apart.
func shorten(s string, width int) string {
	runes := []rune(s)
	if len(runes) <= width {
		return s
	}
	return "…" + string(runes[len(runes)-width+1:])
}
