package examples_test

import (
	"bytes"
	"encoding/csv"
	"image/jpeg"
	"io/fs"
	"strings"
	"testing"

	"github.com/goshawk-ai/goshawk/examples"
)

func TestEveryPictureIsWholeAndHasItsLabel(t *testing.T) {
	expected := readExpected(t)
	entries, err := fs.ReadDir(examples.FS, ".")
	if err != nil {
		t.Fatal(err)
	}
	bytesInAll := 0
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".jpg") {
			continue
		}
		data, err := fs.ReadFile(examples.FS, e.Name())
		if err != nil {
			t.Fatal(err)
		}
		bytesInAll += len(data)
		picture, err := jpeg.Decode(bytes.NewReader(data))
		if err != nil {
			t.Errorf("%s: %v: a broken example is a poor welcome", e.Name(), err)
			continue
		}
		if size := picture.Bounds().Size(); size.X > 640 || size.Y > 640 || size.X < 200 {
			t.Errorf("%s is %v: examples are 200 to 640 pixels", e.Name(), size)
		}
		if expected[e.Name()] == 0 {
			t.Errorf("expected.csv says nothing of %s", e.Name())
		}
		delete(expected, e.Name())
	}
	for file := range expected {
		t.Errorf("expected.csv names %s, which is not there", file)
	}
	if most := 500_000; bytesInAll > most {
		t.Errorf("the examples have %d bytes and are inside every binary: at most %d", bytesInAll, most)
	}
}

func TestBothBuiltInModelsHaveFiveExamples(t *testing.T) {
	models := map[string]int{}
	for _, row := range rows(t) {
		models[row[1]]++
	}
	for _, model := range []string{"imagenet", "cifar10"} {
		if models[model] < 5 {
			t.Errorf("%s has %d examples, want at least 5", model, models[model])
		}
	}
}

func readExpected(t *testing.T) map[string]int {
	t.Helper()
	files := map[string]int{}
	for _, row := range rows(t) {
		files[row[0]]++
		if row[2] == "" {
			t.Errorf("%s: no label", row[0])
		}
	}
	return files
}

func rows(t *testing.T) [][]string {
	t.Helper()
	table, err := examples.FS.Open("expected.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer table.Close()
	all, err := csv.NewReader(table).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(all[0], ","); got != "file,model,label" {
		t.Fatalf("the columns are %q, want file,model,label", got)
	}
	return all[1:]
}
