//go:build ci

package httpapi_test

import (
	"bytes"
	"image"
	"image/jpeg"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/goshawk-ai/goshawk/api"
)

// run types a command as a reader of the docs would: with sh, beside photo.jpg
// and other.png.
func runExample(t *testing.T, url, dir, command string) string {
	t.Helper()
	command = strings.ReplaceAll(command, api.Server, url)
	// The commands are for people; here an answer that is none must fail.
	command = regexp.MustCompile(`\bcurl `).ReplaceAllString(command, "curl -sS --fail-with-body --max-time 30 ")
	c := exec.Command("sh", "-ec", command)
	c.Dir = dir
	var out, trouble bytes.Buffer
	c.Stdout, c.Stderr = &out, &trouble
	if err := c.Run(); err != nil {
		t.Errorf("%s\nfailed: %v %s %s", command, err, trouble.String(), out.String())
	}
	return out.String()
}

func exampleDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	var j, p bytes.Buffer
	pixels := image.NewGray(image.Rect(0, 0, 8, 8))
	if err := jpeg.Encode(&j, pixels, nil); err != nil {
		t.Fatal(err)
	}
	if err := png.Encode(&p, pixels); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{"photo.jpg": j.Bytes(), "other.png": p.Bytes()} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestExamplesOfTheSpecificationRun(t *testing.T) {
	examples, err := api.Examples()
	if err != nil {
		t.Fatal(err)
	}
	g, dir := newRig(t, withPages), exampleDir(t)
	for _, e := range examples {
		if out := runExample(t, g.url, dir, e.Command); !strings.ContainsAny(out, "{<,") {
			t.Errorf("%s (%s) printed %q", e.Operation, e.Label, out)
		}
	}
}

// TestExamplesOfTheHowtoRun runs each sh block of docs/howto/api.md. A block that
// is followed by an output block must print it (… stands for anything).
func TestExamplesOfTheHowtoRun(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "howto", "api.md"))
	if err != nil {
		t.Fatal(err)
	}
	g, dir := newRig(t, withPages), exampleDir(t)
	blocks := regexp.MustCompile("(?s)```sh\n(.*?)```(?:\n\n```(?:json|text|csv)\n(.*?)```)?").FindAllStringSubmatch(string(page), -1)
	if len(blocks) < 8 {
		t.Fatalf("only %d blocks were found", len(blocks))
	}
	for _, block := range blocks {
		command, want := strings.Replace(block[1], "# fails", "|| true", 1), block[2]
		out := runExample(t, g.url, dir, command)
		if want == "" {
			continue
		}
		pattern := strings.ReplaceAll(regexp.QuoteMeta(strings.TrimSpace(want)), "…", "(?s:.*)")
		if !regexp.MustCompile("^" + pattern + "$").MatchString(strings.TrimSpace(out)) {
			t.Errorf("%s\nprinted %s\nand the page says %s", command, out, want)
		}
	}
}
