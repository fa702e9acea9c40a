package problem

import (
	"fmt"
	"io"
)

// WriteReference writes the page of the reference that lists all kinds.
func WriteReference(w io.Writer) error {
	_, err := io.WriteString(w, `# Problems

This page is generated from the program's own table by `+"`make docs`"+`.

Under `+"`/v1`"+` a request that fails is answered with a problem document (RFC 9457, `+"`application/problem+json`"+`). Its
`+"`type`"+` is stable, and an address on the server that explains it. `+"`detail`"+` is for people and changes;
`+"`request_id`"+` finds the line in the log; members that hold numbers (`+"`limit_bytes`, `retry_after_seconds`"+`) are for programs.
Under `+"`/v2`"+` the same sentence is the protocol's error, with the same status.

| type | status | when, and what to do |
| --- | --- | --- |
`)
	for _, k := range kinds {
		if err == nil {
			_, err = fmt.Fprintf(w, "| `%s` | %d | **%s.** %s |\n", k.URI(), k.Status, k.Title, k.Help)
		}
	}
	return err
}
