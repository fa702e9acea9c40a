package httpapi_test

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write testdata/wrong-inputs.txt anew")

// wrong is a request that somebody got wrong.
type wrong struct {
	name   string
	method string // "": POST
	path   string // "": /v1/predictions
	header string // NAME: VALUE lines
	body   io.Reader
}

const (
	jpegType = "Content-Type: image/jpeg"
	jsonMIME = "Content-Type: application/json"
	formMIME = "Content-Type: multipart/form-data; boundary=B"
)

func text(s string) io.Reader { return strings.NewReader(s) }

// zeros is a body of n bytes that nobody holds in memory.
func zeros(n int64) io.Reader { return io.LimitReader(zeroReader{}, n) }

type zeroReader struct{}

func (zeroReader) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func formPart(field, rest, content string) string {
	return "--B\r\nContent-Disposition: form-data; name=\"" + field + "\"" + rest + "\r\n\r\n" + content + "\r\n"
}

func jsonOf(members string) string {
	return `{"pictures":[{"data":"` + b64(picture) + `"}]` + members + `}`
}

func wrongContentTypes() []wrong {
	return []wrong{
		{name: "no content type", body: text(picture)},
		{name: "form of curl -d", header: "Content-Type: application/x-www-form-urlencoded", body: text(picture)},
		{name: "text", header: "Content-Type: text/plain", body: text(picture)},
		{name: "video", header: "Content-Type: video/mp4", body: text(picture)},
		{name: "multipart of another kind", header: "Content-Type: multipart/mixed; boundary=B", body: text("--B--")},
		{name: "no media type", header: "Content-Type: jpeg;;=", body: text(picture)},
		{name: "content type with an escape", header: "Content-Type: text/\u202eevil", body: text(picture)},
		{name: "two content types", header: jpegType + "\nContent-Type: image/png", body: text(picture)},
		{name: "boundary missing", header: "Content-Type: multipart/form-data", body: text("--B--")},
		{name: "boundary empty", header: "Content-Type: multipart/form-data; boundary=\"\"", body: text("--B--")},
		{name: "boundary too long", header: "Content-Type: multipart/form-data; boundary=" + strings.Repeat("b", 71), body: text("--B--")},
		{name: "json in another charset", header: jsonMIME + "; charset=latin1", body: text("{}")},
		{name: "gzip", header: jpegType + "\nContent-Encoding: gzip", body: text("\x1f\x8b")},
		{name: "two codings", header: jpegType + "\nContent-Encoding: identity, br", body: text(picture)},
		{name: "accept html", header: jpegType + "\nAccept: text/html", body: text(picture)},
		{name: "accept nothing", header: jpegType + "\nAccept: */*;q=0", body: text(picture)},
		{name: "no body", header: jpegType},
		{name: "empty body of unknown length", header: jpegType, body: io.MultiReader()},
		{name: "not a picture", header: jpegType, body: text(noPicture)},
	}
}

func wrongParameters() []wrong {
	var cases []wrong
	for _, query := range []string{
		"top_k=0", "top_k=-1", "top_k=abc", "top_k=1000000000", "top_k=99999999999999999999", "top_k=1.5", "top_k=+5", "top_k=%2B5", "top_k=0x10",
		"top_k=", "top_k", "top_k=1&top_k=1", "threshold=NaN", "threshold=2", "threshold=-0.1", "threshold=Inf", "threshold=0x1p-2", "threshold=1_0",
		"threshold=half", "threshold=", "model=", "model=a&model=b", "model=a%20b", "model=a%0Ab", "model=" + strings.Repeat("m", 257), "model=cats",
		"topk=5", "TOP_K=5", "a=1;b=2", "x=%zz", "%00=1", "%1b%5B31m=1",
	} {
		name := query
		if len(name) > 40 {
			name = name[:40] + "…"
		}
		cases = append(cases, wrong{name: "query " + name, path: "/v1/predictions?" + query, header: jpegType, body: text(picture)})
	}
	return append(cases,
		wrong{name: "model in query and form", path: "/v1/predictions?model=birds", header: formMIME, body: text(formPart("model", "", "birds") + "--B--")},
		wrong{name: "top_k in query and json", path: "/v1/predictions?top_k=1", header: jsonMIME, body: text(jsonOf(`,"top_k":1`))},
		wrong{name: "threshold in form twice", header: formMIME, body: text(formPart("threshold", "", "0") + formPart("threshold", "", "0") + "--B--")},
		wrong{name: "top_k in form is no number", header: formMIME, body: text(formPart("top_k", "", "five") + "--B--")},
		wrong{name: "empty model in form", header: formMIME, body: text(formPart("model", "", "") + "--B--")},
		wrong{name: "long parameter in form", header: formMIME, body: text(formPart("model", "", strings.Repeat("m", 2000)) + "--B--")},
	)
}

