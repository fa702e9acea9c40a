//go:build cgo

package ort

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// threads gives what read says of every thread, as a set.
func threads(t *testing.T, read func(task string) (string, error)) map[string]bool {
	t.Helper()
	tasks, err := filepath.Glob("/proc/self/task/*")
	if err != nil || len(tasks) == 0 {
		t.Fatalf("no threads: %v", err)
	}
	found := make(map[string]bool)
	for _, task := range tasks {
		value, err := read(filepath.Base(task))
		if errors.Is(err, os.ErrNotExist) || errors.Is(err, unix.ESRCH) {
			continue // the thread has ended
		}
		if err != nil {
			t.Fatal(err)
		}
		found[value] = true
	}
	return found
}

func slack(task string) (string, error) {
	data, err := os.ReadFile(filepath.Join("/proc", task, "timerslack_ns"))
	return strings.TrimSpace(string(data)), err
}

func policy(task string) (string, error) {
	id, err := strconv.Atoi(task)
	if err != nil {
		return "", err
	}
	attr, err := unix.SchedGetAttr(id, 0)
	if err != nil {
		return "", err
	}
	return strconv.Itoa(int(attr.Policy)), nil
}

// TestEveryThreadLetsInferenceRun: the monitor thread, which the settings are
// for, is among the first that Go makes.
func TestEveryThreadLetsInferenceRun(t *testing.T) {
	wantSlack, wantPolicy := "20000000", strconv.Itoa(unix.SCHED_BATCH)
	if childOf() != "" {
		wantSlack, wantPolicy = "50000", strconv.Itoa(unix.SCHED_NORMAL)
	}
	if got := threads(t, slack); len(got) != 1 || !got[wantSlack] {
		t.Errorf("the threads' timer slacks are %v ns, want %s for all: a thread made before the setting keeps the old one", got, wantSlack)
	}
	if got := threads(t, policy); len(got) != 1 || !got[wantPolicy] {
		t.Errorf("the threads' scheduling policies are %v, want %s for all", got, wantPolicy)
	}
	if childOf() != "" {
		return
	}
	// A child has its parent thread's settings before it makes its own.
	runtime.LockOSThread() // never unlocked: the thread ends with the test
	if err := unix.Prctl(unix.PR_SET_TIMERSLACK, 50_000, 0, 0, 0); err != nil {
		t.Fatal(err)
	}
	if err := unix.SchedSetAttr(0, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_NORMAL}, 0); err != nil {
		t.Fatal(err)
	}
	if out, err := inChild(t, "off", "GOSHAWKTEST_SCHEDULING=off"); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestWhoServesTakesLargePages: the process replaces itself before Go begins, and is
// still called by its name.
func TestWhoServesTakesLargePages(t *testing.T) {
	if childOf() != "" {
		name, err := os.ReadFile("/proc/self/comm")
		if err != nil {
			t.Fatal(err)
		}
		fmt.Printf("tunables %q name %q\n", os.Getenv("GLIBC_TUNABLES"), strings.TrimSpace(string(name)))
		return
	}
	self := filepath.Base(os.Args[0])
	self = self[:min(len(self), 15)] // what the kernel keeps
	for _, c := range []struct {
		word, env, want string
	}{
		{"serve", "", "glibc.malloc.hugetlb=1"},
		{"worker", "", "glibc.malloc.hugetlb=1"},
		{"predict", "", ""},
		{"serve", "GOSHAWKTEST_SCHEDULING=off", ""},
		{"serve", "GLIBC_TUNABLES=glibc.malloc.hugetlb=0", "glibc.malloc.hugetlb=0"},
	} {
		cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", c.word)
		ours := slices.DeleteFunc(os.Environ(), func(v string) bool {
			return strings.HasPrefix(v, "GLIBC_TUNABLES=") || strings.HasPrefix(v, "GOSHAWKTEST_SCHEDULING=")
		})
		cmd.Env = slices.Concat(ours, []string{"GOSHAWKTEST_CHILD=pages"})
		if c.env != "" {
			cmd.Env = append(cmd.Env, c.env)
		}
		out, err := cmd.CombinedOutput()
		want := fmt.Sprintf("tunables %q name %q\n", c.want, self)
		if err != nil || !strings.HasPrefix(string(out), want) {
			t.Errorf("%s with %q: %v\n%swant %s", c.word, c.env, err, out, want)
		}
	}
}
