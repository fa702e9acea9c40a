//go:build ci

package oddmodels_test

import (
	"bytes"
	"encoding/csv"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/goshawk-ai/goshawk/test/checkout"
	"github.com/goshawk-ai/goshawk/test/oddmodels"
)

var update = flag.Bool("update", false, "write the tables anew")

// runtimeDecides are the files that the README wants refused and that only
// running them, or the runtime's own reader, can tell from good ones.
var runtimeDecides = map[string]string{
	"bitflip.onnx":        "a name was changed: the runtime finds the dangling input",
	"cycle.onnx":          "the runtime sorts the graph",
	"dangling-input.onnx": "the runtime resolves names",
	"unknown-op.onnx":     "the runtime knows its operators",
	"wrong-declared-output.onnx (as many labels as it declares)": "a test run shows the ten",
	"nan-always.onnx": "a test run", "nan-one-class.onnx": "a test run", "inf.onnx": "a test run",
	"loop-forever.onnx": "a test run", "loop-2e62.onnx": "a test run",
	"huge-tensor-100k.onnx": "the memory cap", "huge-tensor-runtime.onnx": "the memory cap",
	"batch-collapses.onnx": "a test run with two pictures",
}

// TestEveryOddModelIsAnswered takes each file as far as the runtime is not
// needed and compares the sentences with golden.csv.
func TestEveryOddModelIsAnswered(t *testing.T) {
	cases, err := oddmodels.Cases(checkout.Shared(t, "models", "odd"))
	if err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	table := csv.NewWriter(&got)
	_ = table.Write([]string{"file", "wanted", "answer", "sentence"})
	files, refusals := map[string]bool{}, 0
	for _, c := range cases {
		files[c.File] = true
		refused, err := c.Answer(t.Context(), t.TempDir())
		if err != nil {
			t.Errorf("%s: %v; want an answer, every odd file is somebody's upload", c.Name, err)
			continue
		}
		answer := "accept"
		if refused != "" {
			answer = "refuse"
			refusals++
		}
		_ = table.Write([]string{c.Name, c.Wanted, answer, refused})
		judge(t, c, refused)
	}
	table.Flush()
	if len(files) != 158 {
		t.Errorf("%d files were tried, want the README's 158", len(files))
	}
	t.Logf("%d files, %d cases: %d refused before the runtime, %d go on to it", len(files), len(cases), refusals, len(cases)-refusals)
	golden(t, "golden.csv", got.Bytes())
}

var bearable = regexp.MustCompile(`^[^\n\x00-\x1f\x7f]{10,600}$`)

// figures differ from processor to processor, and noise from run to run.
var figures = regexp.MustCompile(`\d+(\.\d+)?(e[+-]\d+)?`)

// judge holds an answer against the README's.
func judge(t *testing.T, c oddmodels.Case, refused string) {
	t.Helper()
	wantsRefusal := strings.HasPrefix(c.Wanted, "refuse")
	variant := c.Name != filepath.Base(c.File)
	switch {
	case refused != "" && (strings.Contains(refused, "goroutine") || strings.Contains(refused, ".go:") || !bearable.MatchString(refused)):
		t.Errorf("%s: the sentence %q is none for people", c.Name, refused)
	case variant && refused != "":
		t.Errorf("%s: refused with %q; the configuration says what was missing, so it must be accepted", c.Name, refused)
	case refused == "" && wantsRefusal && !strings.Contains(c.Wanted, "accept") && runtimeDecides[c.Name] == "":
		t.Errorf("%s: accepted, but %q is wanted", c.Name, c.Wanted)
	case refused != "" && !wantsRefusal && !strings.Contains(c.Wanted, "refuse"):
		t.Errorf("%s: refused with %q, but %q is wanted", c.Name, refused, c.Wanted)
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(name, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	g, w := strings.Split(string(got), "\n"), strings.Split(string(want), "\n")
	for i := range max(len(g), len(w)) {
		a, b := "", ""
		if i < len(g) {
			a = g[i]
		}
		if i < len(w) {
			b = w[i]
		}
		if a != b {
			t.Errorf("%s line %d:\n got %s\nwant %s\n(run with -update when the new sentence is better)", name, i+1, a, b)
		}
	}
}
