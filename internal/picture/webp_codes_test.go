package picture

import (
	"image"
	"image/color"
	"image/gif"
	"testing"

	"github.com/goshawk-ai/goshawk/internal/problem"
)

// lowBits writes bits from the low end, as VP8L has them.
type lowBits struct {
	out  []byte
	have int
}

func (b *lowBits) put(v, n int) {
	for i := range n {
		if b.have%8 == 0 {
			b.out = append(b.out, 0)
		}
		b.out[len(b.out)-1] |= byte(v>>i&1) << (b.have % 8)
		b.have++
	}
}

// one writes the code of a single symbol.
func (b *lowBits) one(symbol int) {
	b.put(1, 1) // simple
	b.put(0, 1) // of one symbol
	b.put(1, 1) // that has 8 bits
	b.put(symbol, 8)
}

// every writes the code in which all symbols have the same length, or two
// neighboring ones.
func (b *lowBits) every(symbols int) {
	short := 0
	for 1<<(short+1) <= symbols {
		short++
	}
	longer := 2 * (symbols - 1<<short) // symbols that need a bit more
	b.put(0, 1)
	b.put(15, 4)
	order := []int{17, 18, 0, 1, 2, 3, 4, 5, 16, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}
	for _, l := range order { // two lengths, of one bit each
		switch l {
		case short, short + 1:
			b.put(1, 3)
		default:
			b.put(0, 3)
		}
	}
	b.put(0, 1) // lengths for all symbols
	for i := range symbols {
		if i < longer {
			b.put(1, 1) // short+1 is the second of the two codes
		} else {
			b.put(0, 1)
		}
	}
}

// webpOfManyCodes has as many groups of codes, each as large as can be, as its
// blocks allow.
func webpOfManyCodes() []byte {
	const w, h, groups = 52, 200, 650
	b := &lowBits{}
	b.put(0, 1) // no transform
	b.put(1, 1) // a color cache,
	b.put(maxCacheBits, 4)
	b.put(1, 1) // and groups
	b.put(0, 3) // for blocks of 4 x 4
	// Their numbers: literal green and red.
	b.put(0, 1)
	b.every(256 + 24)
	b.every(256)
	b.one(0)
	b.one(255)
	b.one(0)
	table := symbolCodes(256 + 24)
	reds := symbolCodes(256)
	for i := range groups {
		b.putCode(table[i&255])
		b.putCode(reds[i>>8])
	}
	for range groups {
		b.every(256 + 24 + 1<<maxCacheBits)
		b.every(256)
		b.every(256)
		b.every(256)
		b.every(40)
	}
	green := symbolCodes(256 + 24 + 1<<maxCacheBits)
	for i := range w * h {
		b.putCode(green[i%256])
		b.putCode(reds[i%256])
		b.putCode(reds[(i+1)%256])
		b.putCode(reds[255])
	}
	head := []byte{0x2f, 0, 0, 0, 0}
	dims := uint32(w-1) | uint32(h-1)<<14
	head[1], head[2], head[3], head[4] = byte(dims), byte(dims>>8), byte(dims>>16), byte(dims>>24)
	return riffFile("VP8L", append(head, b.out...))
}

// symbolCodes are the canonical codes of every, as value and length.
func symbolCodes(symbols int) [][2]int {
	short := 0
	for 1<<(short+1) <= symbols {
		short++
	}
	longer := 2 * (symbols - 1<<short)
	codes := make([][2]int, symbols)
	next := 0
	for i := longer; i < symbols; i++ {
		codes[i] = [2]int{next, short}
		next++
	}
	next <<= 1
	for i := range longer {
		codes[i] = [2]int{next, short + 1}
		next++
	}
	return codes
}

// putCode writes a code, which goes high bit first.
func (b *lowBits) putCode(c [2]int) {
	for i := c[1] - 1; i >= 0; i-- {
		b.put(c[0]>>i, 1)
	}
}

func TestWebPManyCodes(t *testing.T) {
	img := mustDecode(t, newDecoder(t, "go"), webpOfManyCodes(), 1)
	for _, i := range []int{0, 1, 77, 5000, 10399} {
		want := color.NRGBA{byte(i), byte(i), byte(i + 1), 255}
		if got := img.at(i%52, i/52); got != want {
			t.Errorf("pixel %d is %v, want %v", i, got, want)
		}
	}
}

// More groups than blocks would only cost memory.
func TestWebPRefusesUselessCodes(t *testing.T) {
	b := &lowBits{}
	b.put(0, 2)
	b.put(1, 1)
	b.put(0, 3)
	b.put(0, 1)
	b.one(255) // each block's group is 0xffff
	b.one(255)
	b.one(0)
	b.one(255)
	b.one(0)
	data := riffFile("VP8L", append([]byte{0x2f, 31, 0, 0, 0}, append(b.out, make([]byte, 100)...)...))
	_, err := decode(newDecoder(t, "go"), data, 1)
	wantProblem(t, err, problem.PictureDamaged, "lossless data")
}

func webpFrameInside(t testing.TB) []byte {
	t.Helper()
	var chunk []byte
	for pos := 12; chunk == nil; {
		name, body, end, _, ok := nextRIFF(readTestdata(t, "lossy.webp"), pos)
		if !ok {
			t.Fatal("no VP8 chunk")
		}
		if name == "VP8 " {
			chunk = body
		}
		pos = end
	}
	frame := append(put24(put24(make([]byte, 6), 46), 32), 0, 0, 0, 0)
	x := append(make([]byte, 4), put24(put24(nil, 999), 999)...)
	return riffFile("VP8X", x, "ANMF", append(frame, riffFile("VP8 ", chunk)[12:]...))
}

func gifOf(r image.Rectangle) *gif.GIF {
	p := image.NewPaletted(r, color.Palette{color.Black, color.White})
	for i := range p.Pix {
		p.Pix[i] = byte(i % 2)
	}
	return &gif.GIF{Image: []*image.Paletted{p}}
}
