package calibrate

import (
	"fmt"
	"time"
)

// Setting is one way to run a model.
type Setting struct {
	Threads   int           // inside one run
	Instances int           // runs at a time
	Batch     int           // rows that a run holds at most
	Delay     time.Duration // how long a run waits for more rows at most
}

// Default is what a model starts with of which nothing is known: one thread a run
// and a run a core is what a CPU does most with, and it promises nobody a batch.
func Default(cores int) Setting { return Setting{Threads: 1, Instances: max(1, cores), Batch: 1} }

// String is the setting in words: "1 thread x 2 instances, batch 4, delay 3ms".
func (s Setting) String() string {
	text := fmt.Sprintf("%s x %s, batch %d", counted(s.Threads, "thread"), counted(s.Instances, "instance"), s.Batch)
	if s.Delay > 0 {
		text += ", delay " + s.Delay.String()
	}
	return text
}

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// Fixed are the settings that somebody has made by hand, which win, one by one;
// zero leaves a setting to the calibration.
type Fixed struct {
	Threads, Instances, Batch int
	Delay                     time.Duration
}

// over puts the fixed settings over others.
func (f Fixed) over(s Setting) Setting {
	if f.Threads > 0 {
		s.Threads = f.Threads
	}
	if f.Instances > 0 {
		s.Instances = f.Instances
	}
	if f.Batch > 0 {
		s.Batch = f.Batch
	}
	if f.Delay > 0 {
		s.Delay = f.Delay
	}
	return s
}

// keys names the fixed settings as goshawk.yaml does.
func (f Fixed) keys() (list []string) {
	for _, k := range []struct {
		name string
		set  bool
	}{{"threads", f.Threads > 0}, {"instances", f.Instances > 0}, {"max_batch_size", f.Batch > 0}, {"max_delay", f.Delay > 0}} {
		if k.set {
			list = append(list, k.name)
		}
	}
	return list
}

// Space is what may be chosen from, and for what.
type Space struct {
	Cores     int           // that the model may use
	MaxBatch  int           // rows that the model takes in one run; 1 for one that takes no batch
	Fixed     Fixed         // by hand
	Objective time.Duration // p99 of a request; 0 is none
}

func (s Space) filled() Space {
	s.Cores, s.MaxBatch = max(1, s.Cores), max(1, s.MaxBatch)
	if s.Fixed.Batch > s.MaxBatch {
		s.Fixed.Batch = s.MaxBatch
	}
	return s
}

// clip makes a setting one of the space: what it may not choose is as it is fixed.
func (s Space) clip(x Setting) Setting {
	x = s.Fixed.over(x)
	x.Threads, x.Instances = max(1, x.Threads), max(1, x.Instances)
	x.Batch = min(max(1, x.Batch), s.MaxBatch)
	return x
}
