package strictyaml

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	yaml "go.yaml.in/yaml/v3"
)

func TestEveryMistakeHasItsPlace(t *testing.T) {
	for text, want := range map[string]string{
		"a: [":                       "f:1: this is no YAML: did not find expected node content",
		"a: b\n---\nc: d\n":          "f:2:1: a second YAML document begins here; one file has one document",
		"a: b\n---\n":                "f:2:1: a second YAML document begins here; one file has one document",
		"a: &x b\n":                  "f:1:4: the anchor &x is not allowed; write values out",
		"a: !!python/object b\n":     `f:1:4: the tag "!!python/object" is not allowed; values here are plain text, numbers, true or false`,
		"a: \xff\n":                  "f:1:4: the text is not UTF-8; save the file as UTF-8",
		"é: b\nc: \xc3":              "f:2:4: the text is not UTF-8; save the file as UTF-8",
		"a: " + nested("[", "]", 65): "f: brackets are nested more than 64 deep",
		"a: " + nested("[", "]", 9):  "f:1:12: fields are nested more than 8 deep",
		"a: b\n\tc: d\n":             "f:2: this is no YAML: found a tab character that violates indentation",
	} {
		_, err := Parse([]byte(text))
		if err == nil {
			t.Errorf("%.30q is taken", text)
			continue
		}
		if got := err.In("f"); got != want {
			t.Errorf("%.30q:\n got %s\nwant %s", text, got, want)
		}
	}
}

func nested(open, end string, n int) string { return strings.Repeat(open, n) + strings.Repeat(end, n) }

func TestNothingIsNoMistake(t *testing.T) {
	for _, text := range []string{"", "\n", "# nothing yet\n", "\ufeff", "null\n", "---\n", "~"} {
		if top, err := Parse([]byte(text)); top != nil || err != nil {
			t.Errorf("%q: %v, %v; want nothing", text, top, err)
		}
	}
	top, err := Parse([]byte("\ufeffa: " + nested("[", "]", 7) + "\n"))
	if err != nil || top.Kind != yaml.MappingNode {
		t.Errorf("got %v, %v; want a mapping", top, err)
	}
}

func TestAnErrorByItself(t *testing.T) {
	for want, e := range map[string]*Error{
		"it is wrong":                    {Reason: "it is wrong"},
		"line 3: it is wrong":            {Line: 3, Reason: "it is wrong"},
		"line 3, column 4: it is \"x\"y": At(&yaml.Node{Line: 3, Column: 4}, "it is %q%s", "x", "y"),
	} {
		if e.Error() != want {
			t.Errorf("got %q, want %q", e.Error(), want)
		}
	}
}

func TestAFileIsReadUpToItsBound(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, []byte("12345"), 0o600); err != nil {
		t.Fatal(err)
	}
	if data, err := ReadFile(path, 5); err != nil || string(data) != "12345" {
		t.Errorf("got %q, %v", data, err)
	}
	for name, most := range map[string]int64{path: 4, path + "x": 5, "/dev/zero": 100} {
		if data, err := ReadFile(name, most); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s up to %d: %q, %v; want an error that names it", name, most, data, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("a: {b: [1, 2]}\n"))
	f.Add([]byte("a: &x [*x]\n---\n!!t b"))
	f.Fuzz(func(t *testing.T, data []byte) {
		top, err := Parse(data[:min(len(data), 1<<16)])
		if err != nil && (top != nil || err.Reason == "" || strings.ContainsAny(err.Reason, "\n\x1b")) {
			t.Errorf("%v beside %q", top, err.Reason)
		}
		if top != nil && (top.Kind == yaml.AliasNode || top.Anchor != "") {
			t.Error("an alias is let through")
		}
	})
}
