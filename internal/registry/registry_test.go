package registry

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/goshawk-ai/goshawk/internal/model"
	"github.com/goshawk-ai/goshawk/internal/problem"
)

func TestAPackageIsAddedOnceAndNamedByItsDigest(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r := open(t, dir)
	one := add(t, r, pack("cats", "one"), AddOptions{})
	if one.Number != 1 || one.Name != "cats" || !slices.Equal(one.Aliases, []string{"default"}) || one.Project != "default" || one.BuiltIn {
		t.Errorf("added %+v; want version 1 of cats with the alias default, in the project default", one)
	}
	select {
	case <-r.Changed():
	default:
		t.Error("nobody was told of the new version: the fleet would not load it")
	}
	again := add(t, r, pack("cats", "one"), AddOptions{})
	if again.Number != 1 || len(r.Versions()) != 1 {
		t.Errorf("the same package again is version %d of %d; adding twice must change nothing", again.Number, len(r.Versions()))
	}
	p, err := r.Open(t.Context(), one.Digest)
	if err != nil || p.Digest != one.Digest || p.Manifest.Name != "cats" {
		t.Errorf("Open = %+v, %v", p, err)
	}
	where, ok := r.Directory(one.Digest)
	if !ok || filepath.Base(where) != strings.Replace(one.Digest, ":", "-", 1) {
		t.Errorf("it lies in %q (%v); want a folder of its digest's name", where, ok)
	}
	if info, err := os.Stat(filepath.Join(where, "model.onnx")); err != nil || info.Mode().Perm() != 0o444 {
		t.Errorf("the model has mode %v (%v), want 0444: a version never changes", info.Mode(), err)
	}
	if left := files(t, filepath.Join(dir, tmpDir)); len(left) != 0 {
		t.Errorf("%v was left in tmp", left)
	}
}

func TestNumbersAreNeverUsedTwice(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r := open(t, dir)
	add(t, r, pack("cats", "one"), AddOptions{})
	two := add(t, r, pack("cats", "two"), AddOptions{NoAlias: true})
	if _, err := r.Remove("cats@" + two.Digest); err != nil {
		t.Fatal(err)
	}
	if v := add(t, r, pack("cats", "three"), AddOptions{}); v.Number != 3 {
		t.Errorf("the next version is number %d, want 3: 2 was somebody else", v.Number)
	}
	if _, err := r.Remove("cats@" + two.Digest); !errors.Is(err, problem.ModelNotFound) {
		t.Errorf("removing it again: %v, want model-not-found", err)
	}
	r.Close()
	r = open(t, dir)
	v := r.Versions()
	if len(v) != 2 || v[1].Number != 3 || !slices.Equal(v[1].Aliases, []string{"default"}) {
		t.Errorf("after reopening: %+v", v)
	}
}

func TestReferences(t *testing.T) {
	t.Parallel()
	r := open(t, t.TempDir())
	one := add(t, r, pack("cats", "one"), AddOptions{})
	two := add(t, r, pack("cats", "two"), AddOptions{NoAlias: true})
	quiet := add(t, r, pack("quiet", "one"), AddOptions{NoAlias: true})
	if _, err := r.Alias("cats@"+two.Digest, "canary"); err != nil {
		t.Fatal(err)
	}
	for ref, want := range map[string]string{
		"cats": one.Digest, "cats@default": one.Digest, "cats@canary": two.Digest,
		"cats@" + two.Digest: two.Digest, "cats@" + two.Digest[:19]: two.Digest, "cats@" + strings.ToUpper(two.Digest[:7]) + two.Digest[7:]: "",
		"quiet@" + quiet.Digest: quiet.Digest,
	} {
		v, err := r.Resolve(ref)
		if want == "" {
			continue
		}
		if err != nil || v.Digest != want {
			t.Errorf("Resolve(%q) = %s, %v; want %s", ref, v.Digest, err, want)
		}
	}
	for ref, want := range map[string]string{
		"dogs":                     `no model "dogs"`,
		"":                         `no model ""`,
		"cats@":                    `no alias ""`,
		"cats@beta":                `no alias "beta"`,
		"cats@sha256:0123":         "at least 12 digits",
		"cats@sha256:0123456789ab": `no version "0123456789ab"`,
		"quiet":                    "no default version",
		strings.Repeat("x", 5000):  "…",
	} {
		_, err := r.Resolve(ref)
		if !errors.Is(err, problem.ModelNotFound) || !strings.Contains(err.Error(), want) || len(err.Error()) > 300 {
			t.Errorf("Resolve(%.40q) = %v; want model-not-found that says %s", ref, err, want)
		}
	}
}

