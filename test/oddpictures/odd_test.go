//go:build ci

package oddpictures

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/goshawk-ai/goshawk/internal/picture"
	"github.com/goshawk-ai/goshawk/internal/problem"
)

var update = flag.Bool("update", false, "write golden.csv anew")

const (
	mostCPU    = 5 * time.Second
	mostMemory = 256 << 20
)

// local decodes in this process and measures what it cost.
type local struct {
	t       *testing.T
	d       *picture.Decoder
	img     picture.Image
	idle    int64
	slowest time.Duration
	slow    string
	peak    int64
	large   string
}

func newLocal(t *testing.T, kind string) *local {
	d, err := picture.NewDecoder(kind)
	if err != nil {
		t.Fatalf("this test needs both decoders: %v", err)
	}
	debug.FreeOSMemory()
	return &local{t: t, d: d, idle: status(t, "VmRSS")}
}

// status reads a line of /proc/self/status, in bytes.
func status(t *testing.T, key string) int64 {
	data, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		if rest, ok := strings.CutPrefix(line, key+":"); ok {
			kb, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return kb << 10
		}
	}
	t.Fatalf("no %s in /proc/self/status", key)
	return 0
}

func cpu(t *testing.T) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func (l *local) classify(f File) Outcome {
	// 5 makes the kernel forget the highest resident size so far.
	if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil {
		l.t.Fatal(err)
	}
	before := cpu(l.t)
	o, bytes := l.decode(f.Data)
	if took := cpu(l.t) - before; took > l.slowest {
		l.slowest, l.slow = took, f.Name
	}
	high := status(l.t, "VmHWM") - l.idle
	if high > l.peak {
		l.peak, l.large = high, f.Name
	}
	if bytes > 64e6 { // as the service does
		l.img = picture.Image{}
		debug.FreeOSMemory()
	}
	return o
}

func (l *local) decode(data []byte) (Outcome, int64) {
	info, err := picture.Inspect(data, picture.DefaultLimits)
	if err != nil {
		return refused(err), 0
	}
	plan := l.d.FullSize(info)
	if err := l.d.Decode(context.Background(), data, info, plan, &l.img); err != nil {
		return refused(err), plan.Bytes
	}
	return Outcome{Result: fmt.Sprintf("%s %dx%d", info.Format, info.Width, info.Height)}, plan.Bytes
}

func refused(err error) Outcome {
	p := problem.Of(err)
	if cause := p.Unwrap(); cause != nil && strings.Contains(cause.Error(), "panicked") {
		return Outcome{"panic", cause.Error()}
	}
	return Outcome{p.Kind.Slug, p.Detail}
}

func (l *local) report(name string) {
	l.t.Logf("%s (%s): slowest %.2f s of CPU (%s), peak %d MB above idle (%s)",
		name, l.d.Name(), l.slowest.Seconds(), l.slow, l.peak>>20, l.large)
	if l.slowest > mostCPU {
		l.t.Errorf("%s took %v of CPU, more than %v", l.slow, l.slowest, mostCPU)
	}
	if l.peak > mostMemory {
		l.t.Errorf("%s took the process %d MB over its idle size, more than %d", l.large, l.peak>>20, mostMemory>>20)
	}
}

func TestOddPictures(t *testing.T) {
	turbo, pure := newLocal(t, "turbo"), newLocal(t, "go")
	if *update {
		writeTable(t, turbo, pure)
	}
	t.Run("turbo", func(t *testing.T) {
		turbo.t = t
		Check(t, func(r Row) Outcome { return r.Turbo }, turbo.classify)
		turbo.report("turbo")
	})
	t.Run("go", func(t *testing.T) {
		pure.t = t
		Check(t, func(r Row) Outcome { return r.Go }, pure.classify)
		pure.report("go")
	})
}

func writeTable(t *testing.T, turbo, pure *local) {
	var rows []Row
	for _, f := range Load(t) {
		r := Row{File: f.Name, Kind: f.Kind, Turbo: turbo.classify(f), Go: pure.classify(f), Pillow: "refuses"}
		if strings.HasPrefix(f.Pillow, "decodes") {
			r.Pillow = "decodes"
		}
		r.Reason, r.ReasonGo = reason(f, r.Turbo, false), reason(f, r.Go, true)
		rows = append(rows, r)
	}
	writeGolden(t, rows)
}

