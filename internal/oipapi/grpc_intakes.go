package oipapi

import (
	"context"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/goshawk-ai/goshawk/api/oip"
	"github.com/goshawk-ai/goshawk/internal/problem"
	"github.com/goshawk-ai/goshawk/internal/schedule"
)

// intakes receive the messages of a server: each has its part of the budget before
// it is unfolded, and it is tied to the message until somebody takes it over.
type intakes struct {
	answers *answers
	budget  *schedule.Budget // nil: nothing is counted
	wait    time.Duration
	refuse  func(ctx context.Context, err error) error

	// Of a compressed message nobody knows the size before it is inflated, so that
	// there are at most maxInflating of them at a time, each of MaxBody at most: so
	// many single calls, which wait for it, and streams, which are refused.
	inflating chan struct{}
	streams   chan struct{}
}

const maxInflating = 4

// smallMessage is what is not worth to be counted: probes must be answered though
// all memory is taken.
const smallMessage = 4 << 10

// unary receives a call's message.
func (in *intakes) unary(ctx context.Context, decode func(any) error, v any) error {
	if s := seenFrom(ctx); s != nil && s.compressed {
		if err := in.place(ctx); err != nil {
			return in.refuse(ctx, err)
		}
		defer func() { <-in.inflating }()
	}
	if err := in.gate(ctx, v); err != nil {
		return in.refuse(ctx, err)
	}
	defer callerFrom(ctx).reading()()
	return in.receive(ctx, decode, v)
}

// place waits for one to inflate a message in.
func (in *intakes) place(ctx context.Context) error {
	late := time.NewTimer(in.wait)
	defer late.Stop()
	select {
	case in.inflating <- struct{}{}:
		return nil
	case <-late.C:
		return problem.Overloaded.New("too many compressed messages are being read; send it uncompressed, or again in a moment").With("retry_after_seconds", 1)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// gate lets no large message begin to come while there is no room at all. Before it
// is read the caller can send as much as a stream's window holds, and no more.
func (in *intakes) gate(ctx context.Context, v any) error {
	switch v.(type) {
	case *oip.ModelInferRequest, *oip.RepositoryModelLoadRequest:
	default:
		return nil
	}
	if in.budget == nil || in.budget.TryAcquire(1) {
		if in.budget != nil {
			in.budget.Release(1)
		}
		return nil
	}
	h, err := take(ctx, in.budget, in.wait, 1)
	if err == nil {
		h.release()
	}
	return err
}

// receive decodes into v by way of a message.
func (in *intakes) receive(ctx context.Context, decode func(any) error, v any) error {
	p, ok := v.(proto.Message)
	if !ok {
		return decode(v)
	}
	m := &message{Message: p, reserve: func(n int64) error {
		if in.budget == nil || n < smallMessage {
			return nil
		}
		h, err := take(ctx, in.budget, in.wait, n)
		if err != nil {
			return in.refuse(ctx, err)
		}
		in.answers.byMessage.Store(p, h)
		return nil
	}}
	if err := decode(m); err != nil {
		return err
	}
	return m.refused
}

// stream serves a stream whose messages are bounded.
func (in *intakes) stream(stream grpc.ServerStream, serve func(grpc.ServerStream) error) error {
	ctx := stream.Context()
	if s := seenFrom(ctx); s != nil && s.compressed {
		select {
		case in.streams <- struct{}{}:
			defer func() { <-in.streams }()
		default:
			return in.refuse(ctx, problem.Overloaded.New("at most %d streams may be compressed at a time; send it uncompressed", maxInflating))
		}
	}
	method, _ := grpc.Method(ctx)
	return serve(received{stream, in, strings.HasPrefix(method, healthService)})
}

// received is a stream whose messages are bounded.
type received struct {
	grpc.ServerStream
	in    *intakes
	small bool // it has but one message, of a few bytes
}

func (r received) RecvMsg(m any) error {
	if !r.small {
		defer callerFrom(r.Context()).reading()()
	}
	return r.in.receive(r.Context(), r.ServerStream.RecvMsg, m)
}