func TestAnAmbiguousDigestIsRefused(t *testing.T) {
	t.Parallel()
	s := &state{Format: stateFormat}
	s.add("cats", "sha256:"+strings.Repeat("a", 64), false, clock()())
	s.add("cats", "sha256:"+strings.Repeat("a", 63)+"b", false, clock()())
	_, _, err := s.resolve("cats@sha256:" + strings.Repeat("a", 20))
	if !errors.Is(err, problem.ModelNotFound) || !strings.Contains(err.Error(), "ambiguous") {
		t.Errorf("resolve = %v; want it refused as ambiguous", err)
	}
	if _, v, err := s.resolve("cats@sha256:" + strings.Repeat("a", 63) + "b"); err != nil || v.Number != 2 {
		t.Errorf("the whole digest: %v, %v; want version 2", v, err)
	}
}

func TestAliasesMoveAndRememberWhereFrom(t *testing.T) {
	t.Parallel()
	r := open(t, t.TempDir())
	one := add(t, r, pack("cats", "one"), AddOptions{})
	two := add(t, r, pack("cats", "two"), AddOptions{})
	three := add(t, r, pack("cats", "three"), AddOptions{})
	if v, err := r.Rollback("cats", "default"); err != nil || v.Digest != two.Digest {
		t.Errorf("Rollback = %v, %v; want the version before, %s", v.Digest, err, two.Digest)
	}
	history, err := r.History("cats", "default")
	if err != nil {
		t.Fatal(err)
	}
	var digests []string
	for _, h := range history {
		digests = append(digests, h.Digest)
	}
	if want := []string{one.Digest, two.Digest, three.Digest, two.Digest}; !slices.Equal(digests, want) {
		t.Errorf("the history is %v, want %v", digests, want)
	}
	for _, bad := range []string{"", "Two Words", "sha256:1234", "../x", strings.Repeat("a", 65)} {
		if _, err := r.Alias("cats", bad); !errors.Is(err, problem.InvalidRequest) {
			t.Errorf("Alias(%.20q) = %v, want it refused as no alias", bad, err)
		}
	}
	quiet := add(t, r, pack("dogs", "one"), AddOptions{})
	if _, err := r.Rollback(quiet.Name, "default"); !errors.Is(err, problem.InvalidRequest) {
		t.Errorf("Rollback of the first version = %v; there is nothing before it", err)
	}
}

func TestWhatRemoveRefuses(t *testing.T) {
	t.Parallel()
	builtIn := memory(pack("cats", "built in"))
	r := open(t, t.TempDir(), BuiltIn{FS: builtIn})
	if _, err := r.Remove("cats"); !errors.Is(err, problem.InvalidRequest) || !strings.Contains(err.Error(), "part of the program") {
		t.Errorf("Remove of a built-in model = %v", err)
	}
	one := add(t, r, pack("cats", "one"), AddOptions{})
	if _, err := r.Remove("cats"); !errors.Is(err, problem.InvalidRequest) || !strings.Contains(err.Error(), "(goshawk models alias cats@default cats@sha256:…)") {
		t.Errorf("Remove = %v; want it to name the alias that points there, and the command that moves it", err)
	}
	original, err := model.Digest(builtIn)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Alias("cats@"+original, "default"); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Remove("cats@" + one.Digest); err != nil {
		t.Errorf("Remove after the alias was moved = %v", err)
	}
	if _, ok := r.Directory(one.Digest); ok {
		t.Error("its files are still there")
	}
	last := add(t, r, pack("dogs", "one"), AddOptions{})
	if _, err := r.Remove("dogs"); err != nil {
		t.Errorf("Remove of the only version = %v; the name goes with it", err)
	}
	if _, err := r.Resolve("dogs@" + last.Digest); !errors.Is(err, problem.ModelNotFound) {
		t.Errorf("Resolve after Remove = %v", err)
	}
}

func TestBuiltInModelsFollowTheProgram(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r := open(t, dir, BuiltIn{FS: memory(pack("cats", "release 1")), Required: true})
	first, err := r.Resolve("cats")
	if err != nil || !first.BuiltIn || !first.Required {
		t.Fatalf("Resolve = %+v, %v; want the built-in model, required", first, err)
	}
	if _, err := r.Alias("cats", "mine"); err != nil {
		t.Fatal(err)
	}
	r.Close()

	r = open(t, dir, BuiltIn{FS: memory(pack("cats", "release 2"))})
	second, err := r.Resolve("cats@mine")
	if err != nil || second.Number != 2 || second.Digest == first.Digest || len(r.Versions()) != 1 {
		t.Errorf("after an update: %+v, %v, %d versions; want the new built-in as number 2 in place of the old one", second, err, len(r.Versions()))
	}
	own := add(t, r, pack("cats", "own"), AddOptions{})
	r.Close()

	r = open(t, dir, BuiltIn{FS: memory(pack("cats", "release 3"))})
	if v, err := r.Resolve("cats"); err != nil || v.Digest != own.Digest {
		t.Errorf("after a further update cats is %v, %v; an alias that somebody moved to a version of his own stays there", v.Digest, err)
	}
	r.Close()

	r = open(t, dir)
	if v := r.Versions(); len(v) != 1 || v[0].Digest != own.Digest {
		t.Errorf("a program without built-in models lists %+v; want the own one alone", v)
	}
}

