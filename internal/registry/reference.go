package registry

import (
	"encoding/hex"
	"regexp"
	"strings"

	"github.com/goshawk-ai/goshawk/internal/fleet"
	"github.com/goshawk-ai/goshawk/internal/problem"
	"github.com/goshawk-ai/goshawk/internal/wording"
)

const (
	digestPrefix = "sha256:"
	digestDigits = 64
	fewestDigits = 12 // that a reference must have
)

var aliasForm = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,63}$`)

func checkAlias(alias string) error {
	if !aliasForm.MatchString(alias) {
		return problem.InvalidRequest.New("%s is no alias: write lower-case letters, digits, '.', '_' and '-', at most 64, and begin with a letter or digit", wording.Quote(alias))
	}
	return nil
}

// isVersion says whether a reference is NAME@sha256:HEX with all its digits: it
// means the same version whenever it is looked at.
func isVersion(ref string) bool {
	_, rest, _ := strings.Cut(ref, "@")
	return isDigest(rest)
}

func isDigest(s string) bool {
	digits, ok := strings.CutPrefix(s, digestPrefix)
	if !ok || len(digits) != digestDigits || strings.ToLower(digits) != digits {
		return false
	}
	_, err := hex.DecodeString(digits)
	return err == nil
}

// short is a digest as people write it.
func short(digest string) string { return digest[:min(len(digest), len(digestPrefix)+fewestDigits)] }

// resolve finds what NAME, NAME@ALIAS or NAME@sha256:HEX means.
func (s *state) resolve(ref string) (*modelRecord, *versionRecord, error) {
	name, rest, qualified := strings.Cut(ref, "@")
	m := s.model(name)
	if m == nil || len(m.Versions) == 0 {
		return nil, nil, problem.ModelNotFound.New("there is no model %s", wording.Quote(name))
	}
	if !qualified {
		rest = fleet.DefaultAlias
	}
	if digits, ok := strings.CutPrefix(rest, digestPrefix); ok {
		v, err := m.byDigits(strings.ToLower(digits))
		return m, v, err
	}
	a := m.alias(rest)
	switch {
	case a == nil && !qualified:
		return nil, nil, problem.ModelNotFound.New("the model %q has no default version; name one as %s@sha256:…", name, name)
	case a == nil:
		return nil, nil, problem.ModelNotFound.New("the model %q has no alias %s", name, wording.Quote(rest))
	}
	return m, m.version(a.Digest), nil
}

func (m *modelRecord) byDigits(digits string) (*versionRecord, error) {
	if len(digits) < fewestDigits {
		return nil, problem.ModelNotFound.New("the version %s of the model %q is too short: write at least %d digits of it", wording.Quote(digits), m.Name, fewestDigits)
	}
	var found *versionRecord
	for i := range m.Versions {
		if !strings.HasPrefix(m.Versions[i].Digest[len(digestPrefix):], digits) {
			continue
		}
		if found != nil {
			return nil, problem.ModelNotFound.New("the version %s of the model %q is ambiguous: more than one begins so", wording.Quote(digits), m.Name)
		}
		found = &m.Versions[i]
	}
	if found == nil {
		return nil, problem.ModelNotFound.New("the model %q has no version %s", m.Name, wording.Quote(digits))
	}
	return found, nil
}
