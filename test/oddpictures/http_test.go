//go:build ci && linux

package oddpictures

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"path"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/goshawk-ai/goshawk/test/running"
)

// TestOverHTTP sends every odd picture to the real server, one after another,
// with each JPEG decoder: an answer or a problem document, as the table says,
// within the bounds of processor time and memory.
func TestOverHTTP(t *testing.T) {
	for decoder, want := range map[string]func(Row) Outcome{
		"turbo": func(r Row) Outcome { return r.Turbo },
		"go":    func(r Row) Outcome { return r.Go },
	} {
		t.Run(decoder, func(t *testing.T) {
			s := running.Start(t, "--jpeg-decoder", decoder, "--log-level", "error")
			post(t, s.URL, File{Name: "warm up"})
			idle := resident(t, s.PID, "VmRSS")
			slowest, peak := File{}, File{}
			var cpu time.Duration
			var memory int64
			Check(t, want, func(f File) Outcome {
				resetPeak(t, s.PID)
				before := processorTime(t, s.PID)
				o := post(t, s.URL, f)
				if took := processorTime(t, s.PID) - before; took > cpu {
					cpu, slowest = took, f
				}
				if grown := resident(t, s.PID, "VmHWM") - idle; grown > memory {
					memory, peak = grown, f
				}
				return o
			})
			t.Logf("%s: slowest %s with %v of CPU, highest %s with %.0f MB above %.0f MB idle",
				decoder, slowest.Name, cpu, peak.Name, float64(memory)/1e6, float64(idle)/1e6)
			if cpu > mostCPU {
				t.Errorf("%s took %v of CPU, at most %v are allowed", slowest.Name, cpu, mostCPU)
			}
			if memory > mostMemory {
				t.Errorf("%s took %.0f MB above idle, at most %.0f are allowed", peak.Name, float64(memory)/1e6, float64(mostMemory)/1e6)
			}
		})
	}
}

// post gives what the table calls the outcome.
func post(t *testing.T, url string, f File) Outcome {
	t.Helper()
	kind, sent := "application/octet-stream", f.Data
	if len(f.Data) == 0 { // a request without a body is another mistake than a file without bytes
		kind, sent = emptyFile()
	}
	res, err := http.Post(url+"/v1/predictions", kind, bytes.NewReader(sent))
	if err != nil {
		t.Fatalf("%s: %v: the server must answer whatever it is sent", f.Name, err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatalf("%s: %v", f.Name, err)
	}
	if res.StatusCode == http.StatusOK {
		return answered(t, f, body)
	}
	var p struct {
		Type, Detail string
		Status       int
	}
	if err := json.Unmarshal(body, &p); err != nil || p.Status != res.StatusCode || p.Detail == "" {
		t.Errorf("%s: status %d with %.200q, want a problem document", f.Name, res.StatusCode, body)
	}
	if res.StatusCode >= 500 {
		t.Errorf("%s: status %d (%s): no picture is the server's fault", f.Name, res.StatusCode, p.Detail)
	}
	return Outcome{path.Base(p.Type), p.Detail}
}

// emptyFile is the form that holds a picture of no bytes.
func emptyFile() (contentType string, body []byte) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	_, _ = w.CreateFormFile("image", "empty.jpg") // a Buffer takes everything
	_ = w.Close()
	return w.FormDataContentType(), b.Bytes()
}

func answered(t *testing.T, f File, body []byte) Outcome {
	t.Helper()
	var a struct {
		Results []struct {
			Format        string
			Width, Height int
			Predictions   []struct {
				Label       string
				Probability float64
			}
		}
	}
	if err := json.Unmarshal(body, &a); err != nil || len(a.Results) != 1 || len(a.Results[0].Predictions) == 0 || a.Results[0].Predictions[0].Label == "" {
		t.Fatalf("%s: %.200q holds no labelled answer (%v)", f.Name, body, err)
	}
	r := a.Results[0]
	return Outcome{Result: fmt.Sprintf("%s %dx%d", r.Format, r.Width, r.Height)}
}

func processorTime(t *testing.T, pid int) time.Duration {
	t.Helper()
	var ts unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|2), &ts); err != nil { // clock_getcpuclockid(3)
		t.Fatal(err)
	}
	return time.Duration(ts.Nano())
}

// resetPeak makes VmHWM begin anew (proc(5), clear_refs).
func resetPeak(t *testing.T, pid int) {
	t.Helper()
	if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte("5"), 0); err != nil {
		t.Fatal(err)
	}
}

func resident(t *testing.T, pid int, field string) int64 {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, field+":"); ok {
			kb, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return kb << 10
		}
	}
	t.Fatalf("no %s of process %d", field, pid)
	return 0
}
