package calibrate

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func point(threads, instances, batch int, rate float64, run time.Duration) Point {
	return Point{Setting: Setting{Threads: threads, Instances: instances, Batch: batch}, Rate: rate, Run: run, Slow: run + run/10, Rounds: 5}
}

// table is of a model that gains by batches.
func table() []Point {
	return []Point{
		point(1, 2, 1, 200, 10*time.Millisecond), point(2, 1, 1, 150, 7*time.Millisecond),
		point(1, 2, 2, 240, 17*time.Millisecond), point(1, 2, 4, 260, 31*time.Millisecond), point(1, 2, 8, 262, 61*time.Millisecond),
	}
}

func TestDecide(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		space Space
		want  Setting
		fits  bool
		says  string
	}{
		{"the most, and of what is as good the soonest", Space{Cores: 2, MaxBatch: 8}, Setting{1, 2, 4, 9 * time.Millisecond}, true, "260 of 262 rows/s"},
		{"within the objective", Space{Cores: 2, MaxBatch: 8, Objective: 50 * time.Millisecond}, Setting{1, 2, 2, 3 * time.Millisecond}, true, "keeps the objective of 50ms, which 2 would not"},
		{"nothing keeps it", Space{Cores: 2, MaxBatch: 8, Objective: time.Millisecond}, Setting{2, 1, 1, 0}, false, "no setting keeps the objective of 1ms"},
		{"a batch that the model does not take now", Space{Cores: 2, MaxBatch: 1}, Setting{1, 2, 1, 0}, true, "200 rows/s"},
		{"fixed threads", Space{Cores: 2, MaxBatch: 8, Fixed: Fixed{Threads: 2}}, Setting{2, 1, 1, 0}, true, "150 rows/s"},
		{"fixed to what was not measured", Space{Cores: 2, MaxBatch: 8, Fixed: Fixed{Threads: 7}}, Setting{7, 2, 1, 0}, true, "nothing was measured"},
		{"a fixed delay counts", Space{Cores: 2, MaxBatch: 8, Objective: 50 * time.Millisecond, Fixed: Fixed{Delay: 25 * time.Millisecond}}, Setting{1, 2, 1, 25 * time.Millisecond}, true, "keeps"},
	} {
		d := Decide(c.space, table())
		if d.Setting != c.want && (c.want.Delay == 0 || withDelay(d.Setting, 0) != withDelay(c.want, 0) || d.Delay == 0) {
			t.Errorf("%s: chose %v, want %v", c.name, d.Setting, c.want)
		}
		if d.Fits != c.fits || !strings.Contains(d.Reason, c.says) {
			t.Errorf("%s: fits %v, reason %q; want %v and %q", c.name, d.Fits, d.Reason, c.fits, c.says)
		}
	}
}

func TestASettingMeasuredOnceIsNotChosenByLuck(t *testing.T) {
	t.Parallel()
	lucky := point(1, 2, 16, 900, 5*time.Millisecond)
	lucky.Rounds = 1
	if d := Decide(Space{Cores: 2, MaxBatch: 16}, append(table(), lucky)); d.Batch == 16 {
		t.Errorf("chose %v, which was measured once when the budget ended", d.Setting)
	}
}

func TestPlan(t *testing.T) {
	t.Parallel()
	space := Space{Cores: 2, MaxBatch: 8}
	measured := &Result{Digest: "sha256:ab", Table: table()}
	start := Make(space, nil)
	if start.Setting != (Setting{1, 2, 1, 0}) || start.Source != FromDefault || !strings.Contains(start.Reason, "nothing was measured") {
		t.Errorf("without a calibration the plan is %+v; want one thread a run, a run a core, batch 1", start)
	}
	found := Make(space, measured)
	if found.Batch != 4 || found.Source != FromCalibration || found.Result != measured || found.Rate != 260 {
		t.Errorf("with a calibration the plan is %+v", found)
	}
	space.Fixed = Fixed{Instances: 1}
	mixed := Make(space, measured)
	if mixed.Instances != 1 || !slices.Equal(mixed.Manual, []string{"instances"}) || !strings.HasPrefix(mixed.Reason, "goshawk.yaml fixes instances; else ") {
		t.Errorf("with instances by hand the plan is %+v", mixed)
	}
	space.Fixed = Fixed{1, 1, 2, time.Millisecond}
	if byHand := Make(space, measured); byHand.Setting != (Setting{1, 1, 2, time.Millisecond}) || byHand.Source != ByHand || byHand.Result != nil {
		t.Errorf("with all by hand the plan is %+v", byHand)
	}
	if one := found.Narrow(); one.Batch != 1 || one.Delay != 0 || !strings.Contains(one.Reason, "one row a run") {
		t.Errorf("for a model without batches the plan is %+v", one)
	}
}

