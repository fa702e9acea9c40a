package problem

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
)

// Problem is one occurrence of a Kind (RFC 9457). Detail is for people and may
// name what the caller sent; it must never hold what another caller sent.
type Problem struct {
	Kind       *Kind
	Detail     string
	Extensions map[string]any // members beside the standard ones: numbers that a program can use
	cause      error          // for the log only
}

// New makes a problem of this kind with a sentence for people.
func (k *Kind) New(format string, args ...any) *Problem {
	return &Problem{Kind: k, Detail: fmt.Sprintf(format, args...)}
}

// Error is the sentence, without the cause: it may be shown.
func (p *Problem) Error() string { return p.Detail }

// Unwrap gives the cause, or the kind when there is none.
func (p *Problem) Unwrap() error { return p.cause }

// Is makes errors.Is(err, problem.NotAPicture) work.
func (p *Problem) Is(target error) bool {
	kind, ok := target.(*Kind)
	return ok && kind == p.Kind
}

// With returns a copy that has one more extension member.
func (p *Problem) With(name string, value any) *Problem {
	c := *p
	c.Extensions = maps.Clone(p.Extensions)
	if c.Extensions == nil {
		c.Extensions = make(map[string]any, 1)
	}
	c.Extensions[name] = value
	return &c
}

// Because returns a copy that carries the cause, which is logged and never shown.
func (p *Problem) Because(cause error) *Problem {
	c := *p
	c.cause = cause
	return &c
}

// Document is the RFC 9457 document: what is sent as application/problem+json.
func (p *Problem) Document() map[string]any {
	doc := make(map[string]any, 4+len(p.Extensions))
	maps.Copy(doc, p.Extensions)
	doc["type"] = p.Kind.URI()
	doc["title"] = p.Kind.Title
	doc["status"] = p.Kind.Status
	doc["detail"] = p.Detail
	return doc
}

// Of finds the problem in err. A passed deadline becomes DeadlineExceeded;
// whatever nobody gave a kind to is Internal, its text kept as the cause.
func Of(err error) *Problem {
	if err == nil {
		return nil
	}
	if p, ok := errors.AsType[*Problem](err); ok {
		return p
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return DeadlineExceeded.New("the request did not finish in its time").Because(err)
	}
	return Internal.New("something went wrong here; the request id finds it in the log").Because(err)
}

// MarshalJSON writes the document.
func (p *Problem) MarshalJSON() ([]byte, error) { return json.Marshal(p.Document()) }
