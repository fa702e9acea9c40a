package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/goshawk-ai/goshawk/internal/infer/backendtest/onnxgen"
	"github.com/goshawk-ai/goshawk/internal/tensor"
	"github.com/goshawk-ai/goshawk/test/running"
)

// writeHeavy writes a model with 4 MB of weights, which gives its input back.
func writeHeavy(t *testing.T, path string) {
	t.Helper()
	const side = 1024
	value := func(name string) onnxgen.Value {
		return onnxgen.Value{Name: name, Type: tensor.Float32, Shape: []any{1, side}}
	}
	m := onnxgen.Model{Graph: onnxgen.Graph{
		Inputs: []onnxgen.Value{value("in")}, Outputs: []onnxgen.Value{value("out")},
		Initializers: []onnxgen.Constant{{Name: "w", Type: tensor.Float32, Shape: []int{side, side}, Data: make([]byte, 4*side*side)}},
		Nodes: []onnxgen.Node{
			{Op: "MatMul", In: []string{"in", "w"}, Out: []string{"nothing"}},
			{Op: "Add", In: []string{"in", "nothing"}, Out: []string{"out"}},
		},
	}}
	if err := os.WriteFile(path, m.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

// listedModel is what /v1/models says of a model.
type listedModel struct {
	Name        string
	State       string
	MemoryBytes int64 `json:"memory_bytes"`
	ColdStart   *struct {
		Wait    float64 `json:"wait_ms"`
		Fetch   float64 `json:"fetch_ms"`
		Verify  float64 `json:"verify_ms"`
		Session float64 `json:"session_ms"`
		WarmUp  float64 `json:"warm_up_ms"`
		First   float64 `json:"first_answer_ms"`
		Total   float64 `json:"total_ms"`
	} `json:"cold_start"`
}

func models(t *testing.T, s *running.Server) map[string]listedModel {
	t.Helper()
	resp, err := http.Get(s.URL + "/v1/models")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var list struct{ Items []listedModel }
	if err := json.NewDecoder(resp.Body).Decode(&list); err != nil {
		t.Fatal(err)
	}
	by := map[string]listedModel{}
	for _, m := range list.Items {
		by[m.Name] = m
	}
	return by
}

func text(t *testing.T, url string) string {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	all, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s, %v", url, resp.Status, err)
	}
	return string(all)
}

// TestMoreModelsThanTheBudgetHolds: callers of five models are all answered,
// where the budget holds two of them beside the default.
func TestMoreModelsThanTheBudgetHolds(t *testing.T) {
	const heavies, callers, requests = 5, 6, 10
	dir := t.TempDir()
	for i := range heavies {
		writeHeavy(t, filepath.Join(dir, fmt.Sprintf("heavy%d.onnx", i)))
	}
	free := running.Start(t, "--models", dir)
	for i := range heavies {
		waitReady(t, free.URL, fmt.Sprintf("heavy%d", i))
	}
	all := models(t, free)
	budget := all["imagenet"].MemoryBytes + 2*all["heavy0"].MemoryBytes + all["heavy0"].MemoryBytes/2
	if all["imagenet"].MemoryBytes < 1e6 || all["heavy0"].MemoryBytes < 4e6 {
		t.Fatalf("the models are said to take %+v", all)
	}
	free.Stop()

	s := running.Start(t, "--models", dir, "--memory-budget", strconv.FormatInt(budget, 10))
	row := strings.TrimSuffix(strings.Repeat("7,", 1024), ",")
	body := fmt.Appendf(nil, `{"inputs":[{"name":"in","shape":[1,1024],"datatype":"FP32","data":[%s]}]}`, row)
	var group sync.WaitGroup
	for caller := range callers {
		group.Go(func() {
			for i := range requests {
				model := fmt.Sprintf("heavy%d", (caller*i+caller)%heavies)
				resp, err := http.Post(s.URL+"/v2/models/"+model+"/infer", "application/json", bytes.NewReader(body))
				if err != nil {
					t.Error(err)
					continue
				}
				answer, _ := io.ReadAll(resp.Body)
				resp.Body.Close()
				if resp.StatusCode != http.StatusOK {
					t.Errorf("%s: %s %.200s; want an answer from every model", model, resp.Status, answer)
				}
			}
		})
	}
	group.Wait()
	now, states := models(t, s), index(t, s)
	awake, sum := 0, int64(0)
	for name, m := range now {
		sum += m.MemoryBytes
		if strings.HasPrefix(name, "heavy") && m.State == "ready" {
			awake++
			c := m.ColdStart
			if c == nil || c.Session <= 0 || c.Fetch <= 0 || c.WarmUp <= 0 {
				t.Errorf("%s: its cold start is %+v; want its parts", name, c)
				continue
			}
			if parts := c.Wait + c.Fetch + c.Verify + c.Session + c.WarmUp + c.First; parts < .95*c.Total || parts > 1.05*c.Total {
				t.Errorf("%s: the parts of its cold start add up to %.3f ms, and it took %.3f", name, parts, c.Total)
			}
		}
		if states[name].State != "READY" {
			t.Errorf("%s is %s in the index and %s in /v1/models; one that sleeps wakes by itself, and is ready for its clients", name, states[name].State, m.State)
		}
	}
	if awake > 2 || sum > budget {
		t.Errorf("%d of the models are awake and all take %d bytes; the budget of %d holds 2", awake, sum, budget)
	}
	out, err := exec.Command(running.Binary(t), "models", "inspect", "imagenet", "--data", s.Data).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "state\tready\n") || !strings.Contains(string(out), "cold_start.session\t") {
		t.Errorf("models inspect beside the server: %v\n%s", err, out)
	}
	metrics := text(t, s.Admin+"/metrics")
	for _, want := range []string{
		"goshawk_memory_budget_bytes ", "goshawk_memory_models_bytes ", "goshawk_models_sleeping ", "goshawk_model_wakes_total ",
		"goshawk_model_evictions_total ", `goshawk_model_memory_bytes{model="imagenet"`, `goshawk_model_cold_start_seconds{model="imagenet",part="session"`,
	} {
		if !strings.Contains(metrics, want) {
			t.Errorf("the metrics lack %s", want)
		}
	}
}

// TestAModelAboveTheBudgetIsRefused with a sentence, and nobody else suffers.
func TestAModelAboveTheBudgetIsRefused(t *testing.T) {
	dir := t.TempDir()
	writeHeavy(t, filepath.Join(dir, "heavy.onnx"))
	s := running.Start(t, "--models", dir, "--memory-budget", "4MB", "--model", "cifar10")
	resp, err := http.Post(s.URL+"/v2/repository/models/heavy/load", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	why, _ := io.ReadAll(resp.Body)
	if resp.StatusCode == http.StatusOK || !strings.Contains(string(why), "memory.budget") {
		t.Errorf("load: %s %s; want the budget named", resp.Status, why)
	}
	if state := index(t, s)["heavy"].State; state != "UNAVAILABLE" {
		t.Errorf("the index says %s, want UNAVAILABLE", state)
	}
	text(t, s.URL+"/readyz")
}
