package schedule

import (
	"bufio"
	"bytes"
	"io/fs"
	"math"
	"os"
	"path"
	"runtime"
	"strconv"
	"strings"
)

// Cores is how many pictures are computed at a time unless somebody says it
// otherwise: GOMAXPROCS, which Go takes from the cgroup's CPU quota. But Go never
// goes below 2 by itself, and two inferences that share the quota of one core
// stop each other: so a smaller quota is read here. GOMAXPROCS in the
// environment is somebody's word and holds.
func Cores() int {
	n := runtime.GOMAXPROCS(0)
	if n != 2 || os.Getenv("GOMAXPROCS") != "" {
		return n
	}
	return within(n, quota(os.DirFS("/")))
}

// within bounds n by a quota. The quota may be +Inf, which is no int.
func within(n int, quota float64) int {
	if quota >= float64(n) {
		return n
	}
	return max(1, int(math.Ceil(quota)))
}

// quota gives the cores that the process's cgroup may use, +Inf without a bound
// or where none can be read. Version 1 (cpu.cfs_quota_us) and 2 (cpu.max) of
// cgroups are told by the mounts: proc_pid_mountinfo(5), cgroups(7).
func quota(root fs.FS) float64 {
	mounts, err := fs.ReadFile(root, "proc/self/mountinfo")
	if err != nil {
		return math.Inf(1)
	}
	groups, err := fs.ReadFile(root, "proc/self/cgroup")
	if err != nil {
		return math.Inf(1)
	}
	for s := bufio.NewScanner(bytes.NewReader(mounts)); s.Scan(); {
		before, after, _ := strings.Cut(s.Text(), " - ")
		where, kind := strings.Fields(before), strings.Fields(after)
		if len(where) < 5 || len(kind) < 3 {
			continue
		}
		v1 := kind[0] == "cgroup" && listed(kind[2], "cpu")
		if !v1 && kind[0] != "cgroup2" {
			continue
		}
		group, ok := groupOf(groups, v1)
		if !ok {
			continue
		}
		dir := strings.TrimPrefix(path.Join(where[4], strings.TrimPrefix(group, strings.TrimSuffix(where[3], "/"))), "/")
		if cores, ok := bound(root, dir, v1); ok {
			return cores
		}
	}
	return math.Inf(1)
}

// groupOf finds the process's place in the hierarchy that counts CPU time.
func groupOf(groups []byte, v1 bool) (string, bool) {
	for line := range strings.Lines(string(groups)) {
		field := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 3)
		if len(field) == 3 && (v1 && listed(field[1], "cpu") || !v1 && field[0] == "0") {
			return field[2], true
		}
	}
	return "", false
}

func listed(list, name string) bool {
	for item := range strings.SplitSeq(list, ",") {
		if item == name {
			return true
		}
	}
	return false
}

// bound reads a group's quota and period.
func bound(root fs.FS, dir string, v1 bool) (float64, bool) {
	text := func(name string) string {
		data, _ := fs.ReadFile(root, path.Join(dir, name))
		return strings.TrimSpace(string(data))
	}
	share, period, _ := strings.Cut(text("cpu.max"), " ")
	if v1 {
		share, period = text("cpu.cfs_quota_us"), text("cpu.cfs_period_us")
	}
	a, err := strconv.ParseFloat(share, 64)
	b, err2 := strconv.ParseFloat(period, 64)
	if err != nil || err2 != nil || a <= 0 || b <= 0 {
		return 0, false // "max" and -1: no bound
	}
	return a / b, true
}
