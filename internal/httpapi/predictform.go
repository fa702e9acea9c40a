package httpapi

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"html/template"
	"net/http"

	"github.com/goshawk-ai/goshawk/internal/predict"
	"github.com/goshawk-ai/goshawk/internal/problem"
)

// formTopK is how many predictions POST /predict gives unless asked otherwise:
// as many as its predecessors did.
const formTopK = 3

// predictForm is POST /predict: a form with a picture, and a page for browsers.
func (d *door) predictForm(x *exchange, r *http.Request) error {
	form, err := negotiate(r.Header, jsonType, htmlType)
	if err != nil {
		return err
	}
	x.html = form == htmlType
	answer, err := d.classifyForm(x, r)
	if err != nil {
		return err
	}
	if !x.html {
		return x.document(r, answer)
	}
	html, err := render(resultPage{Answer: answer})
	if err != nil {
		return err
	}
	x.page(r, http.StatusOK, html)
	return nil
}

func (d *door) classifyForm(x *exchange, r *http.Request) (*predict.Answer, error) {
	in, err := d.take(x, r, params{topK: formTopK, emptyLeft: true}, "multipart")
	if err != nil {
		return nil, err
	}
	defer in.close()
	return d.run(x, r, in)
}

// resultPage is what the page shows: an answer or a problem.
type resultPage struct {
	Answer    *predict.Answer
	Problem   *problem.Problem
	RequestID string
	Style     template.CSS
}

const resultStyle = `
:root { color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif; }
body { max-width: 40rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; }
td, th { text-align: left; padding: .25rem .5rem; border-bottom: 1px solid #8885; }
td:last-child, th:last-child { text-align: right; }
h2 { overflow-wrap: anywhere; }
`

// resultPolicy allows the page its own style and nothing else.
var resultPolicy = fmt.Sprintf("default-src 'none'; style-src 'sha256-%s'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
	base64.StdEncoding.EncodeToString(digestOf(resultStyle)))

func digestOf(text string) []byte {
	sum := sha256.Sum256([]byte(text))
	return sum[:]
}

var resultTemplate = template.Must(template.New("result").Funcs(template.FuncMap{
	"percent": func(p float64) string { return fmt.Sprintf("%.1f %%", 100*p) },
}).Parse(`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Goshawk</title>
<style>{{.Style}}</style>
</head>
<body>
<main>
{{- with .Problem}}
<h1>{{.Kind.Title}}</h1>
<p role="alert">{{.Detail}}</p>
<p><a href="{{.Kind.URI}}">What this means</a>. Request {{$.RequestID}}.</p>
{{- end}}
{{- with .Answer}}
<h1>Predictions of {{.Model.Name}}</h1>
{{- range .Results}}
<h2>{{or .Name "Picture"}}</h2>
{{- with .Error}}
<p role="alert">{{.Detail}}</p>
{{- else}}
<table>
<thead><tr><th>Label</th><th>Probability</th></tr></thead>
<tbody>
{{- range .Predictions}}
<tr><td>{{.Label}}</td><td>{{percent .Probability}}</td></tr>
{{- else}}
<tr><td colspan="2">none above the threshold</td></tr>
{{- end}}
</tbody>
</table>
{{- end}}
{{- end}}
{{- end}}
<p><a href="/">Another picture</a></p>
</main>
</body>
</html>
`))

func render(page resultPage) ([]byte, error) {
	page.Style = resultStyle
	var html bytes.Buffer
	if err := resultTemplate.Execute(&html, page); err != nil {
		return nil, fmt.Errorf("write the page: %w", err)
	}
	return html.Bytes(), nil
}

func (x *exchange) page(r *http.Request, status int, html []byte) {
	x.Header().Set("Content-Security-Policy", resultPolicy)
	x.send(r, status, htmlType+"; charset=utf-8", html)
}
