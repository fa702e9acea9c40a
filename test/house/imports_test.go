package house

import (
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// floors is the house from the ground up. A room imports lower floors, and on
// its own floor only rooms that stand before it. What it needs from above it
// declares as a small interface, and internal/app hands it in.
var floors = [][]string{
	{"api", "examples", "internal/wording", "internal/strictyaml", "internal/problem", "internal/jsonscan", "internal/units", "internal/principal", "internal/telemetry", "internal/tensor", "internal/picture/turbo", "internal/picture"},
	{"internal/model", "internal/infer", "internal/infer/ort", "internal/infer/oip", "internal/infer/child", "internal/interpret"},
	{"internal/schedule", "internal/calibrate", "internal/fleet", "internal/predict"},
	{"internal/registry"},
	{"internal/access"},
	{"internal/web", "internal/httpapi", "internal/oipapi"},
	{"internal/config", "internal/app", "cmd/goshawk"},
}

// beside are programs and tests: they may import any room, and no room imports them.
var beside = []string{".", "bench", "client", "deploy", "docs", "scripts", "test", "tools", "training"}

// place is a room's number in the order of the whole house, and its name.
// Folders inside a room belong to it.
func place(dir string) (number int, room string) {
	n := 0
	number = -1
	for _, floor := range floors {
		for _, r := range floor {
			n++
			if (dir == r || strings.HasPrefix(dir, r+"/")) && len(r) > len(room) {
				number, room = n, r
			}
		}
	}
	return number, room
}

func isBeside(dir string) bool {
	return slices.ContainsFunc(beside, func(b string) bool { return dir == b || b != "." && strings.HasPrefix(dir, b+"/") })
}

// breach says what is wrong with an import inside the repository, or "".
func breach(from, to string) string {
	fromNumber, fromRoom := place(from)
	toNumber, toRoom := place(to)
	switch {
	case isBeside(to) && isTestPackage(from):
		return ""
	case isBeside(to) && !isBeside(from):
		return to + " stands beside the house and is imported by no room"
	case isBeside(from):
		return ""
	case fromNumber < 0:
		return from + " has no place in the table of floors; give it one"
	case toNumber < 0:
		return to + " has no place in the table of floors; give it one"
	case toNumber > fromNumber:
		return fromRoom + " stands below " + toRoom + "; declare a small interface instead and let internal/app hand it in"
	}
	return ""
}

func TestRoomsImportDownwards(t *testing.T) {
	for _, f := range goFiles(t) {
		for _, spec := range f.ast.Imports {
			target, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			to, ours := strings.CutPrefix(target, module+"/")
			switch {
			case !ours || f.test:
			case strings.HasPrefix(f.name, "client/"):
				t.Errorf("%s imports %s; the public client imports nothing of the house", f.name, to)
			case isTestPackage(to) && !isTestPackage(f.dir()) && !isBeside(f.dir()):
				t.Errorf("%s imports %s, which is there for tests", f.name, to)
			default:
				if why := breach(f.dir(), to); why != "" {
					t.Errorf("%s imports %s: %s", f.name, to, why)
				}
			}
		}
	}
}

// isTestPackage knows conformance suites and fakes by their name: storetest, orttest.
func isTestPackage(dir string) bool {
	base := path.Base(dir)
	return strings.HasSuffix(base, "test") && base != "test"
}

func TestBreach(t *testing.T) {
	for _, c := range []struct {
		from, to string
		bad      bool
	}{
		{"internal/predict", "internal/fleet", false},
		{"internal/fleet", "internal/predict", true},          // same floor, later room
		{"internal/tensor", "internal/model", true},           // upwards
		{"internal/picture", "internal/picture/turbo", false}, // the C half stands before it
		{"internal/infer/ort", "internal/infer", false},
		{"internal/infer", "internal/infer/ort", true},
		{"internal/registry", "internal/registry/builtin", false},
		{"internal/manager", "internal/tensor", true}, // a room that nobody planned
		{"internal/app", "bench", true},
		{"internal/infer/ort/orttest", "test/checkout", false}, // itself there for tests
		{"test/e2e", "internal/app", false},
	} {
		if why := breach(c.from, c.to); (why != "") != c.bad {
			t.Errorf("breach(%s, %s) = %q, want one: %v", c.from, c.to, why, c.bad)
		}
	}
}

func TestNoRoomIsCalledAfterNothing(t *testing.T) {
	for _, f := range goFiles(t) {
		if slices.Contains([]string{"util", "utils", "common", "helpers", "types", "manager"}, f.ast.Name.Name) {
			t.Errorf("%s: package %s says nothing about what is in it", f.name, f.ast.Name.Name)
		}
	}
}
