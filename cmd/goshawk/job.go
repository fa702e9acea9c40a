package main

import (
	"context"
	"errors"
	"sync"

	"github.com/goshawk-ai/goshawk/internal/predict"
	"github.com/goshawk-ai/goshawk/internal/problem"
)

// job classifies many pictures, some at a time.
type job struct {
	engine  predictor
	lanes   int
	request predict.Request // all but its pictures
}

// outcome is one picture's answer, or why there is none.
type outcome struct {
	name   string
	answer *predict.Answer // with one result, which may hold an error of its own
	err    error
}

// each calls add with every outcome in the order of the sources, from the
// calling goroutine. It ends early, with the reason, when add or the whole
// service fails; it returns after the goroutines it started.
func (j job) each(ctx context.Context, sources []source, add func(outcome) error) error {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()

	queue := make(chan chan outcome, j.lanes-1) // with the one whose place is awaited: lanes under way
	wg.Go(func() {
		defer close(queue)
		for _, s := range sources {
			place := make(chan outcome, 1)
			select {
			case queue <- place:
			case <-ctx.Done():
				return
			}
			wg.Go(func() { place <- j.one(ctx, s) })
		}
	})
	for place := range queue {
		o := <-place
		if err := context.Cause(ctx); err != nil {
			return err
		}
		if hopeless(o.err) {
			return o.err
		}
		if err := add(o); err != nil {
			return err
		}
	}
	return context.Cause(ctx)
}

func (j job) one(ctx context.Context, s source) outcome {
	data, err := s.read(ctx)
	if err != nil {
		return outcome{name: s.name, err: err}
	}
	r := j.request
	r.Pictures = []predict.Picture{{Name: s.name, Data: data}}
	answer, err := j.engine.Run(ctx, r)
	if err == nil && len(answer.Results) != 1 {
		err = problem.Internal.New("the answer has %d results for one picture", len(answer.Results))
	}
	return outcome{s.name, answer, err}
}

// hopeless tells an error that the next picture would meet too.
func hopeless(err error) bool {
	if _, ok := errors.AsType[*exitError](err); ok {
		return true
	}
	for _, kind := range []*problem.Kind{
		problem.InvalidRequest, problem.Unauthenticated, problem.Forbidden, problem.NotFound,
		problem.ModelNotFound, problem.ModelInvalid, problem.ModelUnhealthy, problem.HostNotAllowed, problem.NotAcceptable,
	} {
		if errors.Is(err, kind) {
			return true
		}
	}
	return false
}
