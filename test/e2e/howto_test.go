//go:build ci

package e2e

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/goshawk-ai/goshawk/test/checkout"
	"github.com/goshawk-ai/goshawk/test/running"
)

// TestRepositoryHowto runs the commands of the page about model repositories.
func TestRepositoryHowto(t *testing.T) { follow(t, "repository.md", 10) }

// TestLatencyHowto runs the commands of the page about the latency objective.
func TestLatencyHowto(t *testing.T) { follow(t, "latency.md", 5) }

// follow runs the commands of a page, and holds what they print against what it shows.
func follow(t *testing.T, page string, least int) {
	running.Binary(t)
	root := checkout.Root(t)
	text, err := os.ReadFile(filepath.Join(root, "docs", "howto", page))
	if err != nil {
		t.Fatal(err)
	}
	environ := freshHome(t)
	url, commands := "", console(string(text))
	if len(commands) < least {
		t.Fatalf("the page shows %d commands; it has more", len(commands))
	}
	for _, c := range commands {
		var got string
		if strings.HasPrefix(c.command, "bin/goshawk serve") {
			got, url = background(t, root, environ, c.command+" --listen 127.0.0.1:0")
		} else {
			line := strings.ReplaceAll(c.command, "http://127.0.0.1:8080", url)
			line = strings.ReplaceAll(line, "curl ", "curl -sS ")
			cmd := exec.Command("sh", "-c", line)
			cmd.Dir, cmd.Env = root, environ
			out, err := cmd.CombinedOutput()
			if got = string(out); err != nil {
				t.Errorf("%s: %v", c.command, err)
			}
		}
		if !c.promises(got) {
			t.Fatalf("%s\nprints\n%s\nthe page promises\n%s", c.command, got, c.output)
		}
	}
}

// background starts a server, and gives what it prints until it is ready.
func background(t *testing.T, root string, environ []string, line string) (lines, url string) {
	t.Helper()
	cmd := exec.Command("sh", "-c", "exec "+line)
	cmd.Dir, cmd.Env = root, environ
	var log strings.Builder
	cmd.Stderr = &log
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill := time.AfterFunc(5*time.Minute, func() { _ = cmd.Process.Signal(syscall.SIGTERM) })
	t.Cleanup(func() {
		kill.Stop()
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
	})
	all := bufio.NewScanner(out)
	for all.Scan() {
		lines += all.Text() + "\n"
		if address, ok := strings.CutPrefix(all.Text(), "listening "); ok {
			url = address
		}
		if all.Text() == "ready" {
			return lines, url
		}
	}
	t.Fatalf("the server ended before it was ready:\n%s%s", lines, log.String())
	return "", ""
}
