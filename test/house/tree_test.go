// Package house holds the rules of this repository that a machine can keep:
// which room may import which, that every package says what it is, how long
// files may grow, and what must not stand in any of them.
package house

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goshawk-ai/goshawk/test/checkout"
)

const module = "github.com/goshawk-ai/goshawk"

// generated are folders at the top that git ignores.
var generated = map[string]bool{".git": true, "bin": true, "lib": true, "dist": true, ".cache": true}

// each calls visit with every file of the repository; name is slash-separated
// and relative to the root.
func each(t *testing.T, visit func(name string, size int64, read func() []byte)) {
	t.Helper()
	top := checkout.Root(t)
	visited := 0
	err := filepath.WalkDir(top, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(top, p)
		if err != nil {
			return err
		}
		name := filepath.ToSlash(rel)
		if d.IsDir() {
			if generated[name] || d.Name() == "__pycache__" {
				return fs.SkipDir
			}
			return nil
		}
		if generated[name] || !d.Type().IsRegular() { // .git is a file in a worktree
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		visited++
		visit(name, info.Size(), func() []byte {
			data, err := os.ReadFile(p)
			if err != nil {
				t.Fatal(err)
			}
			return data
		})
		return nil
	})
	if err != nil || visited < 300 {
		t.Fatalf("%d files were visited, %v; the walk goes wrong", visited, err)
	}
}

// goFile is one Go file, whatever its build tags say.
type goFile struct {
	name string // path from the root
	test bool
	src  []byte
	ast  *ast.File
}

func (f goFile) dir() string { return path.Dir(f.name) }

func goFiles(t *testing.T) []goFile {
	t.Helper()
	var files []goFile
	set := token.NewFileSet()
	each(t, func(name string, _ int64, read func() []byte) {
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, ".pb.go") || strings.Contains(name, "testdata/") {
			return // .pb.go is made by tools/protos: its style is another's
		}
		src := read()
		parsed, err := parser.ParseFile(set, name, src, parser.ParseComments)
		if err != nil {
			t.Errorf("%v", err)
			return
		}
		files = append(files, goFile{name, strings.HasSuffix(name, "_test.go"), src, parsed})
	})
	if len(files) < 20 {
		t.Fatalf("found %d Go files; the walk goes wrong", len(files))
	}
	return files
}
