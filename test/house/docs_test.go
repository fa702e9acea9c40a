package house

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/goshawk-ai/goshawk/test/checkout"
)

// proven says which test runs or reads the blocks of a page, by the words after
// the ```. What stands in docs and in nobody's test will be wrong one day.
var proven = map[string]map[string]string{
	"README.md":                       {"console": "test/e2e TestDocuments"},
	"docs/tutorial/":                  {"console": "test/e2e TestDocuments"},
	"docs/howto/api.md":               {"sh": "internal/httpapi TestExamplesOfTheHowtoRun", "json": "the same", "yaml": "internal/access TestTheKeysFileOfTheHowto"},
	"docs/howto/clients.md":           {"python": "test/clients TestExamplesOfTheHowtoRun", "sh": "the same"},
	"docs/howto/latency.md":           {"console": "test/e2e TestLatencyHowto", "yaml": "internal/model TestExamplesOfTheLatencyPage"},
	"docs/howto/repository.md":        {"console": "test/e2e TestRepositoryHowto", "": "a picture of the folder"},
	"docs/reference/commands.md":      {"sh": "cmd/goshawk TestExamplesOfTheHelpAreRightUse", "": "cmd/goshawk TestReferenceIsUpToDate"},
	"docs/reference/configuration.md": {"yaml": "internal/config TestTheFileOfTheReference"},
	"docs/reference/package.md":       {"yaml": "internal/model TestTheReferenceIsTrue", "yaml refused": "the same", "": "a picture of the folder"},
	"docs/benchmarks.md":              {"": "written by the benchmark"},
}

func TestEveryBlockOfTheDocsIsProven(t *testing.T) {
	cmd := exec.Command("git", "ls-files", "--cached", "--others", "--exclude-standard", "README.md", "docs")
	cmd.Dir = checkout.Root(t)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("git ls-files: %v", err)
	}
	seen := 0
	for _, page := range strings.Fields(string(out)) {
		if !strings.HasSuffix(page, ".md") {
			continue
		}
		for _, words := range blocks(text(t, page)) {
			seen++
			if provenBy(page, words) == "" {
				t.Errorf("%s has a block of ```%s that no test runs; write one and name it in the table here", page, words)
			}
		}
	}
	if seen < 20 {
		t.Errorf("%d blocks were found; there are more", seen)
	}
}

func provenBy(page, words string) string {
	for where, by := range proven {
		if page == where || strings.HasSuffix(where, "/") && strings.HasPrefix(page, where) {
			return by[words]
		}
	}
	return ""
}

// blocks gives the words after the opening ``` of each block.
func blocks(page string) []string {
	var all []string
	inside := false
	for line := range strings.Lines(page) {
		words, ok := strings.CutPrefix(strings.TrimSpace(line), "```")
		if !ok {
			continue
		}
		if inside = !inside; inside {
			all = append(all, words)
		}
	}
	return all
}
