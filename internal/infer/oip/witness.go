package oip

import (
	"context"
	"sync/atomic"

	"google.golang.org/grpc/stats"
)

// leftKey finds in a call's context the flag that a witness sets.
type leftKey struct{}

// witness notes of a call that something of it has left for the server. What did
// not can be sent once more.
type witness struct{}

func (witness) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context { return ctx }

func (witness) HandleRPC(ctx context.Context, event stats.RPCStats) {
	if _, ok := event.(*stats.OutHeader); !ok {
		return
	}
	if left, ok := ctx.Value(leftKey{}).(*atomic.Bool); ok {
		left.Store(true)
	}
}

func (witness) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }
func (witness) HandleConn(context.Context, stats.ConnStats)                       {}
