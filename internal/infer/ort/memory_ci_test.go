//go:build ci && cgo && linux

package ort

import (
	"fmt"
	"os"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/goshawk-ai/goshawk/internal/tensor"
	"github.com/goshawk-ai/goshawk/test/checkout"
)

// TestMemoryIsGivenBack loads, runs and unloads models over and over, each in a
// process of its own, whose memory nothing else has touched. With
// GOSHAWKTEST_MEMORY=all it makes the table of docs/adr/0002-memory-cap.md: also
// without the cap, and with only a part of what gives memory back.
func TestMemoryIsGivenBack(t *testing.T) {
	if childOf() != "" {
		measure(t)
		return
	}
	models, limits, ways := []string{"cifar10-resnet20", "squeezenet1.1"}, []string{"1000000000"}, []string{"both"}
	if os.Getenv("GOSHAWKTEST_MEMORY") == "all" {
		models = append(models, "mobilenetv2-w8")
		limits = append(limits, "-1")
		ways = []string{"none", "shrink", "trim", "both"}
	}
	for _, model := range models {
		for _, limit := range limits {
			for _, way := range ways {
				row := memoryOf(t, model, limit, way)
				t.Logf("%-16s cap %-10s %-6s %s", model, limit, way, row)
				// 2 to 66 MB were seen, and 175 when nothing is given back.
				if way == "both" && row.left() > 100_000 {
					t.Errorf("after 300 rounds of %s %d KB more are held than before the first: an unloaded model must give its memory back", model, row.left())
				}
			}
		}
	}
}

// row is what a child printed, in KB of resident memory.
type row struct{ base, at100, at300, peak int64 }

func (r row) left() int64 { return r.at300 - r.base }

func (r row) String() string {
	return fmt.Sprintf("before %d KB, after 100 rounds %d, after 300 %d (%+.1f a round), peak %d",
		r.base, r.at100, r.at300, float64(r.at300-r.at100)/200, r.peak)
}

func memoryOf(t *testing.T, model, limit, way string) row {
	t.Helper()
	out, err := inChild(t, model+" "+limit+" "+way)
	_, figures, found := strings.Cut(out, "FIGURES ")
	var r row
	if _, scan := fmt.Sscan(figures, &r.base, &r.at100, &r.at300, &r.peak); err != nil || !found || scan != nil {
		t.Fatalf("the child that measures %s failed: %v\n%s", model, err, out)
	}
	return r
}

// measure is what a child does, as "model cap give-back" asks.
func measure(t *testing.T) {
	model, rest, _ := strings.Cut(childOf(), " ")
	limit, way, _ := strings.Cut(rest, " ")
	memoryCap, err := strconv.ParseInt(limit, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	b := openForTest(t, LibraryOptions{MemoryCap: memoryCap})
	data, err := os.ReadFile(checkout.Shared(t, "models", model+".onnx"))
	if err != nil {
		t.Fatal(err)
	}
	var r row
	settled := func() int64 {
		debug.FreeOSMemory() // Go's own garbage is not the question
		return resident(t)
	}
	in, out := batches(t, b, data)
	r.base = settled()
	for i := range 300 {
		s := loadRaw(t, b, data)
		for _, k := range []int{0, i % len(in)} {
			if err := s.Run(t.Context(), in[k:k+1], out[k:k+1]); err != nil {
				t.Fatal(err)
			}
		}
		r.peak = max(r.peak, resident(t))
		closeBy(b, s, way)
		if i == 99 {
			r.at100 = settled()
		}
		// What the C library can give back differs from round to round: the
		// least of the last rounds is what stays.
		if i >= 280 {
			if now := settled(); r.at300 == 0 || now < r.at300 {
				r.at300 = now
			}
		}
	}
	fmt.Println("FIGURES", r.base, r.at100, r.at300, r.peak)
}

// batches makes inputs and outputs of 1 to 8 pictures.
func batches(t *testing.T, b *Backend, data []byte) (in, out []*tensor.Tensor) {
	t.Helper()
	s := loadRaw(t, b, data)
	size, classes := s.Inputs()[0].Shape[2], s.Outputs()[0].Shape[1]
	closeBy(b, s, "both")
	for n := range int64(8) {
		x, err := tensor.New("input", tensor.Float32, []int64{n + 1, 3, size, size}, 1<<30)
		if err != nil {
			t.Fatal(err)
		}
		y, err := tensor.New("logits", tensor.Float32, []int64{n + 1, classes}, 1<<30)
		if err != nil {
			t.Fatal(err)
		}
		in, out = append(in, x), append(out, y)
	}
	return in, out
}

// closeBy is session.Close with only a part of giveBack.
func closeBy(b *Backend, s *session, way string) {
	s.shut()
	s.unload()
	b.mu.Lock()
	if way == "shrink" || way == "both" {
		b.shrink()
	}
	if way == "trim" || way == "both" {
		trim()
	}
	b.mu.Unlock()
	b.leave()
}

// resident is the process's resident memory in KB.
func resident(t *testing.T) int64 {
	t.Helper()
	data, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(data), "\n")
	i := slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(l, "RssAnon:") })
	kb, err := strconv.ParseInt(strings.Fields(lines[i])[1], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return kb
}
