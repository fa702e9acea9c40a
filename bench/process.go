package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// process is a child that prints a line of the form "PREFIX VALUE" when it is ready.
type process struct {
	cmd   *exec.Cmd
	stdin io.WriteCloser
	lines *bufio.Reader
}

func start(ctx context.Context, path string, args ...string) (*process, error) {
	return startWith(ctx, os.Stderr, served, path, args...)
}

// What a child finds in its environment.
var (
	served = []string{scheduling + "="}                                          // what it finds outside of here
	plain  = []string{scheduling + "=off"}                                       // the defaults of kernel and C library
	tuned  = []string{scheduling + "=", "GLIBC_TUNABLES=glibc.malloc.hugetlb=1"} // what a server makes of them
)

func startWith(ctx context.Context, stderr *os.File, env []string, path string, args ...string) (*process, error) {
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Stderr = stderr
	cmd.Env = append(os.Environ(), env...)
	cmd.SysProcAttr = attributes()
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", path, err)
	}
	return &process{cmd, in, bufio.NewReader(out)}, nil
}

// expect reads lines until one begins with prefix and gives the rest of it.
func (p *process) expect(prefix string) (string, error) {
	for {
		line, err := p.lines.ReadString('\n')
		if rest, ok := strings.CutPrefix(strings.TrimSpace(line), prefix); ok {
			return strings.TrimSpace(rest), nil
		}
		if err != nil {
			return "", fmt.Errorf("the child ended before it printed %q: %w", prefix, err)
		}
	}
}

// stop ends the child and waits for it.
func (p *process) stop() error {
	_ = p.stdin.Close()
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	kill := time.AfterFunc(10*time.Second, func() { _ = p.cmd.Process.Kill() })
	defer kill.Stop()
	return p.cmd.Wait()
}

// cpu is the user and system time of the whole process, to the nanosecond:
// the clock that clock_getcpuclockid(3) names.
func (p *process) cpu() (time.Duration, error) { return cpuOf(p.cmd.Process.Pid) }

// memory reads a field of /proc/PID/FILE in bytes: Pss of smaps_rollup, VmHWM of status.
func (p *process) memory(file, field string) (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", p.cmd.Process.Pid, file))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, field+":"); ok {
			kb, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 10, 64)
			return kb << 10, err
		}
	}
	return 0, fmt.Errorf("no %s in %s", field, file)
}
