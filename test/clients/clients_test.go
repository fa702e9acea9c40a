//go:build ci

package clients

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goshawk-ai/goshawk/test/checkout"
	"github.com/goshawk-ai/goshawk/test/running"
)

// interpreter is a Python with the packages of requirements.txt.
func interpreter(t *testing.T) string {
	t.Helper()
	if path := os.Getenv("GOSHAWKTEST_CLIENTS_PYTHON"); path != "" {
		return path
	}
	path := filepath.Join(checkout.Root(t), ".cache", "clients", "bin", "python")
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("the clients' packages are missing; '.ci/run clients-python' installs those of test/clients/requirements.txt (%v)", err)
	}
	return path
}

// suite runs a script, logs its table, and fails for each line that is no OK. What
// was answered is noted for the page.
func suite(t *testing.T, page *proofs, by, script string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), interpreter(t), append([]string{script}, args...)...)
	cmd.Env = append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1", "HOME="+t.TempDir())
	var out, trouble bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &trouble
	err := cmd.Run()
	var table strings.Builder
	calls := 0
	for lines := bufio.NewScanner(&out); lines.Scan(); {
		line := strings.Split(lines.Text(), "\t")
		if len(line) != 6 {
			t.Fatalf("a line of %s is %q", script, line)
		}
		call, outcome := line[4], line[5]
		fmt.Fprintf(&table, "%-4s %-70s -> %s\n", line[0], call, outcome)
		if calls++; line[0] != "OK" {
			t.Errorf("%s: %s", call, outcome)
		}
		page.note(line[1], line[2], by, line[3])
	}
	t.Logf("%s %s: %d calls\n%s", script, strings.Join(args[:1], " "), calls, &table)
	if err != nil || calls < 10 {
		t.Errorf("%s ended with %v after %d calls:\n%s", script, err, calls, &trouble)
	}
}

// keys writes a file with one key.
func keys(t *testing.T, file, key string) {
	t.Helper()
	text := fmt.Sprintf("keys:\n  - id: clients\n    project: default\n    sha256: %x\n", sha256.Sum256([]byte(key)))
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func host(url string) string { return strings.TrimPrefix(url, "http://") }

// identity is a model file that a load request can bring.
func identity(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "model.onnx")
	if err := os.WriteFile(file, models()["fp32-2"].Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func picture(t *testing.T) string {
	t.Helper()
	return filepath.Join(checkout.Root(t), "examples", "cat.jpg")
}

// TestOtherPeoplesClients runs each client against one server, as they come from
// their makers.
func TestOtherPeoplesClients(t *testing.T) {
	data, file := t.TempDir(), identity(t)
	addModels(t, data)
	s := running.Start(t, "--data", data)
	triton, kserve, grpcurl := &proofs{}, &proofs{}, &proofs{}
	whole := true
	for _, door := range []string{"http", "http.aio", "grpc", "grpc.aio"} {
		whole = t.Run("tritonclient."+door, func(t *testing.T) {
			suite(t, triton, door, "triton_suite.py", door, host(s.URL), s.GRPC, picture(t), file)
			settingsWork(t, s, data, door)
		}) && whole
	}
	whole = t.Run("kserve", func(t *testing.T) { suite(t, kserve, "kserve", "kserve_suite.py", s.URL, s.GRPC, picture(t)) }) && whole
	whole = t.Run("reflection", func(t *testing.T) { reflection(t, grpcurl, s.GRPC) }) && whole
	if whole {
		triton.onThePage(t, "tritonclient")
		kserve.onThePage(t, "kserve")
		grpcurl.onThePage(t, "grpcurl")
	}
	if strings.Contains(s.Log(), "panic") {
		t.Errorf("the log speaks of a panic:\n%s", s.Log())
	}
}

// settingsWork looks for what came of the settings that a suite changed: traces of
// the requests that they were for, and lines that came or stayed away.
func settingsWork(t *testing.T, s *running.Server, data, door string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(data, "traces", "trace.json"))
	if err != nil {
		t.Fatal(err)
	}
	var records []struct {
		ID         int64  `json:"id"`
		Model      string `json:"model_name"`
		Request    string `json:"request_id"`
		Timestamps []struct {
			Name string `json:"name"`
			NS   int64  `json:"ns"`
		} `json:"timestamps"`
	}
	if err := json.Unmarshal(text, &records); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	marks := map[string]string{} // by request
	requests := map[int64]string{}
	for _, r := range records {
		if r.Model == "fp32-2" {
			requests[r.ID] = r.Request
		}
		for i, m := range r.Timestamps {
			marks[requests[r.ID]] += m.Name + " "
			if i > 0 && m.NS < r.Timestamps[i-1].NS {
				t.Errorf("%s of %s is before %s", m.Name, requests[r.ID], r.Timestamps[i-1].Name)
			}
		}
	}
	const inside = "REQUEST_START QUEUE_START COMPUTE_START COMPUTE_INPUT_END COMPUTE_OUTPUT_START COMPUTE_END INFER_RESPONSE_COMPLETE REQUEST_END "
	want := "HTTP_RECV_START HTTP_RECV_END " + inside + "HTTP_SEND_START HTTP_SEND_END "
	if strings.HasPrefix(door, "grpc") {
		want = "GRPC_WAITREAD_START GRPC_WAITREAD_END " + inside + "GRPC_SEND_START GRPC_SEND_END "
	}
	for n, there := range []bool{true, true, false, false} {
		got, ok := marks[fmt.Sprintf("traced-%s-%d", door, n)]
		if ok != there || there && got != want {
			t.Errorf("request %d of %s has the marks %q (traced: %v), want %q: %v", n, door, got, ok, want, there)
		}
	}
	if log := s.Log(); strings.Contains(log, "silent-"+door) || !strings.Contains(log, "level=DEBUG msg=request request_id=loud-"+door) {
		t.Errorf("%s: with log_info off and log_verbose_level 2 there must be lines of the second request and not of the first, in the form ISO8601", door)
	}
}

// TestClientsWithKeys: both doors ask for a key, and not the probes.
func TestClientsWithKeys(t *testing.T) {
	const key = "a-key-for-the-clients-of-this-test"
	list := filepath.Join(t.TempDir(), "keys.yaml")
	keys(t, list, key)
	data, file := t.TempDir(), identity(t)
	addModels(t, data)
	s := running.Start(t, "--data", data, "--auth-keys-file", list)
	triton, others := &proofs{}, &proofs{}
	whole := true
	for _, door := range []string{"http", "http.aio", "grpc", "grpc.aio"} {
		whole = t.Run("tritonclient."+door, func(t *testing.T) {
			suite(t, triton, door, "triton_suite.py", door, host(s.URL), s.GRPC, picture(t), file, key)
		}) && whole
	}
	t.Run("kserve", func(t *testing.T) { suite(t, others, "kserve", "kserve_suite.py", s.URL, s.GRPC, picture(t), key) })
	t.Run("reflection", func(t *testing.T) { reflection(t, others, s.GRPC, "authorization: Bearer "+key) })
	if whole {
		triton.only("(keys)").onThePage(t, "tritonclient with keys")
	}
}
