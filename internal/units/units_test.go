package units_test

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/goshawk-ai/goshawk/internal/units"
)

func TestParseBytes(t *testing.T) {
	for text, want := range map[string]units.Bytes{
		"0": 0, "20MB": 20_000_000, "64MiB": 64 << 20, "1.5 GB": 1_500_000_000, "12": 12, "7kb": 7000,
	} {
		if got, err := units.ParseBytes(text); err != nil || got != want {
			t.Errorf("ParseBytes(%q) = %d, %v; want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "MB", "-1", "1.2.3MB", "5 parsecs", "99999999999TB", "1e3", "NaN"} {
		if got, err := units.ParseBytes(text); err == nil {
			t.Errorf("ParseBytes(%q) = %d, want an error", text, got)
		}
	}
}

func TestStringReadsBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := units.Bytes(rapid.Int64Range(0, 1<<50).Draw(t, "bytes"))
		if back, err := units.ParseBytes(b.String()); err != nil || back != b {
			t.Fatalf("%d writes as %s and reads as %d, %v", b, b, back, err)
		}
		p := units.Pixels(rapid.Int64Range(0, 1<<50).Draw(t, "pixels"))
		if back, err := units.ParsePixels(p.String()); err != nil || back != p {
			t.Fatalf("%d writes as %s and reads as %d, %v", p, p, back, err)
		}
	})
}
