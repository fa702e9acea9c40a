package child

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// Attributes give a child a group of its own, which can be killed as a whole, and
// let the kernel kill it when the thread that started it ends.
func Attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// writableMemory is what RLIMIT_DATA already counts of this process, in bytes.
func writableMemory() (int64, error) { return status("self", "VmData") }

// ownMemory is what a process has written and no other shares, in bytes.
func ownMemory(pid int) (int64, error) { return status(strconv.Itoa(pid), "RssAnon") }

// status reads a size of a process, in bytes.
func status(process, field string) (int64, error) {
	text, err := os.ReadFile("/proc/" + process + "/status")
	if err != nil {
		return 0, fmt.Errorf("read a process's size: %w", err)
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, field+":"); ok {
			kb, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			return kb << 10, err
		}
	}
	return 0, fmt.Errorf("read a process's size: no %s in its status", field)
}
