package oipapi

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func framed(kind, flags byte, stream uint32, length int) []byte {
	b := []byte{byte(length >> 16), byte(length >> 8), byte(length), kind, flags}
	b = binary.BigEndian.AppendUint32(b, stream)
	return append(b, make([]byte, length)...)
}

// TestFramesAreFoundHoweverTheyCome: a connection gives its bytes in any parts.
func TestFramesAreFoundHoweverTheyCome(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := bytes.Clone(make([]byte, prefaceLength))
		var want []frame
		means := 0 // bytes of DATA
		for range rapid.IntRange(0, 8).Draw(t, "frames") {
			f := frame{
				rapid.IntRange(0, 70_000).Draw(t, "length"), rapid.Byte().Draw(t, "kind"), rapid.Byte().Draw(t, "flags"),
				rapid.Uint32Range(0, 1<<31-1).Draw(t, "stream"),
			}
			want = append(want, f)
			if f.kind == frameData && f.length > 0 {
				means += f.length
				if f.flags&padded != 0 { // by nothing: all bytes are zero
					means--
				}
			}
			all = append(all, framed(f.kind, f.flags, f.stream, f.length)...)
		}
		var got []frame
		parts, data := frames{skip: prefaceLength}, 0
		for len(all) > 0 {
			n := rapid.IntRange(1, min(len(all), 20_000)).Draw(t, "part")
			parts.feed(all[:n], func(f frame) { got = append(got, f) }, func(_ uint32, p []byte) { data += len(p) })
			all = all[n:]
		}
		if !slices.Equal(got, want) {
			t.Fatalf("got %+v, want %+v", got, want)
		}
		if data != means {
			t.Fatalf("%d bytes of data, want %d", data, means)
		}
	})
}

// TestSmallFramesCountWhatTheyTake: a frame of one byte is kept in many.
func TestSmallFramesCountWhatTheyTake(t *testing.T) {
	const n = 1000
	one := append(framed(frameData, 0, 1, 0), 0)
	one[2] = 1
	length := framed(frameData, 0, 1, messageHeader)
	binary.BigEndian.PutUint32(length[len(length)-4:], 2*n)
	i := intake{open: map[uint32]*arriving{}}
	i.in.feed(slices.Concat(framed(frameHeaders, 4, 1, 0), length, bytes.Repeat(one, n)), i.received, i.data)
	if i.sum < 50*n {
		t.Errorf("%d bytes in as many frames count as %d", n, i.sum)
	}
	i.in.feed(bytes.Repeat(one, n), i.received, i.data)
	if i.sum != 0 {
		t.Errorf("the message is whole, and %d bytes still count", i.sum)
	}
}

// FuzzFrames: whatever comes, the count is that of what came, and nothing breaks.
func FuzzFrames(f *testing.F) {
	f.Add(slices.Concat(framed(frameHeaders, 4, 1, 10), framed(frameData, 0, 1, 100), framed(frameReset, 0, 1, 4)))
	f.Add(slices.Concat(framed(frameHeaders, 4, 3, 1), framed(frameHeaders, 5, 1, 1), framed(frameData, 1, 3, 16384)))
	f.Add(slices.Concat(framed(frameHeaders, 4, 1, 0), framed(frameData, padded, 1, 9), []byte{0, 0, 20, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 40}))
	f.Fuzz(func(t *testing.T, data []byte) {
		i, frames := intake{open: map[uint32]*arriving{}}, int64(0)
		i.in.feed(data, func(f frame) { frames++; i.received(f) }, i.data)
		sum := int64(0)
		for _, a := range i.open {
			sum += a.here
		}
		if i.sum != sum || sum < 0 || i.sum > i.arrived+frames<<15 || i.arrived > int64(len(data)) {
			t.Fatalf("the streams have %d bytes, the count is %d of %d", sum, i.sum, i.arrived)
		}
	})
}
