package picture

import (
	"bytes"
	"unicode/utf8"

	"github.com/goshawk-ai/goshawk/internal/problem"
)

type inspector func(data []byte, lim Limits) (Info, error)

// sniff tells the format by its first bytes; names and content types don't count.
func sniff(data []byte) (inspector, error) {
	switch {
	case len(data) == 0:
		return nil, problem.NotAPicture.New("the picture is empty (0 bytes)")
	case has(data, 0, "\xff\xd8"):
		return inspectJPEG, nil
	case has(data, 0, "\x89PNG\r\n\x1a\n"):
		return inspectPNG, nil
	case has(data, 0, "GIF87a"), has(data, 0, "GIF89a"):
		return inspectGIF, nil
	case has(data, 0, "RIFF") && has(data, 8, "WEBP"):
		return inspectWebP, nil
	case looksLikeBMP(data):
		return inspectBMP, nil
	case has(data, 0, "II*\x00"), has(data, 0, "MM\x00*"), has(data, 0, "II+\x00"), has(data, 0, "MM\x00+"):
		return inspectTIFF, nil
	}
	return nil, stranger(data)
}

// stranger names what the bytes look like, so that whoever sent them knows what
// to change.
func stranger(data []byte) error {
	const read = "JPEG, PNG, WebP, GIF, BMP and TIFF are"
	if name := ftyp(data); name != "" {
		return problem.NotAPicture.New("this looks like %s, which is not read here; %s", name, read)
	}
	if isPNM(data) {
		return problem.NotAPicture.New("this looks like PNM, which is not read here; %s", read)
	}
	for _, s := range signatures() {
		if has(data, s.at, s.magic) {
			return problem.NotAPicture.New("this looks like %s, which is not read here; %s", s.name, read)
		}
	}
	if hint := nearMiss(data); hint != "" {
		return problem.NotAPicture.New("%s", hint)
	}
	if name := text(data); name != "" {
		return problem.NotAPicture.New("this looks like %s, not like a picture; %s read", name, read)
	}
	return problem.NotAPicture.New("the bytes begin like no picture that is read here; %s", read)
}

type signature struct {
	at          int
	magic, name string
}

// signatures come from the formats' own specifications; more special ones stand
// first.
func signatures() []signature {
	return []signature{
		{0, "\x00\x00\x00\x0cjP  \r\n\x87\n", "JPEG 2000"},
		{0, "\xff\x4f\xff\x51", "a JPEG 2000 code stream"},
		{0, "\xff\x0a", "JPEG XL"},
		{0, "\x00\x00\x00\x0cJXL \r\n\x87\n", "JPEG XL"},
		{0, "II\xbc", "JPEG XR"},
		{0, "\x00\x00\x01\x00", "an icon (ICO)"},
		{0, "\x00\x00\x02\x00\x01\x00", "a mouse pointer (CUR)"},
		{0, "8BPS", "a Photoshop file (PSD)"},
		{0, "DDS ", "a DirectDraw surface (DDS)"},
		{0, "qoif", "QOI"},
		{0, "\x0a\x05\x01", "PCX"},
		{0, "\x01\xda", "an SGI picture"},
		{0, "%PDF-", "a PDF"},
		{0, "%!PS", "PostScript"},
		{0, "PK\x03\x04", "a ZIP archive"},
		{0, "\x1f\x8b", "gzip data (is it compressed twice?)"},
		{0, "\x7fELF", "a program"},
		{0, "\x1aE\xdf\xa3", "a video (Matroska or WebM)"},
		{8, "AVI ", "a video (AVI)"},
		{8, "WAVE", "a sound (WAVE)"},
		{0, "#?RADIANCE", "Radiance HDR"},
		{0, "\x76\x2f\x31\x01", "OpenEXR"},
		{0, "FLIF", "FLIF"},
		{0, "BPG\xfb", "BPG"},
	}
}

// isPNM: P, a digit and white space (or a comment).
func isPNM(data []byte) bool {
	return len(data) > 3 && data[0] == 'P' && data[1] >= '1' && data[1] <= '7' &&
		bytes.IndexByte([]byte(" \t\r\n#"), data[2]) >= 0
}

// ftyp names the ISO base media files by their brand.
func ftyp(data []byte) string {
	if !has(data, 4, "ftyp") || len(data) < 12 {
		return ""
	}
	brands := data[8:min(len(data), 64)]
	for ; len(brands) >= 4; brands = brands[4:] {
		switch string(brands[:4]) {
		case "avif", "avis":
			return "AVIF"
		case "heic", "heix", "hevc", "heim", "heis", "hevm", "hevs":
			return "HEIC"
		case "jpx ", "jp2 ":
			return "JPEG 2000"
		}
	}
	if has(data, 8, "mif1") || has(data, 8, "msf1") || has(data, 8, "mif2") {
		return "HEIF"
	}
	return "a video (MP4 or QuickTime)"
}

// nearMiss recognizes pictures that something was done to on their way here.
func nearMiss(data []byte) string {
	head := data[:min(len(data), 512)]
	switch {
	case has(data, 0, "\xef\xbb\xbf\xff\xd8"):
		return "a byte-order mark stands before the JPEG: something treated it as text; send the file's own bytes"
	case has(data, 0, "\xc3\xbf\xc3\x98"), has(data, 0, "\xef\xbf\xbd\xef\xbf\xbd"):
		return "this was a picture once, but something converted it as if it were text; send the file's own bytes"
	case has(data, 0, "\x89PNG"):
		return "this was a PNG once, but its line ends were converted as if it were text; send the file's own bytes"
	case bytes.HasPrefix(head, []byte("data:image/")):
		return "this is a data URL, not a picture; send the bytes that it encodes"
	case has(data, 0, "/9j/"), has(data, 0, "iVBORw0KGgo"):
		return "this is a picture in base64; send the bytes that it encodes, or JSON with pictures[].data"
	case bytes.HasPrefix(head, []byte("--")) && bytes.Contains(head, []byte("Content-Disposition:")):
		return "this is a whole multipart body, not a picture; send its content type along, or the part's own bytes"
	case bytes.Contains(head, []byte("\xff\xd8\xff")):
		return "there are other bytes before the JPEG; send it from its first byte on"
	}
	return ""
}

// text names the kinds of text that come in a picture's place.
func text(data []byte) string {
	head := bytes.TrimLeft(data[:min(len(data), 1024)], "\xef\xbb\xbf \t\r\n")
	lower := bytes.ToLower(head)
	switch {
	case bytes.HasPrefix(lower, []byte("<!doctype html")), bytes.HasPrefix(lower, []byte("<html")):
		return "an HTML page"
	case bytes.Contains(lower, []byte("<svg")):
		return "SVG (drawings must be rendered first)"
	case bytes.HasPrefix(head, []byte("{")), bytes.HasPrefix(head, []byte("[")):
		return "JSON"
	case has(data, 0, "\xff\xfe"), has(data, 0, "\xfe\xff"):
		return "text (UTF-16)"
	case isText(data):
		return "text"
	}
	return ""
}

func isText(data []byte) bool {
	head := data[:min(len(data), 512)]
	for len(head) > 0 {
		r, n := utf8.DecodeRune(head)
		if r == utf8.RuneError && n == 1 && len(head) >= utf8.UTFMax || r < ' ' && r != '\n' && r != '\r' && r != '\t' {
			return false
		}
		head = head[n:]
	}
	return true
}

func has(data []byte, at int, magic string) bool {
	return len(data) >= at+len(magic) && string(data[at:at+len(magic)]) == magic
}
