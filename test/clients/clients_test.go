//go:build ci

package clients

import (
	"bufio"
	"bytes"
	"crypto/sha256"
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

// suite runs a script, logs its table, and fails for each line that is no OK.
func suite(t *testing.T, script string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), interpreter(t), append([]string{script}, args...)...)
	cmd.Env = append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1", "HOME="+t.TempDir())
	var out, trouble bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &trouble
	err := cmd.Run()
	var table strings.Builder
	calls := 0
	for lines := bufio.NewScanner(&out); lines.Scan(); {
		word, rest, _ := strings.Cut(lines.Text(), "\t")
		call, outcome, _ := strings.Cut(rest, "\t")
		fmt.Fprintf(&table, "%-4s %-70s -> %s\n", word, call, outcome)
		if calls++; word != "OK" {
			t.Errorf("%s: %s", call, outcome)
		}
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

func picture(t *testing.T) string {
	t.Helper()
	return filepath.Join(checkout.Root(t), "examples", "cat.jpg")
}

// TestOtherPeoplesClients runs each client against one server, as they come from
// their makers.
func TestOtherPeoplesClients(t *testing.T) {
	data := t.TempDir()
	addModels(t, data)
	s := running.Start(t, "--data", data)
	for _, door := range []string{"http", "http.aio", "grpc", "grpc.aio"} {
		t.Run("tritonclient."+door, func(t *testing.T) {
			suite(t, "triton_suite.py", door, host(s.URL), s.GRPC, picture(t))
		})
	}
	t.Run("kserve", func(t *testing.T) { suite(t, "kserve_suite.py", s.URL, s.GRPC, picture(t)) })
	t.Run("reflection", func(t *testing.T) { reflection(t, s.GRPC) })
	if strings.Contains(s.Log(), "panic") {
		t.Errorf("the log speaks of a panic:\n%s", s.Log())
	}
}

// TestClientsWithKeys: both doors ask for a key, and not the probes.
func TestClientsWithKeys(t *testing.T) {
	const key = "a-key-for-the-clients-of-this-test"
	file := filepath.Join(t.TempDir(), "keys.yaml")
	keys(t, file, key)
	data := t.TempDir()
	addModels(t, data)
	s := running.Start(t, "--data", data, "--auth-keys-file", file)
	for _, door := range []string{"http", "http.aio", "grpc", "grpc.aio"} {
		t.Run("tritonclient."+door, func(t *testing.T) {
			suite(t, "triton_suite.py", door, host(s.URL), s.GRPC, picture(t), key)
		})
	}
	t.Run("kserve", func(t *testing.T) { suite(t, "kserve_suite.py", s.URL, s.GRPC, picture(t), key) })
	t.Run("reflection", func(t *testing.T) { reflection(t, s.GRPC, "authorization: Bearer "+key) })
}
