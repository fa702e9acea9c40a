// Package running starts the real program for tests: bin/goshawk with a data
// directory of its own on free ports, stopped when the test ends. It is the
// same binary that make build leaves, so run that first.
package running

import (
	"bufio"
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/goshawk-ai/goshawk/test/checkout"
)

// Server is a running goshawk.
type Server struct {
	URL   string // http://127.0.0.1:PORT
	GRPC  string // 127.0.0.1:PORT
	Admin string // http://127.0.0.1:PORT
	Data  string // its --data
	PID   int

	cmd  *exec.Cmd
	log  *buffer
	once sync.Once
}

// Binary is bin/goshawk.
func Binary(t testing.TB) string {
	t.Helper()
	path := filepath.Join(checkout.Root(t), "bin", "goshawk")
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("this test runs the real program: run 'make build' first (%v)", err)
	}
	return path
}

// Start runs goshawk serve on free ports, in an empty data directory unless the
// arguments name one, and waits until it is ready.
func Start(t testing.TB, args ...string) *Server {
	t.Helper()
	s := &Server{Data: t.TempDir(), log: new(buffer)}
	all := append([]string{"serve", "--listen", "127.0.0.1:0", "--data", s.Data}, args...)
	s.cmd = exec.CommandContext(context.Background(), Binary(t), all...)
	s.cmd.Env = append(os.Environ(), "HOME="+t.TempDir(), "XDG_CONFIG_HOME="+t.TempDir())
	s.cmd.Stderr = s.log
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s.PID = s.cmd.Process.Pid
	t.Cleanup(s.Stop)
	ready := make(chan bool, 1)
	go func() { // ends with the server's standard output
		lines := bufio.NewScanner(out)
		ok := false
		for lines.Scan() {
			word, value, _ := strings.Cut(lines.Text(), " ")
			switch word {
			case "listening":
				s.URL = value
			case "grpc":
				s.GRPC = value
			case "admin":
				s.Admin = "http://" + value
			case "ready":
				ok = true
				ready <- true
			}
		}
		if !ok {
			ready <- false
		}
	}()
	select {
	case ok := <-ready:
		if !ok {
			t.Fatalf("goshawk serve ended before it was ready:\n%s", s.Log())
		}
	case <-time.After(60 * time.Second):
		t.Fatalf("goshawk serve was not ready within a minute:\n%s", s.Log())
	}
	return s
}

// Stop asks the server to stop and waits for it; a second call does nothing.
func (s *Server) Stop() {
	s.once.Do(func() {
		_ = s.cmd.Process.Signal(syscall.SIGTERM)
		kill := time.AfterFunc(40*time.Second, func() { _ = syscall.Kill(-s.PID, syscall.SIGKILL) })
		defer kill.Stop()
		_ = s.cmd.Wait()
	})
}

// Log is what the server wrote to its standard error so far.
func (s *Server) Log() string { return s.log.String() }

type buffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}
