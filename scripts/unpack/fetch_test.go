package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const library = "libonnxruntime.so.1.30.0"

// fetch runs fetch-runtime.sh where only the named tools, and programs of the
// test's own (name to script), are on the PATH.
func fetch(t *testing.T, dest string, tools string, own map[string]string, environment ...string) (said string, ok bool) {
	t.Helper()
	bin := t.TempDir()
	for _, tool := range strings.Fields(tools) {
		path, err := exec.LookPath(tool)
		if err != nil {
			t.Fatalf("the test needs %s: %v", tool, err)
		}
		if err := os.Symlink(path, filepath.Join(bin, tool)); err != nil {
			t.Fatal(err)
		}
	}
	for name, script := range own {
		if err := os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\n"+script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("/bin/sh", filepath.Join("..", "fetch-runtime.sh"), dest)
	cmd.Env = append([]string{"PATH=" + bin, "HOME=" + t.TempDir()}, environment...)
	out, err := cmd.CombinedOutput()
	return string(out), err == nil
}

const tools = "uname cut sha256sum mkdir mktemp rm mv chmod grep tail find tar dirname cat"

func empty(t *testing.T, dir string) {
	t.Helper()
	left, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(left) != 0 {
		t.Errorf("%v is left in the directory: a failed fetch must leave nothing", left)
	}
}

func TestFetchNamesWhatIsMissing(t *testing.T) {
	dest := t.TempDir()
	said, ok := fetch(t, dest, tools, nil)
	if ok || strings.Count(said, "\n") != 1 || !strings.Contains(said, "pip is not installed; npm is not installed") {
		t.Fatalf("without pip and npm it said %q (success %v), want one sentence that names both", said, ok)
	}
	empty(t, dest)
}

func TestFetchRefusesAnotherDigest(t *testing.T) {
	dest := t.TempDir()
	pip := `[ "$1" = --version ] && exit 0
while [ $# -gt 0 ]; do [ "$1" = --dest ] && to=$2; shift; done
mkdir -p "$to" && echo other > "$to/onnxruntime.whl"`
	said, ok := fetch(t, dest, tools, map[string]string{"pip": pip})
	if ok || !strings.Contains(said, "23.6 MB") && !strings.Contains(said, "21.3 MB") || !strings.Contains(said, "not the pinned") {
		t.Fatalf("with another wheel it said %q (success %v), want the size first and then that the digest differs", said, ok)
	}
	empty(t, dest)
}

func TestFetchTellsWhyTheNetworkFailed(t *testing.T) {
	dest := t.TempDir()
	pip := `[ "$1" = --version ] && exit 0
echo "ERROR: Network is unreachable" >&2; exit 1`
	npm := `echo "npm error network getaddrinfo failed" >&2; exit 1`
	said, ok := fetch(t, dest, tools, map[string]string{"pip3": pip, "npm": npm})
	lines := strings.Split(strings.TrimSpace(said), "\n")
	last := lines[len(lines)-1]
	if ok || !strings.Contains(last, "Network is unreachable") || !strings.Contains(last, "getaddrinfo failed") {
		t.Fatalf("without a network it said %q (success %v), want a last sentence with both reasons", said, ok)
	}
	empty(t, dest)
}

func TestFetchDoesNothingTheSecondTime(t *testing.T) {
	have, err := filepath.Abs(filepath.Join("..", "..", "lib", library))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(have); err != nil {
		t.Fatalf("%v ('make lib' fetches it)", err)
	}
	dest := t.TempDir()
	if err := os.Symlink(have, filepath.Join(dest, library)); err != nil {
		t.Fatal(err)
	}
	if said, ok := fetch(t, dest, "uname cut sha256sum", nil); !ok || said != "" {
		t.Fatalf("with the library there it said %q (success %v), want nothing at all", said, ok)
	}
}

func TestFetchReplacesAWrongLibrary(t *testing.T) {
	dest := t.TempDir()
	if err := os.WriteFile(filepath.Join(dest, library), []byte("damaged"), 0o644); err != nil {
		t.Fatal(err)
	}
	said, ok := fetch(t, dest, tools, nil)
	if ok || !strings.Contains(said, "is not the pinned one and will be replaced") {
		t.Fatalf("over a damaged library it said %q (success %v), want that it is to be replaced", said, ok)
	}
}

func TestALibraryOfTheUsersOwnWins(t *testing.T) {
	dest, mine := t.TempDir(), filepath.Join(t.TempDir(), "mine.so")
	if err := os.WriteFile(mine, []byte("a build of one's own"), 0o644); err != nil {
		t.Fatal(err)
	}
	if said, ok := fetch(t, dest, tools, nil, "GOSHAWK_ONNXRUNTIME_LIBRARY="+mine); !ok || said != "" {
		t.Errorf("without pip and npm, but with a library of one's own, it said %q (success %v), want nothing: that is the way out which its refusals name", said, ok)
	}
	empty(t, dest)
	said, ok := fetch(t, dest, tools, nil, "GOSHAWK_ONNXRUNTIME_LIBRARY="+mine+"x")
	if ok || !strings.Contains(said, "mine.sox, and there is no such file") {
		t.Errorf("with a wrong path it said %q (success %v), want that nothing is there", said, ok)
	}
}