func wrongForms() []wrong {
	many := strings.Repeat(formPart("image", `; filename="a"`, picture), 65)
	return []wrong{
		{name: "empty form", header: formMIME, body: text("--B--\r\n")},
		{name: "form without picture", header: formMIME, body: text(formPart("top_k", "", "1") + "--B--")},
		{name: "form with no file chosen", header: formMIME, body: text(formPart("image", `; filename=""`, "") + "--B--")},
		{name: "empty file", header: formMIME, body: text(formPart("image", `; filename="a.jpg"`, "") + "--B--")},
		{name: "text part as picture", header: formMIME, body: text(formPart("image", "", "https://example.com/a.jpg") + "--B--")},
		{name: "unknown field", header: formMIME, body: text(formPart("photo", `; filename="a"`, picture) + "--B--")},
		{name: "field with control characters", header: formMIME, body: text(formPart("\x1b[31m", `; filename="a"`, picture) + "--B--")},
		{name: "part without a name", header: formMIME, body: text("--B\r\nContent-Type: image/png\r\n\r\nx\r\n--B--")},
		{name: "name too long", header: formMIME, body: text(formPart("image", `; filename="`+strings.Repeat("n", 2000)+`"`, picture) + "--B--")},
		{name: "65 pictures", header: formMIME, body: text(many + "--B--")},
		{name: "part in base64", header: formMIME, body: text("--B\r\nContent-Disposition: form-data; name=\"image\"\r\nContent-Transfer-Encoding: base64\r\n\r\neA==\r\n--B--")},
		{name: "form of another boundary", header: formMIME, body: text("--C\r\n\r\nx\r\n--C--")},
		{name: "form cut off in a picture", header: formMIME, body: text(formPart("image", `; filename="a"`, picture))},
		{name: "part with loose quotes", header: formMIME, body: text("--B\r\nContent-Disposition: form-data; name=\"image\"; filename=\"my \"best\".jpg\"\r\n\r\nx\r\n--B--")},
		{name: "form cut off in a header", header: formMIME, body: text("--B\r\nContent-Disposition: form-da")},
		{name: "form with a broken header", header: formMIME, body: text("--B\r\nno header\r\n\r\nx\r\n--B--")},
		{name: "form that is none", header: formMIME, body: text(picture)},
		{name: "long part header", header: formMIME, body: text("--B\r\nX: " + strings.Repeat("x", 100_000) + "\r\n\r\nx\r\n--B--")},
		{name: "long preamble", header: formMIME, body: text(strings.Repeat("x\r\n", 100_000) + "--B--")},
	}
}

func wrongJSON() []wrong {
	var cases []wrong
	for name, body := range map[string]string{
		"empty object": `{}`, "no pictures": `{"pictures":[]}`, "null": `null`, "a list": `[]`, "a string": `"x"`, "nothing but space": "  ",
		"cut off": `{"pictures":[{"data":"` + b64(picture), "cut off later": `{"pictures":[{"data":"eA=="}`, "cut off after the colon": `{"pictures":`,
		"pictures is an object": `{"pictures":{}}`, "pictures are strings": `{"pictures":["eA=="]}`, "pictures null": `{"pictures":null}`,
		"picture without data": `{"pictures":[{"name":"a"}]}`, "empty data": `{"pictures":[{"data":""}]}`, "data is a number": `{"pictures":[{"data":1}]}`,
		"bad base64": `{"pictures":[{"data":"%%%"}]}`, "base64 without padding": `{"pictures":[{"data":"eA"}]}`, "url base64": `{"pictures":[{"data":"_-_-"}]}`,
		"data url": `{"pictures":[{"data":"data:image/png;base64,eA=="}]}`, "line end in base64": "{\"pictures\":[{\"data\":\"eA\n==\"}]}",
		"bad escape in base64": `{"pictures":[{"data":"\x"}]}`, "foreign escape in base64": `{"pictures":[{"data":"\u00e9"}]}`,
		"base64 of no picture": `{"pictures":[{"data":"` + b64(noPicture) + `"}]}`,
		"name is null":         `{"pictures":[{"name":null,"data":"eA=="}]}`, "name not utf-8": "{\"pictures\":[{\"name\":\"\xff\",\"data\":\"eA==\"}]}",
		"name too long":       `{"pictures":[{"name":"` + strings.Repeat("n", 2000) + `","data":"eA=="}]}`,
		"name far too long":   `{"pictures":[{"name":"` + strings.Repeat("n", 20000) + `","data":"eA=="}]}`,
		"raw control in name": "{\"pictures\":[{\"name\":\"\x00\",\"data\":\"eA==\"}]}",
		"unknown member":      jsonOf(`,"topk":1`), "unknown member of a picture": `{"pictures":[{"url":"http://example.com"}]}`,
		"member twice": jsonOf(`,"model":"birds","model":"birds"`), "pictures twice": jsonOf(`,"pictures":[]`), "data twice": `{"pictures":[{"data":"eA==","data":"eA=="}]}`,
		"model is null": jsonOf(`,"model":null`), "model is a number": jsonOf(`,"model":1`), "model empty": jsonOf(`,"model":""`), "unknown model": jsonOf(`,"model":"cats"`),
		"top_k is a string": jsonOf(`,"top_k":"5"`), "top_k is 0": jsonOf(`,"top_k":0`), "top_k is 1.5": jsonOf(`,"top_k":1.5`), "top_k is 1e300": jsonOf(`,"top_k":1e300`),
		"top_k is true": jsonOf(`,"top_k":true`), "threshold is NaN": jsonOf(`,"threshold":NaN`), "threshold is 1e999": jsonOf(`,"threshold":1e999`),
		"threshold is 2": jsonOf(`,"threshold":2`), "number with a zero in front": jsonOf(`,"top_k":05`), "number alone minus": jsonOf(`,"top_k":-`),
		"garbage after": jsonOf("") + "x", "another object after": jsonOf("") + "{}", "nul after": jsonOf("") + "\x00", "comma at the end": jsonOf(","),
		"byte order mark": "\ufeff" + jsonOf(""), "comment": "/*x*/" + jsonOf(""), "deep": strings.Repeat("[", 100_000), "single quotes": `{'pictures':[]}`,
		"65 pictures": `{"pictures":[` + strings.TrimSuffix(strings.Repeat(`{"data":"`+b64(picture)+`"},`, 65), ",") + `]}`,
	} {
		cases = append(cases, wrong{name: "json " + name, header: jsonMIME, body: text(body)})
	}
	slices.SortFunc(cases, func(a, b wrong) int { return strings.Compare(a.name, b.name) })
	return cases
}

