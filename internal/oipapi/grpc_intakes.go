package oipapi

import (
	"context"
	"errors"
	"io"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/goshawk-ai/goshawk/api/oip"
	"github.com/goshawk-ai/goshawk/internal/schedule"
)

// intakes receive the messages of a server: each has its part of the budget before
// it is unfolded, and it is tied to the message until somebody takes it over.
type intakes struct {
	answers *answers
	codec   codec
	most    int64            // bytes of a message
	budget  *schedule.Budget // nil: nothing is counted
	wait    time.Duration
	refuse  func(ctx context.Context, err error) error

	inflating chan struct{} // places for compressed messages: it costs time, too
}

const maxInflating = 4

// smallMessage is what is not worth to be counted: probes must be answered though
// all memory is taken. What a probe sends compressed is no more than that.
const smallMessage = 4 << 10

// unary receives a call's message.
func (in *intakes) unary(ctx context.Context, decode func(any) error, v any) error {
	if err := in.gate(ctx, v); err != nil {
		return in.refuse(ctx, err)
	}
	defer callerFrom(ctx).reading()()
	if seenFrom(ctx).encoded() {
		decode = func(v any) error { return in.only(ctx, v) }
	}
	return in.receive(ctx, decode, v)
}

// only receives the one message of a compressed call.
func (in *intakes) only(ctx context.Context, v any) error {
	err := in.next(ctx, v)
	if errors.Is(err, io.EOF) {
		return status.Error(codes.Internal, "the call has no message")
	}
	if err != nil {
		return err
	}
	if err := in.next(ctx, &message{Message: &oip.ServerLiveRequest{}}); !errors.Is(err, io.EOF) {
		return status.Error(codes.Internal, "the call has more than one message")
	}
	return nil
}

// next receives the next message of a compressed call.
func (in *intakes) next(ctx context.Context, v any) error {
	m, ok := v.(*message)
	if !ok {
		return status.Error(codes.Internal, "the message is of no kind that is known")
	}
	most := in.most
	if method, _ := grpc.Method(ctx); probe(method) {
		most = smallMessage
	}
	return in.compressed(ctx, seenFrom(ctx), most, m)
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
	m := &message{Message: p}
	m.reserve = func(n int64) error {
		if in.budget == nil || n < smallMessage {
			return nil
		}
		h, err := in.room(ctx, m, n)
		if err != nil {
			return in.refuse(ctx, err)
		}
		in.answers.drop(p) // of a unary call that has a second message, which grpc is about to refuse
		in.answers.byMessage.Store(p, h)
		return nil
	}
	if err := decode(m); err != nil {
		return err
	}
	return m.refused
}

// room makes it for what a message becomes. What it was is gone in a moment.
func (in *intakes) room(ctx context.Context, m *message, n int64) (*hold, error) {
	if m.held == nil {
		return take(ctx, in.budget, in.wait, n)
	}
	if err := m.held.more(ctx, in.wait, n-m.held.n); err != nil {
		return nil, err
	}
	m.kept = true
	return m.held, nil
}

// received is a stream whose messages are bounded.
type received struct {
	grpc.ServerStream
	in *intakes
}

func (r received) RecvMsg(m any) error {
	ctx := r.Context()
	defer callerFrom(ctx).reading()()
	decode := r.ServerStream.RecvMsg
	if seenFrom(ctx).encoded() {
		decode = func(v any) error { return r.in.next(ctx, v) }
	}
	return r.in.receive(ctx, decode, m)
}
