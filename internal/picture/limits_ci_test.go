//go:build ci

package picture

import (
	"bytes"
	"context"
	"image"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/goshawk-ai/goshawk/internal/problem"
)

// Pictures right at the default limits: what they take of the machine, with C's
// memory, must be what the plan says, and bearable. Linux only, since it asks
// /proc. Go's heap may hold as much garbage as GOGC lets it; slack is for that
// and for what the allocators round up.
const slack = 24 << 20

func procStatus(t *testing.T, key string) int64 {
	t.Helper()
	data, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(data), "\n"+key+":")
	if !found {
		t.Fatalf("no %s in /proc/self/status", key)
	}
	kb, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return kb << 10
}

func cpuTime(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func TestPicturesAtTheLimits(t *testing.T) {
	if d := newDecoder(t, "auto"); d.Name() == "go" {
		t.Fatal("this test needs libjpeg-turbo")
	}
	const w, h = 8000, 6250 // 50 MP exactly
	ycc, gray, full := []byte{0x22, 0x11, 0x11}, []byte{0x11}, []byte{0x11, 0x11, 0x11}
	zero := func(int, int, int) uint16 { return 0 }
	tiff := func(samples int) []byte {
		f := newTIFF(w, h).set(tagSamples, uint64(samples)).set(tagCompression, 8).set(tagPhotometric, map[int]uint64{1: 1, 3: 2, 4: 5}[samples])
		f.chunks = [][]byte{deflated(make([]byte, w*h*samples))}
		return f.encode()
	}
	files := map[string]struct {
		data  []byte
		scale int
	}{
		"jpeg grey":                 {flatJPEG{w: w, h: h, sampling: gray}.encode(), 1},
		"jpeg 4:2:0":                {flatJPEG{w: w, h: h, sampling: ycc}.encode(), 1},
		"jpeg 4:2:0 at 1/8":         {flatJPEG{w: w, h: h, sampling: ycc}.encode(), 8},
		"jpeg progressive at 1/8":   {flatJPEG{w: w, h: h, sampling: ycc, progressive: true}.encode(), 8},
		"jpeg progressive 4:4:4":    {flatJPEG{w: w, h: h, sampling: full, progressive: true}.encode(), 8},
		"jpeg progressive, scans":   {flatJPEG{w: w, h: h, sampling: gray, progressive: true, scans: 16}.encode(), 1},
		"jpeg CMYK":                 {flatJPEG{w: w, h: 5800, sampling: []byte{0x11, 0x11, 0x11, 0x11}, adobe: 1}.encode(), 1},
		"png grey":                  {pngFile{w: w, h: h, depth: 8, color: pngGray, sample: zero}.encode(), 1},
		"png RGB":                   {pngFile{w: w, h: h, depth: 8, color: pngRGB, sample: zero}.encode(), 1},
		"png RGB interlaced":        {pngFile{w: w, h: h, depth: 8, color: pngRGB, interlaced: true, sample: zero}.encode(), 1},
		"png RGBA":                  {pngFile{w: w, h: h, depth: 8, color: pngRGBA, sample: zero}.encode(), 1},
		"png grey 1 bit interlaced": {pngFile{w: w, h: h, depth: 1, color: pngGray, interlaced: true, sample: zero}.encode(), 1},
		"png RGBA 16 bits":          {pngFile{w: 6000, h: 4000, depth: 16, color: pngRGBA, sample: zero}.encode(), 1},
		"gif":                       {encodeGIF(t, gifOf(image.Rect(0, 0, w, h))), 1},
		"tiff grey":                 {tiff(1), 1},
		"tiff RGB":                  {tiff(3), 1},
		"tiff CMYK":                 {tiff(4), 1},
		"bmp":                       {bmpOf(w, h), 1},
	}
	for name, f := range files {
		for _, kind := range []string{"turbo", "go"} {
			t.Run(name+"/"+kind, func(t *testing.T) { atTheLimit(t, newDecoder(t, kind), f.data, f.scale) })
		}
	}
}

// bmpOf writes run lengths: a picture of this size in 20 MB at most.
func bmpOf(w, h int) []byte {
	var data []byte
	for range h {
		for x := 0; x < w; x += 250 {
			data = append(data, 250, 1)
		}
		data = append(data, 0, 0)
	}
	f := rle(8, 1, append(data, 0, 1)...)
	f.w, f.h = w, h
	return f.encode()
}

func atTheLimit(t *testing.T, d *Decoder, data []byte, scale int) {
	data = bytes.Clone(data)
	debug.FreeOSMemory()
	idle := procStatus(t, "VmRSS")
	if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil {
		t.Fatal(err)
	}
	before := cpuTime(t)
	info, err := Inspect(data, DefaultLimits)
	p := Plan{}
	if err == nil {
		p = plan(d, info, scale)
		img := &Image{}
		err = d.Decode(context.Background(), data, info, p, img)
		runtime.KeepAlive(img)
	}
	took, rose := cpuTime(t)-before, procStatus(t, "VmHWM")-idle
	verdict := "decoded"
	if err != nil {
		verdict = err.Error()
		wantProblem(t, err, problem.TooManyPixels)
	}
	t.Logf("planned %d MB, took %d MB, %.2f s of CPU: %s", p.Bytes>>20, rose>>20, took.Seconds(), verdict)
	switch {
	case err == nil && rose > p.Bytes+slack, err != nil && rose > slack:
		t.Errorf("it took %d MB, but the plan says %d", rose>>20, p.Bytes>>20)
	case err == nil && p.Bytes > DefaultLimits.Decoded:
		t.Errorf("%d MB were decoded, above the limit", p.Bytes>>20)
	case err != nil && p.Bytes != 0 && p.Bytes <= DefaultLimits.Decoded:
		t.Errorf("it was refused although its plan of %d MB fits", p.Bytes>>20)
	case took > 5*time.Second:
		t.Errorf("it took %v of CPU", took)
	}
}
