package access_test

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goshawk-ai/goshawk/internal/access"
)

func digest(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:])
}

func TestKeysTellThePrincipal(t *testing.T) {
	keys, err := access.ParseKeys([]byte("keys:\n" +
		"  - {id: alice, sha256: " + digest("open sesame") + "}\n" +
		"  - {id: bob, project: shop, sha256: sha256:" + strings.ToUpper(digest("b")) + "}\n"))
	if err != nil {
		t.Fatal(err)
	}
	if keys.Len() != 2 {
		t.Fatalf("Len = %d, want 2", keys.Len())
	}
	for _, c := range []struct{ key, id, project string }{
		{"open sesame", "alice", "default"},
		{"b", "bob", "shop"},
		{"B", "", ""},
		{"", "", ""},
		{"open sesame ", "", ""},
		{digest("open sesame"), "", ""},
		{strings.Repeat("x", 513), "", ""},
	} {
		who, known := keys.Lookup(c.key)
		if known != (c.id != "") || who.ID != c.id || who.Project != c.project {
			t.Errorf("Lookup(%.20q) = %v, %v; want %q of %q", c.key, who, known, c.id, c.project)
		}
	}
}

func TestNoKeysKnowNobody(t *testing.T) {
	var none *access.Keys
	if _, known := none.Lookup("x"); known || none.Len() != 0 {
		t.Fatal("no keys must know nobody")
	}
}

func TestBadKeysFilesAreRefusedWithTheReason(t *testing.T) {
	good := digest("k")
	for name, c := range map[string]struct{ file, want string }{
		"empty":         {"", "there is no key"},
		"empty list":    {"keys: []\n", "there is no key"},
		"unknown field": {"keys:\n  - {id: a, secret: x}\n", "secret"},
		"no yaml":       {"keys: [\n", "line 1"},
		"a word":        {"keys: yes please\n", "want a list"},
		"no digest":     {"keys:\n  - {id: a}\n", "64 hex digits"},
		"the key":       {"keys:\n  - {id: a, sha256: hunter2}\n", "64 hex digits"},
		"id missing":    {"keys:\n  - {sha256: " + good + "}\n", `id is ""`},
		"id odd":        {"keys:\n  - {id: \"a\\nb\", sha256: " + good + "}\n", `id is "a\nb"`},
		"project odd":   {"keys:\n  - {id: a, project: A B, sha256: " + good + "}\n", `project is "A B"`},
		"two documents": {"keys:\n  - {id: a, sha256: " + good + "}\n---\nkeys:\n  - {id: b, sha256: " + digest("l") + "}\n", "line 3, column 1: a second YAML document"},
		"anchor":        {"keys:\n  - &a {id: a, sha256: " + good + "}\n", "line 2, column 5: the anchor"},
		"no UTF-8":      {"keys:\n  - {id: \"\x80\", sha256: " + good + "}\n", "not UTF-8"},
		"id twice":      {"keys:\n  - {id: a, sha256: " + good + "}\n  - {id: a, sha256: " + digest("l") + "}\n", "twice"},
		"digest twice":  {"keys:\n  - {id: a, sha256: " + good + "}\n  - {id: b, sha256: " + good + "}\n", "twice"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := access.ParseKeys([]byte(c.file))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v, want a sentence with %q", err, c.want)
			}
			for _, leak := range []string{good, "hunter2", "access.", "struct", "\n"} {
				if strings.Contains(err.Error(), leak) {
					t.Errorf("%q must not be in the message: %v", leak, err)
				}
			}
		})
	}
}

func TestLoadKeysNamesTheFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "keys.yaml")
	if _, err := access.LoadKeys(path); err == nil || !strings.Contains(err.Error(), path) {
		t.Fatalf("a missing file: got %v, want its name", err)
	}
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("keys: []\n")
	if _, err := access.LoadKeys(path); err == nil || !strings.Contains(err.Error(), path) {
		t.Fatalf("a file without keys: got %v, want its name", err)
	}
	write("keys:\n  - {id: a, sha256: " + digest("k") + "}\n")
	keys, err := access.LoadKeys(path)
	if err != nil || keys.Len() != 1 {
		t.Fatalf("got %v keys, %v", keys.Len(), err)
	}
	write(strings.Repeat("#", 1<<20+1))
	if _, err := access.LoadKeys(path); err == nil || !strings.Contains(err.Error(), "has more than 1048576 bytes") {
		t.Fatalf("a huge file: got %v, want its bound", err)
	}
}

func FuzzParseKeys(f *testing.F) {
	f.Add("keys:\n  - {id: a, sha256: " + digest("k") + "}\n")
	f.Add("keys: [")
	f.Fuzz(func(t *testing.T, file string) {
		keys, err := access.ParseKeys([]byte(file))
		if (err == nil) != (keys.Len() > 0) {
			t.Fatalf("keys %d and error %v: either keys or a reason", keys.Len(), err)
		}
	})
}

// TestTheKeysFileOfTheHowto: the key and the file that the page shows belong together.
func TestTheKeysFileOfTheHowto(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "howto", "api.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), "```yaml\n")
	file, _, _ := strings.Cut(rest, "```")
	_, rest, _ = strings.Cut(string(page), "\nKEY=")
	key, _, _ := strings.Cut(rest, "\n")
	keys, err := access.ParseKeys([]byte(file))
	if err != nil {
		t.Fatalf("the page's keys file: %v\n%s", err, file)
	}
	if who, ok := keys.Lookup(key); !ok {
		t.Errorf("the page's key %q does not open with the page's file (%v)", key, who)
	}
}
