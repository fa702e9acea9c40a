//go:build ci

package clients

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goshawk-ai/goshawk/test/checkout"
)

var update = flag.Bool("update", false, "write the tables of docs/reference/protocol.md anew")

// proofs are what clients called and were answered, for docs/reference/protocol.md.
type proofs struct{ rows []*proof }

// proof is one row: the calls of an extension that are alike.
type proof struct {
	extension, call string
	says            map[string][]string // by client
	calls           int
}

func (p *proofs) note(extension, call, by, says string) {
	i := slices.IndexFunc(p.rows, func(r *proof) bool { return r.extension == extension && r.call == call })
	if i < 0 {
		i = len(p.rows)
		p.rows = append(p.rows, &proof{extension: extension, call: call, says: map[string][]string{}})
	}
	r := p.rows[i]
	r.calls++
	if !slices.ContainsFunc(r.says[by], func(s string) bool { return numberless(s) == numberless(says) }) {
		r.says[by] = append(r.says[by], says)
	}
}

// only are the rows of one extension.
func (p *proofs) only(extension string) *proofs {
	rest := slices.DeleteFunc(slices.Clone(p.rows), func(r *proof) bool { return r.extension != extension })
	return &proofs{rest}
}

// columns are the clients of a table; those that share one must be answered alike.
var columns = map[string][][]string{
	"tritonclient":           {{"http", "http.aio"}, {"grpc", "grpc.aio"}},
	"tritonclient with keys": {{"http", "http.aio"}, {"grpc", "grpc.aio"}},
	"kserve":                 {{"kserve"}},
	"grpcurl":                {{"grpcurl"}},
}

// table writes the rows, those of an extension together.
func (p *proofs) table(name string) string {
	var b strings.Builder
	b.WriteString("| ")
	extensions := slices.ContainsFunc(p.rows, func(r *proof) bool { return r.extension != "" })
	if extensions {
		b.WriteString("extension | ")
	}
	b.WriteString("client call | ")
	for _, c := range columns[name] {
		b.WriteString("answer to `" + strings.Join(c, "`, `") + "` | ")
	}
	head := strings.TrimSpace(b.String())
	b.Reset()
	fmt.Fprintf(&b, "%s\n%s|\n", head, strings.Repeat("| --- ", strings.Count(head, "|")-1))
	rows := slices.Clone(p.rows)
	order := []string{}
	for _, r := range rows {
		if !slices.Contains(order, r.extension) {
			order = append(order, r.extension)
		}
	}
	slices.SortStableFunc(rows, func(x, y *proof) int { return slices.Index(order, x.extension) - slices.Index(order, y.extension) })
	for _, r := range rows {
		b.WriteString("| ")
		if extensions {
			b.WriteString(r.extension + " | ")
		}
		b.WriteString(cell(r.call))
		if r.calls > len(r.says) {
			fmt.Fprintf(&b, " (%d calls)", r.calls)
		}
		for _, c := range columns[name] {
			var says []string
			for _, by := range c {
				for _, s := range r.says[by] {
					if !slices.ContainsFunc(says, func(other string) bool { return numberless(s) == numberless(other) }) {
						says = append(says, s)
					}
				}
			}
			b.WriteString(" | " + cell(strings.Join(says, "; ")))
		}
		b.WriteString(" |\n")
	}
	return b.String()
}

func cell(s string) string {
	if s == "" {
		return "–"
	}
	return strings.NewReplacer("|", "\\|", "<", "&lt;", "StatusCode.", "").Replace(s)
}

var digits = regexp.MustCompile(`[0-9]+(\.[0-9]+)?`)

// numberless is a text in which any number stands for any other.
func numberless(s string) string { return digits.ReplaceAllString(s, "0") }

// onThePage holds the table in docs/reference/protocol.md against what was seen, or
// writes it.
func (p *proofs) onThePage(t *testing.T, name string) {
	t.Helper()
	file := filepath.Join(checkout.Root(t), "docs", "reference", "protocol.md")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	begin, end := "<!-- proven: "+name+" -->\n", "<!-- end -->"
	before, rest, found := strings.Cut(string(text), begin)
	old, after, whole := strings.Cut(rest, end)
	if !found || !whole {
		t.Fatalf("%s has no place for the table of %s, which begins with %sand ends with %s", file, name, begin, end)
	}
	now := p.table(name)
	if numberless(old) == numberless(now) {
		return
	}
	if !*update {
		t.Errorf("docs/reference/protocol.md does not say what %s was answered; 'go test -tags ci ./test/clients -update' writes\n%sin place of\n%s",
			name, without(now, old), without(old, now))
		return
	}
	if err := os.WriteFile(file, []byte(before+begin+now+end+after), 0o600); err != nil {
		t.Fatal(err)
	}
}

// without are the lines of a table that another has not.
func without(table, other string) string {
	var b strings.Builder
	for line := range strings.Lines(table) {
		if !strings.Contains(numberless(other), numberless(line)) {
			b.WriteString(line)
		}
	}
	return b.String()
}
