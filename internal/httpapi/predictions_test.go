package httpapi_test

import (
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/goshawk-ai/goshawk/internal/httpapi"
	"github.com/goshawk-ai/goshawk/internal/predict"
	"github.com/goshawk-ai/goshawk/internal/problem"
)

func b64(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

// chunked hides the length, so that the body is sent in chunks.
func chunked(s string) io.Reader { return io.MultiReader(strings.NewReader(s)) }

func TestEveryFormOfRequestReachesTheSamePlace(t *testing.T) {
	multi, multiBody := form(part{"model", "", "birds@default"}, part{"image", "a.jpg", picture}, part{"top_k", "", "1"}, part{"threshold", "", "0.5"})
	for name, c := range map[string]struct {
		query, contentType string
		body               io.Reader
		name               string
	}{
		"raw":           {"?model=birds@default&top_k=1&threshold=0.5", "image/jpeg", strings.NewReader(picture), ""},
		"octets":        {"?model=birds%40default&top_k=1&threshold=5e-1", "application/octet-stream", strings.NewReader(picture), ""},
		"odd image":     {"?model=birds@default&top_k=1&threshold=.5", "IMAGE/x-unheard-of; a=b", strings.NewReader(picture), ""},
		"raw, chunked":  {"?model=birds@default&top_k=1&threshold=0.5", "image/png", chunked(picture), ""},
		"form":          {"", multi, strings.NewReader(multiBody), "a.jpg"},
		"form, chunked": {"", multi, chunked(multiBody), "a.jpg"},
		"json": {"", "application/json; charset=UTF-8", strings.NewReader(
			`{"pictures": [{"name": "a.jpg", "data": "` + b64(picture) + `"}], "model": "birds@default", "top_k": 1, "threshold": 0.5}`), "a.jpg"},
		"json, other order": {"?top_k=1", "application/json", chunked(
			"\n{\"threshold\":5.0e-1,\"pictures\":[ {\"data\":\"" + b64(picture) + "\",\"name\":\"\\u0061.jpg\"} ],\"model\":\"birds@default\"}\r\n\t "), "a.jpg"},
	} {
		t.Run(name, func(t *testing.T) {
			g := newRig(t, nil)
			got := g.do("POST", "/v1/predictions"+c.query, map[string]string{"Content-Type": c.contentType}, c.body)
			document := got.document(t)
			r, _ := g.fake.seen()
			if r.Model != "birds@default" || r.TopK != 1 || r.Threshold != 0.5 {
				t.Errorf("parameters arrived as %+v", r)
			}
			if len(r.Pictures) != 1 || string(r.Pictures[0].Data) != picture || r.Pictures[0].Name != c.name {
				t.Errorf("the picture arrived as %q", r.Pictures)
			}
			if len(document.Results) != 1 || document.Results[0].Name != c.name || document.Results[0].Predictions[0].Label != "bird" {
				t.Errorf("answer: %s", got.body)
			}
			if got.header.Get("Content-Type") != "application/json" {
				t.Errorf("Content-Type %q", got.header.Get("Content-Type"))
			}
		})
	}
}

func TestParametersLeftOutAreZero(t *testing.T) {
	g := newRig(t, nil)
	g.raw("", picture).document(t)
	if r, _ := g.fake.seen(); r.Model != "" || r.TopK != 0 || r.Threshold != 0 || r.Read <= 0 {
		t.Fatalf("got %+v, want what the package says, and the time of reading", r)
	}
}

func TestOneBadPictureAmongSeveralFailsAlone(t *testing.T) {
	g := newRig(t, nil)
	document := g.form("/v1/predictions", nil,
		part{"image", "good.jpg", picture}, part{"file", "bad.html", noPicture}, part{"image", "also.png", picture + "2"}).document(t)
	if len(document.Results) != 3 {
		t.Fatalf("%d results, want 3", len(document.Results))
	}
	for i, want := range []string{"good.jpg", "bad.html", "also.png"} {
		if document.Results[i].Name != want {
			t.Errorf("result %d is %q, want the request's order (%q)", i, document.Results[i].Name, want)
		}
	}
	if document.Results[0].Error != nil || document.Results[2].Error != nil || document.Results[1].Error == nil {
		t.Errorf("only the second must fail: %+v", document.Results)
	}
	if !strings.Contains(document.Results[1].Error.Detail, "/errors/not-a-picture") {
		t.Errorf("the failed one must carry its own problem, got %v", document.Results[1].Error)
	}
}

func TestASingleBadPictureIsTheProblemItself(t *testing.T) {
	g := newRig(t, nil)
	for name, got := range map[string]answer{
		"raw":  g.raw("", noPicture),
		"form": g.form("/v1/predictions", nil, part{"image", "a.jpg", noPicture}),
		"json": g.json(`{"pictures":[{"data":"` + b64(noPicture) + `"}]}`),
		"csv":  g.form("/v1/predictions", map[string]string{"Accept": "text/csv"}, part{"image", "a.jpg", noPicture}),
	} {
		if got.status != http.StatusUnsupportedMediaType || got.problem(t)["type"] != "/errors/not-a-picture" ||
			got.header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s: got %d %s, want the picture's own problem", name, got.status, got.body)
		}
	}
}

func limits(picture, body int64, pictures int) func(*httpapi.Options) {
	return func(o *httpapi.Options) {
		o.Limits.Picture, o.Limits.Body, o.Limits.Pictures = picture, body, pictures
	}
}

