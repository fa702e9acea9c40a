package schedule

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// places are the cores that lanes stay on while the machine is crowded.
type places struct {
	crowded func() bool
	all     unix.CPUSet // of the process
	cores   []int
}

// newPlaces has nobody stay anywhere where there are more cores than lanes: then one
// is free that a thread can wake up on, and every server of the machine would choose
// the same ones.
func newPlaces(crowded func() bool, lanes int) places {
	p := places{crowded: crowded}
	if crowded == nil || unix.SchedGetaffinity(0, &p.all) != nil {
		p.crowded = func() bool { return false }
	}
	for core := range 64 * len(p.all) {
		if p.all.IsSet(core) {
			p.cores = append(p.cores, core)
		}
	}
	if len(p.cores) > lanes {
		p.crowded = func() bool { return false }
	}
	return p
}

// stay keeps the calling goroutine's thread on the lane's core, until leave is
// called. Where the system does not want that, it goes wherever it is let.
func (p *places) stay(lane int) (leave func()) {
	var one unix.CPUSet
	one.Set(p.cores[lane%len(p.cores)])
	runtime.LockOSThread() // Go makes no new threads of one that is locked: they would stay too
	if unix.SchedSetaffinity(0, &one) != nil {
		runtime.UnlockOSThread()
		return func() {}
	}
	return func() {
		if unix.SchedSetaffinity(0, &p.all) == nil {
			runtime.UnlockOSThread() // else the thread ends with its goroutine
		}
	}
}
