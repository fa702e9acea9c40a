//go:build ci

package oddpictures

import (
	"encoding/csv"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goshawk-ai/goshawk/test/checkout"
)

// File is one odd picture, with what the index says of it.
type File struct {
	Name   string
	Kind   string // by content
	Data   []byte
	Pillow string // "decodes", or Pillow's complaint
	Size   string // Pillow's, as stored: 160x120
}

// Outcome is what became of a picture: "jpeg 160x120" (as displayed), or the
// slug of the problem with its sentence.
type Outcome struct {
	Result   string
	Sentence string
}

// Decoded says whether there was a picture in the end.
func (o Outcome) Decoded() bool { return o.Sentence == "" }

// Row is a line of golden.csv.
type Row struct {
	File, Kind string
	Turbo, Go  Outcome // with libjpeg-turbo, and with Go's JPEG decoder
	Pillow     string  // decodes or refuses
	Reason     string  // why not, where Pillow decodes and libjpeg-turbo's side does not
	ReasonGo   string  // the same for Go's side
}

// Pictures is the folder with the odd pictures.
func Pictures(t testing.TB) string {
	t.Helper()
	return checkout.Shared(t, "images", "odd")
}

// Load reads the index and the pictures, sorted by name.
func Load(t testing.TB) []File {
	t.Helper()
	dir := Pictures(t)
	var files []File
	for _, r := range readCSV(t, filepath.Join(dir, "INDEX.csv")) {
		data, err := os.ReadFile(filepath.Join(dir, r["file"]))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, File{Name: r["file"], Kind: r["kind"], Data: data, Pillow: r["pillow"], Size: r["size"]})
	}
	return files
}

func readCSV(t testing.TB, path string) []map[string]string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines, err := csv.NewReader(f).ReadAll()
	if err != nil || len(lines) == 0 {
		t.Fatalf("%s: %v", path, err)
	}
	var rows []map[string]string
	for _, line := range lines[1:] {
		row := map[string]string{}
		for i, name := range lines[0] {
			row[name] = line[i]
		}
		rows = append(rows, row)
	}
	return rows
}

var columns = []string{"file", "kind", "turbo", "turbo_sentence", "go", "go_sentence", "pillow", "agrees", "reason", "reason_go"}

func goldenPath(t testing.TB) string {
	return filepath.Join(checkout.Root(t), "test", "oddpictures", "golden.csv")
}

// Golden reads golden.csv, by file.
func Golden(t testing.TB) map[string]Row {
	t.Helper()
	rows := map[string]Row{}
	for _, r := range readCSV(t, goldenPath(t)) {
		rows[r["file"]] = Row{
			File: r["file"], Kind: r["kind"], Pillow: r["pillow"], Reason: r["reason"], ReasonGo: r["reason_go"],
			Turbo: Outcome{r["turbo"], r["turbo_sentence"]}, Go: Outcome{r["go"], r["go_sentence"]},
		}
	}
	return rows
}

func writeGolden(t testing.TB, rows []Row) {
	t.Helper()
	var b strings.Builder
	w := csv.NewWriter(&b)
	_ = w.Write(columns)
	for _, r := range rows {
		agrees := "yes"
		if r.Turbo.Decoded() != (r.Pillow == "decodes") {
			agrees = "no"
		}
		_ = w.Write([]string{r.File, r.Kind, r.Turbo.Result, r.Turbo.Sentence, r.Go.Result, r.Go.Sentence, r.Pillow, agrees, r.Reason, r.ReasonGo})
	}
	w.Flush()
	if err := os.WriteFile(goldenPath(t), []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

// Check runs all pictures through classify and holds what it says against the
// column of the table that want takes.
func Check(t *testing.T, want func(Row) Outcome, classify func(File) Outcome) {
	t.Helper()
	golden, files := Golden(t), Load(t)
	if len(files) != len(golden) {
		t.Errorf("%d pictures for the %d rows of golden.csv", len(files), len(golden))
	}
	for _, f := range files {
		got, row := classify(f), golden[f.Name]
		if row.File == "" {
			t.Errorf("%s is not in golden.csv (run with -update)", f.Name)
			continue
		}
		if w := want(row); got != w {
			t.Errorf("%s: got %q (%s), golden.csv has %q (%s)", f.Name, got.Result, got.Sentence, w.Result, w.Sentence)
		}
	}
}
