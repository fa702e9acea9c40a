package fleet

import (
	"bufio"
	"bytes"
	"io/fs"
	"math"
	"os"
	"path"
	"strconv"
	"strings"
)

// MachineMemory is the memory that this process may use, in bytes: the least of
// the machine's and what its cgroup and those above that allow. It is 0 where
// none of them can be read.
func MachineMemory() int64 { return memoryOf(os.DirFS("/")) }

func memoryOf(root fs.FS) int64 {
	least := int64(math.MaxInt64)
	for _, n := range append(groupLimits(root), totalMemory(root)) {
		if n > 0 {
			least = min(least, n)
		}
	}
	if least == math.MaxInt64 {
		return 0
	}
	return least
}

// totalMemory is the machine's: proc_meminfo(5).
func totalMemory(root fs.FS) int64 {
	text, err := fs.ReadFile(root, "proc/meminfo")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "MemTotal:"); ok {
			kb, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			return kb << 10
		}
	}
	return 0
}

// groupLimits are the bounds of the process's cgroup and of those above it, of
// version 1 (memory.limit_in_bytes) or 2 (memory.max). Where the hierarchy is
// mounted is told by proc_pid_mountinfo(5), the place in it by cgroups(7).
func groupLimits(root fs.FS) (limits []int64) {
	mounts, err := fs.ReadFile(root, "proc/self/mountinfo")
	if err != nil {
		return nil
	}
	groups, err := fs.ReadFile(root, "proc/self/cgroup")
	if err != nil {
		return nil
	}
	for s := bufio.NewScanner(bytes.NewReader(mounts)); s.Scan(); {
		before, after, _ := strings.Cut(s.Text(), " - ")
		where, kind := strings.Fields(before), strings.Fields(after)
		if len(where) < 5 || len(kind) < 3 {
			continue
		}
		var file string
		switch {
		case kind[0] == "cgroup2":
			file = "memory.max"
		case kind[0] == "cgroup" && hasWord(kind[2], "memory"):
			file = "memory.limit_in_bytes"
		default:
			continue
		}
		mount := strings.TrimPrefix(where[4], "/")
		// What is mounted may be a part of the hierarchy: a container's own group.
		dir := strings.TrimPrefix(placeIn(groups, kind[0] == "cgroup"), strings.TrimSuffix(where[3], "/"))
		for dir = path.Join("/", dir); ; dir = path.Dir(dir) {
			text, err := fs.ReadFile(root, path.Join(mount, dir, file))
			if n, bad := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64); err == nil && bad == nil {
				limits = append(limits, n) // "max" is no number, and no bound
			}
			if dir == "/" {
				break
			}
		}
	}
	return limits
}

// placeIn is the process's group in the hierarchy that bounds memory.
func placeIn(groups []byte, v1 bool) string {
	for line := range strings.Lines(string(groups)) {
		field := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 3)
		if len(field) == 3 && (v1 && hasWord(field[1], "memory") || !v1 && field[0] == "0") {
			return field[2]
		}
	}
	return "/"
}

func hasWord(list, word string) bool {
	for w := range strings.SplitSeq(list, ",") {
		if w == word {
			return true
		}
	}
	return false
}
