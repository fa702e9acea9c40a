//go:build !linux

package fleet

import "runtime"

func cpuModel() string { return runtime.GOARCH }
