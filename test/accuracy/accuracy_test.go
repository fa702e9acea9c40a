//go:build ci

// Package accuracy measures what a client gets: pictures go through the real
// server's HTTP door, and the share of right labels is compared with what the
// models have on paper.
package accuracy

import (
	"archive/zip"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"image"
	"image/jpeg"
	"image/png"
	"io"
	"math"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/image/draw"

	"github.com/goshawk-ai/goshawk/test/checkout"
	"github.com/goshawk-ai/goshawk/test/running"
)

// example is a picture with its class.
type example struct {
	name  string
	class int
	data  []byte
}

// answer is the part of the document that counts here.
type answer struct {
	Results []struct {
		Predictions []struct {
			Index       int     `json:"index"`
			Probability float64 `json:"probability"`
		} `json:"predictions"`
	} `json:"results"`
}

// classify posts the pictures, eight at a time, and returns the share of right
// best classes, of right classes among the first five, and the expected
// calibration error (15 bins), all in percent.
func classify(t *testing.T, s *running.Server, model string, all []example) (top1, top5, ece float64) {
	t.Helper()
	if len(all) == 0 {
		t.Fatal("no pictures; no share of them would be wrong")
	}
	var next, first, five atomic.Int64
	var mu sync.Mutex
	var bins [15]struct{ n, right, sure float64 }
	var workers sync.WaitGroup
	for range 8 {
		workers.Go(func() {
			for i := next.Add(1) - 1; int(i) < len(all); i = next.Add(1) - 1 {
				got, err := post(s.URL, model, all[i].data)
				if err != nil {
					t.Errorf("%s: %v", all[i].name, err)
					return
				}
				best := got.Results[0].Predictions
				right := 0.0
				for place, p := range best {
					if p.Index == all[i].class {
						five.Add(1)
						if place == 0 {
							first.Add(1)
							right = 1
						}
					}
				}
				mu.Lock()
				bin := &bins[min(int(best[0].Probability*15), 14)]
				bin.n, bin.right, bin.sure = bin.n+1, bin.right+right, bin.sure+best[0].Probability
				mu.Unlock()
			}
		})
	}
	workers.Wait()
	n := float64(len(all))
	for _, b := range bins {
		ece += math.Abs(b.right-b.sure) / n * 100
	}
	return 100 * float64(first.Load()) / n, 100 * float64(five.Load()) / n, ece
}

// post sends a picture, and again as long as the server asks to come back: what
// is measured here is accuracy, on whatever machine.
func post(base, model string, data []byte) (a answer, err error) {
	for range 10 {
		var busy bool
		if a, busy, err = once(base, model, data); !busy {
			return a, err
		}
		<-time.After(time.Second) // as Retry-After says
	}
	return a, err
}

func once(base, model string, data []byte) (a answer, busy bool, err error) {
	res, err := http.Post(base+"/v1/predictions?top_k=5&model="+url.QueryEscape(model), "application/octet-stream", bytes.NewReader(data))
	if err != nil {
		return a, false, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return a, false, err
	}
	if res.StatusCode != http.StatusOK {
		return a, res.StatusCode == http.StatusServiceUnavailable, fmt.Errorf("status %d: %s", res.StatusCode, body)
	}
	return a, false, json.Unmarshal(body, &a)
}

// cifar10 reads the test archive: NNNNN_label.png.
func cifar10(t *testing.T) []example {
	t.Helper()
	archive, err := zip.OpenReader(checkout.Shared(t, "data", "cifar10", "test.zip"))
	if err != nil {
		t.Fatal(err)
	}
	defer archive.Close()
	var all []example
	for _, f := range archive.File {
		class, err := strconv.Atoi(strings.TrimSuffix(f.Name[strings.Index(f.Name, "_")+1:], ".png"))
		if err != nil {
			t.Fatal(err)
		}
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		r.Close()
		all = append(all, example{f.Name, class, data})
	}
	return all
}

func TestCIFAR10(t *testing.T) {
	s := running.Start(t)
	all := cifar10(t)
	top1, _, ece := classify(t, s, "cifar10", all)
	t.Logf("cifar10, %d test pictures as PNG: top-1 %.2f %%, ECE %.2f %%", len(all), top1, ece)
	if top1 < 90 {
		t.Errorf("top-1 %.2f %%, want at least 90", top1)
	}
	card, err := os.ReadFile(filepath.Join(checkout.Root(t), "training", "result.json"))
	if err != nil {
		t.Fatal(err)
	}
	var figures struct {
		Framework float64 `json:"framework_top1"`
	}
	if err := json.Unmarshal(card, &figures); err != nil {
		t.Fatal(err)
	}
	if math.Abs(top1-figures.Framework) > .05 {
		t.Errorf("top-1 %.2f %% through HTTP, %.2f in the training framework: they may differ by 0.05", top1, figures.Framework)
	}
	for i := range all[:2000] {
		all[i].data = photo(t, all[i].data)
	}
	top1, _, ece = classify(t, s, "cifar10", all[:2000])
	t.Logf("cifar10, 2,000 of them enlarged to 500 x 500 and saved as JPEG 90: top-1 %.2f %%, ECE %.2f %%", top1, ece)
	if top1 < 85 {
		t.Errorf("top-1 %.2f %% on enlarged JPEGs, want at least 85: the model must hold up on ordinary photos", top1)
	}
}

// photo makes an ordinary photo of a test picture.
func photo(t *testing.T, data []byte) []byte {
	t.Helper()
	small, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	big := image.NewRGBA(image.Rect(0, 0, 500, 500))
	draw.CatmullRom.Scale(big, big.Bounds(), small, small.Bounds(), draw.Src, nil)
	var out bytes.Buffer
	if err := jpeg.Encode(&out, big, &jpeg.Options{Quality: 90}); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestResNet20IsRightToThePicture(t *testing.T) {
	s := running.Start(t)
	s.Add(t, running.Package(t, "resnet20"))
	all := cifar10(t)
	top1, _, _ := classify(t, s, "resnet20", all)
	t.Logf("resnet20, %d test pictures: top-1 %.2f %%", len(all), top1)
	if got := math.Round(top1 * float64(len(all)) / 100); got != 9173 {
		t.Errorf("%v of 10,000 right, want the published 9,173", got)
	}
}

func TestImageNetPhotos(t *testing.T) {
	s := running.Start(t)
	f, err := os.Open(checkout.Shared(t, "images", "photos", "labels.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var all []example
	for _, row := range rows[1:] {
		class, err := strconv.Atoi(row[1])
		if err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(checkout.Shared(t, "images", "photos", row[0]))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, example{row[0], class, data})
	}
	top1, top5, _ := classify(t, s, "imagenet", all)
	t.Logf("imagenet, %d photos: top-1 %.1f %%, top-5 %.1f %%", len(all), top1, top5)
	if right := math.Round(top1 * float64(len(all)) / 100); right < 108 || right > 110 {
		t.Errorf("%v of %d right, want 109 within one picture", right, len(all))
	}
}