func TestTooLargePictureFailsAloneAndOthersGoOn(t *testing.T) {
	g := newRig(t, limits(100, 1000, 64))
	large := picture + strings.Repeat("x", 101)
	for name, got := range map[string]answer{
		"form": g.form("/v1/predictions", nil, part{"image", "l", large}, part{"image", "s", picture}),
		"json": g.json(fmt.Sprintf(`{"pictures":[{"name":"l","data":%q},{"name":"s","data":%q}]}`, b64(large), b64(picture))),
	} {
		document := got.document(t)
		if document.Results[0].Error == nil || !strings.Contains(document.Results[0].Error.Detail, "picture-too-large") || document.Results[1].Error != nil {
			t.Errorf("%s: %s", name, got.body)
		}
	}
	r, _ := g.fake.seen()
	if string(r.Pictures[1].Data) != picture {
		t.Errorf("the good one arrived as %q", r.Pictures[1].Data)
	}
}

func TestLimitsAreInclusive(t *testing.T) {
	g := newRig(t, limits(int64(len(picture)), 1000, 2))
	g.raw("", picture).document(t)
	g.form("/v1/predictions", nil, part{"image", "a", picture}, part{"image", "b", picture}).document(t)
	g.json(fmt.Sprintf(`{"pictures":[{"data":%q},{"data":%q}]}`, b64(picture), b64(picture))).document(t)
	g.do("POST", "/v1/predictions", map[string]string{"Content-Type": "image/png"}, chunked(picture)).document(t)
}

func TestJSONThatOtherEncodersWrite(t *testing.T) {
	g := newRig(t, nil)
	data := picture + "!\xff\xff\xff\xfb\xef\xbe" // its base64 has + and /
	plain := b64(data)
	if !strings.ContainsAny(plain, "/") || !strings.ContainsAny(plain, "+") {
		t.Fatalf("%s should have both signs", plain)
	}
	for name, text := range map[string]string{
		"php":    strings.ReplaceAll(plain, "/", `\/`),
		".net":   strings.ReplaceAll(plain, "+", `\u002B`),
		"python": plain[:12] + `\n` + plain[12:] + `\n`,
		"all":    strings.ReplaceAll(strings.ReplaceAll(plain, "/", `\u002f`), "P", `\u0050`),
	} {
		g.json(`{"pictures":[{"data":"` + text + `"}]}`).document(t)
		if r, _ := g.fake.seen(); string(r.Pictures[0].Data) != data {
			t.Errorf("%s: arrived as %q", name, r.Pictures[0].Data)
		}
	}
}

func TestNamesComeBackHarmless(t *testing.T) {
	g := newRig(t, nil)
	name := "a\u001b[31m\u0000\"<script>é\u2028.jpg"
	got := g.json(fmt.Sprintf(`{"pictures":[{"name":"a\u001b[31m\u0000\"<script>é\u2028.jpg","data":%q}]}`, b64(picture)))
	if document := got.document(t); document.Results[0].Name != name {
		t.Errorf("name %q, want it unchanged", document.Results[0].Name)
	}
	if strings.ContainsAny(got.body, "\x1b\x00<") {
		t.Errorf("the name must be escaped in the answer: %q", got.body)
	}
	g.form("/v1/predictions", nil, part{"image", "../../etc/passwd", picture}).document(t)
	if r, _ := g.fake.seen(); r.Pictures[0].Name != "passwd" {
		t.Errorf("a path arrived as %q, want its last part", r.Pictures[0].Name)
	}
	if strings.Contains(g.log.await(t, "/v1/predictions"), "script") {
		t.Error("a name must not reach the log")
	}
}

func TestAnEmptyFileFieldIsNoPicture(t *testing.T) {
	g := newRig(t, nil)
	// What browsers send for a file field in which nothing was chosen.
	body := "--B\r\nContent-Disposition: form-data; name=\"image\"; filename=\"\"\r\nContent-Type: application/octet-stream\r\n\r\n\r\n" +
		"--B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.jpg\"\r\n\r\n" + picture + "\r\n--B--\r\nepilogue"
	got := g.do("POST", "/v1/predictions", map[string]string{"Content-Type": "multipart/form-data; boundary=B"}, strings.NewReader(body))
	if document := got.document(t); len(document.Results) != 1 || document.Results[0].Name != "a.jpg" {
		t.Errorf("got %s, want the chosen file alone", got.body)
	}
}

func TestPredictorsProblemsAreAnswers(t *testing.T) {
	g := newRig(t, nil)
	if got := g.raw("?model=cats", picture); got.status != 404 || got.problem(t)["type"] != "/errors/model-not-found" {
		t.Errorf("unknown model: %d %s", got.status, got.body)
	}
	busy := newRig(t, nil)
	busy.fake.run = refusing(problem.Overloaded.New("try later").With("retry_after_seconds", 7))
	if got := busy.raw("", picture); got.status != 503 || got.header.Get("Retry-After") != "7" {
		t.Errorf("overload: %d, Retry-After %q; want 503 and 7", got.status, got.header.Get("Retry-After"))
	}
	few := newRig(t, nil)
	few.fake.run = answering(&predict.Answer{})
	if got := few.raw("", picture); got.status != 500 {
		t.Errorf("an answer without results: %d, want 500", got.status)
	}
}
