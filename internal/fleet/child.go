package fleet

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/goshawk-ai/goshawk/internal/infer/child"
)

// What is kept of a child's outputs; the rest is read and dropped, so that it
// can neither fill our memory nor be stopped by a full pipe.
const (
	maxStdout = 1 << 20
	maxStderr = 64 << 10
)

var errLate = errors.New("the check's time is over")

// runChild runs the program in dir until it ends or its time is over. The child
// gets a process group of its own, which is killed as a whole, no terminal and
// nothing of our environment but what the dynamic linker needs.
func runChild(ctx context.Context, program []string, dir string, input []byte, wall time.Duration) (*outcome, error) {
	// The kernel sends the death signal when the thread that started the child
	// ends, not the process: the thread must be ours until the child is gone.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()

	timed, cancel := context.WithTimeoutCause(ctx, wall, errLate)
	defer cancel()
	cmd := exec.CommandContext(timed, program[0], program[1:]...)
	stdout, stderr := &firstBytes{limit: maxStdout}, &firstBytes{limit: maxStderr}
	cmd.Dir, cmd.Env = dir, child.Environment()
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(input), stdout, stderr
	cmd.SysProcAttr = child.Attributes()
	cmd.Cancel = func() error {
		err := syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		if errors.Is(err, syscall.ESRCH) {
			return os.ErrProcessDone
		}
		return err
	}
	// A grandchild that left the group could hold the pipes open for ever.
	cmd.WaitDelay = 2 * time.Second
	err := cmd.Run()
	if cmd.ProcessState == nil {
		return nil, err
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	out := &outcome{
		exit:   cmd.ProcessState.String(),
		late:   errors.Is(context.Cause(timed), errLate) && !cmd.ProcessState.Success(),
		stderr: stderr.data,
		cpu:    cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(),
	}
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		out.signal = unix.SignalName(status.Signal())
	}
	out.readMessages(stdout.data)
	return out, nil
}

// firstBytes keeps the first bytes written to it: a crash says its reason first.
type firstBytes struct {
	data  []byte
	limit int
}

func (b *firstBytes) Write(p []byte) (int, error) {
	b.data = append(b.data, p[:min(len(p), b.limit-len(b.data))]...)
	return len(p), nil
}
