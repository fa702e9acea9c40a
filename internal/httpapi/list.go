package httpapi

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/goshawk-ai/goshawk/internal/problem"
	"github.com/goshawk-ai/goshawk/internal/wording"
)

// maxPage bounds the items of a page that a client asks for.
const maxPage = 1000

// list is the document of every list. Next is the cursor of the next page.
type list[T any] struct {
	Items []T     `json:"items"`
	Next  *string `json:"next"`
}

// page is the part of a list that a request asks for; the zero value is all.
type page struct {
	limit int
	after string // the key of the last item before it
}

// askedPage reads the query's limit and cursor, and refuses all else.
func askedPage(r *http.Request) (p page, err error) {
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return p, badQuery(err)
	}
	for _, name := range sorted(values) {
		if name != "limit" && name != "cursor" {
			return p, unknownParam(name, "limit, cursor")
		}
		given := values[name]
		if len(given) > 1 {
			return p, problem.InvalidRequest.New("%s is given twice", name)
		}
		if err := p.set(name, given[0]); err != nil {
			return p, err
		}
	}
	return p, nil
}

func (p *page) set(name, value string) error {
	if name == "limit" {
		n, err := strconv.Atoi(value)
		if err != nil || !isDigits(value) || n < 1 || n > maxPage {
			return problem.InvalidRequest.New("limit is %s; want a whole number from 1 to %d", wording.Quote(value), maxPage)
		}
		p.limit = n
		return nil
	}
	key, err := base64.RawURLEncoding.DecodeString(value)
	if err != nil || len(key) == 0 {
		return badCursor(value)
	}
	p.after = string(key)
	return nil
}

func badCursor(value string) error {
	return problem.InvalidRequest.New("cursor is %s; want the next of the page before (the list may have changed since: begin without a cursor)", wording.Quote(value))
}

// of cuts the page out of the whole list. A cursor holds the key of the last item
// that was given, so that what is added or removed meanwhile shifts nothing.
func (p page) of(n int, key func(int) string) (from, to int, next *string, err error) {
	if p.after != "" {
		for from < n && key(from) != p.after {
			from++
		}
		if from++; from > n {
			return 0, 0, nil, badCursor(base64.RawURLEncoding.EncodeToString([]byte(p.after)))
		}
	}
	if to = n; p.limit > 0 && from+p.limit < n {
		to = from + p.limit
		cursor := base64.RawURLEncoding.EncodeToString([]byte(key(to - 1)))
		next = &cursor
	}
	return from, to, next, nil
}

// answerList answers with the page of items that the request asks for.
func answerList[T any](x *exchange, r *http.Request, items []T, key func(T) string) error {
	p, err := askedPage(r)
	if err != nil {
		return err
	}
	from, to, next, err := p.of(len(items), func(i int) string { return key(items[i]) })
	if err != nil {
		return err
	}
	part := slices.Clone(items[from:to])
	if part == nil {
		part = []T{}
	}
	return x.document(r, list[T]{Items: part, Next: next})
}
