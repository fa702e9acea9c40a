package web

import (
	"io/fs"
	"net/http"
	"path"
	"strings"

	"github.com/goshawk-ai/goshawk/internal/problem"
	"github.com/goshawk-ai/goshawk/internal/wording"
)

// example is a picture that the page offers to try.
type example struct {
	File    string
	Caption string
}

// listExamples finds the pictures at the top of the file system, by name.
func listExamples(files fs.FS) []example {
	if files == nil {
		return nil
	}
	entries, err := fs.ReadDir(files, ".")
	if err != nil {
		return nil
	}
	var out []example
	for _, e := range entries {
		ext := path.Ext(e.Name())
		if e.Type().IsRegular() && strings.HasPrefix(contentTypes[ext], "image/") {
			out = append(out, example{File: e.Name(), Caption: strings.ReplaceAll(strings.TrimSuffix(e.Name(), ext), "-", " ")})
		}
	}
	return out
}

func (s *Site) example(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	for _, e := range s.examples {
		if e.File != name {
			continue
		}
		data, err := fs.ReadFile(s.options.Examples, name)
		if err != nil {
			s.Problem(w, r, problem.Internal.New("the example %s could not be read", wording.Quote(name)).Because(err))
			return
		}
		w.Header().Set("Cache-Control", "public, max-age=3600")
		writeFile(w, name, data)
		return
	}
	s.Problem(w, r, problem.NotFound.New("there is no example called %s", wording.Quote(name)))
}
