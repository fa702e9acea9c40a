//go:build !race

package httpapi_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"runtime/debug"
	"testing"

	"github.com/goshawk-ai/goshawk/internal/access"
	"github.com/goshawk-ai/goshawk/internal/httpapi"
	"github.com/goshawk-ai/goshawk/internal/predict"
	"github.com/goshawk-ai/goshawk/internal/schedule"
)

// forgetful is a ResponseWriter that costs nothing.
type forgetful struct{ header http.Header }

func (f forgetful) Header() http.Header         { return f.header }
func (f forgetful) Write(p []byte) (int, error) { return len(p), nil }
func (f forgetful) WriteHeader(int)             {}

// requests gives a function that sends the same request again and again.
func requests(contentType string, body []byte) func() {
	h := httpapi.New(httpapi.Options{
		Predictor: constant{&predict.Answer{ID: "pred_0123456789abcdefghijklmnop", Results: make([]predict.Result, 1)}},
		Models:    shelf{}, Access: access.New(access.Options{Loopback: true}), Budget: schedule.NewBudget(1 << 30),
	})
	source := bytes.NewReader(body)
	return func() {
		source.Reset(body)
		r := httptest.NewRequest("POST", "http://localhost/v1/predictions", nil)
		r.Body, r.ContentLength = io.NopCloser(source), int64(len(body))
		r.Header.Set("Content-Type", contentType)
		h.ServeHTTP(forgetful{http.Header{}}, r)
	}
}

type constant struct{ answer *predict.Answer }

func (c constant) Run(context.Context, predict.Request) (*predict.Answer, error) {
	return c.answer, nil
}

func bodiesOf(size int) map[string][2]string {
	large := picture + string(make([]byte, size))
	contentType, body := form(part{"image", "a.jpg", large})
	return map[string][2]string{
		"raw":  {"image/jpeg", large},
		"form": {contentType, body},
		"json": {"application/json", `{"pictures":[{"data":"` + b64(large) + `"}]}`},
	}
}

func BenchmarkBodies(b *testing.B) {
	for name, c := range bodiesOf(5_000_000) {
		b.Run(name, func(b *testing.B) {
			send := requests(c[0], []byte(c[1]))
			b.SetBytes(int64(len(c[1])))
			b.ReportAllocs()
			for b.Loop() {
				send()
			}
		})
	}
}

// TestBodiesAllocateNoBuffers holds that in the steady state a body of 5 MB is
// read into memory that was there: what is left is some kilobytes of small
// things (under the race detector pools drop what they are given, so not there).
// A goroutine that is moved to another processor may miss what the pool holds
// for the first one, so a few buffers are allowed over all rounds.
func TestBodiesAllocateNoBuffers(t *testing.T) {
	// Between two collections: one empties the pools.
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	for name, c := range bodiesOf(5_000_000) {
		send := requests(c[0], []byte(c[1]))
		send()
		const rounds = 100
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range rounds {
			send()
		}
		runtime.ReadMemStats(&after)
		const misses = 4
		if got := (after.TotalAlloc - before.TotalAlloc) / rounds; got > 64<<10+misses*6_000_000/rounds {
			t.Errorf("%s: %d bytes are allocated a request of 5 MB, want some kilobytes: buffers must be pooled", name, got)
		}
		if got := (after.Mallocs - before.Mallocs) / rounds; got > 120 {
			t.Errorf("%s: %d allocations a request", name, got)
		}
	}
}
