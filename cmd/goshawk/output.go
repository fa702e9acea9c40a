package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"unicode"

	"github.com/spf13/cobra"
)

// format is the flag --output.
type format struct {
	value   string
	allowed []string
}

func outputFlag(cmd *cobra.Command, allowed ...string) *format {
	f := &format{allowed: allowed}
	cmd.Flags().VarP(f, "output", "o", "form of the output (default: table, on a pipe its rows with tabs)")
	return f
}

func (f *format) String() string { return f.value }
func (f *format) Type() string   { return strings.Join(f.allowed, "|") }

func (f *format) Set(s string) error {
	if !slices.Contains(f.allowed, s) {
		return fmt.Errorf("want one of %s", strings.Join(f.allowed, ", "))
	}
	f.value = s
	return nil
}

// aligned says whether a table is for eyes. On a pipe its rows are for cut and awk.
func (f *format) aligned(c *console) bool { return f.value == "table" || c.outTerminal }

// oneOf is a flag with a few allowed words, in capitals or not.
type oneOf[T ~string] struct {
	to      *T
	allowed []T
}

func (o *oneOf[T]) String() string { return "" }
func (o *oneOf[T]) Type() string   { return strings.Join(o.words(), "|") }

func (o *oneOf[T]) Set(s string) error {
	for _, word := range o.allowed {
		if strings.EqualFold(s, string(word)) {
			*o.to = word
			return nil
		}
	}
	return fmt.Errorf("want one of %s", strings.Join(o.words(), ", "))
}

func (o *oneOf[T]) words() []string {
	words := make([]string, len(o.allowed))
	for i, word := range o.allowed {
		words[i] = strings.ToLower(string(word))
	}
	return words
}

// writeTable writes rows under their heads: in columns for eyes, with tabs and
// without heads for programs.
func writeTable(c *console, f *format, heads []string, rows [][]string) error {
	if !f.aligned(c) {
		for _, row := range rows {
			if _, err := io.WriteString(c.out, strings.Join(clean(row), "\t")+"\n"); err != nil {
				return err
			}
		}
		return nil
	}
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, strings.Join(heads, "\t"))
	for _, row := range rows {
		fmt.Fprintln(w, strings.Join(clean(row), "\t"))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	head, rest, _ := strings.Cut(b.String(), "\n") // painted after aligning: escapes have no width
	_, err := io.WriteString(c.out, c.paint(bold, strings.TrimRight(head, " "))+"\n"+rest)
	return err
}

// clean makes cells safe for a terminal.
func clean(row []string) []string {
	out := make([]string, len(row))
	for i, cell := range row {
		out[i] = printable(cell)
	}
	return out
}

// printable replaces what could move a terminal's cursor or break a line:
// file names, labels and a server's sentences are strangers' text.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '\uFFFD'
	}, s)
}

func writeJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}
