package ort

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func touch(t *testing.T, path string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestFindLooksInOrder(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	mine := touch(t, filepath.Join(dir, "mine.so"))
	other := touch(t, filepath.Join(dir, "other.so"))
	exe := touch(t, filepath.Join(dir, "bin", "goshawk"))
	above := touch(t, filepath.Join(dir, "lib", fileName()))
	check := func(why, explicit, variable, want string) {
		t.Helper()
		if got, err := find(explicit, variable, exe); got != want || err != nil {
			t.Errorf("%s: found %q, %v; want %q", why, got, err, want)
		}
	}
	check("lib beside the program's folder", "", "", above)
	beside := touch(t, filepath.Join(dir, "bin", "lib", fileName()))
	check("lib beside the program is nearer", "", "", beside)
	check("the variable wins over both", "", other, other)
	check("the setting wins over all", mine, other, mine)

	link := filepath.Join(t.TempDir(), "goshawk")
	if err := os.Symlink(exe, link); err != nil {
		t.Fatal(err)
	}
	if got, err := find("", "", link); got != beside || err != nil {
		t.Errorf("through a link to the program: %q, %v; want what lies beside the program itself", got, err)
	}
}

func TestFindSaysWhatToDo(t *testing.T) {
	dir := t.TempDir()
	there := touch(t, filepath.Join(dir, "other.so"))
	for _, c := range []struct{ why, explicit, variable, want string }{
		{"a named library that is missing is not replaced by another", filepath.Join(dir, "none.so"), there, "there is no such file"},
		{"the same for the variable", "", filepath.Join(dir, "none.so"), Variable},
		{"a directory", dir, "", "it is a directory"},
		{"a name under a file", filepath.Join(there, "x"), "", "not a directory"},
		{"nowhere", "", "", "make run"},
	} {
		_, err := find(c.explicit, c.variable, filepath.Join(dir, "bin", "goshawk"))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want a sentence with %q", c.why, err, c.want)
		}
		if errors.Is(err, ErrNoLibrary) != (c.why == "nowhere") {
			t.Errorf("%s: %v; only a library that is nowhere may be looked for inside the program", c.why, err)
		}
	}
}
