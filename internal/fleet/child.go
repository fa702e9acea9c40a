package fleet

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/goshawk-ai/goshawk/internal/infer/ort"
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
	cmd.Dir, cmd.Env = dir, childEnvironment()
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(input), stdout, stderr
	cmd.SysProcAttr = childAttributes()
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

// childEnvironment is made anew: the server's environment may hold secrets that
// a stranger's model must not be able to read.
func childEnvironment() []string {
	env := []string{"LANG=C", "ORT_DISABLE_TELEMETRY=1", "GOTRACEBACK=none"}
	for _, name := range []string{"LD_LIBRARY_PATH", "TMPDIR", ort.Variable} {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// restrict bounds this process; the child calls it before it touches the model.
// RLIMIT_DATA counts what can be written and is private, which is what a model
// eats; RLIMIT_AS would also count the address space that Go reserves and never
// uses. The budget comes on top of what the program already has.
func restrict(l Limits) error {
	used, err := writableMemory()
	if err != nil {
		return err
	}
	seconds := uint64(l.CPU.Round(time.Second) / time.Second)
	for _, r := range []struct {
		name       string
		resource   int
		soft, hard uint64
	}{
		{"memory", unix.RLIMIT_DATA, uint64(used + l.Memory), uint64(used + l.Memory)},
		{"processor time", unix.RLIMIT_CPU, seconds, seconds + 1},
		{"core size", unix.RLIMIT_CORE, 0, 0},
		{"file size", unix.RLIMIT_FSIZE, 0, 0},
	} {
		limit := &unix.Rlimit{Cur: r.soft, Max: r.hard}
		if err := unix.Setrlimit(r.resource, limit); err != nil {
			return fmt.Errorf("bound the check's %s: %w", r.name, err)
		}
	}
	return nil
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
