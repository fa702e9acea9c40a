// Package e2e runs the real program as a person at a terminal would. Each file
// under testdata is one story: commands and what they print.
package e2e

import (
	"bufio"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/goshawk-ai/goshawk/test/checkout"
	"github.com/goshawk-ai/goshawk/test/running"
)

// binary is bin/goshawk, or the one that GOSHAWKTEST_BINARY names: the file of
// make dist has to tell the same stories.
func binary(t *testing.T) string {
	if path := os.Getenv("GOSHAWKTEST_BINARY"); path != "" {
		return path
	}
	return running.Binary(t)
}

func TestStories(t *testing.T) {
	program := binary(t)
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(env *testscript.Env) error {
			bin := filepath.Join(env.WorkDir, ".bin")
			if err := os.Mkdir(bin, 0o755); err != nil {
				return err
			}
			if err := os.Symlink(program, filepath.Join(bin, "goshawk")); err != nil {
				return err
			}
			env.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
			env.Values[servingKey{}] = new(serving)
			env.Setenv("HOME", filepath.Join(env.WorkDir, "home"))
			env.Setenv("EXAMPLES", filepath.Join(checkout.Root(t), "examples"))
			env.Setenv("ROOT", checkout.Root(t))
			env.Setenv("BUILTIN", filepath.Join(checkout.Root(t), "internal", "registry", "builtin"))
			for _, name := range []string{"GOSHAWK_ONNXRUNTIME_LIBRARY", "GOSHAWK_JPEG_DECODER"} {
				env.Setenv(name, os.Getenv(name))
			}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"serve": serve, "stop": stop, "get": get, "post": post, "plus": plusFile},
	})
}

// serving is the server that a story started.
type serving struct {
	cmd  *exec.Cmd
	rest chan string // what it still said on stdout, once it has ended
}

type servingKey struct{}

// serve starts goshawk serve with further arguments, waits until it is ready,
// and sets $URL, $ADMIN and $DATA.
func serve(ts *testscript.TestScript, neg bool, args []string) {
	if neg {
		ts.Fatalf("use '! exec goshawk serve' for one that must not start")
	}
	data := ts.MkAbs("data")
	cmd := exec.Command(ts.MkAbs(".bin/goshawk"), append([]string{"serve", "--listen", "127.0.0.1:0", "--data", data}, args...)...)
	cmd.Env = []string{"HOME=" + ts.Getenv("HOME")}
	for _, name := range []string{"GOSHAWK_ONNXRUNTIME_LIBRARY", "GOSHAWK_JPEG_DECODER"} {
		cmd.Env = append(cmd.Env, name+"="+ts.Getenv(name))
	}
	var log strings.Builder
	cmd.Stderr = &log
	out, err := cmd.StdoutPipe()
	ts.Check(err)
	ts.Check(cmd.Start())
	kill := time.AfterFunc(5*time.Minute, func() { cmd.Process.Kill() })
	ts.Defer(func() {
		kill.Stop()
		cmd.Process.Kill()
		cmd.Wait()
	})
	lines := bufio.NewReader(out)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			cmd.Wait()
			ts.Fatalf("goshawk serve ended before it was ready: %s", log.String())
		}
		word, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch word {
		case "listening":
			ts.Setenv("URL", rest)
		case "admin":
			ts.Setenv("ADMIN", "http://"+rest)
		case "ready":
			ts.Setenv("DATA", data)
			s := ts.Value(servingKey{}).(*serving)
			s.cmd, s.rest = cmd, make(chan string, 1)
			go func() { // ends with the server
				more, _ := io.ReadAll(lines)
				s.rest <- string(more)
			}()
			return
		}
	}
}

// get prints what an address answers; with ! it wants a status other than 200.
func get(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: get URL")
	}
	resp, err := http.Get(args[0])
	ts.Check(err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	ts.Check(err)
	if (resp.StatusCode == http.StatusOK) == neg {
		ts.Fatalf("%s answered %s: %s", args[0], resp.Status, body)
	}
	ts.Stdout().Write(body)
}

// post sends words as a body and prints what is answered; with ! it wants a
// status other than 200.
func post(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: post URL BODY…")
	}
	resp, err := http.Post(args[0], "application/octet-stream", strings.NewReader(strings.Join(args[1:], " ")))
	ts.Check(err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	ts.Check(err)
	if (resp.StatusCode == http.StatusOK) == neg {
		ts.Fatalf("%s answered %d: %s", args[0], resp.StatusCode, body)
	}
	ts.Stdout().Write(body)
}

// plusFile writes a model that adds a number: plus FILE N.
func plusFile(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: plus FILE N")
	}
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	ts.Check(writePlus(ts.MkAbs(args[0]), n))
}

// stop sends SIGTERM and wants an orderly end.
func stop(ts *testscript.TestScript, _ bool, _ []string) {
	s := ts.Value(servingKey{}).(*serving)
	if s.cmd == nil {
		ts.Fatalf("nothing was started")
	}
	ts.Check(s.cmd.Process.Signal(syscall.SIGTERM))
	if more := <-s.rest; more != "" {
		ts.Fatalf("after ready the server still printed %q", more)
	}
	if err := s.cmd.Wait(); err != nil {
		ts.Fatalf("the server was told to stop and ended with %v; an orderly end is exit status 0", err)
	}
}
