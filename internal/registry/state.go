package registry

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/goshawk-ai/goshawk/internal/fleet"
	"github.com/goshawk-ai/goshawk/internal/principal"
	"github.com/goshawk-ai/goshawk/internal/problem"
)

// state is registry.json: everything that the registry remembers. Its methods
// are pure: they touch no disk, and a failed one has changed nothing.
type state struct {
	Format int            `json:"format"`
	Models []*modelRecord `json:"models"` // by name
}

const stateFormat = 1

// modelRecord is a name with its versions.
type modelRecord struct {
	Name      string          `json:"name"`
	ProjectID string          `json:"project_id"`
	Last      int             `json:"last_number"` // the highest number ever given; none is used twice
	Versions  []versionRecord `json:"versions"`    // by number
	Aliases   []aliasRecord   `json:"aliases"`     // by name
}

type versionRecord struct {
	Number  int       `json:"number"`
	Digest  string    `json:"digest"`
	Added   time.Time `json:"added"`
	BuiltIn bool      `json:"built_in,omitempty"`
}

type aliasRecord struct {
	Name    string `json:"name"`
	Digest  string `json:"digest"`
	History []move `json:"history"` // oldest first, the present one last
}

type move struct {
	Digest string    `json:"digest"`
	At     time.Time `json:"at"`
}

// maxHistory bounds an alias's history; a rollback looks back a step or two.
const maxHistory = 100

func (s *state) clone() *state {
	c := &state{Format: s.Format, Models: make([]*modelRecord, len(s.Models))}
	for i, m := range s.Models {
		d := *m
		d.Versions = slices.Clone(m.Versions)
		d.Aliases = slices.Clone(m.Aliases)
		for j := range d.Aliases {
			d.Aliases[j].History = slices.Clone(d.Aliases[j].History)
		}
		c.Models[i] = &d
	}
	return c
}

func (s *state) model(name string) *modelRecord {
	i, ok := slices.BinarySearchFunc(s.Models, name, func(m *modelRecord, n string) int { return strings.Compare(m.Name, n) })
	if !ok {
		return nil
	}
	return s.Models[i]
}

func (m *modelRecord) version(digest string) *versionRecord {
	for i := range m.Versions {
		if m.Versions[i].Digest == digest {
			return &m.Versions[i]
		}
	}
	return nil
}

func (m *modelRecord) alias(name string) *aliasRecord {
	for i := range m.Aliases {
		if m.Aliases[i].Name == name {
			return &m.Aliases[i]
		}
	}
	return nil
}

// add makes a version of a name, or finds the one that has this digest.
func (s *state) add(name, digest string, builtIn bool, now time.Time) {
	m := s.model(name)
	if m == nil {
		m = &modelRecord{Name: name, ProjectID: principal.Default}
		s.Models = append(s.Models, m)
		slices.SortFunc(s.Models, func(a, b *modelRecord) int { return strings.Compare(a.Name, b.Name) })
	}
	if m.version(digest) != nil {
		return
	}
	m.Last++
	m.Versions = append(m.Versions, versionRecord{Number: m.Last, Digest: digest, Added: now, BuiltIn: builtIn})
}

// point moves an alias, or makes it.
func (m *modelRecord) point(alias, digest string, now time.Time) {
	a := m.alias(alias)
	if a == nil {
		m.Aliases = append(m.Aliases, aliasRecord{Name: alias})
		a = &m.Aliases[len(m.Aliases)-1]
	}
	if a.Digest != digest {
		a.Digest = digest
		a.History = append(a.History, move{digest, now})
		a.History = a.History[max(0, len(a.History)-maxHistory):]
	}
	slices.SortFunc(m.Aliases, func(a, b aliasRecord) int { return strings.Compare(a.Name, b.Name) })
}

// remove takes a version out. What an alias points to stays, unless it is the
// name's only version: then the aliases go with it. The name's record stays even
// without versions, so that its numbers are not used again.
func (s *state) remove(name, digest string) error {
	m := s.model(name)
	v := m.version(digest)
	if v.BuiltIn {
		return problem.InvalidRequest.New("the model %s@%s is part of the program and cannot be removed", name, short(digest))
	}
	if len(m.Versions) > 1 {
		for _, a := range m.Aliases {
			if a.Digest == digest {
				return problem.InvalidRequest.New("the alias %s@%s points to %s; move it to another version first (goshawk models alias %s@%s %s@sha256:…)",
					name, a.Name, short(digest), name, a.Name, name)
			}
		}
	} else {
		m.Aliases = nil
	}
	m.Versions = slices.DeleteFunc(m.Versions, func(v versionRecord) bool { return v.Digest == digest })
	return nil
}

// versions lists them for the fleet.
func (s *state) versions(required map[string]bool) []fleet.Version {
	var list []fleet.Version
	for _, m := range s.Models {
		for _, v := range m.Versions {
			list = append(list, m.describe(v, required))
		}
	}
	return list
}

func (m *modelRecord) describe(v versionRecord, required map[string]bool) fleet.Version {
	d := fleet.Version{Name: m.Name, Digest: v.Digest, Number: v.Number, BuiltIn: v.BuiltIn, Added: v.Added, Project: m.ProjectID}
	for _, a := range m.Aliases {
		if a.Digest == v.Digest {
			d.Aliases = append(d.Aliases, a.Name)
			d.Required = d.Required || a.Name == fleet.DefaultAlias && required[m.Name]
		}
	}
	return d
}

// marshal is the text of registry.json.
func (s *state) marshal() ([]byte, error) {
	data, err := json.MarshalIndent(s, "", "  ")
	return append(data, '\n'), err
}

// check refuses a state that this program did not write: a damaged file must not
// become wrong answers.
func (s *state) check() error {
	if s.Format != stateFormat {
		return fmt.Errorf("its format is %d, this program knows %d", s.Format, stateFormat)
	}
	for i, m := range s.Models {
		if i > 0 && cmp.Compare(s.Models[i-1].Name, m.Name) >= 0 {
			return fmt.Errorf("the models are not in order at %q", m.Name)
		}
		number := 0
		for _, v := range m.Versions {
			if v.Number <= number || v.Number > m.Last || !isDigest(v.Digest) {
				return fmt.Errorf("the model %q has a wrong version %d (%q)", m.Name, v.Number, v.Digest)
			}
			number = v.Number
		}
		for _, a := range m.Aliases {
			if m.version(a.Digest) == nil {
				return fmt.Errorf("the alias %s@%s points to no version", m.Name, a.Name)
			}
		}
	}
	return nil
}
