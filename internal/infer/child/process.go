package child

import (
	"bytes"
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/goshawk-ai/goshawk/internal/wording"
)

// process is a child that runs.
type process struct {
	greeting greeting
	conns    []net.Conn // ours, handed over to the backend that dials
	stdin    io.Closer
	pid      int
	done     chan struct{} // closed when it has ended and its words were read
	why      string        // valid when done
}

// start starts the program, sends the request and the model and waits for the
// greeting. The child lives until its stdin is closed or it is killed.
func start(ctx context.Context, program []string, r request, model []byte, log *slog.Logger) (*process, error) {
	p := &process{done: make(chan struct{})}
	files, err := p.files(r.Connections)
	if err != nil {
		return nil, err
	}
	defer closeAll(files.theirs)
	begun := make(chan error, 1)
	go p.live(program, files, log, begun)
	if err := <-begun; err != nil {
		<-p.done
		p.close()
		return nil, fmt.Errorf("start a process for the model: %w", err)
	}
	closeAll(files.theirs) // so that the child's end is the only one
	if err := p.meet(ctx, files, r, model); err != nil {
		p.end(0)
		return nil, err
	}
	return p, nil
}

// files are what a child is given, and our ends of it.
type files struct {
	theirs  []*os.File // stdin, greeting, connections
	stdin   *os.File
	welcome *os.File
}

func (p *process) files(connections int) (f files, err error) {
	defer func() {
		if err != nil {
			closeAll(f.theirs)
			p.close()
		}
	}()
	theirIn, ourIn, err := os.Pipe()
	if err != nil {
		return f, err
	}
	f.theirs, f.stdin, p.stdin = append(f.theirs, theirIn), ourIn, ourIn
	ours, theirs, err := os.Pipe()
	if err != nil {
		return f, err
	}
	f.theirs, f.welcome = append(f.theirs, theirs), ours
	for range connections {
		conn, end, err := sockets()
		if err != nil {
			return f, err
		}
		f.theirs, p.conns = append(f.theirs, end), append(p.conns, conn)
	}
	return f, nil
}

func closeAll(files []*os.File) {
	for _, f := range files {
		_ = f.Close()
	}
}

// live is the child's life. It has a thread of its own: the kernel sends the
// death signal when the thread that started the child ends, not the process.
func (p *process) live(program []string, f files, log *slog.Logger, begun chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer close(p.done)
	cmd := exec.CommandContext(context.Background(), program[0], program[1:]...)
	words := &words{log: log}
	cmd.Dir, cmd.Env, cmd.SysProcAttr = "/", Environment(), Attributes()
	cmd.Stdin, cmd.Stdout, cmd.Stderr = f.theirs[0], words, words
	cmd.ExtraFiles = f.theirs[1:]
	cmd.WaitDelay = 2 * time.Second // a grandchild that left the group could hold the pipe open
	err := cmd.Start()
	if err != nil {
		begun <- err
		return
	}
	p.pid = cmd.Process.Pid
	begun <- nil
	_ = cmd.Wait() // the state says how it ended
	p.why = cause(cmd.ProcessState, words.first())
}

// meet hands the child its work and waits until it greets.
func (p *process) meet(ctx context.Context, f files, r request, model []byte) error {
	defer f.welcome.Close()
	// Deadlines end what a child does not read, and a greeting that does not come.
	stop := context.AfterFunc(ctx, func() {
		_ = f.stdin.SetWriteDeadline(time.Now())
		_ = f.welcome.SetReadDeadline(time.Now())
	})
	defer stop()
	r.Model = len(model)
	err := gob.NewEncoder(f.stdin).Encode(r)
	if err == nil {
		_, err = f.stdin.Write(model)
	}
	if read := gob.NewDecoder(f.welcome).Decode(&p.greeting); read != nil {
		err = errors.Join(err, read)
	} else {
		err = nil // it spoke before it had read everything: what it says counts
	}
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil:
		p.end(time.Second)
		return fmt.Errorf("the process for the model ended while it loaded it: %s", p.why)
	case p.greeting.Refused != nil:
		return p.greeting.Refused
	case p.greeting.Failed != "":
		return fmt.Errorf("the process for the model could not begin: %s", wording.Cut(p.greeting.Failed))
	}
	return nil
}

// end asks the child to end, waits for grace and kills it then.
func (p *process) end(grace time.Duration) {
	p.close()
	kill := time.AfterFunc(grace, func() { _ = syscall.Kill(-p.pid, syscall.SIGKILL) })
	defer kill.Stop()
	<-p.done
}

// close closes our ends.
func (p *process) close() {
	if p.stdin != nil {
		_ = p.stdin.Close()
	}
	for _, c := range p.conns {
		_ = c.Close()
	}
}

// cause says in a few words what a process ended by.
func cause(state *os.ProcessState, stderr []byte) string {
	signal := ""
	if state == nil {
		return "it could not be started"
	}
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		signal = unix.SignalName(status.Signal())
	}
	if signal == "" {
		signal = SignalIn(stderr)
	}
	switch {
	case bytes.Contains(stderr, []byte(stuckWords)):
		return stuckWords
	case StarvedIn(stderr):
		return "it got no more memory"
	case signal == "SIGFPE":
		return "SIGFPE: an integer division by zero, or of the smallest number by -1"
	case signal == "SIGKILL":
		return "SIGKILL: somebody killed it, or the system did for want of memory"
	case signal != "":
		return signal
	}
	return state.String()
}

// words is what a child writes: its first bytes are kept, since a crash says its
// reason first, and go to the log line by line; the rest is dropped.
type words struct {
	log *slog.Logger

	mu   sync.Mutex
	kept []byte
	line []byte
}

const maxWords = 16 << 10

func (w *words) Write(data []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	part := data[:min(len(data), maxWords-len(w.kept))]
	w.kept = append(w.kept, part...)
	w.line = append(w.line, part...)
	for {
		line, rest, found := bytes.Cut(w.line, []byte("\n"))
		if !found {
			return len(data), nil
		}
		if text := wording.Cut(string(line)); text != "" {
			w.log.Warn("a model's process says", "text", text)
		}
		w.line = rest
	}
}

func (w *words) first() []byte {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.kept
}
