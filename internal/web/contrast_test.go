package web

import (
	"math"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestTextIsReadable: what is written in these colors reaches the contrast of
// 4.5 that WCAG 2.2 (1.4.3) asks for, on every ground that it stands on.
func TestTextIsReadable(t *testing.T) {
	const enough = 4.5
	style, err := os.ReadFile("static/style.css")
	if err != nil {
		t.Fatal(err)
	}
	light, dark, ok := strings.Cut(string(style), "prefers-color-scheme: dark")
	if !ok {
		t.Fatal("the style has no dark colors")
	}
	for scheme, text := range map[string]string{"light": light, "dark": dark} {
		colors := map[string]float64{}
		for _, m := range regexp.MustCompile(`--([a-z-]+): #([0-9a-f]{6});`).FindAllStringSubmatch(text, -1) {
			colors[m[1]] = luminance(t, m[2])
		}
		for _, pen := range []string{"ink", "soft", "ember", "bad", "slate"} {
			for _, ground := range []string{"paper", "sheet", "code", "slate-wash", "ember-wash", "bad-wash"} {
				a, b := colors[pen], colors[ground]
				if got := (max(a, b) + 0.05) / (min(a, b) + 0.05); got < enough {
					t.Errorf("%s: %s on %s has a contrast of %.2f; want %.1f, or it is hard to read", scheme, pen, ground, got, enough)
				}
			}
		}
	}
}

// luminance is WCAG's relative luminance of an sRGB color.
func luminance(t *testing.T, hex string) float64 {
	t.Helper()
	sum := 0.0
	for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
		n, err := strconv.ParseUint(hex[2*i:2*i+2], 16, 8)
		if err != nil {
			t.Fatal(err)
		}
		v := float64(n) / 255
		if v <= 0.04045 {
			v /= 12.92
		} else {
			v = math.Pow((v+0.055)/1.055, 2.4)
		}
		sum += weight * v
	}
	return sum
}
