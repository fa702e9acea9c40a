//go:build ci

package e2e

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/goshawk-ai/goshawk/test/checkout"
	"github.com/goshawk-ai/goshawk/test/running"
)

// shown is a command of a document and the output that it promises.
type shown struct{ command, output string }

// console reads the blocks ```console of a document. As in a shell, a line that
// begins with > goes on with the command.
func console(text string) []shown {
	var all []shown
	inside := false
	for line := range strings.Lines(text) {
		command, isCommand := strings.CutPrefix(line, "$ ")
		more, isMore := strings.CutPrefix(line, "> ")
		switch {
		case strings.HasPrefix(line, "```"):
			inside = strings.TrimSpace(line) == "```console"
		case inside && isCommand:
			all = append(all, shown{command: strings.TrimSpace(command)})
		case inside && isMore && len(all) > 0:
			all[len(all)-1].command += "\n" + strings.TrimSuffix(more, "\n")
		case inside && len(all) > 0:
			all[len(all)-1].output += line
		}
	}
	return all
}

var (
	space  = regexp.MustCompile(`\s+`)
	number = regexp.MustCompile(`[0-9]+(\\\.[0-9]+)*`)
)

// promises says whether got is what a document shows: any number stands for any
// other, … for anything, and space counts nowhere.
func (s shown) promises(got string) bool {
	want := regexp.QuoteMeta(space.ReplaceAllString(s.output, ""))
	want = number.ReplaceAllString(want, `[0-9.]+(e-[0-9]+)?`)
	want = strings.ReplaceAll(want, "…", ".*")
	return regexp.MustCompile("^" + want + "$").MatchString(space.ReplaceAllString(got, ""))
}

// TestDocuments runs what README and the tutorials show, each in a home of its
// own. `make run` is its script on free ports, which stays for the commands that
// follow.
func TestDocuments(t *testing.T) {
	root := checkout.Root(t)
	documents, err := filepath.Glob(filepath.Join(root, "docs", "tutorial", "*.md"))
	if err != nil || len(documents) == 0 {
		t.Fatalf("no tutorial under docs/tutorial: %v", err)
	}
	for _, path := range append(documents, filepath.Join(root, "README.md")) {
		t.Run(filepath.Base(path), func(t *testing.T) { walkThrough(t, root, path) })
	}
}

func walkThrough(t *testing.T, root, path string) {
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	commands := console(string(text))
	if len(commands) < 5 || commands[0].command != "make run" {
		t.Fatalf("the document shows %v; it begins with make run and goes on", commands)
	}
	environ := freshHome(t)
	lines, url := makeRun(t, root, environ)
	if !commands[0].promises(lines) {
		t.Errorf("make run prints\n%s\nthe document promises\n%s", lines, commands[0].output)
	}
	for _, c := range commands[1:] {
		if strings.HasPrefix(c.command, "make ") {
			continue // this very test would be run again
		}
		line := strings.ReplaceAll(c.command, "http://127.0.0.1:8080", url)
		line = strings.ReplaceAll(line, "curl ", "curl -sS ")
		cmd := exec.Command("sh", "-c", line)
		cmd.Dir = root
		cmd.Env = environ
		got, err := cmd.CombinedOutput()
		if err != nil || !c.promises(string(got)) {
			t.Errorf("%s (%v)\nprints\n%s\nthe document promises\n%s", c.command, err, got, c.output)
		}
	}
}

// freshHome is the environment of somebody who has just come, but for what the
// go command has fetched and built already.
func freshHome(t *testing.T) []string {
	t.Helper()
	home := t.TempDir()
	environ := append(os.Environ(), "HOME="+home, "XDG_DATA_HOME="+filepath.Join(home, "data"), "XDG_CONFIG_HOME="+filepath.Join(home, "config"))
	environ = append(environ, "GOSHAWK_MODELS_CALIBRATE=off") // its outcome is the machine's mood
	for _, name := range []string{"GOCACHE", "GOMODCACHE"} {
		value, err := exec.Command("go", "env", name).Output()
		if err != nil {
			t.Fatalf("go env %s: %v", name, err)
		}
		environ = append(environ, name+"="+strings.TrimSpace(string(value)))
	}
	return environ
}

// makeRun starts what `make run` starts after building, and gives what it
// prints up to its READY line, and the address there.
func makeRun(t *testing.T, root string, environ []string) (lines, url string) {
	t.Helper()
	running.Binary(t)
	cmd := exec.Command("scripts/run.sh", "127.0.0.1:0")
	cmd.Dir = root
	cmd.Env = environ
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
		if err := cmd.Wait(); err != nil {
			t.Errorf("told to stop, make run's script ended with %v; want an orderly end", err)
		}
	})
	all := bufio.NewScanner(out)
	for all.Scan() {
		lines += all.Text() + "\n"
		if address, ok := strings.CutPrefix(all.Text(), "READY "); ok {
			return lines, address
		}
	}
	t.Fatalf("make run's script ended before READY:\n%s%s", lines, log.String())
	return "", ""
}

func TestConsole(t *testing.T) {
	got := console("$ no\n```console\n$ cat <<E\n> a\n> E\na\n$ true\n```\n```sh\n$ not this\n```\n")
	want := []shown{{"cat <<E\na\nE", "a\n"}, {"true", ""}}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestPromises(t *testing.T) {
	for _, c := range []struct {
		shown, got string
		want       bool
	}{
		{"cat 0.681 10.2", "cat   0.7\t3\n", true},
		{`{"id": "…", "n": 3}`, `{"id":"pred_x","n":17}`, true},
		{"cat", "dog", false},
		{"cat", "cat and more", false},
		{"cat 0.5", "cat -", false},
	} {
		if got := (shown{output: c.shown}).promises(c.got); got != c.want {
			t.Errorf("%q promises %q: %v, want %v", c.shown, c.got, got, c.want)
		}
	}
}
