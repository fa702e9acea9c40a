package registry

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/goshawk-ai/goshawk/internal/fleet"
	"github.com/goshawk-ai/goshawk/internal/model"
)

// simple is the registry in a few lines: names with numbered versions and
// aliases, and nothing that lasts.
type simple struct {
	last    map[string]int
	numbers map[string]map[string]int    // name, digest
	aliases map[string]map[string]string // name, alias: digest
}

func (s *simple) add(name, digest string, noAlias bool) {
	if s.numbers[name] == nil {
		s.numbers[name], s.aliases[name] = map[string]int{}, map[string]string{}
	}
	if s.numbers[name][digest] == 0 {
		s.last[name]++
		s.numbers[name][digest] = s.last[name]
	}
	if !noAlias {
		s.aliases[name]["default"] = digest
	}
}

func (s *simple) remove(name, digest string) bool {
	if s.numbers[name][digest] == 0 {
		return false
	}
	if len(s.numbers[name]) == 1 {
		clear(s.aliases[name])
	}
	for _, d := range s.aliases[name] {
		if d == digest {
			return false
		}
	}
	delete(s.numbers[name], digest)
	return true
}

func (s *simple) alias(name, digest, alias string) bool {
	if s.numbers[name][digest] == 0 {
		return false
	}
	s.aliases[name][alias] = digest
	return true
}

func (s *simple) String() string {
	var lines []string
	for name, versions := range s.numbers {
		for digest, number := range versions {
			var aliases []string
			for a, d := range s.aliases[name] {
				if d == digest {
					aliases = append(aliases, a)
				}
			}
			slices.Sort(aliases)
			lines = append(lines, fmt.Sprintf("%s %02d %s %s", name, number, digest, strings.Join(aliases, ",")))
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

func described(versions []fleet.Version) string {
	var lines []string
	for _, v := range versions {
		lines = append(lines, fmt.Sprintf("%s %02d %s %s", v.Name, v.Number, v.Digest, strings.Join(v.Aliases, ",")))
	}
	return strings.Join(lines, "\n")
}

// TestAnyHistoryGivesTheListThatASimpleModelGives makes changes at random,
// reopens the directory now and then, and compares.
func TestAnyHistoryGivesTheListThatASimpleModelGives(t *testing.T) {
	t.Parallel()
	type made struct{ name, dir, digest string }
	var packages []made
	for _, name := range []string{"cats", "dogs"} {
		for _, variant := range []string{"one", "two", "three"} {
			dir := pack(name, variant).Write(t)
			digest, err := model.Digest(os.DirFS(dir))
			if err != nil {
				t.Fatal(err)
			}
			packages = append(packages, made{name, dir, digest})
		}
	}
	rapid.Check(t, func(rt *rapid.T) {
		dir := t.TempDir()
		r, err := Open(dir, nil, Options{})
		if err != nil {
			rt.Fatal(err)
		}
		defer func() { r.Close() }()
		s := &simple{map[string]int{}, map[string]map[string]int{}, map[string]map[string]string{}}
		for range rapid.IntRange(1, 6).Draw(rt, "changes") {
			p := rapid.SampledFrom(packages).Draw(rt, "package")
			switch rapid.SampledFrom([]string{"add", "add", "add quietly", "remove", "alias", "reopen"}).Draw(rt, "change") {
			case "add":
				_, err = r.Add(t.Context(), p.dir, AddOptions{})
				s.add(p.name, p.digest, false)
			case "add quietly":
				_, err = r.Add(t.Context(), p.dir, AddOptions{NoAlias: true})
				s.add(p.name, p.digest, true)
			case "remove":
				_, err := r.Remove(p.name + "@" + p.digest)
				if done := s.remove(p.name, p.digest); done != (err == nil) {
					rt.Fatalf("Remove = %v, the simple model says %v", err, done)
				}
			case "alias":
				alias := rapid.SampledFrom([]string{"default", "canary"}).Draw(rt, "alias")
				_, err := r.Alias(p.name+"@"+p.digest, alias)
				if done := s.alias(p.name, p.digest, alias); done != (err == nil) {
					rt.Fatalf("Alias = %v, the simple model says %v", err, done)
				}
			case "reopen":
				r.Close()
				r, err = Open(dir, nil, Options{})
			}
			if err != nil {
				rt.Fatal(err)
			}
			if got, want := described(r.Versions()), s.String(); got != want {
				rt.Fatalf("the registry lists\n%s\nwant\n%s", got, want)
			}
		}
		r.Close()
		if r, err = Open(dir, nil, Options{}); err != nil {
			rt.Fatal(err)
		}
		if got, want := described(r.Versions()), s.String(); got != want {
			rt.Fatalf("after reopening the registry lists\n%s\nwant\n%s", got, want)
		}
	})
}
