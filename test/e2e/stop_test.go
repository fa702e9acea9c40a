package e2e

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// started is a server whose streams and exit code a test looks at.
type started struct {
	cmd *exec.Cmd
	out io.ReadCloser
	log bytes.Buffer
	url string
}

// startServer runs goshawk serve until its door is open; it may not be ready yet.
func startServer(t *testing.T, args ...string) *started {
	t.Helper()
	s := new(started)
	s.cmd = exec.Command(binary(t), append([]string{"serve", "--listen", "127.0.0.1:0", "--data", t.TempDir(), "--log-level", "error"}, args...)...)
	s.cmd.Env = append(s.cmd.Environ(), "HOME="+t.TempDir(), "XDG_CONFIG_HOME="+t.TempDir())
	s.cmd.Stderr = &s.log
	out, err := s.cmd.StdoutPipe()
	if err == nil {
		err = s.cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	kill := time.AfterFunc(5*time.Minute, func() { s.cmd.Process.Kill() })
	t.Cleanup(func() {
		kill.Stop()
		s.cmd.Process.Kill()
		s.cmd.Wait()
	})
	s.out = out
	line, err := bufio.NewReaderSize(out, 16).ReadString('\n') // little is read ahead, so that the pipe can be closed on the rest
	if err != nil {
		s.cmd.Wait()
		t.Fatalf("goshawk serve ended before it listened: %s", s.log.String())
	}
	s.url = strings.TrimSpace(strings.TrimPrefix(line, "listening "))
	return s
}

// ready waits until the server says so.
func (s *started) ready(t *testing.T) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		resp, err := http.Get(s.url + "/readyz")
		if err != nil {
			t.Fatalf("the server is gone: %v %s", err, s.log.String())
		}
		resp.Body.Close()
		if resp.StatusCode == http.StatusOK {
			return
		}
	}
	t.Fatal("not ready within two minutes")
}

func (s *started) end(t *testing.T, signal syscall.Signal) (code int) {
	t.Helper()
	if err := s.cmd.Process.Signal(signal); err != nil {
		t.Fatal(err)
	}
	s.cmd.Wait()
	return s.cmd.ProcessState.ExitCode()
}

// TestACutOffDrainIsToldOf: a body that never ends keeps the server from an orderly end.
func TestACutOffDrainIsToldOf(t *testing.T) {
	s := startServer(t, "--drain-timeout", "1s")
	go func() { _, _ = io.Copy(io.Discard, s.out) }() // ends with the server
	s.ready(t)
	host := strings.TrimPrefix(s.url, "http://")
	conn, err := net.Dial("tcp", host)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	io.WriteString(conn, "POST /v1/predictions HTTP/1.1\r\nHost: "+host+"\r\nContent-Type: image/jpeg\r\nContent-Length: 1000\r\nExpect: 100-continue\r\n\r\n")
	if line, err := bufio.NewReader(conn).ReadString('\n'); !strings.Contains(line, "100") { // now it waits for the body
		t.Fatalf("the server answered %q, %v", line, err)
	}
	code := s.end(t, syscall.SIGINT)
	if want := "goshawk: 1 request still ran after 1s and was cut off (--drain-timeout)\n"; code != 1 || lastLine(s.log.String()) != want {
		t.Errorf("exit status %d, stderr %q; want 1 and %q", code, s.log.String(), want)
	}
}

func lastLine(text string) string {
	lines := strings.SplitAfter(text, "\n")
	return lines[max(0, len(lines)-2)] // after the last line end is nothing
}

// TestNobodyHasToReadStandardOutput: goshawk serve | head -1.
func TestNobodyHasToReadStandardOutput(t *testing.T) {
	s := startServer(t)
	s.out.Close()
	s.ready(t) // the line that says so has gone nowhere
	resp, err := http.Get(s.url + "/livez")
	if err != nil {
		t.Fatalf("the server did not outlive its reader: %v %s", err, s.log.String())
	}
	resp.Body.Close()
	if code := s.end(t, syscall.SIGTERM); code != 0 {
		t.Errorf("exit status %d, stderr %q; want an orderly end", code, s.log.String())
	}
}
