package web_test

import (
	"html/template"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/goshawk-ai/goshawk/api"
	"github.com/goshawk-ai/goshawk/internal/web"
)

func TestDocsShowTheWholeDocument(t *testing.T) {
	r, page := get(t, site(t), "/docs", browserAccept)
	if r.status != http.StatusOK {
		t.Fatalf("got %d: %s", r.status, page)
	}
	wants(t, page,
		// operations, with their own id, one made for them, and a group for the untagged
		`id="createPrediction"`, "Classify one or more pictures", `id="get--v1-models"`, "/livez", `id="api"`,
		// parameters of the path and of the operation
		"<code>model</code>", "for example imagenet", "<code>top_k</code>", "default 5", "at most 1000",
		// bodies and answers
		"multipart/form-data", "string (binary)", "image/*", "bytes", `<a href="#schema-PredictionRequest">PredictionRequest</a>`,
		"A cat", "&#34;label&#34;: &#34;Egyptian cat&#34;", "cat.jpg,9f2,1,Egyptian cat,285,0.63,",
		"<code>X-Request-Id</code>", "What went wrong.", "application/problem&#43;json",
		// objects: lists, alternatives, allOf, several types, a schema that is just true
		`id="schema-Prediction"`, `array of <a href="#schema-Model">Model</a> or <a href="#schema-Problem">Problem</a>`,
		"one of ready, loading, failed", "longest 64", "string or null", "anything", "always 415",
		// prose
		"<strong>problem documents</strong>", `<a href="/errors">their list</a>`, "<code>limit</code>", "one line of code")
	if strings.Contains(page, `id="empty"`) {
		t.Error("a tag without operations should not be shown")
	}
}

func TestDocsKeepTheOrderOfTheDocument(t *testing.T) {
	_, page := get(t, site(t), "/docs", browserAccept)
	last := -1
	for _, part := range []string{`id="createPrediction"`, `id="get--v1-models"`, `id="schema-PredictionRequest"`, `id="schema-Prediction"`, `id="schema-Model"`} {
		at := strings.Index(page, part)
		if at <= last {
			t.Errorf("%s stands before what the document has before it", part)
		}
		last = at
	}
}

func TestDocsEscapeWhatLooksLikeMarkup(t *testing.T) {
	_, page := get(t, site(t), "/docs", browserAccept)
	wants(t, page, "<code>&lt;b&gt;</code>")
}

func TestCommandsSpeakToTheServerThatWasAsked(t *testing.T) {
	_, page := get(t, site(t), "/docs", browserAccept)
	wants(t, page, "curl -sS -F image=@cat.jpg http://127.0.0.1:9999/v1/predictions", "curl -sS http://127.0.0.1:9999/v1/models")
	if strings.Contains(page, "127.0.0.1:8080") {
		t.Error("a command that names another port than the reader's does not work when pasted")
	}
}

func TestABrokenDocumentCostsTheDocsOnly(t *testing.T) {
	for _, spec := range []string{"paths: [", "paths: {/x: {get: 3}}", "components: {schemas: {A: 7}}", "\x00"} {
		s := web.New(web.Options{Spec: []byte(spec)})
		if r, _ := get(t, s, "/docs", browserAccept); r.status != http.StatusInternalServerError {
			t.Errorf("%q: /docs gave %d, want 500", spec, r.status)
		}
		if r, _ := get(t, s, "/", browserAccept); r.status != http.StatusOK {
			t.Errorf("%q: / gave %d, want 200: pictures must still be classified", spec, r.status)
		}
	}
}

func TestADocumentThatRefersToItself(t *testing.T) {
	spec := `{"openapi":"3.1.0","components":{"schemas":{"A":{"allOf":[{"$ref":"#/components/schemas/A"}]},"B":{"$ref":"#/components/schemas/None"}}}}`
	r, page := get(t, web.New(web.Options{Spec: []byte(spec)}), "/docs", browserAccept)
	if r.status != http.StatusOK {
		t.Fatalf("got %d, want a page in spite of the circle: %s", r.status, page)
	}
	wants(t, page, `id="schema-A"`)
}

// The document that is really served must be on the page whole.
func TestDocsOfOurOwnSpecification(t *testing.T) {
	r, page := get(t, web.New(web.Options{Spec: api.YAML()}), "/docs", browserAccept)
	if r.status != http.StatusOK {
		t.Fatalf("got %d: the specification cannot be shown: %s", r.status, page)
	}
	examples, err := api.Examples()
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range examples {
		first, _, _ := strings.Cut(strings.ReplaceAll(e.Command, api.Server, "http://127.0.0.1:9999"), "\n")
		wants(t, page, `id="`+e.Operation+`"`, template.HTMLEscapeString(first))
	}
	links := regexp.MustCompile(`href="#([^"]*)"`).FindAllStringSubmatch(page, -1)
	if len(examples) == 0 || len(links) == 0 {
		t.Fatalf("%d examples and %d links within the page; the reading goes wrong", len(examples), len(links))
	}
	for _, link := range links {
		wants(t, page, `id="`+link[1]+`"`)
	}
	wants(t, page, `<a href="/errors/not-a-picture"><code>not-a-picture</code></a>`, "with a header: one row a")
	if strings.Contains(page, "$ref") {
		t.Error("a reference was left unresolved")
	}
}
