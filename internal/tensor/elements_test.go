package tensor_test

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"

	"github.com/goshawk-ai/goshawk/internal/tensor"
)

func TestElementsComeBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.SliceOfN(rapid.SliceOfN(rapid.Byte(), 0, 20), 0, 10).Draw(t, "elements")
		data := tensor.AppendElements(nil, want)
		got, err := tensor.ParseElements(data, int64(len(want)))
		if err != nil || len(got) != len(want) {
			t.Fatalf("ParseElements = %d elements, %v; want the %d that were written", len(got), err, len(want))
		}
		for i := range want {
			if !bytes.Equal(got[i], want[i]) {
				t.Fatalf("element %d = %q, want %q", i, got[i], want[i])
			}
		}
	})
}

func TestElementsThatDoNotFitAreRefused(t *testing.T) {
	one := tensor.AppendElements(nil, [][]byte{[]byte("abc")})
	for name, c := range map[string]struct {
		data []byte
		n    int64
	}{
		"more elements than bytes":   {one, 1 << 40},
		"a length that is cut":       {append(bytes.Clone(one), 0, 0, 0, 0, 1), 3},
		"a length beyond the data":   {[]byte{255, 255, 255, 255, 1}, 1},
		"an element that is cut":     {one[:6], 1},
		"bytes after the last":       {append(bytes.Clone(one), 9), 1},
		"elements where none are":    {one, 0},
		"nothing where there is one": {nil, 1},
	} {
		if got, err := tensor.ParseElements(c.data, c.n); err == nil {
			t.Errorf("%s: got %q, want an error", name, got)
		}
	}
}
