package picture

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/goshawk-ai/goshawk/internal/problem"
)

func TestStrangersAreNamed(t *testing.T) {
	jpeg := string(flatJPEG{w: 8, h: 8, sampling: []byte{0x11}}.encode())
	for data, want := range map[string]string{
		"": "empty (0 bytes)",
		"\x00\x00\x00\x1cftypavif\x00\x00\x00\x00mif1":  "AVIF",
		"\x00\x00\x00\x18ftypmif1\x00\x00\x00\x00avif":  "AVIF",
		"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1":  "HEIC",
		"\x00\x00\x00\x18ftypmif1\x00\x00\x00\x00unif":  "HEIF",
		"\x00\x00\x00\x18ftypisom\x00\x00\x02\x00mp41":  "a video",
		"\x00\x00\x00\x0cjP  \r\n\x87\n":                "JPEG 2000",
		"\xff\x4f\xff\x51\x00":                          "JPEG 2000",
		"\xff\x0a\x00\x00":                              "JPEG XL",
		"\x00\x00\x00\x0cJXL \r\n\x87\n":                "JPEG XL",
		"\x00\x00\x01\x00\x01\x00":                      "icon",
		"P6\n3 2\n255\n":                                "PNM",
		"P2 3 2 255":                                    "PNM",
		"8BPS\x00\x01":                                  "Photoshop",
		"%PDF-1.7":                                      "PDF",
		"PK\x03\x04":                                    "ZIP",
		"\x1f\x8b\x08":                                  "gzip",
		"<!DOCTYPE html><p>":                            "an HTML page",
		"<?xml version='1.0'?><svg xmlns=''>":           "SVG",
		`{"error": "no such key"}`:                      "JSON",
		"just a line of text":                           "text",
		"\xff\xfeh\x00e\x00":                            "UTF-16",
		"\xef\xbb\xbf" + jpeg:                           "byte-order mark",
		"0123456789abcdef" + jpeg:                       "other bytes before the JPEG",
		"\xc3\xbf\xc3\x98\xc3\xbf":                      "as if it were text",
		"\xef\xbf\xbd\xef\xbf\xbd":                      "as if it were text",
		base64.StdEncoding.EncodeToString([]byte(jpeg)): "base64",
		"data:image/jpeg;base64,AAAA":                   "data URL",
		"--x\r\nContent-Disposition: form-data; name=a": "multipart",
		"RIFF\x00\x00\x00\x00WAVEfmt ":                  "WAVE",
		"BM":                                            "JPEG, PNG, WebP, GIF, BMP and TIFF are",
		"\x00\x01\x02\x03\x04\x05\x06\x07":              "JPEG, PNG, WebP, GIF, BMP and TIFF are",
		"GIF88a\x01":                                    "JPEG, PNG, WebP, GIF, BMP and TIFF are",
	} {
		_, err := Inspect([]byte(data), DefaultLimits)
		wantProblem(t, err, problem.NotAPicture, want)
		if strings.ContainsAny(err.Error(), "\n\x00") {
			t.Errorf("the sentence %q has bytes of the file in it", err)
		}
	}
}

// The format is told by the content alone, so a name cannot lie about it.
func TestFormatsAreTold(t *testing.T) {
	for name, data := range samples(t) {
		info, err := Inspect(data, DefaultLimits)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if want, _, _ := strings.Cut(name, " "); string(info.Format) != want {
			t.Errorf("%s: format is %q", name, info.Format)
		}
	}
}
