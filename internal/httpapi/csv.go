package httpapi

import (
	"encoding/csv"
	"io"
	"strconv"
	"strings"
	"unicode"

	"github.com/goshawk-ai/goshawk/internal/predict"
)

// csvHeader names the columns.
var csvHeader = []string{"name", "sha256", "rank", "label", "index", "probability", "error"}

// WriteCSV writes an answer as a table with a header: one row for each
// prediction, rank counting from 1; one row for a picture that has none, with
// TYPE: DETAIL under error if it failed. Text that a spreadsheet would take for
// a formula gets an apostrophe in front, and control characters become spaces:
// names are strangers' text.
func WriteCSV(w io.Writer, a *predict.Answer) error {
	table := csv.NewWriter(w)
	if err := table.Write(csvHeader); err != nil {
		return err
	}
	for _, result := range a.Results {
		if err := writeRows(table, result); err != nil {
			return err
		}
	}
	table.Flush()
	return table.Error()
}

func writeRows(table *csv.Writer, r predict.Result) error {
	row := []string{cell(r.Name), r.SHA256, "", "", "", "", ""}
	if r.Error != nil {
		row[6] = cell(r.Error.Kind.Slug + ": " + r.Error.Detail)
	}
	if len(r.Predictions) == 0 {
		return table.Write(row)
	}
	for i, p := range r.Predictions {
		row[2], row[3], row[4] = strconv.Itoa(i+1), cell(p.Label), strconv.Itoa(p.Index)
		row[5] = strconv.FormatFloat(p.Probability, 'g', -1, 64)
		if err := table.Write(row); err != nil {
			return err
		}
	}
	return nil
}

// cell makes text harmless in a spreadsheet.
func cell(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, text)
	if strings.HasPrefix(strings.TrimLeft(text, " "), "'") || strings.ContainsAny(first(text), "=+-@＝＋－＠") {
		return "'" + text
	}
	return text
}

// first is the first character that is no space.
func first(text string) string {
	for _, r := range strings.TrimLeft(text, " ") {
		return string(r)
	}
	return ""
}
