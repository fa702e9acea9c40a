//go:build ci

package clients

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/goshawk-ai/goshawk/test/checkout"
	"github.com/goshawk-ai/goshawk/test/running"
)

var (
	fenced = regexp.MustCompile("(?ms)^```(python|sh)\n(.*?)^```$")
	said   = regexp.MustCompile(`(?m)# → (.*)$`)
)

// TestExamplesOfTheHowtoRun runs each block of docs/howto/clients.md; what stands
// behind "# →" must be in what it prints.
func TestExamplesOfTheHowtoRun(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(checkout.Root(t), "docs", "howto", "clients.md"))
	if err != nil {
		t.Fatal(err)
	}
	s := running.Start(t)
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	tools := filepath.Dir(grpcurl(t))
	dir := t.TempDir()
	photo, err := os.ReadFile(picture(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "photo.jpg"), photo, 0o600); err != nil {
		t.Fatal(err)
	}
	addresses := strings.NewReplacer("127.0.0.1:8080", host(s.URL), "127.0.0.1:8081", s.GRPC)
	blocks := fenced.FindAllStringSubmatch(string(page), -1)
	for _, b := range blocks {
		code := addresses.Replace(b[2])
		cmd := exec.CommandContext(t.Context(), "sh", "-ec", code)
		if b[1] == "python" {
			if strings.Contains(code, "kserve") {
				code = "import kserve_root\n" + code
			}
			cmd = exec.CommandContext(t.Context(), interpreter(t), "-c", code)
		}
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "PYTHONPATH="+here, "PYTHONDONTWRITEBYTECODE=1", "HOME="+t.TempDir(),
			"PATH="+tools+string(os.PathListSeparator)+os.Getenv("PATH"))
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("%v:\n%s\n%s", err, b[2], out)
		}
		for _, want := range said.FindAllStringSubmatch(b[2], -1) {
			if !strings.Contains(string(out), want[1]) {
				t.Errorf("it printed no %q, which the page promises:\n%s\n%s", want[1], b[2], out)
			}
		}
	}
	if len(blocks) < 8 {
		t.Errorf("%d blocks were found; there are more", len(blocks))
	}
}
