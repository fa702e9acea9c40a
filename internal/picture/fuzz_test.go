package picture

import "testing"

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
