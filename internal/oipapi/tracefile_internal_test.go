package oipapi

import (
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/goshawk-ai/goshawk/internal/tensor"
)

// TestTracesHaveABound: whoever has them made must not fill the disk.
func TestTracesHaveABound(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"trace.json", "trace.json.7", "trace.json.007", "trace.json.of-somebody"} { // of another process, and of others
		if err := os.WriteFile(filepath.Join(dir, name), []byte("[]"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	traces := NewTraces(dir, slog.New(slog.DiscardHandler))
	traces.most = 64 << 10
	for i := range 1000 {
		traces.write(0, func(id int64) []any {
			if id != int64(i+1) {
				t.Errorf("the %d. trace has the id %d", i+1, id)
			}
			return []any{map[string]any{"id": id, "text": strings.Repeat("a", 1000)}, id}
		})
	}
	if err := traces.Close(); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	sum, names := int64(0), []string{}
	for _, e := range entries {
		names = append(names, e.Name())
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		var list []any
		if bad := json.Unmarshal(text, &list); err != nil || bad != nil {
			t.Errorf("%s is no list: %v, %v", e.Name(), err, bad)
		}
		sum += int64(len(text))
	}
	if sum > traces.most || sum < traces.most/2 || len(names) < 5 {
		t.Errorf("%d bytes in %v; want some, and at most %d", sum, names, traces.most)
	}
	if slices.Contains(names, "trace.json.8") || slices.Contains(names, "trace.json.7") || !slices.Contains(names, "trace.json.007") || !slices.Contains(names, "trace.json.of-somebody") {
		t.Errorf("there are %v; want the oldest gone, and what is no trace of ours left alone", names)
	}
}

func TestTracesThatCannotBeWrittenHurtNobody(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	traces := NewTraces(filepath.Join(file, "traces"), slog.New(slog.NewTextHandler(&log, nil)))
	for range 3 {
		traces.write(0, func(int64) []any { return []any{1} })
	}
	if err := traces.Close(); err != nil || strings.Count(log.String(), "traces cannot be written") != 1 {
		t.Errorf("%v, and the log says %q; want it told once", err, log.String())
	}
}

// TestWhatIsShownOfTensorsIsCut: a trace is for reading, and its file has a bound.
func TestWhatIsShownOfTensorsIsCut(t *testing.T) {
	tr := &trace{tensors: true}
	big := &tensor.Tensor{Name: "x", Type: tensor.Float32, Shape: []int64{1 << 20}, Data: tensor.Aligned(4 << 20)}
	words := &tensor.Tensor{Name: "w", Type: tensor.String, Shape: []int64{2, 1}, Strings: [][]byte{[]byte("a secret"), nil}}
	scalar := &tensor.Tensor{Name: "s", Type: tensor.Bool, Data: []byte{1}}
	tr.show("IN", []*tensor.Tensor{big, words, scalar})
	for range 100 {
		tr.show("OUT", []*tensor.Tensor{big})
	}
	if got := tr.values[0].Tensor.Data; len(got) > maxShown+10 || !strings.HasSuffix(got, "…") {
		t.Errorf("%d bytes of the first tensor", len(got))
	}
	if got := tr.values[1].Tensor; got.Data != "8 bytes,0 bytes" || got.Shape != "2,1" || got.Type != "BYTES" {
		t.Errorf("BYTES are shown as %+v; want lengths, since they may be pictures", got)
	}
	if got := tr.values[2].Tensor; got.Data != "1" || got.Shape != "" {
		t.Errorf("a scalar is shown as %+v", got)
	}
	if got := len(lines([]any{tr.values})); got > 2*maxShownAll {
		t.Errorf("%d bytes of one request", got)
	}
}
