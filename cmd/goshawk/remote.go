package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/goshawk-ai/goshawk/internal/config"
	"github.com/goshawk-ai/goshawk/internal/predict"
	"github.com/goshawk-ai/goshawk/internal/problem"
)

const (
	maxAnswer   = 16 << 20 // far above 10,000 labels of one picture
	maxAttempts = 8        // of one picture, when the server says "later"
	longestWait = 30 * time.Second
)

// remote is a running server, spoken to as any other client would.
type remote struct {
	base   *url.URL
	key    config.Secret
	client *http.Client
	wait   func(ctx context.Context, d time.Duration) error // a fake clock's place in tests
}

func newRemote(cfg *config.Config) (*remote, error) {
	base, err := url.Parse(cfg.Client.Server)
	if err != nil {
		return nil, usage("--server %q is no URL", cfg.Client.Server)
	}
	key, err := cfg.ClientKey()
	if err != nil {
		return nil, err
	}
	return &remote{base: base, key: key, client: &http.Client{Timeout: cfg.RequestTimeout + 5*time.Second}, wait: pause}, nil
}

func (r *remote) Close() error {
	r.client.CloseIdleConnections()
	return nil
}

// Run sends the request's one picture. A server that is too busy is asked
// again when it said to.
func (r *remote) Run(ctx context.Context, q predict.Request) (*predict.Answer, error) {
	for attempt := 1; ; attempt++ {
		answer, again, err := r.post(ctx, q)
		if err == nil || again <= 0 || attempt == maxAttempts {
			return answer, err
		}
		if err := r.wait(ctx, again); err != nil {
			return nil, err
		}
	}
}

// post is one attempt; again is how long the server asks to stay away.
func (r *remote) post(ctx context.Context, q predict.Request) (_ *predict.Answer, again time.Duration, _ error) {
	picture := q.Pictures[0]
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.address(q), bytes.NewReader(picture.Data))
	if err != nil {
		return nil, 0, err
	}
	req.Header.Set("Content-Type", "application/octet-stream")
	req.Header.Set("Accept", "application/json")
	if r.key != "" {
		req.Header.Set("Authorization", "Bearer "+r.key.Reveal())
	}
	resp, err := r.client.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return nil, 0, context.Cause(ctx)
		}
		return nil, 0, &exitError{exitUnreachable, fmt.Errorf("cannot reach %s: %w (is goshawk serve running there?)", r.base.Redacted(), reason(err))}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return nil, 0, fmt.Errorf("the answer of %s broke off: %w", r.base.Redacted(), reason(err))
	}
	answer, err := r.read(resp, body, picture.Name)
	return answer, retryAfter(resp), err
}

func (r *remote) address(q predict.Request) string {
	u := r.base.JoinPath("v1", "predictions")
	v := url.Values{}
	if q.Model != "" {
		v.Set("model", q.Model)
	}
	if q.TopK > 0 {
		v.Set("top_k", strconv.Itoa(q.TopK))
	}
	if q.Threshold > 0 {
		v.Set("threshold", strconv.FormatFloat(q.Threshold, 'g', -1, 64))
	}
	u.RawQuery = v.Encode()
	return u.String()
}

// read turns a response into what this process would have answered: a picture's
// own problem becomes its result's error, any other the request's.
func (r *remote) read(resp *http.Response, body []byte, name string) (*predict.Answer, error) {
	if resp.StatusCode != http.StatusOK {
		p, err := readProblem(body)
		switch {
		case err != nil:
			return nil, &exitError{exitFailed, fmt.Errorf("%s answered %s without a problem document (is it a goshawk server?)", r.base.Redacted(), printable(resp.Status))}
		case isPictures(p):
			return &predict.Answer{Results: []predict.Result{{Name: name, Error: p}}}, nil
		case errors.Is(p, problem.NotFound), errors.Is(p, problem.MethodNotAllowed):
			return nil, &exitError{exitFailed, fmt.Errorf("%s does not classify pictures: %w (is it the address that goshawk serve prints as listening?)", r.base.Redacted(), p)}
		}
		return nil, p
	}
	var w struct {
		predict.Answer
		Results []struct {
			predict.Result
			Error json.RawMessage `json:"error"`
		} `json:"results"`
	}
	notUnderstood := &exitError{exitFailed, fmt.Errorf("the answer of %s is not one that we understand (is it a goshawk server?)", r.base.Redacted())}
	if err := json.Unmarshal(body, &w); err != nil || len(w.Results) != 1 {
		return nil, notUnderstood
	}
	result := w.Results[0].Result
	result.Name = name // a raw body has no name on its way
	if w.Results[0].Error != nil {
		p, err := readProblem(w.Results[0].Error)
		if err != nil {
			return nil, notUnderstood
		}
		result.Error = p
	}
	w.Answer.Results = []predict.Result{result}
	return &w.Answer, nil
}

// isPictures tells a problem with the picture from one with the service.
func isPictures(p *problem.Problem) bool {
	return slices.Contains([]*problem.Kind{problem.PictureTooLarge, problem.TooManyPixels, problem.NotAPicture, problem.PictureDamaged}, p.Kind)
}

// readProblem finds the kind of a problem document. One from a newer server,
// which is not known here, keeps its own words, as far as they can be printed.
func readProblem(body []byte) (*problem.Problem, error) {
	var members map[string]any
	if err := json.Unmarshal(body, &members); err != nil {
		return nil, err
	}
	text := func(name string) string {
		s, _ := members[name].(string)
		return printable(s)
	}
	uri, title, detail := text("type"), text("title"), text("detail")
	status, _ := members["status"].(float64)
	if uri == "" || detail == "" {
		return nil, errors.New("no problem document")
	}
	for _, standard := range []string{"type", "title", "detail", "status"} {
		delete(members, standard)
	}
	for _, k := range problem.Kinds() {
		if k.URI() == uri {
			return &problem.Problem{Kind: k, Detail: detail, Extensions: members}, nil
		}
	}
	return &problem.Problem{Kind: &problem.Kind{Slug: uri, Title: title, Status: int(status)}, Detail: detail, Extensions: members}, nil
}

// retryAfter is how long a busy server asks to wait, 0 when it is not busy.
func retryAfter(resp *http.Response) time.Duration {
	if resp.StatusCode != http.StatusServiceUnavailable && resp.StatusCode != http.StatusTooManyRequests {
		return 0
	}
	seconds, err := strconv.Atoi(resp.Header.Get("Retry-After"))
	if err != nil || seconds < 0 {
		return 0
	}
	return max(time.Duration(min(seconds, int(longestWait/time.Second)))*time.Second, 100*time.Millisecond)
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
