// Package checkout finds what tests need of the repository that they run in, and
// what lies beside it.
package checkout

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// Find is the repository's top folder: the nearest one above with a go.mod.
func Find() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		above := filepath.Dir(dir)
		if above == dir {
			return "", errors.New("there is no go.mod above the working directory")
		}
		dir = above
	}
}

// Root is Find for a test, which fails where there is none.
func Root(t testing.TB) string {
	t.Helper()
	dir, err := Find()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// Shared is a place in the folder of test data beside the repository;
// GOSHAWKTEST_SHARED names another folder.
func Shared(t testing.TB, parts ...string) string {
	t.Helper()
	dir := os.Getenv("GOSHAWKTEST_SHARED")
	if dir == "" {
		dir = filepath.Join(filepath.Dir(Root(t)), "shared")
	}
	path := filepath.Join(append([]string{dir}, parts...)...)
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("this test needs the shared data: %v", err)
	}
	return path
}