func wrongSizes() []wrong {
	return []wrong{
		{name: "21 MB raw", header: jpegType, body: sized(21e6, zeros(21e6))},
		{name: "21 MB raw of unknown length", header: jpegType, body: zeros(21e6)},
		{name: "21 MB in a form", header: formMIME, body: io.MultiReader(text("--B\r\nContent-Disposition: form-data; name=\"image\"; filename=\"a\"\r\n\r\n"), zeros(21e6), text("\r\n--B--"))},
		{name: "101 MB raw", header: jpegType, body: sized(101e6, zeros(101e6))},
		{name: "101 MB form", header: formMIME, body: sized(101e6, zeros(101e6))},
		{name: "101 MB json", header: jsonMIME, body: sized(101e6, zeros(101e6))},
		{name: "101 MB form of unknown length", header: formMIME, body: io.MultiReader(
			text("--B\r\nContent-Disposition: form-data; name=\"image\"; filename=\"a\"\r\n\r\n"), zeros(101e6))},
		{name: "101 MB json of unknown length", header: jsonMIME, body: io.MultiReader(text(`{"pictures":[{"data":"`), zeros(101e6))},
		{name: "4 TB declared", header: jpegType + "\nContent-Length: 4000000000000", body: sized(4e12, zeros(4e12))},
		{name: "21 MB in json", header: jsonMIME, body: io.MultiReader(text(`{"pictures":[{"data":"`), io.LimitReader(letters{}, 28_000_000), text(`"}]}`))},
	}
}

type letters struct{}

func (letters) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'A'
	}
	return len(p), nil
}

