//go:build ci && cgo && linux

package ort

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/goshawk-ai/goshawk/internal/infer/backendtest/onnxgen"
	"github.com/goshawk-ai/goshawk/internal/tensor"
)

// watch is how long the library is watched: where its telemetry is on, it
// looks for its host after about nine seconds.
const watch = 12 * time.Second

// TestNothingIsSentOrWritten watches a process that loads and runs a model by
// strace: no socket, no file opened for writing, an empty home afterwards.
func TestNothingIsSentOrWritten(t *testing.T) {
	if childOf() != "" {
		keepRunning(t)
		return
	}
	home, log := t.TempDir(), filepath.Join(t.TempDir(), "strace")
	cmd := exec.Command("strace", "-f", "-qq", "-o", log,
		"-e", "trace=%network,open,openat,openat2,creat,mkdir,mkdirat,rename,renameat,renameat2,link,symlink,unlink,execve",
		os.Args[0], "-test.run=^TestNothingIsSentOrWritten$")
	cmd.Env = append(os.Environ(), "GOSHAWKTEST_CHILD=run", "HOME="+home, "XDG_CACHE_HOME="+filepath.Join(home, "cache"),
		"ORT_DISABLE_TELEMETRY=0") // the program must win over what it was given
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("strace is needed and the watched process must succeed: %v\n%s", err, out)
	}
	if left, err := os.ReadDir(home); err != nil || len(left) != 0 {
		t.Errorf("%v (%v) is in the home afterwards, want nothing", left, err)
	}
	opened := false
	for _, line := range lines(t, log) {
		opened = opened || strings.Contains(line, "libonnxruntime")
		if bad.MatchString(line) && !harmless.MatchString(line) {
			t.Errorf("the library, or we, did: %s", line)
		}
	}
	if !opened {
		t.Error("the log does not even show the library being opened: the test proves nothing")
	}
}

var (
	bad      = regexp.MustCompile(`socket\(|connect\(|sendto\(|sendmsg\(|bind\(|O_WRONLY|O_RDWR|O_CREAT|creat\(|mkdir|rename|link\(|symlink`)
	harmless = regexp.MustCompile(`"/dev/null"|"/proc/`)
)

func lines(t *testing.T, path string) []string {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var all []string
	for s := bufio.NewScanner(file); s.Scan(); {
		all = append(all, s.Text())
	}
	return all
}

func keepRunning(t *testing.T) {
	b := openForTest(t, LibraryOptions{})
	s := loadRaw(t, b, onnxgen.Classifier(1, 8, 3).Bytes())
	x, err := tensor.New("input", tensor.Float32, []int64{1, 3, 8, 8}, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(watch); time.Now().Before(end); <-tick.C {
		if err := s.Run(t.Context(), []*tensor.Tensor{x}, []*tensor.Tensor{{Name: "logits"}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
}
