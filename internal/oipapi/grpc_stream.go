package oipapi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime/debug"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	"github.com/goshawk-ai/goshawk/api/oip"
	"github.com/goshawk-ai/goshawk/internal/problem"
)

type inferStream = grpc.BidiStreamingServer[oip.ModelInferRequest, oip.ModelStreamInferResponse]

// ModelStreamInfer answers each request of the stream once, in their order, while
// up to inFlight of them are computed; a caller who sends more waits. A request
// that fails is answered with its error and the stream goes on, unless the caller
// sent Triton's header triton_grpc_error: then its error is the stream's end.
func (g *grpcDoor) ModelStreamInfer(stream inferStream) error {
	if v := metadata.ValueFromIncomingContext(stream.Context(), "triton_grpc_error"); len(v) > 0 && v[0] == "true" {
		return g.oneByOne(stream)
	}
	ctx, cancel := context.WithCancel(stream.Context())
	defer cancel()
	p := &pipeline{slots: make(chan struct{}, g.inFlight), queue: make(chan chan reply, g.inFlight)}
	sent := make(chan error, 1)
	go func() {
		err := p.send(stream)
		if err != nil {
			cancel()
			p.drain(g.answers)
		}
		sent <- err
	}()
	err := p.receive(stream, func(r *oip.ModelInferRequest) reply { return g.answerInStream(ctx, r) })
	close(p.queue)
	if failed := <-sent; err == nil {
		err = failed
	}
	return err
}

// reply is the answer to a request of a stream.
type reply struct {
	message *oip.ModelStreamInferResponse
	trace   *trace // nil: it is not traced
}

func (r reply) send(stream inferStream) error {
	r.trace.mark("GRPC_SEND_START", time.Now())
	err := stream.Send(r.message)
	r.trace.mark("GRPC_SEND_END", time.Now())
	r.trace.end()
	return err
}

// pipeline holds the requests of a stream that are under way. Each has a slot
// from before it is read until after its answer is sent.
type pipeline struct {
	slots chan struct{}
	queue chan chan reply // as long as there are slots: putting in never waits
}

// receive begins each request, until there are no more.
func (p *pipeline) receive(stream inferStream, answer func(*oip.ModelInferRequest) reply) error {
	by := callerFrom(stream.Context())
	for {
		by.busy(1)
		p.slots <- struct{}{}
		by.busy(-1)
		r, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		one := make(chan reply, 1)
		go func() { one <- answer(r) }()
		p.queue <- one
	}
}

func (p *pipeline) send(stream inferStream) error {
	for next := range p.queue {
		err := (<-next).send(stream)
		<-p.slots
		if err != nil {
			return err
		}
	}
	return nil
}

// drain waits for what nobody will hear of.
func (p *pipeline) drain(a *answers) {
	for next := range p.queue {
		a.drop((<-next).message)
		<-p.slots
	}
}

// answerInStream answers a request or says why not.
func (g *grpcDoor) answerInStream(ctx context.Context, r *oip.ModelInferRequest) reply {
	began := time.Now()
	t := g.settings.begin(r.GetModelName())
	response, held, err := g.inferSafely(ctx, r, t)
	if err == nil {
		g.ended(ctx, r, began, codes.OK, nil)
		whole := &oip.ModelStreamInferResponse{InferResponse: final(response)}
		g.answers.hand(whole, held)
		return reply{whole, t}
	}
	text := "the caller went away"
	p, gone := reason(ctx, err)
	if gone {
		g.ended(ctx, r, began, codes.Canceled, nil)
	} else {
		g.ended(ctx, r, began, code(p.Kind), p)
		text = strings.ToValidUTF8(p.Detail, "\uFFFD") // else it could not be sent
	}
	return reply{&oip.ModelStreamInferResponse{
		ErrorMessage: text,
		InferResponse: final(&oip.ModelInferResponse{
			Id: r.GetId(), ModelName: r.GetModelName(), ModelVersion: r.GetModelVersion(),
		}),
	}, t}
}

// ended counts and logs a request of a stream, which is a call of its own to
// whoever reads the log.
func (g *grpcDoor) ended(ctx context.Context, r *oip.ModelInferRequest, began time.Time, c codes.Code, p *problem.Problem) {
	if s := seenFrom(ctx); s != nil {
		one := &seen{id: s.id, trace: s.trace}
		one.names(r)
		g.calls.end(ctx, one, "ModelStreamInfer/request", c, p, time.Since(began))
	}
}

// final marks the only answer of a request as its last, as Triton marks each.
func final(r *oip.ModelInferResponse) *oip.ModelInferResponse {
	if r.Parameters == nil {
		r.Parameters = make(map[string]*oip.InferParameter, 1)
	}
	r.Parameters["triton_final_response"] = &oip.InferParameter{ParameterChoice: &oip.InferParameter_BoolParam{BoolParam: true}}
	return r
}

// inferSafely is infer for a goroutine of its own, where a panic would end the
// program instead of the call.
func (g *grpcDoor) inferSafely(ctx context.Context, r *oip.ModelInferRequest, t *trace) (response *oip.ModelInferResponse, held *hold, err error) {
	defer g.answers.drop(r) // unless infer took it over
	defer func() {
		if v := recover(); v != nil {
			g.log.Error("panic in a request of a gRPC stream", slog.Any("panic", v), slog.String("stack", string(debug.Stack())))
			err = problem.Internal.New("something went wrong here; the log says what").Because(fmt.Errorf("panic: %v", v))
		}
	}()
	if p, ok := r.GetParameters()["triton_enable_empty_final_response"]; ok {
		if _, ok := p.GetParameterChoice().(*oip.InferParameter_BoolParam); !ok {
			return nil, nil, problem.InvalidRequest.New("the parameter triton_enable_empty_final_response is true or false")
		}
	}
	return g.infer(ctx, r, t)
}

// oneByOne answers in turn, and the first error ends the stream.
func (g *grpcDoor) oneByOne(stream inferStream) error {
	for {
		r, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		began := time.Now()
		t := g.settings.begin(r.GetModelName())
		response, held, err := g.inferSafely(stream.Context(), r, t)
		if err != nil {
			t.end()
			return g.refuse(stream.Context(), err)
		}
		g.ended(stream.Context(), r, began, codes.OK, nil)
		whole := &oip.ModelStreamInferResponse{InferResponse: final(response)}
		g.answers.hand(whole, held)
		if err := (reply{whole, t}).send(stream); err != nil {
			return err
		}
	}
}
