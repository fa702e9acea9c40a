package access

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/goshawk-ai/goshawk/internal/principal"
	"github.com/goshawk-ai/goshawk/internal/strictyaml"
	"github.com/goshawk-ai/goshawk/internal/wording"
)

const (
	maxKeysFile = 1 << 20 // bytes; some thousands of keys
	maxKey      = 512     // bytes; nobody's key is longer, and hashing is our CPU
)

var idPattern = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,63}$`)

// Keys are the keys that open the doors. Only their sha256 is known here: the
// file may be read by somebody without the keys being lost. A nil *Keys has none.
type Keys struct {
	keys []key
}

type key struct {
	digest [sha256.Size]byte
	who    principal.Principal
}

type keysFile struct {
	Keys []struct {
		ID      string `yaml:"id"`
		Project string `yaml:"project"`
		SHA256  string `yaml:"sha256"`
	} `yaml:"keys"`
}

// LoadKeys reads a keys file; see ParseKeys.
func LoadKeys(path string) (*Keys, error) {
	data, err := strictyaml.ReadFile(path, maxKeysFile)
	if err != nil {
		return nil, fmt.Errorf("cannot read the keys file: %w", err)
	}
	k, err := ParseKeys(data)
	if err != nil {
		return nil, fmt.Errorf("keys file %s: %w", path, err)
	}
	return k, nil
}

// ParseKeys reads YAML of the form
//
//	keys:
//	  - id: alice
//	    project: default   # may be left out
//	    sha256: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
//
// where sha256 is the hex digest of the key's bytes, without a line end. The
// errors never repeat a digest.
func ParseKeys(data []byte) (*Keys, error) {
	if _, err := strictyaml.Parse(data); err != nil {
		return nil, err
	}
	var file keysFile
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	decoder.KnownFields(true)
	if err := decoder.Decode(&file); err != nil && !errors.Is(err, io.EOF) {
		return nil, readable(err)
	}
	if len(file.Keys) == 0 {
		return nil, errors.New("there is no key in it")
	}
	k := &Keys{}
	ids := map[string]bool{}
	for i, entry := range file.Keys {
		made, err := newKey(entry.ID, entry.Project, entry.SHA256)
		if err != nil {
			return nil, fmt.Errorf("key %d: %w", i+1, err)
		}
		if ids[entry.ID] {
			return nil, fmt.Errorf("key %d: the id %q is there twice", i+1, entry.ID)
		}
		if _, known := k.lookup(made.digest); known {
			return nil, fmt.Errorf("key %d: the sha256 is there twice", i+1)
		}
		ids[entry.ID] = true
		k.keys = append(k.keys, made)
	}
	return k, nil
}

// readable takes the library's Go words out of a syntax error.
func readable(err error) error {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	text = strings.ReplaceAll(text, "unmarshal errors:\n  ", "")
	text, _, _ = strings.Cut(text, " in type ")
	text, _, _ = strings.Cut(text, "\n")
	if before, _, found := strings.Cut(text, "cannot unmarshal"); found {
		text = before + "want a list: keys: [{id: …, sha256: …}]"
	}
	return errors.New(text)
}

func newKey(id, project, digest string) (key, error) {
	if project == "" {
		project = principal.Default
	}
	made := key{who: principal.Principal{ID: id, Project: project}}
	for _, word := range [][2]string{{"id", id}, {"project", project}} {
		if !idPattern.MatchString(word[1]) {
			return key{}, fmt.Errorf("%s is %s; want lower-case letters, digits and . _ - (at most 64)", word[0], wording.Quote(word[1]))
		}
	}
	raw, err := hex.DecodeString(strings.TrimPrefix(strings.TrimSpace(digest), "sha256:"))
	if err != nil || len(raw) != sha256.Size {
		return key{}, errors.New("sha256 must be the 64 hex digits that 'printf %s \"$KEY\" | sha256sum' prints")
	}
	copy(made.digest[:], raw)
	return made, nil
}

// Len is the number of keys.
func (k *Keys) Len() int {
	if k == nil {
		return 0
	}
	return len(k.keys)
}

// Lookup tells whose key this is.
func (k *Keys) Lookup(presented string) (principal.Principal, bool) {
	if k == nil || presented == "" || len(presented) > maxKey {
		return principal.Principal{}, false
	}
	return k.lookup(sha256.Sum256([]byte(presented)))
}

// lookup compares with every key, in a time that does not tell which one fits.
func (k *Keys) lookup(digest [sha256.Size]byte) (principal.Principal, bool) {
	found := -1
	for i := range k.keys {
		same := subtle.ConstantTimeCompare(k.keys[i].digest[:], digest[:])
		found = subtle.ConstantTimeSelect(same, i, found)
	}
	if found < 0 {
		return principal.Principal{}, false
	}
	return k.keys[found].who, true
}
