package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/goshawk-ai/goshawk/internal/units"
)

const (
	largePictures = 25
	largePadding  = 3_950_000   // after each picture's end: bytes to hold, and nothing to decode
	largeMemory   = 438_000_000 // the least that serve takes
)

// large is a form of many pictures, just below the limit of 100 MB, that lies
// nowhere as a whole. Decoded, its first picture needs more than what is left
// when as many such forms as possible hold memory.
func large(t *testing.T) (body func() io.Reader, length int64, contentType string) {
	t.Helper()
	var first, other, head bytes.Buffer
	w := multipart.NewWriter(&head)
	_, err := w.CreateFormFile("image", "a.png")
	if err := errors.Join(err, png.Encode(&first, image.NewGray(image.Rect(0, 0, 6000, 6000))), png.Encode(&other, image.NewGray(image.Rect(0, 0, 32, 32)))); err != nil {
		t.Fatal(err)
	}
	body = func() io.Reader {
		all := []io.Reader{bytes.NewReader(head.Bytes()), bytes.NewReader(first.Bytes()), io.LimitReader(zeros{}, largePadding)}
		for range largePictures - 1 {
			all = append(all, strings.NewReader("\r\n"), bytes.NewReader(head.Bytes()), bytes.NewReader(other.Bytes()), io.LimitReader(zeros{}, largePadding))
		}
		return io.MultiReader(append(all, strings.NewReader("\r\n--"+w.Boundary()+"--\r\n"))...)
	}
	length, err = io.Copy(io.Discard, body())
	if err != nil || length < 97_000_000 || length > 100_000_000 {
		t.Fatalf("the form has %d bytes, %v; want nearly 100 MB", length, err)
	}
	return body, length, w.FormDataContentType()
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// TestLargeRequestsDoNotWaitForEachOther: each of five holds what another one
// needs. All must end, the next small one is answered, and the memory stays
// what was given.
func TestLargeRequestsDoNotWaitForEachOther(t *testing.T) {
	s := startServer(t, "--memory-pictures", strconv.Itoa(largeMemory))
	go func() { _, _ = io.Copy(io.Discard, s.out) }() // ends with the server
	s.ready(t)
	idle := s.memory(t, "VmRSS")
	body, length, contentType := large(t)
	// Only so that a failure ends: with the server's own waits all is over in seconds.
	client := &http.Client{Transport: &http.Transport{}, Timeout: 2 * time.Minute}
	defer client.CloseIdleConnections()
	var all sync.WaitGroup
	var mu sync.Mutex
	answered := map[int]int{}
	for range 5 {
		all.Go(func() {
			status, err := s.send(client, body(), length, contentType)
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			answered[status]++
		})
	}
	all.Wait()
	if answered[http.StatusOK]+answered[http.StatusServiceUnavailable] != 5 {
		t.Errorf("answers by status: %v; want 200, or 503 with Retry-After", answered)
	}
	var small bytes.Buffer
	if err := png.Encode(&small, image.NewRGBA(image.Rect(0, 0, 32, 32))); err != nil {
		t.Fatal(err)
	}
	if status, err := s.send(client, &small, int64(small.Len()), "image/png"); status != http.StatusOK || err != nil {
		t.Errorf("the small request after them: %d, %v", status, err)
	}
	if status, err := s.send(client, body(), length, contentType); status != http.StatusOK || err != nil {
		t.Errorf("a large request alone: %d, %v; what the others held must be free again", status, err)
	}
	if peak := s.memory(t, "VmHWM"); peak-idle > largeMemory+100_000_000 {
		t.Errorf("%s at the peak above %s idle; %s are given to pictures", units.Bytes(peak), units.Bytes(idle), units.Bytes(largeMemory))
	} else {
		t.Logf("answers by status: %v; %s idle, %s at the peak", answered, units.Bytes(idle), units.Bytes(peak))
	}
	if code := s.end(t, syscall.SIGTERM); code != 0 {
		t.Errorf("exit status %d, stderr %q; want an orderly end", code, s.log.String())
	}
}

// send posts a body and looks whether the answer to it is whole.
func (s *started) send(client *http.Client, body io.Reader, length int64, contentType string) (status int, err error) {
	request, err := http.NewRequest(http.MethodPost, s.url+"/v1/predictions", body)
	if err != nil {
		return 0, err
	}
	request.ContentLength = length
	request.Header.Set("Content-Type", contentType)
	resp, err := client.Do(request)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return resp.StatusCode, err
	}
	var answer struct {
		Results []struct{ Error, Predictions json.RawMessage }
	}
	switch resp.StatusCode {
	case http.StatusOK:
		if err := json.Unmarshal(text, &answer); err != nil || len(answer.Results) == 0 {
			return resp.StatusCode, fmt.Errorf("no results: %.200s", text)
		}
		for _, r := range answer.Results {
			if r.Error != nil && !bytes.Contains(r.Error, []byte(`"status":503`)) {
				return resp.StatusCode, fmt.Errorf("a picture failed: %s", r.Error)
			}
		}
	case http.StatusServiceUnavailable:
		if resp.Header.Get("Retry-After") == "" {
			return resp.StatusCode, fmt.Errorf("503 without Retry-After: %.200s", text)
		}
	default:
		return resp.StatusCode, fmt.Errorf("%.300s", text)
	}
	return resp.StatusCode, nil
}

// memory is a line of the server's /proc/PID/status in bytes.
func (s *started) memory(t *testing.T, line string) int64 {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "\n"+line+":")
	var kB int64
	if _, err := fmt.Sscanf(rest, "%d kB", &kB); err != nil {
		t.Fatalf("/proc has no %s: %v", line, err)
	}
	return kB * 1024
}
