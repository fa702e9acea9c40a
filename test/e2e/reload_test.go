package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/goshawk-ai/goshawk/internal/infer/backendtest/onnxgen"
	"github.com/goshawk-ai/goshawk/test/running"
)

// writePlus writes a model that adds n: its answers tell which version gave them.
func writePlus(path string, n int) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, onnxgen.Plus(float32(n), "N", 1).Bytes(), 0o644)
}

func plus(t *testing.T, path string, n int) {
	t.Helper()
	if err := writePlus(path, n); err != nil {
		t.Fatal(err)
	}
}

// load asks a model over and over from several callers until stop, and counts
// the answers by version.
type load struct {
	t    *testing.T
	stop context.CancelFunc
	done sync.WaitGroup

	answers atomic.Int64
	newest  atomic.Int64
}

func startLoad(t *testing.T, url, model string) *load {
	l := &load{t: t}
	var ctx context.Context
	ctx, l.stop = context.WithCancel(t.Context())
	for caller := range 8 {
		l.done.Go(func() {
			for x := caller; ctx.Err() == nil; x += 8 {
				if err := l.ask(url, model, x%1000); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	return l
}

// ask sends a number and wants it back with the version's added to it.
func (l *load) ask(url, model string, x int) error {
	body := fmt.Sprintf(`{"inputs":[{"name":"in","shape":[1,1],"datatype":"FP32","data":[%d]}]}`, x)
	resp, err := http.Post(url+"/v2/models/"+model+"/infer", "application/json", strings.NewReader(body))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var answer struct {
		Version string `json:"model_version"`
		Error   string `json:"error"`
		Outputs []struct{ Data []float64 }
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return err
	}
	version, err := strconv.Atoi(answer.Version)
	if resp.StatusCode != http.StatusOK || err != nil || len(answer.Outputs) != 1 || len(answer.Outputs[0].Data) != 1 {
		return fmt.Errorf("%s: %s %+v; want an answer all the while", model, resp.Status, answer)
	}
	if got := answer.Outputs[0].Data[0] - float64(x); got != float64(version) {
		return fmt.Errorf("%s: version %d answered with what version %g computes", model, version, got)
	}
	l.answers.Add(1)
	for old := l.newest.Load(); int64(version) > old && !l.newest.CompareAndSwap(old, int64(version)); old = l.newest.Load() {
	}
	return nil
}

// reach waits until a version answers.
func (l *load) reach(version int) {
	l.t.Helper()
	for deadline := time.Now().Add(time.Minute); l.newest.Load() < int64(version); time.Sleep(5 * time.Millisecond) {
		if l.t.Failed() || time.Now().After(deadline) {
			l.t.Fatalf("version %d does not answer; the newest that did is %d", version, l.newest.Load())
		}
	}
}

func (l *load) end(model string) {
	l.stop()
	l.done.Wait()
	l.t.Logf("%s: %d answers, none failed, none mixed", model, l.answers.Load())
}

// TestNewVersionsTakeOverUnderLoad: in each of the ways in which a new version
// comes, every request is answered, and by one version alone.
func TestNewVersionsTakeOverUnderLoad(t *testing.T) {
	const versions = 6
	dir := t.TempDir()
	plus(t, filepath.Join(dir, "bare.onnx"), 1)
	plus(t, filepath.Join(dir, "numbered", "1", "model.onnx"), 1)
	s := running.Start(t, "--models", dir, "--model-poll", "50ms")
	added := filepath.Join(t.TempDir(), "added.onnx")
	add := func(n int) {
		plus(t, added, n)
		cmd := exec.Command(running.Binary(t), "models", "add", added, "--kind", "tensor", "--data", s.Data, "--calibrate", "off")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("models add: %v: %s", err, out)
		}
	}
	for _, c := range []struct {
		model string
		next  func(n int)
	}{
		{"bare", func(n int) {
			plus(t, filepath.Join(dir, ".new"), n)
			if err := os.Rename(filepath.Join(dir, ".new"), filepath.Join(dir, "bare.onnx")); err != nil {
				t.Fatal(err)
			}
		}},
		{"numbered", func(n int) { plus(t, filepath.Join(dir, "numbered", strconv.Itoa(n), "model.onnx"), n) }},
		{"added", add},
	} {
		t.Run(c.model, func(t *testing.T) {
			if c.model == "added" {
				add(1)
			}
			waitReady(t, s.URL, c.model)
			l := startLoad(t, s.URL, c.model)
			defer l.end(c.model)
			for n := 2; n <= versions; n++ {
				c.next(n)
				l.reach(n)
			}
		})
	}
}

func waitReady(t *testing.T, url, model string) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		resp, err := http.Get(url + "/v2/models/" + model + "/ready")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode == http.StatusOK {
			return
		}
	}
	t.Fatalf("%s is not ready within a minute", model)
}
