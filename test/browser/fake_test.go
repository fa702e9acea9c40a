//go:build ci

package browser

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"image"
	_ "image/jpeg"
	_ "image/png"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/goshawk-ai/goshawk/examples"
	"github.com/goshawk-ai/goshawk/internal/predict"
	"github.com/goshawk-ai/goshawk/internal/problem"
	"github.com/goshawk-ai/goshawk/internal/web"
	"github.com/goshawk-ai/goshawk/test/checkout"
)

// fake answers as the real server does for the example pictures, out of
// examples/expected.csv, and computes nothing.
type fake struct {
	site     *web.Site
	expected map[string]string // model/file → label
}

func newFake() http.Handler {
	f := &fake{expected: map[string]string{}}
	table, _ := examples.FS.Open("expected.csv")
	rows, _ := csv.NewReader(table).ReadAll()
	for _, row := range rows[1:] {
		f.expected[row[1]+"/"+row[0]] = row[2]
	}
	f.site = web.New(web.Options{
		Spec: fakeSpec(), Version: "0.0.0-fake", Examples: examples.FS, MaxPictureBytes: 20_000_000,
		Models: func() []web.Model { return []web.Model{{Name: "imagenet", Default: true}, {Name: "cifar10"}} },
	})
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/models", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"items":[{"name":"imagenet"},{"name":"cifar10"}],"next":null}`)
	})
	mux.HandleFunc("POST /v1/predictions", f.predictions)
	mux.HandleFunc("POST /predict", f.form)
	mux.Handle("/", f.site)
	return mux
}

func fakeSpec() []byte {
	root, _ := checkout.Find()
	for _, name := range []string{"api/openapi.yaml", "internal/web/testdata/openapi.yaml"} {
		if data, err := os.ReadFile(filepath.Join(root, name)); err == nil {
			return data
		}
	}
	return nil
}

func (f *fake) predictions(w http.ResponseWriter, r *http.Request) {
	answer := f.answer(r, r.URL.Query().Get("model"))
	w.Header().Set("Content-Type", "application/json")
	if p := answer.Results[0].Error; p != nil && len(answer.Results) == 1 {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(p.Kind.Status)
		_ = json.NewEncoder(w).Encode(p)
		return
	}
	_ = json.NewEncoder(w).Encode(answer)
}

func (f *fake) form(w http.ResponseWriter, r *http.Request) {
	f.site.Answer(w, r, f.answer(r, ""))
}

func (f *fake) answer(r *http.Request, model string) *predict.Answer {
	_ = r.ParseMultipartForm(32 << 20)
	if model == "" {
		model = r.FormValue("model")
	}
	a := &predict.Answer{
		ID: "pred_fake", Model: predict.Model{Name: model, Version: "sha256:0"},
		Timings: predict.Timings{Read: 0.31, Decode: 2.14, Preprocess: 0.62, Queue: 0.08, Infer: 17.9, Total: 21.3},
	}
	for _, part := range r.MultipartForm.File["image"] {
		file, _ := part.Open()
		data, _ := io.ReadAll(file)
		a.Results = append(a.Results, f.result(model, part.Filename, data))
	}
	return a
}

func (f *fake) result(model, name string, data []byte) predict.Result {
	config, format, err := image.DecodeConfig(bytes.NewReader(data))
	if err != nil {
		return predict.Result{Name: name, Error: problem.NotAPicture.New(
			"%q is not a picture of a kind that is read here (it begins like text); JPEG, PNG, WebP, GIF, BMP and TIFF are", name)}
	}
	label := f.expected[model+"/"+name]
	if label == "" {
		label = strings.ToUpper(model)
	}
	return predict.Result{
		Name: name, Format: format, Width: config.Width, Height: config.Height,
		Predictions: []predict.Prediction{
			{Label: label, Probability: 0.634},
			{Label: "tabby, a label of bearable length that wraps", Index: 1, Probability: 0.21},
			{Label: "lynx", Index: 2, Probability: 0.083},
			{Label: "tiger cat", Index: 3, Probability: 0.0212},
			{Label: "bath towel", Index: 4, Probability: 0.0004},
		},
	}
}
