package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/goshawk-ai/goshawk/internal/infer/backendtest/onnxgen"
	"github.com/goshawk-ai/goshawk/internal/tensor"
	"github.com/goshawk-ai/goshawk/test/running"
)

// TestTheDeadlyNumbers sends a model what kills the process that runs it, until
// the server marks it, and brings it back. Other models go on all the time.
func TestTheDeadlyNumbers(t *testing.T) {
	s := running.Start(t)
	s.Add(t, dividePackage(t))
	patiently(t, s, 42, 6)
	for death := 1; death <= 5; death++ {
		began := time.Now()
		status, header, body := divide(t, s, math.MinInt64, -1)
		if status != http.StatusServiceUnavailable || header.Get("Retry-After") == "" || !strings.Contains(body, "SIGFPE") {
			t.Fatalf("%d %s after %v; want 503 with the reason and Retry-After", status, body, time.Since(began))
		}
		if status, body := fetch(t, s.URL+"/v2/models/imagenet/ready"); status != http.StatusOK {
			t.Fatalf("another model is not ready: %d %s", status, body)
		}
		if death < 5 {
			patiently(t, s, 42, 6)
		}
	}
	var state struct{ Name, State, Reason string }
	for deadline := time.Now().Add(time.Minute); !strings.Contains(state.Reason, "died 5 times") && time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		state = index(t, s)["divide"]
	}
	if !strings.Contains(state.Reason, "died 5 times") || state.State != "UNAVAILABLE" {
		t.Errorf("the index says %+v; want it marked, with the reason", state)
	}
	if status, body := fetch(t, s.URL+"/v2/models/divide/ready"); status == http.StatusOK {
		t.Errorf("its own readiness says %d %s", status, body)
	}
	if status, _, body := divide(t, s, 42, 6); status != http.StatusServiceUnavailable || !strings.Contains(body, "died 5 times") {
		t.Errorf("a request: %d %s, want 503 that says why", status, body)
	}
	if status, body := fetch(t, s.URL+"/readyz"); status != http.StatusOK {
		t.Errorf("the server: %d %s; what must serve does", status, body)
	}
	resp, err := http.Post(s.URL+"/v2/repository/models/divide/load", "application/json", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("load: %d", resp.StatusCode)
	}
	patiently(t, s, 42, 6)
}

func dividePackage(t *testing.T) string {
	t.Helper()
	value := func(name string) onnxgen.Value {
		return onnxgen.Value{Name: name, Type: tensor.Int64, Shape: []any{"n"}}
	}
	m := onnxgen.Model{Graph: onnxgen.Graph{
		Inputs: []onnxgen.Value{value("a"), value("b")}, Outputs: []onnxgen.Value{value("quotient")},
		Nodes: []onnxgen.Node{{Op: "Div", In: []string{"a", "b"}, Out: []string{"quotient"}}},
	}}
	dir := t.TempDir()
	for name, data := range map[string][]byte{
		"goshawk.yaml": []byte("apiVersion: goshawk/v1\nkind: Tensor\nname: divide\nmodel: model.onnx\n"), "model.onnx": m.Bytes(),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func divide(t *testing.T, s *running.Server, a, b int64) (status int, header http.Header, body string) {
	t.Helper()
	request := fmt.Sprintf(`{"inputs": [{"name": "a", "shape": [1], "datatype": "INT64", "data": [%d]}, {"name": "b", "shape": [1], "datatype": "INT64", "data": [%d]}]}`, a, b)
	resp, err := http.Post(s.URL+"/v2/models/divide/infer", "application/json", strings.NewReader(request))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, string(text)
}

// patiently asks until there is an answer; until then it is 503 and nothing else.
func patiently(t *testing.T, s *running.Server, a, b int64) {
	t.Helper()
	status, body := 0, ""
	for deadline := time.Now().Add(time.Minute); status != http.StatusOK && time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if status, _, body = divide(t, s, a, b); status != http.StatusOK && status != http.StatusServiceUnavailable {
			t.Fatalf("%d / %d: %d %s", a, b, status, body)
		}
	}
	if want := fmt.Sprintf(`"data":[%d]`, a/b); status != http.StatusOK || !strings.Contains(strings.ReplaceAll(body, " ", ""), want) {
		t.Fatalf("%d / %d: %d %s, want %s", a, b, status, body, want)
	}
}

func index(t *testing.T, s *running.Server) map[string]struct{ Name, State, Reason string } {
	t.Helper()
	resp, err := http.Post(s.URL+"/v2/repository/index", "application/json", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var list []struct{ Name, State, Reason string }
	if err := json.NewDecoder(resp.Body).Decode(&list); err != nil {
		t.Fatal(err)
	}
	all := map[string]struct{ Name, State, Reason string }{}
	for _, m := range list {
		all[m.Name] = m
	}
	return all
}

func fetch(t *testing.T, url string) (int, string) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}
