package httpapi_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/goshawk-ai/goshawk/internal/access"
	"github.com/goshawk-ai/goshawk/internal/httpapi"
	"github.com/goshawk-ai/goshawk/internal/schedule"
)

// fuzzDoor sends bodies to a door without a network and checks what must hold
// for all of them.
func fuzzDoor(f *testing.F) func(t *testing.T, contentType string, body []byte, length int64) (*httptest.ResponseRecorder, *fake) {
	f.Helper()
	classifier := &fake{}
	budget := schedule.NewBudget(64 << 20)
	h := httpapi.New(httpapi.Options{
		Predictor: classifier, Models: shelf{}, Access: access.New(access.Options{Loopback: true}), Budget: budget,
		Limits: httpapi.Limits{Picture: 1000, Body: 10_000, Pictures: 3},
	})
	return func(t *testing.T, contentType string, body []byte, length int64) (*httptest.ResponseRecorder, *fake) {
		t.Helper()
		r := httptest.NewRequest("POST", "http://localhost/v1/predictions", nil)
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(bytes.Clone(body))), length
		r.Header.Set("Content-Type", contentType)
		w := httptest.NewRecorder()
		_, before := classifier.seen()
		h.ServeHTTP(w, r)
		if w.Code == 500 || !json.Valid(w.Body.Bytes()) {
			t.Fatalf("got %d %q", w.Code, w.Body)
		}
		if budget.Used() != 0 {
			t.Fatalf("%d bytes of the budget were not given back", budget.Used())
		}
		request, runs := classifier.seen()
		if runs > before && (len(request.Pictures) == 0 || len(request.Pictures) > 3) {
			t.Fatalf("%d pictures reached the predictor", len(request.Pictures))
		}
		for _, p := range request.Pictures {
			if len(p.Data) > 1000 {
				t.Fatalf("a picture of %d bytes reached the predictor", len(p.Data))
			}
		}
		return w, classifier
	}
}

func FuzzMultipart(f *testing.F) {
	send := fuzzDoor(f)
	for _, seed := range []string{
		formPart("image", `; filename="a.jpg"`, picture) + "--B--",
		formPart("image", `; filename="a.jpg"`, picture) + formPart("top_k", "", "1") + "--B--\r\nepilogue",
		"preamble\r\n" + formPart("file", "", noPicture) + formPart("file", "", picture) + "--B--\r\n",
		formPart("image", "", picture), "--B--", "--B", "--B\r\n\r\n--B--", "--B\r\nContent-Disposition: form-data; name=image\r\n\r\n\r\n--B--", "",
		formPart("model", "", "birds") + formPart("threshold", "", "0.5") + formPart("image", `; filename*=utf-8''%e2%82%ac`, picture) + "--B--",
	} {
		f.Add([]byte(seed), true)
		f.Add([]byte(seed), false)
	}
	f.Fuzz(func(t *testing.T, body []byte, known bool) {
		length := int64(-1)
		if known {
			length = int64(len(body))
		}
		first, _ := send(t, "multipart/form-data; boundary=B", body, length)
		if known && length == 0 {
			return
		}
		// However the length is told, the answer is the same.
		second, _ := send(t, "multipart/form-data; boundary=B", body, int64(len(body))-1-length)
		if len(body) > 0 && first.Code != second.Code {
			t.Fatalf("%q: %d with a known length %v, %d otherwise", body, first.Code, known, second.Code)
		}
	})
}

// FuzzJSONBody holds our reader of JSON against the standard library's: what we
// take it takes too, and reads the same pictures from it.
func FuzzJSONBody(f *testing.F) {
	send := fuzzDoor(f)
	for _, w := range wrongJSON() {
		if text, err := io.ReadAll(w.body); err == nil && len(text) < 1000 {
			f.Add(text)
		}
	}
	for _, seed := range []string{
		jsonOf(""), jsonOf(`,"model":"birds","top_k":2,"threshold":0.5`), jsonOf(`,"top_k":2e0,"threshold":1E-1`),
		`{"pictures":[{"name":"\u00e9\ud83d\ude00","data":"UElD\/\u002B=="}]}`, `{"p\u0069ctures":[{"data":"UElDVFVSRQ=="}]}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		w, fake := send(t, "application/json", body, int64(len(body)))
		if w.Code != 200 {
			return
		}
		var want struct {
			Pictures []struct {
				Name string
				Data []byte
			}
			Model     string
			TopK      float64 `json:"top_k"`
			Threshold float64
		}
		decoder := json.NewDecoder(bytes.NewReader(body))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&want); err != nil {
			t.Fatalf("%q was taken, and is no JSON of this form: %v", body, err)
		}
		got, _ := fake.seen()
		if got.Model != want.Model || float64(got.TopK) != want.TopK || got.Threshold != want.Threshold || len(got.Pictures) != len(want.Pictures) {
			t.Fatalf("%q was read as %+v, want %+v", body, got, want)
		}
		for i, p := range want.Pictures {
			if got.Pictures[i].Err == nil && (got.Pictures[i].Name != p.Name || !bytes.Equal(got.Pictures[i].Data, p.Data)) {
				t.Fatalf("%q: picture %d was read as %q, want %q", body, i, got.Pictures[i], p)
			}
		}
	})
}

// FuzzHeaders sends a good picture with any query and any headers.
func FuzzHeaders(f *testing.F) {
	classifier := &fake{}
	h := httpapi.New(httpapi.Options{Predictor: classifier, Models: shelf{}, Access: access.New(access.Options{Loopback: true})})
	f.Add("top_k=3&threshold=0.5&model=birds", "image/jpeg", "text/csv;q=0.5, */*;q=0.1", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	f.Add("top_k=1&top_k=2", "image/*", "", "")
	f.Add("model=%00&%zz", "multipart/form-data; boundary=\"\"", "application/json;q=2", "ff-")
	f.Add("threshold=0x1p-2", "application/json; charset=latin1", ",;q=,", "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00-x")
	f.Fuzz(func(t *testing.T, query, contentType, accept, trace string) {
		r := httptest.NewRequest("POST", "http://localhost/v1/predictions", strings.NewReader(picture))
		r.URL.RawQuery = query
		r.Header.Set("Content-Type", contentType)
		r.Header.Set("Accept", accept)
		r.Header.Set("Traceparent", trace)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		switch kind := w.Header().Get("Content-Type"); {
		case w.Code >= 500, w.Code != 200 && !json.Valid(w.Body.Bytes()):
			t.Fatalf("?%s, %q, %q: got %d %q", query, contentType, accept, w.Code, w.Body)
		case w.Code == 200 && strings.HasPrefix(kind, "application/json") && !json.Valid(w.Body.Bytes()):
			t.Fatalf("no JSON: %q", w.Body)
		}
		if got, _ := classifier.seen(); w.Code == 200 && (got.TopK < 0 || got.TopK > 100_000 || !(got.Threshold >= 0 && got.Threshold <= 1) || len(got.Model) > 256 || len(got.Pictures) != 1) {
			t.Fatalf("?%s was read as %+v", query, got)
		}
	})
}
