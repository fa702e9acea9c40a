package fleet

import (
	"os"
	"strings"
)

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
