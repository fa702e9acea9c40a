package jsonscan_test

import (
	"math"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/goshawk-ai/goshawk/internal/jsonscan"
)

// What the quick ways make of a number is what strconv makes of it.
func TestNumbersAreRoundedOnce(t *testing.T) {
	check := func(t interface{ Errorf(string, ...any) }, text string) {
		s := jsonscan.Scanner{Text: []byte(text)}
		got32, err32 := s.Float32()
		want32, wantErr := strconv.ParseFloat(text, 32)
		if (err32 != nil) != (wantErr != nil) || err32 == nil && math.Float32bits(got32) != math.Float32bits(float32(want32)) {
			t.Errorf("FP32 %s: got %v, %v; want %v, %v", text, got32, err32, float32(want32), wantErr)
		}
		s = jsonscan.Scanner{Text: []byte(text)}
		got64, err64 := s.Float64()
		want64, wantErr := strconv.ParseFloat(text, 64)
		if (err64 != nil) != (wantErr != nil) || err64 == nil && math.Float64bits(got64) != math.Float64bits(want64) {
			t.Errorf("FP64 %s: got %v, %v; want %v, %v", text, got64, err64, want64, wantErr)
		}
	}
	for _, text := range []string{
		"0", "-0", "1", "16777217", "16777219", "16777217.000000001", "9007199254740993", "1e22", "1e23", "1e-22", "1e-46", "1.4e-45", "1.1754943e-38",
		"3.4028235e38", "3.4028236e38", "-3.4028236e38", "1e400", "1e-400", "1e0000000000000000001", "0.00000000000000000000000000000000000001e38", "1e-2000000000000",
		"12345678901234567890123456789", "0." + strings.Repeat("0", 400) + "1e400", "0.333333343267440796", "5e-324", "0e999999999999",
	} {
		check(t, text)
	}
	rapid.Check(t, func(t *rapid.T) {
		check(t, strconv.FormatFloat(float64(math.Float32frombits(rapid.Uint32Range(0, 0x7f7fffff).Draw(t, "bits"))), 'g', rapid.IntRange(-1, 20).Draw(t, "digits"), 64))
		check(t, rapid.StringMatching(`-?(0|[1-9][0-9]{0,25})(\.[0-9]{1,25})?(e[+-]?[0-9]{1,3})?`).Draw(t, "number"))
	})
}
