//go:build ci

package browser

import (
	"bufio"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/goshawk-ai/goshawk/test/checkout"
)

// tail keeps the end of what is written to it: a log that matters only when
// something failed.
type tail struct {
	mu   sync.Mutex
	text []byte // guarded by mu
}

func (t *tail) Write(p []byte) (int, error) {
	const most = 6000
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, p...)
	t.text = t.text[max(0, len(t.text)-most):]
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.text)
}

// said is what the server wrote to its log.
var said tail

// startServer gives the address of a running Goshawk and what stops it.
// GOSHAWKTEST_FAKE=1 puts a server with made-up answers in its place, for
// working on the pages alone; CI never sets it.
func startServer() (address string, stop func(), err error) {
	if os.Getenv("GOSHAWKTEST_FAKE") != "" {
		s := httptest.NewServer(newFake())
		return s.URL, s.Close, nil
	}
	root, err := checkout.Find()
	if err != nil {
		return "", nil, err
	}
	data, err := os.MkdirTemp("", "goshawk-browser-")
	if err != nil {
		return "", nil, err
	}
	serve := exec.Command(filepath.Join(root, "bin", "goshawk"), "serve", "--listen", "127.0.0.1:0", "--data", data)
	serve.Stderr = &said
	out, err := serve.StdoutPipe()
	if err != nil {
		return "", nil, err
	}
	if err := serve.Start(); err != nil {
		return "", nil, fmt.Errorf("the browser tests need the built binary (make build): %w", err)
	}
	stop = func() {
		_ = serve.Process.Signal(syscall.SIGTERM)
		_ = serve.Wait()
		_ = os.RemoveAll(data)
	}
	address, err = awaitReady(bufio.NewScanner(out))
	if err != nil {
		stop()
		return "", nil, fmt.Errorf("%w; its log ends with:\n%s", err, &said)
	}
	return address, stop, nil
}

// awaitReady reads the lines that serve prints until it says that it is ready.
func awaitReady(lines *bufio.Scanner) (string, error) {
	type outcome struct {
		address string
		err     error
	}
	found := make(chan outcome, 1)
	go func() { // ends with the process, whose standard output it reads to the end
		address := ""
		for lines.Scan() {
			if rest, ok := strings.CutPrefix(lines.Text(), "listening "); ok {
				address = strings.TrimSpace(rest)
			}
			if lines.Text() == "ready" {
				found <- outcome{address: address}
			}
		}
		found <- outcome{err: errors.New("the server ended before it printed \"ready\"")}
	}()
	select {
	case o := <-found:
		return o.address, o.err
	case <-time.After(60 * time.Second):
		return "", errors.New("the server did not print \"ready\" within a minute")
	}
}
