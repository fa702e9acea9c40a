package web

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/goshawk-ai/goshawk/internal/predict"
	"github.com/goshawk-ai/goshawk/internal/principal"
	"github.com/goshawk-ai/goshawk/internal/problem"
)

// Answer draws an answer as a page: what POST /predict gives a browser that
// sent the plain form.
func (s *Site) Answer(w http.ResponseWriter, r *http.Request, a *predict.Answer) {
	secure(w.Header())
	s.render(w, r, http.StatusOK, "answer", a)
}

// Problem writes p with its status: a page for who asks for HTML, otherwise
// the problem document.
func (s *Site) Problem(w http.ResponseWriter, r *http.Request, p *problem.Problem) {
	secure(w.Header())
	p = named(r, p)
	if !strings.Contains(r.Header.Get("Accept"), "text/html") {
		s.writeProblem(w, p)
		return
	}
	s.render(w, r, p.Kind.Status, "failed", map[string]any{"Kind": p.Kind, "Sentence": sentence(p.Detail)})
}

// named puts the request's id into the problem: with it the log is searched.
func named(r *http.Request, p *problem.Problem) *problem.Problem {
	if id := principal.RequestID(r.Context()); id != "" {
		return p.With("request_id", id)
	}
	return p
}

func (s *Site) writeProblem(w http.ResponseWriter, p *problem.Problem) {
	body, err := json.Marshal(p)
	if err != nil {
		body = []byte(`{"type":"/errors/internal","title":"Internal error","status":500}`)
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(p.Kind.Status)
	_, _ = w.Write(body)
}

// problemExample is the document that a page about a kind shows.
func problemExample(k *problem.Kind) string {
	p := k.New("one sentence about what happened this time").With("request_id", "61qbm22bbpnhllei")
	if k == problem.PictureTooLarge {
		p = p.With("limit_bytes", 20000000)
	}
	text, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return ""
	}
	return string(text)
}

// sentence makes a detail presentable: a capital letter first, a full stop last.
func sentence(detail string) string {
	first, size := utf8.DecodeRuneInString(detail)
	if size == 0 {
		return ""
	}
	detail = string(unicode.ToUpper(first)) + detail[size:]
	last, _ := utf8.DecodeLastRuneInString(detail)
	if !strings.ContainsRune(".!?…", last) {
		detail += "."
	}
	return detail
}

// percent writes a probability as people read it. The page's script has the same rule.
func percent(p float64) string {
	switch {
	case p > 0 && p < 0.001:
		return "< 0.1 %"
	case p < 1 && p > 0.999:
		return "> 99.9 %"
	}
	return strconv.FormatFloat(p*100, 'f', 1, 64) + " %"
}

// barWidth is a width for SVG: its attributes need no inline style.
func barWidth(p float64) string {
	return strconv.FormatFloat(min(max(p, 0), 1)*100, 'f', 2, 64) + "%"
}

func milliseconds(ms float64) string {
	if ms >= 100 {
		return strconv.FormatFloat(ms, 'f', 0, 64)
	}
	return strconv.FormatFloat(ms, 'f', 1, 64)
}
