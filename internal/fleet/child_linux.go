package fleet

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
)

func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// writableMemory is what RLIMIT_DATA already counts of this process, in bytes.
func writableMemory() (int64, error) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, fmt.Errorf("read this process's size: %w", err)
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmData:"); ok {
			kb, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			return kb << 10, err
		}
	}
	return 0, fmt.Errorf("read this process's size: no VmData in its status")
}

// cpuModel names the processor; results differ between processors in the last bits.
func cpuModel() string {
	info, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return ""
	}
	var parts []string
	for line := range strings.Lines(string(info)) {
		key, value, ok := strings.Cut(line, ":")
		switch strings.TrimSpace(key) {
		case "vendor_id", "cpu family", "model", "model name", "stepping", "CPU implementer", "CPU part", "CPU variant":
			parts = append(parts, strings.TrimSpace(value))
		}
		if !ok && len(parts) > 0 {
			break // one processor's block is enough: they are alike
		}
	}
	return strings.Join(parts, " ")
}
