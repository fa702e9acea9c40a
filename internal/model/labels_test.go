package model_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/goshawk-ai/goshawk/internal/model"
	"github.com/goshawk-ai/goshawk/internal/problem"
)

func TestLabelsAreReadInOrder(t *testing.T) {
	for name, text := range map[string]string{
		"plain":            "cat\ndog\tman's best friend\n鸟\n",
		"no final newline": "cat\ndog\tman's best friend\n鸟",
		"windows":          "\ufeffcat\r\ndog\tman's best friend\r\n鸟\r\n",
		"spaces around":    " cat \ndog\t man's best friend\n鸟\n",
	} {
		got, err := model.ParseLabels("labels.txt", []byte(text))
		want := []model.Label{{Name: "cat"}, {Name: "dog", Description: "man's best friend"}, {Name: "鸟"}}
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s: %v, -want +got:\n%s", name, err, diff)
		}
	}
}

func TestOddTextIsKeptAsItIs(t *testing.T) {
	text := "<script>alert(1)</script>\n\u202Egnp.tac\n=cmd|'/c calc'!A1\n{{7*7}}\n../../x\n\u200b\n🐈\u200d⬛\nOlen\u0301\nolen\n[a]\n"
	labels, err := model.ParseLabels("labels.txt", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	for i, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		if labels[i].Name != line {
			t.Errorf("label %d is %q, want %q unchanged: escaping belongs to where it is shown", i, labels[i].Name, line)
		}
	}
}

func TestBadLabelsAreNamedByLine(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"", "l.txt is empty; one label a line is wanted"},
		{"\n\n", "l.txt is empty; one label a line is wanted"},
		{"a\n\nb\n", "l.txt:2: the label is empty; leaving it out would shift all that follow, so write what the class is"},
		{"a\n \t x\n", "l.txt:2: the label is empty; leaving it out would shift all that follow, so write what the class is"},
		{"a\nb\n\n", "l.txt:3: the label is empty; leaving it out would shift all that follow, so write what the class is"},
		{"a\nb\na\n", `l.txt:3: the label "a" stands in line 1 already; tell the two apart, as in "a (2)"`},
		{"a\nbell\x07\n", `l.txt:2: the label "bell\a" holds a control character`},
		{"a\nb\rc\n", `l.txt:2: the label "b\rc" holds a control character`},
		{"a\nb\tc\td\n", `l.txt:2: the label "c\td" holds a control character`},
		{"a\nnul\x00\n", `l.txt:2: the label "nul\x00" holds a control character`},
		{"a\n\x1b[31mred\n", `l.txt:2: the label "\x1b[31mred" holds a control character`},
		{"a\n\u0085\n", "l.txt:2: the label is empty; leaving it out would shift all that follow, so write what the class is"},
		{"a\npan\xe9\n", "l.txt:2: the label is not UTF-8; save the file as UTF-8"},
		{`{"0": "a", "1": "b"}`, "l.txt is JSON; one label a line is wanted, in the order of the classes"},
		{"[\"a\",\n\"b\"]\n", "l.txt is JSON; one label a line is wanted, in the order of the classes"},
		{"a\n" + strings.Repeat("b", 1001), `l.txt:2: the label "` + strings.Repeat("b", 80) + `"… is too long; at most 1000 characters are taken`},
		{strings.Repeat("x\n", 200_001), "l.txt has 200001 lines; at most 200000 labels are read"},
		{strings.Repeat("x", 17<<20), "l.txt has 17825792 bytes; at most 16777216 are read"},
	} {
		_, err := model.ParseLabels("l.txt", []byte(c.text))
		if err == nil || err.Error() != c.want || !errors.Is(err, problem.ModelInvalid) {
			t.Errorf("%.40q:\n got %v\nwant %s", c.text, err, c.want)
		}
	}
}

func FuzzLabels(f *testing.F) {
	f.Add([]byte("cat\ndog\tx\n"))
	f.Add([]byte("\ufeffa\r\n\xff"))
	f.Fuzz(func(t *testing.T, data []byte) {
		labels, err := model.ParseLabels("l", data)
		if err != nil {
			if strings.ContainsAny(err.Error(), "\n\x00\x1b") {
				t.Fatalf("%q is no sentence for a person", err)
			}
			return
		}
		seen := map[string]bool{}
		for _, l := range labels {
			if l.Name == "" || seen[l.Name] || strings.ContainsAny(l.Name, "\n\r\t\x00") {
				t.Fatalf("label %q was accepted among %q", l.Name, data)
			}
			seen[l.Name] = true
		}
	})
}
