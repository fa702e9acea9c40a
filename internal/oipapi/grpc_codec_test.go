package oipapi_test

import (
	"context"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	"github.com/goshawk-ai/goshawk/api/oip"
	"github.com/goshawk-ai/goshawk/internal/access"
	"github.com/goshawk-ai/goshawk/internal/oipapi"
	"github.com/goshawk-ai/goshawk/internal/predict"
	"github.com/goshawk-ai/goshawk/internal/principal"
)

// TestMessagesThatUnfoldAreRefused: each of these takes many times its own size.
func TestMessagesThatUnfoldAreRefused(t *testing.T) {
	e := &echo{}
	c, _ := serve(t, e, oipapi.Options{MaxBody: 100_000})
	words := &request{ModelName: "flowers", Inputs: []*inTensor{{Name: "x", Datatype: "BYTES", Shape: []int64{20_000}, Contents: &contents{BytesContents: make([][]byte, 20_000)}}}}
	for name, r := range map[string]*request{
		"inputs of nothing":     {ModelName: "flowers", Inputs: slicesOf(20_000, &inTensor{})},
		"outputs of nothing":    {ModelName: "flowers", Outputs: slicesOf(20_000, &outWanted{})},
		"INT64 of one byte":     typed("INT64", &contents{Int64Contents: make([]int64, 80_000)}, 80_000),
		"INT32 of one byte":     typed("INT32", &contents{IntContents: make([]int32, 80_000)}, 80_000),
		"words of no letters":   words,
		"raw contents of none":  {ModelName: "flowers", RawInputContents: make([][]byte, 20_000)},
		"shapes of many zeroes": {ModelName: "flowers", Inputs: []*inTensor{{Name: "x", Datatype: "FP32", Shape: make([]int64, 80_000)}}},
	} {
		_, err := c.ModelInfer(t.Context(), r)
		if wants(t, err, codes.ResourceExhausted, "of memory"); t.Failed() {
			t.Fatal(name)
		}
		stream := open(t, t.Context(), c)
		send(t, stream, r)
		_, err = stream.Recv()
		wants(t, err, codes.ResourceExhausted, "of memory")
	}
	if e.request() != nil {
		t.Error("one of them reached the model")
	}
	if _, err := c.ModelInfer(t.Context(), raw("FP32", make([]byte, 96_000), 24_000)); err != nil {
		t.Errorf("as many bytes of raw contents: %v", err)
	}
	if _, err := c.ModelInfer(t.Context(), typed("FP32", &contents{Fp32Contents: make([]float32, 24_000)}, 24_000)); err != nil {
		t.Errorf("as many bytes of FP32: %v", err)
	}
}

func slicesOf[T any](n int, v T) []T {
	all := make([]T, n)
	for i := range all {
		all[i] = v
	}
	return all
}

// TestAKeyIsAskedForBeforeTheMessage: a stranger's message is too large as well,
// and only who has a key hears of that.
func TestAKeyIsAskedForBeforeTheMessage(t *testing.T) {
	keys, err := access.ParseKeys([]byte("keys: [{id: a, sha256: 2c70e12b7a0646f92279f427c7b38e7334d8e5389cff167a1dc30e73f826b683}]")) // of "key"
	if err != nil {
		t.Fatal(err)
	}
	e := &echo{do: func(ctx context.Context, r *predict.TensorRequest) (*predict.TensorAnswer, error) {
		if who := principal.From(ctx); who.ID != "a" {
			t.Errorf("the request is %+v's, want a's", who)
		}
		return &predict.TensorAnswer{Outputs: r.Inputs}, nil
	}}
	c, _ := serve(t, e, oipapi.Options{MaxBody: 1000, Access: access.New(access.Options{Keys: keys})})
	big := raw("UINT8", make([]byte, 2000), 2000)
	_, err = c.ModelInfer(t.Context(), big)
	wants(t, err, codes.Unauthenticated)
	authorized := metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer key")
	_, err = c.ModelInfer(authorized, big)
	wants(t, err, codes.ResourceExhausted)
	if _, err = c.ModelInfer(authorized, raw("FP32", nil, 0)); err != nil {
		t.Error(err)
	}
	known := open(t, authorized, c)
	send(t, known, raw("FP32", nil, 0))
	receive(t, known)
	closed(t, known)
	if _, err = c.ServerLive(authorized, &oip.ServerLiveRequest{}); err != nil {
		t.Error(err)
	}
	stream, err := c.ModelStreamInfer(t.Context())
	if err == nil {
		_, err = stream.Recv()
	}
	if wants(t, err, codes.Unauthenticated); strings.Contains(err.Error(), "panic") {
		t.Error(err)
	}
}
