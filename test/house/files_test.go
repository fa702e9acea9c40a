package house

import (
	"bytes"
	"go/ast"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const (
	maxFile  = 4_000_000 // bytes of anything in the repository
	maxLines = 600       // of a Go file
)

func TestFilesStaySmall(t *testing.T) {
	each(t, func(name string, size int64, read func() []byte) {
		if size > maxFile {
			t.Errorf("%s has %d bytes; at most %d are kept in git", name, size, maxFile)
		}
		if strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, ".pb.go") {
			if n := bytes.Count(read(), []byte("\n")); n > maxLines {
				t.Errorf("%s has %d lines; above %d it is two files", name, n, maxLines)
			}
		}
	})
}

// TestPackagesSayWhatTheyAre wants one package comment in each folder, and not two.
func TestPackagesSayWhatTheyAre(t *testing.T) {
	comments := map[string][]string{}
	for _, f := range goFiles(t) {
		if strings.HasSuffix(f.ast.Name.Name, "_test") {
			continue // the outside half of a package's tests
		}
		if _, ok := comments[f.dir()]; !ok {
			comments[f.dir()] = nil
		}
		if f.ast.Doc != nil && hasProse(f.ast.Doc) {
			comments[f.dir()] = append(comments[f.dir()], f.name)
		}
	}
	for dir, names := range comments {
		if len(names) != 1 {
			t.Errorf("%s has %d package comments %v; one file says what the package is", dir, len(names), names)
		}
	}
}

// hasProse is false for a comment that is only build directives.
func hasProse(doc *ast.CommentGroup) bool { return strings.TrimSpace(doc.Text()) != "" }

// TestForbiddenCalls: what makes a package's import, or a test's result, depend on something unseen.
func TestForbiddenCalls(t *testing.T) {
	for _, f := range goFiles(t) {
		polls := map[ast.Node]bool{}
		bubble := imports(f.ast, "testing/synctest") // its clock jumps: a sleep there takes no time
		ast.Inspect(f.ast, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.ForStmt: // for deadline := …; !condition; time.Sleep(…): what has no event to wait for is polled
				if post, ok := n.Post.(*ast.ExprStmt); ok && n.Init != nil && n.Cond != nil {
					if call, ok := post.X.(*ast.CallExpr); ok {
						polls[call.Fun] = true
					}
				}
			case *ast.FuncDecl:
				if n.Name.Name == "init" && n.Recv == nil && !f.test {
					t.Errorf("%s has an init(); the import list would become behaviour", f.name)
				}
			case *ast.SelectorExpr:
				owner, _ := n.X.(*ast.Ident)
				switch {
				case owner == nil || !f.test:
				case slices.Contains([]string{"Skip", "Skipf", "SkipNow"}, n.Sel.Name) && slices.Contains([]string{"t", "b", "f", "tb"}, owner.Name):
					t.Errorf("%s skips a test; a part that is missing fails it, behind the build tag ci where make test has none", f.name)
				case owner.Name == "time" && n.Sel.Name == "Sleep" && !polls[n] && !bubble:
					t.Errorf("%s sleeps; wait for a condition with a deadline", f.name)
				}
			}
			return true
		})
	}
}

func imports(f *ast.File, path string) bool {
	return slices.ContainsFunc(f.Imports, func(i *ast.ImportSpec) bool { return i.Path.Value == strconv.Quote(path) })
}

// TestNothingOfThisMachine: registries move and are mirrored, and a path of one
// machine means nothing on another. The words are put together here, or this
// file would be the first to be named.
func TestNothingOfThisMachine(t *testing.T) {
	hosts := []string{
		"pypi" + ".org", "python" + "hosted", "registry.npm" + "js", "npm" + "js.com", "proxy.go" + "lang", "sum.go" + "lang",
		"crates" + ".io", "deb." + "debian.org", "archive." + "ubuntu.com", "docker" + ".io", "ghcr" + ".io", "conda" + ".org",
	}
	paths := []string{"/wo" + "rk/", "/ro" + "ot/", "/ho" + "me/", "/tm" + "p/", "/Us" + "ers/"}
	each(t, func(name string, size int64, read func() []byte) {
		data := read()
		if bytes.IndexByte(data, 0) >= 0 || size > maxFile {
			return // pictures and models
		}
		for _, h := range hosts {
			if bytes.Contains(data, []byte(h)) {
				t.Errorf("%s names the registry %s; which one serves is the machine's own setting", name, h)
			}
		}
		for _, p := range paths {
			hostile := strings.HasSuffix(name, "_test.go") && p == paths[3] // a path that an archive tries to reach
			if i := bytes.Index(data, []byte(p)); i >= 0 && !hostile && !continuesPath(data, i) {
				t.Errorf("%s holds a path of one machine: %.40q", name, data[i:])
			}
		}
	})
}

// continuesPath is true where a match is the middle of another path or address
// (src/work/x, example.org/home/): those belong to no machine.
func continuesPath(data []byte, i int) bool {
	if i == 0 {
		return false
	}
	before := data[i-1]
	return before == '.' || before == '-' || before == '_' || before == '}' ||
		before >= '0' && before <= '9' || before >= 'a' && before <= 'z' || before >= 'A' && before <= 'Z'
}
