package registry

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/goshawk-ai/goshawk/internal/fleet"
	"github.com/goshawk-ai/goshawk/internal/problem"
)

var errCrash = errors.New("the process died here")

// crashAt fails every step from the n-th on: nothing is tidied up after a crash.
func crashAt(n int) (fault func(string) error, steps *[]string) {
	steps = new([]string)
	return func(step string) error {
		*steps = append(*steps, step)
		if len(*steps) >= n {
			return errCrash
		}
		return nil
	}, steps
}

// TestACrashLeavesTheOldStateOrTheNew ends the process before every single step
// of every change, and opens the directory again.
func TestACrashLeavesTheOldStateOrTheNew(t *testing.T) {
	t.Parallel()
	prepare := func(r *Registry) (one, two fleet.Version) {
		return add(t, r, pack("cats", "one"), AddOptions{}), add(t, r, pack("cats", "two"), AddOptions{NoAlias: true})
	}
	for name, change := range map[string]func(r *Registry, one, two fleet.Version) error{
		"add": func(r *Registry, _, _ fleet.Version) error {
			_, err := r.Add(t.Context(), pack("dogs", "one").Write(t), AddOptions{})
			return err
		},
		"alias": func(r *Registry, _, two fleet.Version) error {
			_, err := r.Alias("cats@"+two.Digest, "default")
			return err
		},
		"remove": func(r *Registry, _, two fleet.Version) error {
			_, err := r.Remove("cats@" + two.Digest)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for n := 1; ; n++ {
				dir := t.TempDir()
				r := open(t, dir)
				one, two := prepare(r)
				before := listing(r.Versions())
				fault, steps := crashAt(n)
				r.disk.fault = fault
				err := change(r, one, two)
				_ = unlock(r.lock) // what the kernel does for a dead process

				again := open(t, dir)
				after := listing(again.Versions())
				if err == nil {
					if after == before || len(*steps) >= n {
						t.Fatalf("the change was reported as done: %v, and the directory says\n%s", *steps, after)
					}
					if n < 3 {
						t.Fatalf("only %d steps were tried: the faults do not reach the disk", n)
					}
					return
				}
				if after != before && !strings.HasPrefix((*steps)[n-1], "sync folder") {
					t.Errorf("a crash before %q left\n%s\nwant the state before\n%s", (*steps)[n-1], after, before)
				}
				consistent(t, again)
				again.Close()
			}
		})
	}
}

// consistent holds the directory against what the registry says: every version
// opens, and nothing else lies about.
func consistent(t *testing.T, r *Registry) {
	t.Helper()
	want := map[string]bool{}
	for _, v := range r.Versions() {
		if _, err := r.Open(t.Context(), v.Digest); err != nil {
			t.Errorf("%s@%s does not open: %v", v.Name, short(v.Digest), err)
		}
		want[filepath.Base(packagePath(r.dir, v.Digest))] = true
	}
	entries, err := os.ReadDir(filepath.Join(r.dir, packagesDir))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !want[e.Name()] {
			t.Errorf("packages/%s is left over: it would take its room for ever", e.Name())
		}
	}
	if left, _ := filepath.Glob(filepath.Join(r.dir, tmpDir, "*")); len(left) != 0 {
		t.Errorf("%v is left in tmp", left)
	}
}

func TestAFullDiskIsSaidAndChangesNothing(t *testing.T) {
	t.Parallel()
	for _, at := range []string{"seal package", "rename package", "create registry.json", "rename registry.json"} {
		t.Run(at, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			r := open(t, dir)
			add(t, r, pack("cats", "one"), AddOptions{})
			before := listing(r.Versions())
			r.disk.fault = func(step string) error {
				if step == at {
					return &os.PathError{Op: "write", Path: dir, Err: syscall.ENOSPC}
				}
				return nil
			}
			_, err := r.Add(t.Context(), pack("dogs", "one").Write(t), AddOptions{})
			if !errors.Is(err, problem.StorageFull) || !strings.Contains(err.Error(), dir) {
				t.Errorf("Add = %v; want storage-full, naming the directory", err)
			}
			if got := listing(r.Versions()); got != before {
				t.Errorf("the list is now\n%s\nwant it unchanged\n%s", got, before)
			}
			consistent(t, r)
			r.disk.fault = nil
			add(t, r, pack("dogs", "one"), AddOptions{}) // and once there is room it works
		})
	}
}

func TestLeftoversOfDeadProcessesAreRemoved(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	open(t, dir).Close()
	dead, err := newStage(dir)
	if err != nil {
		t.Fatal(err)
	}
	write(t, dead.path(bundleDir, "half.onnx"), "x")
	_ = unlock(dead.lock) // its process died
	alive, err := newStage(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := alive.close(); err != nil {
			t.Error(err)
		}
	}()
	orphan := filepath.Join(dir, packagesDir, "sha256-"+strings.Repeat("0", 64))
	if err := os.MkdirAll(orphan, 0o555); err != nil { //nolint:gosec // as a sealed package is
		t.Fatal(err)
	}
	open(t, dir)
	for path, want := range map[string]bool{dead.dir: false, alive.dir: true, orphan: false} {
		if _, err := os.Stat(path); (err == nil) != want {
			t.Errorf("%s is there: %v, want %v", filepath.Base(path), err == nil, want)
		}
	}
}