func TestStoreKeepsByModelMachineAndRuntime(t *testing.T) {
	t.Parallel()
	s := &Store{Dir: filepath.Join(t.TempDir(), "calibrations")}
	here := Machine{CPU: "a", Cores: 2, Runtime: "onnxruntime 1.30.0"}
	digest := "sha256:" + strings.Repeat("ab", 32)
	r := &Result{Digest: digest, Machine: here, At: time.Now().UTC(), Took: time.Second, Table: table(), Space: Space{Cores: 2, MaxBatch: 8, Objective: time.Second, Fixed: Fixed{Threads: 1}}}
	if got := s.Load(digest, here); got != nil {
		t.Fatalf("an empty store gives %+v", got)
	}
	if err := s.Save(r); err != nil {
		t.Fatal(err)
	}
	got := s.Load(digest, here)
	if got == nil || !slices.Equal(got.Table, r.Table) || got.Space != r.Space || !got.At.Equal(r.At) || got.Took != r.Took {
		t.Fatalf("Load = %+v, want %+v", got, r)
	}
	for _, other := range []Machine{{"b", 2, here.Runtime}, {"a", 4, here.Runtime}, {"a", 2, "onnxruntime 1.31.0"}} {
		if got := s.Load(digest, other); got != nil {
			t.Errorf("on %+v it gives what was measured on %+v", other, here)
		}
	}
	if got := s.Load("sha256:"+strings.Repeat("ab", 31)+"cd", here); got != nil {
		t.Error("another model gets this one's calibration")
	}
	if got := s.Any(digest, Machine{CPU: "a", Cores: 2}); got == nil || got.Machine != here {
		t.Errorf("Any = %+v; want what there is, whichever the runtime", got)
	}
	if got := s.Any(digest, Machine{CPU: "b", Cores: 2}); got != nil {
		t.Errorf("Any gives another processor's: %+v", got)
	}
}

func TestADamagedCalibrationIsAsIfItWereNotThere(t *testing.T) {
	t.Parallel()
	s := &Store{Dir: t.TempDir()}
	here := Machine{CPU: "a", Cores: 2, Runtime: "r"}
	digest := "sha256:" + strings.Repeat("01", 32)
	if err := s.Save(&Result{Digest: digest, Machine: here, Table: table()}); err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(s.path(digest, here))
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"empty": "", "torn": string(good[:len(good)/2]), "no JSON": "}{", "another format": strings.Replace(string(good), `"format": "1"`, `"format": "0"`, 1),
		"no table":        `{"format": "1", "digest": "` + digest + `", "machine": {"cpu": "a", "cores": 2, "runtime": "r"}}`,
		"a negative rate": strings.Replace(string(good), `"rows_per_second": 200`, `"rows_per_second": -200`, 1),
		"no threads":      strings.Replace(string(good), `"threads": 2`, `"threads": 0`, 1),
		"another model":   strings.Replace(string(good), digest, "sha256:"+strings.Repeat("02", 32), 1),
	} {
		if err := os.WriteFile(s.path(digest, here), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := s.Load(digest, here); got != nil {
			t.Errorf("%s: Load = %+v, want none", name, got)
		}
		if got := s.Any(digest, here); got != nil {
			t.Errorf("%s: Any = %+v, want none", name, got)
		}
	}
	var none *Store
	if none.Load(digest, here) != nil {
		t.Error("no store gives a result")
	}
}

func TestSaveSaysWhyItCannot(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s := &Store{Dir: filepath.Join(file, "below")}
	if err := s.Save(&Result{Digest: "sha256:ab", Table: table()}); err == nil || !strings.Contains(err.Error(), "keep the calibration") {
		t.Errorf("Save below a file = %v", err)
	}
}

func TestALastCoreIsSpared(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		space Space
		want  int
	}{{Space{Cores: 4}, 3}, {Space{Cores: 2}, 1}, {Space{Cores: 1}, 1}, {Space{Cores: 4, Fixed: Fixed{Instances: 4}}, 4}, {Space{Cores: 4, Fixed: Fixed{Instances: 2}}, 2}} {
		p := Make(c.space, nil).Spare("it never ends")
		if p.Instances != c.want || strings.Contains(p.Reason, "since it never ends") != (c.want != c.space.Cores && c.space.Fixed.Instances == 0) {
			t.Errorf("of %+v it takes %d (%s), want %d: others must go on beside runs that may not end, unless its owner says otherwise", c.space, p.Instances, p.Reason, c.want)
		}
	}
}

func TestSettingInWords(t *testing.T) {
	t.Parallel()
	for want, s := range map[string]Setting{
		"1 thread x 2 instances, batch 1":              {1, 2, 1, 0},
		"2 threads x 1 instance, batch 4, delay 1.5ms": {2, 1, 4, 1500 * time.Microsecond},
	} {
		if s.String() != want {
			t.Errorf("%+v is %q, want %q", s, s.String(), want)
		}
	}
}