func TestOneProcessHoldsTheDirectory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r := open(t, dir)
	_, err := Open(dir, nil, Options{})
	locked, ok := errors.AsType[*LockedError](err)
	if !ok || locked.PID != os.Getpid() || !strings.Contains(err.Error(), "is in use by the process") || !strings.Contains(err.Error(), "--data") {
		t.Errorf("a second Open = %v; want it to say who holds the directory and what to do", err)
	}
	add(t, r, pack("cats", "one"), AddOptions{})
	view, err := View(dir, nil, Options{})
	if err != nil || len(view.Versions()) != 1 {
		t.Errorf("View = %v with %v; want to read beside the holder", err, view)
	}
	if _, err := view.Alias("cats", "x"); err == nil {
		t.Error("a view changed the registry")
	}
	r.Close()
	open(t, dir).Close()
}

func TestAStrangeDirectoryIsLeftAlone(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	write(t, filepath.Join(home, "letter.txt"), "dear")
	if _, err := Open(home, nil, Options{}); err == nil || !strings.Contains(err.Error(), `"letter.txt"`) {
		t.Errorf("Open of a home directory = %v; want it refused, with what lies there", err)
	}
	if left := files(t, home); len(left) != 1 {
		t.Errorf("it now holds %v", left)
	}
	newer := t.TempDir()
	write(t, filepath.Join(newer, formatFile), "goshawk 7\n")
	if _, err := Open(newer, nil, Options{}); err == nil || !strings.Contains(err.Error(), `"goshawk 7"`) {
		t.Errorf("Open of another format = %v; want it to name both", err)
	}
	damaged := t.TempDir()
	open(t, damaged).Close()
	write(t, filepath.Join(damaged, stateFile), `{"format":1,"models":[{"name":"x","last_number":1,"aliases":[{"name":"default","digest":"sha256:00"}]}]}`)
	if _, err := Open(damaged, nil, Options{}); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("Open with a damaged registry.json = %v; want it refused, not repaired by guessing", err)
	}
}

func TestAChangedPackageIsNotOpened(t *testing.T) {
	t.Parallel()
	r := open(t, t.TempDir())
	v := add(t, r, pack("cats", "one"), AddOptions{})
	where, _ := r.Directory(v.Digest)
	labels := filepath.Join(where, "labels.txt")
	if err := os.Chmod(labels, 0o600); err != nil {
		t.Fatal(err)
	}
	write(t, labels, "a\nb\nd\n")
	if _, err := r.Open(t.Context(), v.Digest); !errors.Is(err, problem.ModelInvalid) || !strings.Contains(err.Error(), "has changed on disk") {
		t.Errorf("Open = %v; a changed version must not be served under the old digest", err)
	}
}

func TestAnUnusableDirectoryNamesTheNextStep(t *testing.T) {
	t.Parallel()
	const want = `cannot use the data directory "/srv/models": permission denied (choose another with --data)`
	refused := &fs.PathError{Op: "open", Path: "/srv/models/lock", Err: syscall.EACCES}
	for _, err := range []error{unusable("/srv/models", refused), storage("/srv/models", refused)} {
		if err.Error() != want || !errors.Is(err, fs.ErrPermission) {
			t.Errorf("got %v\nwant %s", err, want)
		}
	}
	file := filepath.Join(t.TempDir(), "file")
	write(t, file, "no folder")
	_, err := Open(filepath.Join(file, "data"), nil, Options{})
	if err == nil || !strings.HasSuffix(err.Error(), `data": not a directory (choose another with --data)`) {
		t.Errorf("below a file: %v", err)
	}
}

func TestServedTellsOfAnotherHolder(t *testing.T) {
	dir := t.TempDir()
	if Served(dir) {
		t.Error("an empty directory is said to be served")
	}
	r, err := Open(dir, nil, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if !Served(dir) {
		t.Error("a directory that is held is said not to be")
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if Served(dir) {
		t.Error("a directory that was given free is said to be held")
	}
}
