package oipapi

import (
	"context"
	"errors"
	"strconv"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/goshawk-ai/goshawk/internal/problem"
)

// reason is the problem of err, or that of the context's end: a shutdown, say,
// cancels calls with a problem as the cause. A caller who went away has none.
func reason(ctx context.Context, err error) (p *problem.Problem, gone bool) {
	if errors.Is(err, context.Canceled) {
		if p, ok := errors.AsType[*problem.Problem](context.Cause(ctx)); ok {
			return p, false
		}
		if ctx.Err() != nil {
			return nil, true //nolint:nilerr // there is nobody to tell
		}
	}
	return problem.Of(err), false
}

// refuse makes err what a gRPC client sees.
func (g *grpcDoor) refuse(ctx context.Context, err error) error { return refusal(ctx, err) }

// refusal is refuse. Where the caller may come again it hears when, in the trailing
// metadata retry-after, in seconds.
func refusal(ctx context.Context, err error) error {
	p, gone := reason(ctx, err)
	if gone {
		return status.Error(codes.Canceled, "the caller went away")
	}
	if s := seenFrom(ctx); s != nil {
		s.problem.Store(p)
	}
	if p.Kind.Status == 429 || p.Kind.Status == 503 {
		seconds, _ := p.Extensions["retry_after_seconds"].(int)
		// Without a stream there is nobody to tell.
		_ = grpc.SetTrailer(ctx, metadata.Pairs("retry-after", strconv.Itoa(max(seconds, 1))))
	}
	return status.Error(code(p.Kind), p.Detail)
}

// code is the gRPC code of a kind. What is too large (413) is an invalid
// argument and not an exhausted resource, since it stays so whoever asks again.
func code(k *problem.Kind) codes.Code {
	switch k.Status {
	case 401:
		return codes.Unauthenticated
	case 403:
		return codes.PermissionDenied
	case 404:
		return codes.NotFound
	case 409:
		return codes.Aborted
	case 429, 507:
		return codes.ResourceExhausted
	case 503:
		return codes.Unavailable
	case 504:
		return codes.DeadlineExceeded
	}
	if k.Status < 500 {
		return codes.InvalidArgument
	}
	return codes.Internal
}
