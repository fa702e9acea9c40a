package config

import (
	"fmt"
	"io"
	"strings"
)

// Row is one line of `goshawk config show`.
type Row struct {
	Key    string `json:"key"`
	Value  string `json:"value"`
	Origin string `json:"origin"`
}

// Rows are the effective values with where each came from.
func (c *Config) Rows() []Row {
	table := Options()
	rows := make([]Row, len(table))
	for i, o := range table {
		rows[i] = Row{o.Key, o.Value(c), c.Origin(o.Key).String()}
	}
	return rows
}

// WriteReference writes the reference page's table of all options.
func WriteReference(w io.Writer) error {
	if _, err := io.WriteString(w, referenceHead); err != nil {
		return err
	}
	for _, o := range Options() {
		flag := "–"
		if o.Flag() != "" {
			flag = "`--" + o.Flag() + "`"
		}
		standard := "–"
		if o.Default != "" {
			standard = "`" + o.Default + "`"
		}
		_, err := fmt.Fprintf(w, "| `%s` | %s | `%s` | %s | %s | %s |\n",
			o.Key, flag, o.Env(), strings.ReplaceAll(o.Type(), "|", `\|`), standard, sentence(o.Help))
		if err != nil {
			return err
		}
	}
	return nil
}

func sentence(s string) string { return strings.ToUpper(s[:1]) + s[1:] + "." }

const referenceHead = `# Configuration

This page is generated from the program's own table by ` + "`make docs`" + `.

A flag wins over an environment variable, that over the file, that over the default. The file is the one that
` + "`--config`" + ` names, else ` + "`$XDG_CONFIG_HOME/goshawk/config.yaml`" + ` where there is one. A key with a dot stands in a group:

` + "```yaml" + `
listen: 127.0.0.1:9000
limits:
  picture_bytes: 10MB
allowed_hosts: [photos.example.org]
` + "```" + `

Sizes are written ` + "`20MB`" + ` (10⁶) or ` + "`64MiB`" + ` (2²⁰), pixels ` + "`50MP`" + `, durations ` + "`50ms`" + ` or ` + "`30s`" + `; lists are separated by commas in
flags and variables. Limits are inclusive. An empty variable counts as not set. Unknown keys and values of the wrong
kind are errors; an unknown ` + "`GOSHAWK_…`" + ` variable is a warning. ` + "`goshawk config show`" + ` prints what holds and where it came from,
` + "`goshawk config verify`" + ` checks without starting.

| key | flag | variable | type | default | meaning |
| --- | --- | --- | --- | --- | --- |
`
