package calibrate

import (
	"context"
	"errors"
	"os"
	"strconv"
	"strings"
	"time"
)

// Busy is the part of the machine's processors that somebody uses, over a fifth of
// a second: 0 to 1.
func Busy(ctx context.Context) (float64, error) {
	before, err := processorTime()
	if err != nil {
		return 0, err
	}
	wait := time.NewTimer(200 * time.Millisecond)
	defer wait.Stop()
	select {
	case <-wait.C:
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
	after, err := processorTime()
	if err != nil {
		return 0, err
	}
	if after.all <= before.all {
		return 0, nil
	}
	return 1 - float64(after.idle-before.idle)/float64(after.all-before.all), nil
}

// spent is processor time since the machine began, in the kernel's ticks.
type spent struct{ idle, all int64 }

func processorTime() (spent, error) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return spent{}, err
	}
	return readStat(string(text))
}

// readStat reads the line of all processors: user, nice, system, idle, iowait,
// irq, softirq, steal, and guests, who are counted in user already (proc_stat(5)).
func readStat(text string) (s spent, err error) {
	line, _, _ := strings.Cut(text, "\n")
	fields := strings.Fields(line)
	if len(fields) < 5 || fields[0] != "cpu" {
		return s, errors.New("/proc/stat does not begin with the time of all processors")
	}
	for i, f := range fields[1:min(len(fields), 9)] {
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return s, err
		}
		s.all += n
		if i == 3 || i == 4 {
			s.idle += n
		}
	}
	return s, nil
}
