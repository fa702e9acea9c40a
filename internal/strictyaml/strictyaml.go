// Package strictyaml reads YAML files that people write for this program:
// bounded, in UTF-8, one document, plain data. Every refusal has its place.
package strictyaml

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	yaml "go.yaml.in/yaml/v3"

	"github.com/goshawk-ai/goshawk/internal/wording"
)

const (
	maxDepth    = 8  // levels of fields; goshawk.yaml needs four
	maxBrackets = 64 // open at a time, those in texts counted too
)

// Error says what is wrong with a document, and where.
type Error struct {
	Line, Column int // 0 where it is not known, or all of the file
	Reason       string
}

// At makes the Error of a node.
func At(n *yaml.Node, format string, args ...any) *Error {
	return &Error{n.Line, n.Column, fmt.Sprintf(format, args...)}
}

func (e *Error) Error() string {
	switch {
	case e.Line == 0:
		return e.Reason
	case e.Column == 0:
		return fmt.Sprintf("line %d: %s", e.Line, e.Reason)
	}
	return fmt.Sprintf("line %d, column %d: %s", e.Line, e.Column, e.Reason)
}

// In puts the file's name before the sentence, as compilers do: FILE:LINE:COLUMN.
func (e *Error) In(file string) string {
	switch {
	case e.Line == 0:
		return file + ": " + e.Reason
	case e.Column == 0:
		return fmt.Sprintf("%s:%d: %s", file, e.Line, e.Reason)
	}
	return fmt.Sprintf("%s:%d:%d: %s", file, e.Line, e.Column, e.Reason)
}

// ReadFile reads a file of at most so many bytes: a wrong path (a device, a
// database) is not read whole.
func ReadFile(path string, most int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, most+1))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > most {
		return nil, fmt.Errorf("%s has more than %d bytes", path, most)
	}
	return data, nil
}

// Parse gives the top of the document, nil where there is nothing in it. What
// YAML can do beyond plain data is refused.
func Parse(data []byte) (*yaml.Node, *Error) {
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	if !utf8.Valid(data) {
		line, column := badUTF8(data)
		return nil, &Error{line, column, "the text is not UTF-8; save the file as UTF-8"}
	}
	if flowDepth(data) > maxBrackets {
		return nil, &Error{Reason: fmt.Sprintf("brackets are nested more than %d deep", maxBrackets)}
	}
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var root, second yaml.Node
	switch err := decoder.Decode(&root); {
	case errors.Is(err, io.EOF):
		return nil, nil
	case err != nil:
		return nil, syntax(err)
	}
	switch err := decoder.Decode(&second); {
	case err == nil:
		return nil, At(&second, "a second YAML document begins here; one file has one document")
	case !errors.Is(err, io.EOF):
		return nil, syntax(err)
	}
	if root.Kind != yaml.DocumentNode || len(root.Content) != 1 {
		return nil, nil
	}
	top := root.Content[0]
	if err := plain(top, 0); err != nil {
		return nil, err
	}
	if top.Kind == yaml.ScalarNode && top.Tag == "!!null" {
		return nil, nil
	}
	return top, nil
}

// flowDepth counts open brackets. The YAML parser recurses for each, so this
// comes first.
func flowDepth(data []byte) int {
	depth, most := 0, 0
	for _, c := range data {
		switch c {
		case '[', '{':
			depth++
			most = max(most, depth)
		case ']', '}':
			depth = max(0, depth-1)
		}
	}
	return most
}

// plain refuses aliases, which can expand to any size, tags, which name types
// of programming languages, and nesting.
func plain(n *yaml.Node, depth int) *Error {
	switch {
	case depth > maxDepth:
		return At(n, "fields are nested more than %d deep", maxDepth)
	case n.Kind == yaml.AliasNode:
		return At(n, "the alias *%s is not allowed; write the value out", wording.Cut(n.Value))
	case n.Anchor != "":
		return At(n, "the anchor &%s is not allowed; write values out", wording.Cut(n.Anchor))
	case n.Style&yaml.TaggedStyle != 0:
		return At(n, "the tag %s is not allowed; values here are plain text, numbers, true or false", wording.Quote(n.Tag))
	}
	for _, c := range n.Content {
		if err := plain(c, depth+1); err != nil {
			return err
		}
	}
	return nil
}

var yamlLine = regexp.MustCompile(`^line (\d+): `)

// syntax puts the parser's words into our form.
func syntax(err error) *Error {
	words, line := strings.TrimPrefix(err.Error(), "yaml: "), 0
	if m := yamlLine.FindStringSubmatch(words); m != nil {
		line, _ = strconv.Atoi(m[1])
		words = words[len(m[0]):]
	}
	return &Error{Line: line, Reason: "this is no YAML: " + wording.Cut(words)}
}

func badUTF8(data []byte) (line, column int) {
	line, column = 1, 1
	for len(data) > 0 {
		r, size := utf8.DecodeRune(data)
		if r == utf8.RuneError && size == 1 {
			return line, column
		}
		column++
		if r == '\n' {
			line, column = line+1, 1
		}
		data = data[size:]
	}
	return line, column
}
