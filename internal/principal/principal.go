// Package principal says on whose behalf something is done: who, for which
// project, in which request. The doors put it into the context, everything
// below reads it from there, and every record carries the project.
package principal

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"strings"
)

// Default names the one principal and the one project that exist before
// anybody configures others.
const Default = "default"

// Principal is who asks, and the project that it belongs to.
type Principal struct {
	ID      string
	Project string
}

type (
	principalKey struct{}
	requestKey   struct{}
)

// With puts the principal into the context.
func With(ctx context.Context, p Principal) context.Context {
	return context.WithValue(ctx, principalKey{}, p)
}

// From is the context's principal: the default one where a door set none.
func From(ctx context.Context) Principal {
	if p, ok := ctx.Value(principalKey{}).(Principal); ok {
		return p
	}
	return Principal{ID: Default, Project: Default}
}

// WithRequestID puts the request's id into the context.
func WithRequestID(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, requestKey{}, id)
}

// RequestID is the request's id, or "".
func RequestID(ctx context.Context) string {
	id, _ := ctx.Value(requestKey{}).(string)
	return id
}

// NewRequestID takes the id that a caller offers when it is harmless in logs and
// headers, else it makes one.
func NewRequestID(offered string) string {
	const allowed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"
	if offered != "" && len(offered) <= 64 && strings.Trim(offered, allowed) == "" {
		return offered
	}
	var random [10]byte
	_, _ = rand.Read(random[:]) // never fails
	return strings.ToLower(base32.HexEncoding.EncodeToString(random[:]))
}
