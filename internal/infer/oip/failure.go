package oip

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/goshawk-ai/goshawk/internal/infer"
	"github.com/goshawk-ai/goshawk/internal/wording"
)

// absence is the beginning of a sentence about a server that is not there.
type absence string

func gone(format string, args ...any) absence { return absence(fmt.Sprintf(format, args...)) }

func (a absence) because(err error) error {
	text := string(a)
	if err != nil {
		text += ": " + wording.Cut(status.Convert(err).Message())
	}
	return &infer.Error{Code: infer.Unavailable, Message: text, Retry: time.Second}
}

// failure is what a call's error means. When the context ended, its cause.
func failure(ctx context.Context, err error, trailer metadata.MD) error {
	st := status.Convert(err)
	if st.Code() == codes.DeadlineExceeded {
		// The server has the same deadline, and may see it pass a moment earlier.
		if at, ok := ctx.Deadline(); ok && time.Until(at) < time.Second {
			<-ctx.Done()
		}
	}
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	e := &infer.Error{Code: codeOf(st.Code()), Native: int(st.Code()), Message: wording.Cut(st.Message())}
	if e.Code == infer.Unavailable {
		e.Retry = time.Second
		for _, text := range trailer.Get("retry-after") {
			if n, err := strconv.Atoi(text); err == nil && n > 0 && n < 3600 {
				e.Retry = time.Duration(n) * time.Second
			}
		}
	}
	return e
}

// codeOf is the class of a gRPC code. Not found and its like are no fault of the
// request's: the model that is asked for is the operator's choice.
func codeOf(c codes.Code) infer.Code {
	switch c {
	case codes.InvalidArgument, codes.OutOfRange:
		return infer.BadInput
	case codes.Unimplemented:
		return infer.Unsupported
	case codes.ResourceExhausted:
		return infer.OutOfMemory
	case codes.Unavailable, codes.NotFound, codes.FailedPrecondition, codes.Canceled, codes.Aborted,
		codes.Unauthenticated, codes.PermissionDenied:
		return infer.Unavailable
	}
	return infer.Failed
}
