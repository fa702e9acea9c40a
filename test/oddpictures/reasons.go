//go:build ci

package oddpictures

import "strings"

// reason says why a picture that Pillow decodes is refused; "" where nobody has
// thought about it yet, which fails the test.
func reason(f File, o Outcome, goDecoder bool) string {
	if o.Decoded() || !strings.HasPrefix(f.Pillow, "decodes") {
		return ""
	}
	if r, ok := fileReasons[f.Name]; ok {
		return r
	}
	switch f.Kind {
	case "jpeg", "png", "gif", "bmp", "tiff", "webp", "mpo":
	default:
		return "not one of the six formats that are read"
	}
	for _, r := range sentenceReasons {
		if strings.Contains(o.Sentence, r[0]) {
			return r[1]
		}
	}
	if goDecoder && f.Kind == "jpeg" && strings.Contains(o.Sentence, "cannot be decoded") {
		return "damaged data: Go's image/jpeg gives up where libjpeg goes on with grey"
	}
	return ""
}

var fileReasons = map[string]string{
	"gen-jpeg-50mp-grey.jpg":                                    "8660 x 5774 is 2,840 pixels above the limit of 50 MP, which is 50,000,000",
	"gen-png-50mp-rgb.png":                                      "8660 x 5774 is 2,840 pixels above the limit of 50 MP, which is 50,000,000",
	"gen-png-bad-filter.png":                                    "Pillow answers a black picture; nothing of the real one is known",
	"gen-png-corrupt-zlib.png":                                  "Pillow answers a black picture; nothing of the real one is known",
	"gen-png-too-little-data.png":                               "half of the rows are missing; Pillow leaves them black",
	"gen-png-no-palette.png":                                    "nobody knows what the indices mean; Pillow answers a black picture",
	"metaeximgts-c-m2-fcac2d6a6a739e8ceb946ac99200d9f1.png":     "three quarters of the rows are damaged; Pillow leaves them black",
	"gen-gif-lzw-size-0.gif":                                    "the codes stand for nothing with a code size of 0; Pillow answers one color",
	"gen-tiff-tile-zero.tif":                                    "tiles of no width hold no picture; Pillow takes them for a strip",
	"pillow-crash-0da013a13571cc8eb457a39fee8db18f8a3c7127.tif": "fuzzed fax data: libtiff makes up the rows that it cannot read",
	"pillow-crash-74d2a78403a5a59db1fb0a2b8735ac068a75f6e3.tif": "fuzzed fax data: libtiff makes up the rows that it cannot read",
}

var sentenceReasons = [][2]string{
	{"at most 50MP", "above the limit of 50 MP"},
	{"scans, the most", "above the limit of scans: each costs a pass over all pixels"},
	{"frames, the most", "above the limit of frames"},
	{"lossless JPEG", "libjpeg-turbo reads lossless JPEG from release 3.0 on only"},
	{"Zstandard", "the Go libraries have no Zstandard"},
	{"JPEG as before 1995", "withdrawn in 1995 for being ambiguous; libtiff alone reads it"},
	{"coded arithmetically", "Go's image/jpeg has no arithmetic decoding; libjpeg-turbo has"},
	{"Go's decoder does not read", "Go's image/jpeg lacks this variant; libjpeg-turbo reads it"},
	{"would take", "above the limit of 192 MB decoded with this decoder"},
}