// Where Pillow decodes a picture, we do too, or the table says why not.
func TestEveryRefusalHasAReason(t *testing.T) {
	count := map[string]int{}
	for _, r := range Golden(t) {
		for _, side := range []struct {
			name, reason string
			o            Outcome
		}{{"turbo", r.Reason, r.Turbo}, {"go", r.ReasonGo, r.Go}} {
			switch {
			case r.Pillow != "decodes" && !side.o.Decoded():
				count[side.name+": both refuse"]++
			case r.Pillow != "decodes":
				count[side.name+": we decode, Pillow refuses"]++
			case side.o.Decoded():
				count[side.name+": both decode"]++
			case side.reason == "":
				t.Errorf("%s: Pillow decodes it, with %s we answer %q (%s), and no reason is given", r.File, side.name, side.o.Result, side.o.Sentence)
			default:
				count[side.name+": we refuse: "+side.reason]++
			}
			if side.o.Result == "panic" || side.o.Result == "internal" {
				t.Errorf("%s: %s ends in %q", r.File, side.name, side.o.Result)
			}
		}
	}
	for what, n := range count {
		t.Logf("%4d %s", n, what)
	}
}

// The eight orientations of the control picture must look like it when turned
// as EXIF says.
func TestOrientationsLookAlike(t *testing.T) {
	d, err := picture.NewDecoder("auto")
	if err != nil {
		t.Fatal(err)
	}
	var control *upright
	files := Load(t)
	for _, f := range files {
		if f.Name == "gen-jpeg-baseline.jpg" {
			control = turned(t, d, f)
		}
	}
	seen := 0
	for _, f := range files {
		if !strings.HasPrefix(f.Name, "gen-exif-orientation-") || len(f.Name) < 22 || !strings.ContainsAny(f.Name[21:22], "12345678") || strings.Contains(f.Name, "255") || strings.Contains(f.Name, "65535") {
			continue
		}
		seen++
		if diff := turned(t, d, f).difference(control); diff > 6 {
			t.Errorf("%s: turned as EXIF says it differs from the control by %.1f levels, want at most 6", f.Name, diff)
		}
	}
	if seen != 16 {
		t.Errorf("saw %d pictures, want 8 orientations in two byte orders", seen)
	}
}

// upright is a picture after its orientation.
type upright struct {
	w, h int
	pix  []byte
}

func turned(t *testing.T, d *picture.Decoder, f File) *upright {
	t.Helper()
	info, err := picture.Inspect(f.Data, picture.DefaultLimits)
	if err != nil {
		t.Fatalf("%s: %v", f.Name, err)
	}
	img := &picture.Image{}
	if err := d.Decode(context.Background(), bytes.Clone(f.Data), info, d.FullSize(info), img); err != nil {
		t.Fatalf("%s: %v", f.Name, err)
	}
	u := &upright{w: info.Width, h: info.Height}
	for y := range u.h {
		for x := range u.w {
			sx, sy := stored(img, x, y)
			u.pix = append(u.pix, img.Pix[(sy*img.Width+sx)*3:][:3]...)
		}
	}
	return u
}

// stored is where the displayed pixel lies, by EXIF's table of orientations.
func stored(img *picture.Image, x, y int) (sx, sy int) {
	right, bottom := img.Width-1, img.Height-1
	switch img.Orientation {
	case 2:
		return right - x, y
	case 3:
		return right - x, bottom - y
	case 4:
		return x, bottom - y
	case 5:
		return y, x
	case 6:
		return y, bottom - x
	case 7:
		return right - y, bottom - x
	case 8:
		return right - y, x
	}
	return x, y
}

func (u *upright) difference(v *upright) float64 {
	if u.w != v.w || u.h != v.h {
		return 255
	}
	sum := 0
	for i := range u.pix {
		sum += max(int(u.pix[i])-int(v.pix[i]), int(v.pix[i])-int(u.pix[i]))
	}
	return float64(sum) / float64(len(u.pix))
}
