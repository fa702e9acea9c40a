package picture

import (
	"encoding/binary"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/goshawk-ai/goshawk/internal/problem"
)

// FuzzDecode feeds every reader; limits are small so that a run is quick. The
// corpus begins with the samples of the tests.
func FuzzDecode(f *testing.F) {
	for _, data := range samples(f) {
		f.Add(data)
	}
	f.Add(readTestdata(f, "lossless-photo.webp"))
	lim := Limits{Bytes: 1 << 16, Pixels: 1 << 14, Decoded: 2 << 20, Frames: 20, Scans: 8}
	ds := decoders(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, d := range ds {
			checkAttempt(t, d, data, lim)
		}
	})
}

// FuzzInspect reads headers with the limits that a server has, so that pictures
// of any claimed size get past them: what is let through must be decodable
// within the limits, as planned, by every decoder.
func FuzzInspect(f *testing.F) {
	for _, data := range samples(f) {
		f.Add(data[:min(len(data), 2000)])
	}
	ds := decoders(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		lim := DefaultLimits
		info, err := Inspect(data, lim)
		if err != nil {
			p, ok := errors.AsType[*problem.Problem](err)
			if !ok || p.Detail == "" || len(p.Detail) > 500 || strings.ContainsAny(p.Detail, "\n\x00\x1b") {
				t.Fatalf("%q is no sentence for a person", err)
			}
			return
		}
		if info.Width < 1 || info.Height < 1 || int64(info.Width)*int64(info.Height) > lim.Pixels || info.Orientation < 1 || info.Orientation > 8 {
			t.Fatalf("Inspect lets %d x %d pixels with orientation %d through", info.Width, info.Height, info.Orientation)
		}
		cheapest := int64(math.MaxInt64)
		for _, d := range ds {
			for _, scale := range d.scales(info) {
				p := plan(d, info, scale)
				if p.Width < 1 || p.Height < 1 || p.Width > info.Width || p.Height > info.Height || p.Bytes < int64(p.Width)*int64(p.Height) {
					t.Fatalf("%s at scale %d: planned %+v for %d x %d", d.Name(), scale, p, info.Width, info.Height)
				}
				cheapest = min(cheapest, p.Bytes)
			}
		}
		if least := leastCost(info); least > lim.Decoded || least > cheapest {
			t.Fatalf("the least cost is %d, the cheapest plan takes %d, the limit is %d", least, cheapest, lim.Decoded)
		}
	})
}

func FuzzExif(f *testing.F) {
	f.Add(exifBlock(binary.LittleEndian, 6))
	f.Add(append([]byte(exifHeader), exifBlock(binary.BigEndian, 8)...))
	f.Add([]byte("II*\x00\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, block []byte) {
		if o := exifOrientation(block); o < 1 || o > 8 {
			t.Fatalf("orientation %d", o)
		}
	})
}
