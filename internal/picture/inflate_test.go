package picture

import (
	"bytes"
	"compress/flate"
	"errors"
	"io"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// pieces cuts data for an inflater's next.
func pieces(data []byte, size int) func() []byte {
	return func() []byte {
		n := min(size, len(data))
		p := data[:n]
		data = data[n:]
		return p
	}
}

func deflate(t testing.TB, data []byte, level int) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, level)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestInflateGivesBackWhatWasDeflated(t *testing.T) {
	z := &inflater{}
	rapid.Check(t, func(r *rapid.T) {
		unit := rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(r, "unit")
		data := bytes.Repeat(unit, rapid.IntRange(1, 900).Draw(r, "times"))
		data = append(data, rapid.SliceOfN(rapid.ByteRange('a', 'f'), 0, 2000).Draw(r, "tail")...)
		packed := deflate(t, data, rapid.SampledFrom([]int{flate.HuffmanOnly, 0, 1, 6, 9}).Draw(r, "level"))
		z.reset(pieces(packed, rapid.IntRange(1, 5000).Draw(r, "piece")), 0)
		got, err := io.ReadAll(z)
		if err != nil || !bytes.Equal(got, data) {
			r.Fatalf("got %d bytes and %v, want the %d that were deflated", len(got), err, len(data))
		}
		cut := rapid.IntRange(0, len(packed)-1).Draw(r, "cut")
		z.reset(pieces(packed[:cut], 1000), 0)
		if got, err := io.ReadAll(z); err == nil || !bytes.HasPrefix(data, got) {
			r.Fatalf("cut after %d of %d bytes: got %v, want an error behind a part of the data", cut, len(packed), err)
		}
	})
}

// Blocks that give nothing cost the building of their tables, and any number of
// them fits into a few megabytes.
func TestInflateRefusesEmptyBlocks(t *testing.T) {
	b := &lowBits{}
	for range 5000 {
		emptyBlock(b)
	}
	z := &inflater{}
	z.reset(pieces(b.out, len(b.out)), 3900)
	if _, err := io.ReadAll(z); !errors.Is(err, errFlateBomb) {
		t.Errorf("5000 empty blocks of 1024 + 3900 that are spared: got %v, want errFlateBomb", err)
	}
	z.reset(pieces(b.out, len(b.out)), 4100)
	if _, err := io.ReadAll(z); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("5000 of 5124: got %v, want to come to the end of the data", err)
	}
}

// emptyBlock writes the smallest dynamic block: two code lengths, no data.
func emptyBlock(b *lowBits) {
	b.put(0, 1)
	b.put(2, 2)
	b.put(0, 10)
	b.put(14, 4)
	for i := range 18 {
		if i == 2 || i == 17 { // 18 (many zeros) and 1
			b.put(1, 3)
		} else {
			b.put(0, 3)
		}
	}
	b.put(1, 1)
	b.put(138-11, 7)
	b.put(1, 1)
	b.put(118-11, 7)
	b.put(0, 3) // the end's length, a distance's, and the end
}

func TestInflateRefusesWhatBreaksTheRules(t *testing.T) {
	for name, data := range map[string]string{
		"block type 3":            "\x07",
		"stored length":           "\x01\x05\x00\x05\x00hello",
		"distance before begin":   "\x03\x02\x00",
		"length codes that clash": "\x05\x00\x92\x24\x49\x92\x24\x49\x92\x24",
	} {
		z := &inflater{}
		z.reset(pieces([]byte(data+strings.Repeat("\x00", 40)), 100), 0)
		if _, err := io.ReadAll(z); !errors.Is(err, errFlate) {
			t.Errorf("%s: got %v, want errFlate", name, err)
		}
	}
}

// FuzzInflate holds our inflater against Go's: what both take must be the same.
func FuzzInflate(f *testing.F) {
	for _, level := range []int{flate.HuffmanOnly, 0, 1, 9} {
		f.Add(deflate(f, []byte(strings.Repeat("a picture of nothing much, ", 30)), level))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		want, wantErr := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(data)), 1<<20))
		z := &inflater{}
		z.reset(pieces(data, 7), 1<<20)
		got, err := io.ReadAll(io.LimitReader(z, 1<<20))
		same := bytes.Equal(got, want)
		if wantErr != nil { // how far each came before it gave up is its own affair
			same = bytes.HasPrefix(got, want) || bytes.HasPrefix(want, got)
		}
		if (err == nil) != (wantErr == nil) || !same {
			t.Fatalf("got %d bytes and %v; compress/flate gives %d and %v", len(got), err, len(want), wantErr)
		}
	})
}

func BenchmarkInflate(b *testing.B) {
	raw := make([]byte, 1<<22)
	for i := range raw {
		raw[i] = byte(i*i>>9) ^ byte(i>>3)&7
	}
	packed := deflate(b, raw, 6)
	out := make([]byte, 1<<16)
	b.Run("ours", func(b *testing.B) {
		z := &inflater{}
		b.SetBytes(int64(len(raw)))
		for b.Loop() {
			z.reset(pieces(packed, len(packed)), 0)
			for {
				if _, err := z.Read(out); err != nil {
					break
				}
			}
		}
	})
	b.Run("compress/flate", func(b *testing.B) {
		z := flate.NewReader(bytes.NewReader(packed))
		b.SetBytes(int64(len(raw)))
		for b.Loop() {
			_ = z.(flate.Resetter).Reset(bytes.NewReader(packed), nil)
			for {
				if _, err := z.Read(out); err != nil {
					break
				}
			}
		}
	})
}
