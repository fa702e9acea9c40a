package registry

import (
	"archive/zip"
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/goshawk-ai/goshawk/internal/fleet/fleettest"
	"github.com/goshawk-ai/goshawk/internal/infer/backendtest/onnxgen"
	"github.com/goshawk-ai/goshawk/internal/model"
	"github.com/goshawk-ai/goshawk/internal/problem"
)

// zipped is a package as an archive.
func zipped(t *testing.T, p fleettest.Package) string {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for name, text := range p.Contents() {
		f, err := w.Create(name)
		if err == nil {
			_, err = f.Write([]byte(text))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func client(t *testing.T) *Client {
	t.Helper()
	c := &Client{Dir: filepath.Join(t.TempDir(), "data"), Checker: fleettest.Checker(t)}
	c.Checker.Cache = filepath.Join(c.Dir, ChecksDir)
	return c
}

func TestEveryFormOfAModelIsAdded(t *testing.T) {
	t.Parallel()
	folder := pack("cats", "one").Write(t)
	archive := filepath.Join(t.TempDir(), "cats.zip")
	write(t, archive, zipped(t, pack("cats", "one")))
	bare := filepath.Join(t.TempDir(), "bare.onnx")
	write(t, bare, string(onnxgen.Classifier("N", 32, 3).Bytes()))
	labels := filepath.Join(t.TempDir(), "labels.txt")
	write(t, labels, "a\nb\nc\n")

	c := client(t)
	var doing []string
	one, err := c.AddSource(t.Context(), AddRequest{Source: folder}, func(s string) { doing = append(doing, s) })
	if err != nil {
		t.Fatal(err)
	}
	if one.ByServer || !slices.Equal(doing, []string{"reading", "checking", "adding"}) {
		t.Errorf("added %+v, saying %v", one, doing)
	}
	two, err := c.AddSource(t.Context(), AddRequest{Source: archive}, nil)
	if err != nil || two.Version.Digest != one.Version.Digest || two.Version.Number != 1 {
		t.Errorf("the same package as an archive is %+v, %v; want the same digest: the form does not count", two, err)
	}
	three, err := c.AddSource(t.Context(), AddRequest{Source: bare, Import: model.ImportOptions{Name: "dogs", Labels: labels, Preset: "cifar10"}}, nil)
	if err != nil || three.Version.Name != "dogs" {
		t.Errorf("a bare model is %+v, %v", three, err)
	}
	four, err := c.AddSource(t.Context(), AddRequest{Source: bare, Import: model.ImportOptions{Name: "numbers", Kind: model.KindTensor}}, nil)
	if err != nil || four.Version.Name != "numbers" {
		t.Errorf("a bare model that takes no pictures is %+v, %v", four, err)
	}
	if kept, _ := filepath.Glob(filepath.Join(c.Dir, ChecksDir, "*.json")); len(kept) != 3 {
		t.Errorf("%d results of checks are kept, want 3: the server would check again", len(kept))
	}
}

func TestAModelIsAddedFromAnAddress(t *testing.T) {
	t.Parallel()
	s := newSite(t, zipped(t, pack("cats", "one")))
	c := client(t)
	c.Fetcher = s.fetcher()
	a, err := c.AddSource(t.Context(), AddRequest{Source: s.URL + "/cats.zip", SHA256: s.digest()}, nil)
	if err != nil || a.Version.Name != "cats" {
		t.Fatalf("AddSource = %+v, %v", a, err)
	}
	if left := files(t, filepath.Join(c.Dir, tmpDir)); len(left) != 0 {
		t.Errorf("the download is left behind: %v", left)
	}
}

func TestWhatAddSourceRefusesLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	text := filepath.Join(t.TempDir(), "model.onnx")
	write(t, text, "not a model at all")
	for _, c := range []struct {
		name string
		q    AddRequest
		kind *problem.Kind
		want string
	}{
		{"nothing there", AddRequest{Source: "/nonexistent/model"}, problem.ModelInvalid, "there is no file or folder"},
		{"no model", AddRequest{Source: text, Import: model.ImportOptions{Labels: text, Preset: "cifar10"}}, problem.ModelInvalid, "not an ONNX model"},
		{"a path with a digest", AddRequest{Source: text, SHA256: strings.Repeat("0", 64)}, problem.InvalidRequest, "belongs to an https:// address"},
		{"http", AddRequest{Source: "http://example.org/m.zip", SHA256: strings.Repeat("0", 64)}, problem.InvalidRequest, "by https only"},
		{"labels that do not fit", AddRequest{Source: fleettest.Package{Labels: []string{"a", "b"}}.Write(t)}, problem.ModelInvalid, "3"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			a := client(t)
			_, err := a.AddSource(t.Context(), c.q, nil)
			if !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("AddSource = %v; want %s that says %q", err, c.kind.Slug, c.want)
			}
			for _, sub := range []string{packagesDir, tmpDir, spoolDir, ChecksDir} {
				if _, err := os.Stat(filepath.Join(a.Dir, sub)); err == nil {
					if left := files(t, filepath.Join(a.Dir, sub)); len(left) != 0 {
						t.Errorf("%v is left in %s", left, sub)
					}
				}
			}
		})
	}
}

func TestVerifyFindsWhatChanged(t *testing.T) {
	t.Parallel()
	builtIn := BuiltIn{FS: memory(pack("inside", "one"))}
	r := open(t, t.TempDir(), builtIn)
	add(t, r, pack("cats", "one"), AddOptions{})
	bad := add(t, r, pack("dogs", "one"), AddOptions{})
	where, _ := r.Directory(bad.Digest)
	if err := os.Chmod(filepath.Join(where, "labels.txt"), 0o600); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(where, "labels.txt"), "a\nb\nz\n")
	list, err := r.Verify(t.Context(), "", fleettest.Checker(t))
	if err != nil || len(list) != 3 {
		t.Fatalf("Verify = %d results, %v; want 3", len(list), err)
	}
	for _, v := range list {
		switch {
		case v.Version.Name == "dogs":
			if v.Err == nil || !strings.Contains(v.Err.Error(), "has changed on disk") {
				t.Errorf("the changed package: %v; want it found", v.Err)
			}
		case v.Err != nil || v.Report == nil || v.Report.Classes != 3:
			t.Errorf("%s: %+v, %v; want it well, with the check's report", v.Version.Name, v.Report, v.Err)
		}
	}
	if _, err := r.Verify(t.Context(), "birds", fleettest.Checker(t)); !errors.Is(err, problem.ModelNotFound) {
		t.Errorf("Verify of a model that is not there = %v", err)
	}
}

// The packages inside the program are loaded without a check at every start,
// which is right only as long as they pass it here.
func TestBuiltInPackagesPassTheCheck(t *testing.T) {
	t.Parallel()
	list, err := BuiltIns()
	if err != nil || len(list) == 0 {
		t.Fatalf("BuiltIns = %d, %v; want at least imagenet", len(list), err)
	}
	r := open(t, t.TempDir(), list...)
	verified, err := r.Verify(t.Context(), "", fleettest.Checker(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range verified {
		if v.Err != nil || !v.Version.BuiltIn {
			t.Errorf("%s: %v", v.Version.Name, v.Err)
			continue
		}
		t.Logf("%s: %d classes, embedding %d, load %.0f ms, run %.1f ms, check %.0f ms, probe %q, parity %d stages, warnings %q",
			v.Version.Name, v.Report.Classes, v.Report.Embedding, v.Report.LoadMS, v.Report.RunMS, v.Report.CheckMS, v.Report.Probe, len(v.Report.Parity), v.Report.Warnings)
	}
}
