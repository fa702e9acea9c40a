package jsonscan_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/goshawk-ai/goshawk/internal/jsonscan"
	"github.com/goshawk-ai/goshawk/internal/problem"
)

// whole reads a text that is one value.
func whole(text []byte) error {
	s := jsonscan.Scanner{Text: text}
	if err := s.Skip(); err != nil {
		return err
	}
	return s.End()
}

// TestStringsAreWhatTheyWereBeforeTheyWereWritten: escapes are resolved in place.
func TestStringsAreWhatTheyWereBeforeTheyWereWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.String().Draw(t, "text")
		text, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		if rapid.Bool().Draw(t, "escaped") { // as Python writes it
			text = []byte(strings.ReplaceAll(string(text), "/", `\/`))
		}
		s := jsonscan.Scanner{Text: text}
		got, err := s.Bytes("x")
		if err != nil || string(got) != want || s.At != len(text) {
			t.Fatalf("%s is read as %q, %v, up to %d; want %q", text, got, err, s.At, want)
		}
	})
}

func TestStringsThatAreNone(t *testing.T) {
	for text, words := range map[string]string{
		`"a`:                                 "no end",
		`"a\"`:                               "no end",
		`"\x"`:                               "escape",
		`"\ud800"`:                           "escape",
		`"\ud800\u0041"`:                     "escape",
		`"\u12"`:                             "escape",
		"\"a\nb\"":                           "control character",
		"\"12345678\x00\"":                   "control character",
		"\"1234567\t89012345\"":              "control character",
		`"` + strings.Repeat("a", 5000):      "no end",
		`"` + strings.Repeat("a", 5e3) + `"`: "longer than",
		"\"\xff\"":                           "no UTF-8",
		`5`:                                  "want it as a string",
	} {
		s := jsonscan.Scanner{Text: []byte(text)}
		if got, err := s.Short("it"); !errors.Is(err, problem.InvalidRequest) || !strings.Contains(err.Error(), words) {
			t.Errorf("%.40q: %q, %v; want a refusal that says %q", text, got, err, words)
		}
	}
	s := jsonscan.Scanner{Text: []byte("\"ÿ é 猫 \x7f " + strings.Repeat(" ", 20) + "\"")} // above, not below
	if got, err := s.Short("it"); err != nil || len(got) != 32 {
		t.Errorf("%q (%d bytes), %v; these are no control characters", got, len(got), err)
	}
}

func TestDepthIsBounded(t *testing.T) {
	for _, open := range []string{"[", `{"a":`} {
		for depth, ok := range map[int]bool{jsonscan.MaxDepth: true, jsonscan.MaxDepth + 1: false, 1e6: false} {
			text := strings.Repeat(open, depth) + "1" + strings.Repeat(map[string]string{"[": "]", `{"a":`: "}"}[open], depth)
			if err := whole([]byte(text)); (err == nil) != ok {
				t.Errorf("%d times %s: %v; want it read: %v", depth, open, err, ok)
			}
			s := jsonscan.Scanner{Text: []byte(text)}
			if err := s.Nested("it", s.Skip); open == "[" && (err == nil) != ok {
				t.Errorf("%d lists of elements in one another: %v; want it read: %v", depth, err, ok)
			}
		}
	}
}

func TestNumbersThatJSONHas(t *testing.T) {
	for text, ok := range map[string]bool{
		"0": true, "-0": true, "5.0": true, "1e3": true, "-1.5E-3": true, "123456789012345678901234567890": true,
		"-": false, "05": false, "NaN": false, "-Infinity": false, "1.": false, "1e": false, "1e999": false, ".5": false, "+1": false, "": false, `"1"`: false,
	} {
		s := jsonscan.Scanner{Text: []byte(text)}
		value, written, err := s.Number("it")
		var want float64
		if bad := json.Unmarshal([]byte(text), &want); (err == nil) != ok || ok && (bad != nil || value != want || written != text) {
			t.Errorf("%q is read as %v (%q), %v; want it read: %v", text, value, written, err, ok)
		}
	}
}

func TestWhatComesTwice(t *testing.T) {
	seen := jsonscan.Once{}
	if err := errors.Join(seen.See("a"), seen.See("b")); err != nil {
		t.Fatal(err)
	}
	if err := seen.See("a"); !errors.Is(err, problem.InvalidRequest) {
		t.Errorf("a again: %v; want a refusal", err)
	}
}

// FuzzSkip holds the scanner against the standard library's: what is JSON is read,
// what is none is refused, but for the numbers that JSON has no words for.
func FuzzSkip(f *testing.F) {
	for _, seed := range []string{`{"a":[1,-2.5e3,"b\u00e9\\",true,null,{}],"c":[]}`, `[[],[[]],{"":0}]`, "\"\\ud83d\\ude00\"", `[NaN,-Infinity]`, `{"a":1,}`, "[1 2]", " \t\r\n0 ", `"` + "\x01" + `"`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		err := whole(bytes.Clone(text))
		if json.Valid(text) {
			deep := bytes.Count(text, []byte("[")) + bytes.Count(text, []byte("{"))
			huge := bytes.ContainsAny(text, "eE") || len(text) > 300 // 1e999 is JSON, and no number that can be used
			if err != nil && deep <= jsonscan.MaxDepth && !huge {
				t.Fatalf("%q is JSON: %v", text, err)
			}
		} else if err == nil && utf8.Valid(text) && !bytes.ContainsAny(text, `NI\`) {
			t.Fatalf("%q is no JSON, and was read", text)
		}
	})
}
