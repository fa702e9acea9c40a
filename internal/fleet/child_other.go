//go:build !linux

package fleet

import (
	"runtime"
	"syscall"
)

func childAttributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// writableMemory is unknown here: the bound then counts the program as well.
func writableMemory() (int64, error) { return 0, nil }

func cpuModel() string { return runtime.GOARCH }
