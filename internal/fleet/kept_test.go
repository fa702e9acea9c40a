package fleet_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/goshawk-ai/goshawk/internal/fleet"
	"github.com/goshawk-ai/goshawk/internal/fleet/fleettest"
	"github.com/goshawk-ai/goshawk/internal/infer/ort/orttest"
)

func TestAResultIsKeptForWhatItWasMadeWith(t *testing.T) {
	t.Parallel()
	c := fleettest.Checker(t)
	c.Cache = filepath.Join(t.TempDir(), "cache", "checks")
	r, err := c.Check(t.Context(), fleettest.Package{}.Write(t))
	if err != nil || !r.Accepted {
		t.Fatalf("Check = %+v, %v", r, err)
	}
	kept := c.Kept(r.Digest, r.Runtime, r.Decoder)
	if kept == nil || kept.Classes != 3 || kept.CPU == "" || kept.Checked.IsZero() {
		t.Fatalf("kept %+v; want the report, with processor and time", kept)
	}
	for _, other := range [][3]string{
		{"sha256:0", r.Runtime, r.Decoder},
		{r.Digest, "onnxruntime 9.9.9", r.Decoder},
		{r.Digest, r.Runtime, "libjpeg-turbo 9"},
	} {
		if c.Kept(other[0], other[1], other[2]) != nil {
			t.Errorf("a result was found for %v; another runtime or decoder must be checked anew", other)
		}
	}
	c.Forget(r.Digest, r.Runtime, r.Decoder)
	if c.Kept(r.Digest, r.Runtime, r.Decoder) != nil {
		t.Error("a forgotten result is still there")
	}
}

func TestADamagedResultIsNone(t *testing.T) {
	t.Parallel()
	c := fleettest.Checker(t)
	c.Cache = t.TempDir()
	r, err := c.Check(t.Context(), fleettest.Package{}.Write(t))
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(c.Cache, "*.json"))
	if err != nil || len(files) != 1 {
		t.Fatalf("%d results are kept, want 1 (%v)", len(files), err)
	}
	if err := os.WriteFile(files[0], []byte(`{"accepted":tr`), 0o600); err != nil {
		t.Fatal(err)
	}
	if c.Kept(r.Digest, r.Runtime, r.Decoder) != nil {
		t.Error("half a result was taken for one; it must be checked anew")
	}
}

func TestRefusalsAreNotKept(t *testing.T) {
	t.Parallel()
	c := fleettest.Checker(t)
	c.Cache = t.TempDir()
	r, err := c.Check(t.Context(), fleettest.Package{Labels: []string{"a", "b"}}.Write(t))
	if err != nil || r.Accepted {
		t.Fatalf("Check = %+v, %v; want a refusal", r, err)
	}
	if files, _ := filepath.Glob(filepath.Join(c.Cache, "*")); len(files) != 0 {
		t.Errorf("%v is kept; a refusal on a busy machine deserves another try", files)
	}
}

// A stranger's package is checked when it is loaded for the first time, and not
// the second time.
func TestTheFleetChecksWhatWasNotChecked(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	v := s.put(fleettest.Package{Name: "stranger", Model: sums()}, "default")
	s.edit(func(v []fleet.Version) []fleet.Version { v[0].BuiltIn = false; return v })
	c := fleettest.Checker(t)
	c.Cache = t.TempDir()
	f := s.start(fleet.Options{Default: "stranger", Checker: c})
	ready(t, f)
	m, release, err := f.Acquire("stranger")
	if err != nil {
		t.Fatal(err)
	}
	if m.Report == nil || m.Rows != 1 {
		t.Errorf("the model has report %v and %d rows; want the check's: pictures one at a time", m.Report, m.Rows)
	}
	release()
	f.Close()
	runtime := "onnxruntime " + orttest.Open(t).Version()
	if c.Kept(v.Digest, runtime, "go") == nil {
		t.Fatal("the check's result was not kept: every start would pay for it again")
	}
	c.Program = []string{"/nonexistent"} // a second check would fail
	again := s.start(fleet.Options{Default: "stranger", Checker: c})
	ready(t, again)
}

// TestACheckHoldsNoOtherModelUp: it may take as long as it may, of a model that
// never ends, and somebody waits for another model meanwhile.
func TestACheckHoldsNoOtherModelUp(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	s.put(tiny("stranger", "one"), "default")
	s.put(tiny("here", "one"), "default")
	s.edit(func(v []fleet.Version) []fleet.Version { v[0].BuiltIn = false; return v })
	mark := filepath.Join(t.TempDir(), "pid")
	f := s.start(fleet.Options{Default: "stranger", Checker: &fleet.Checker{Program: player("hang", mark), Limits: fleet.Limits{Wall: time.Hour}}})
	child := pidIn(t, mark)
	settled(t, "the other model answers", func() bool { return answer(f, "here") == nil })
	f.Close()
	gone(t, child)
}

func TestTheFleetDoesNotServeWhatTheCheckRefuses(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	s.put(fleettest.Package{Name: "killer", Model: division(0)}, "default")
	s.edit(func(v []fleet.Version) []fleet.Version { v[0].BuiltIn = false; return v })
	f := s.start(fleet.Options{Default: "killer", Checker: fleettest.Checker(t)})
	if err := f.WaitReady(t.Context()); err == nil {
		t.Fatal("a model that could kill the process is served")
	}
}