func wrongElsewhere() []wrong {
	return []wrong{
		{name: "the bare version of the API", method: "GET", path: "/v1"},
		{name: "unknown path", method: "GET", path: "/v1/nothing/\x1b%5B31m"},
		{name: "unknown page", method: "GET", path: "/nothing"},
		{name: "path with dots", method: "GET", path: "/v1/x/../models"},
		{name: "path with two slashes", path: "/v1//predictions", header: jpegType, body: text(picture)},
		{name: "get predictions", method: "GET", path: "/v1/predictions"},
		{name: "delete predictions", method: "DELETE", path: "/v1/predictions"},
		{name: "odd method", method: "BREW", path: "/v1/predictions"},
		{name: "options", method: "OPTIONS", path: "/v1/predictions", header: "Origin: http://localhost:1\nAccess-Control-Request-Method: POST"},
		{name: "post models", path: "/v1/models", header: jsonMIME, body: text("{}")},
		{name: "unknown model", method: "GET", path: "/v1/models/cats"},
		{name: "model with a slash", method: "GET", path: "/v1/models/a%2Fb"},
		{name: "no model", method: "GET", path: "/v1/models/"},
		{name: "query of models", method: "GET", path: "/v1/models?page=5"},
		{name: "no page", method: "GET", path: "/v1/models?limit=0"},
		{name: "page too long", method: "GET", path: "/v1/models?limit=1001"},
		{name: "page twice", method: "GET", path: "/v1/models?limit=1&limit=1"},
		{name: "empty cursor", method: "GET", path: "/v1/models?cursor="},
		{name: "foreign cursor", method: "GET", path: "/v1/models?cursor=AAAA"},
		{name: "query of a model", method: "GET", path: "/v1/models/imagenet?limit=5"},
		{name: "models as csv", method: "GET", path: "/v1/models", header: "Accept: text/csv"},
		{name: "labels of nothing", method: "GET", path: "/v1/models/cats/labels"},
		{name: "raw to /predict", path: "/predict", header: jpegType, body: text(picture)},
		{name: "json to /predict", path: "/predict", header: jsonMIME, body: text(jsonOf(""))},
		{name: "csv of /predict", path: "/predict", header: formMIME + "\nAccept: text/csv", body: text("--B--")},
		{name: "rebound host", method: "GET", path: "/v1/models", header: "Host: attacker.example"},
		{name: "foreign page", path: "/v1/predictions", header: jpegType + "\nOrigin: https://attacker.example", body: text(picture)},
		{name: "foreign page without origin", path: "/v1/predictions", header: jpegType + "\nSec-Fetch-Site: cross-site", body: text(picture)},
		{name: "other local page", path: "/predict", header: formMIME + "\nOrigin: http://localhost:1", body: text("--B--")},
	}
}

type sizedBody struct {
	io.Reader
	n int64
}

func sized(n int64, r io.Reader) io.Reader { return sizedBody{r, n} }

func (w wrong) send(t *testing.T, g *rig) answer {
	t.Helper()
	method, path := w.method, strings.ReplaceAll(w.path, "\x1b", "%1b")
	if method == "" {
		method = http.MethodPost
	}
	if path == "" {
		path = "/v1/predictions"
	}
	r, err := http.NewRequest(method, g.url+path, w.body)
	if err != nil {
		t.Fatal(err)
	}
	if s, ok := w.body.(sizedBody); ok {
		r.ContentLength = s.n
	}
	for line := range strings.SplitSeq(w.header, "\n") {
		name, value, _ := strings.Cut(line, ": ")
		switch name {
		case "", "Content-Length":
		case "Host":
			r.Host = value
		default:
			r.Header.Add(name, value)
		}
	}
	response, err := g.client.Do(r)
	if err != nil {
		t.Fatalf("%s: %v", w.name, err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{response.StatusCode, response.Header, string(content)}
}

// TestWrongInputs holds each mistake against the table of answers, which is
// made to be read: one clear sentence each.
func TestWrongInputs(t *testing.T) {
	g := newRig(t, nil)
	var table bytes.Buffer
	for _, w := range slices.Concat(wrongContentTypes(), wrongParameters(), wrongForms(), wrongJSON(), wrongSizes(), wrongElsewhere()) {
		got := w.send(t, g)
		doc := got.problem(t)
		if got.status < 400 || got.header.Get("Content-Type") != "application/problem+json" ||
			doc["status"] != float64(got.status) || doc["request_id"] != got.header.Get("X-Request-Id") {
			t.Errorf("%s: got %d %v, want a problem document with this status and request id", w.name, got.status, got.body)
		}
		detail := fmt.Sprint(doc["detail"])
		if len(detail) > 420 || strings.ContainsFunc(detail, func(r rune) bool { return r < ' ' || r == 0x202e }) {
			t.Errorf("%s: the sentence must be short and harmless: %q", w.name, detail)
		}
		if (got.status == 405) != (got.header.Get("Allow") != "") {
			t.Errorf("%s: status %d with Allow %q", w.name, got.status, got.header.Get("Allow"))
		}
		fmt.Fprintf(&table, "%s\n    %d %s: %s\n", strconv.Quote(w.name), got.status, strings.TrimPrefix(fmt.Sprint(doc["type"]), "/errors/"), detail)
	}
	if _, runs := g.fake.seen(); runs > 12 {
		t.Errorf("the predictor was asked %d times; a request that cannot be right must not cost an inference", runs)
	}
	golden(t, "wrong-inputs.txt", table.Bytes())
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(got, want) {
		return
	}
	wantLines := strings.Split(string(want), "\n")
	for i, line := range strings.Split(string(got), "\n") {
		if i >= len(wantLines) || line != wantLines[i] {
			t.Errorf("%s line %d: got %s", name, i+1, line)
		}
	}
	t.Errorf("%s differs from what is answered; if that is right, run go test -run %s -update", path, t.Name())
}
