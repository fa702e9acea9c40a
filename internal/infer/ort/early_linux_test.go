//go:build cgo

package ort

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// slack gives the timer slack of every thread, in nanoseconds, as a set.
func slack(t *testing.T) map[string]bool {
	t.Helper()
	tasks, err := filepath.Glob("/proc/self/task/*")
	if err != nil || len(tasks) == 0 {
		t.Fatalf("no threads: %v", err)
	}
	found := make(map[string]bool)
	for _, task := range tasks {
		data, err := os.ReadFile(filepath.Join("/proc", filepath.Base(task), "timerslack_ns"))
		if os.IsNotExist(err) {
			continue // the thread has ended
		}
		if err != nil {
			t.Fatal(err)
		}
		found[strings.TrimSpace(string(data))] = true
	}
	return found
}

// TestTimerSlackHoldsForEveryThread: the monitor thread, which it is for, is
// among the first that Go makes.
func TestTimerSlackHoldsForEveryThread(t *testing.T) {
	if childOf() != "" {
		if got := slack(t); len(got) != 1 || !got["50000"] {
			t.Errorf("with GOSHAWK_TIMER_SLACK=off the threads have %v ns, want the 50000 that the parent had", got)
		}
		return
	}
	if got := slack(t); len(got) != 1 || !got["2000000"] {
		t.Errorf("the threads' timer slacks are %v ns, want 2000000 for all: a thread made before the setting keeps the old one", got)
	}
	// A child has its parent thread's slack before it sets its own.
	runtime.LockOSThread() // never unlocked: the thread ends with the test
	if err := unix.Prctl(unix.PR_SET_TIMERSLACK, 50_000, 0, 0, 0); err != nil {
		t.Fatal(err)
	}
	if out, err := inChild(t, "off", "GOSHAWK_TIMER_SLACK=off"); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
