package oipapi_test

import (
	"compress/zlib"
	"io"
	"sync/atomic"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding/gzip"

	"github.com/goshawk-ai/goshawk/api/oip"
	"github.com/goshawk-ai/goshawk/internal/oipapi"
)

// deflating is how a client of another language compresses with "deflate".
type deflating struct{ times atomic.Int32 }

func (*deflating) Type() string { return "deflate" }

func (d *deflating) Do(w io.Writer, data []byte) error {
	d.times.Add(1)
	z := zlib.NewWriter(w)
	if _, err := z.Write(data); err != nil {
		return err
	}
	return z.Close()
}

func TestCompressedMessages(t *testing.T) {
	c, conn := serve(t, &echo{}, oipapi.Options{MaxBody: 100_000})
	compressor := &deflating{}
	deflated, err := grpc.NewClient(conn.Target(), grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithCompressor(compressor)) //nolint:staticcheck // as above
	if err != nil {
		t.Fatal(err)
	}
	defer deflated.Close()
	for name, ask := range map[string]func(r *request) (*oip.ModelInferResponse, error){
		"gzip": func(r *request) (*oip.ModelInferResponse, error) {
			return c.ModelInfer(t.Context(), r, grpc.UseCompressor(gzip.Name))
		},
		"deflate": func(r *request) (*oip.ModelInferResponse, error) {
			return oip.NewGRPCInferenceServiceClient(deflated).ModelInfer(t.Context(), r)
		},
	} {
		got, err := ask(raw("UINT8", make([]byte, 90_000), 90_000))
		if err != nil || len(got.GetRawOutputContents()[0]) != 90_000 {
			t.Errorf("%s: %v", name, err)
		}
		_, err = ask(raw("UINT8", make([]byte, 20e6), 20e6)) // 20 KB compressed
		wants(t, err, codes.ResourceExhausted)
	}
	if n := compressor.times.Load(); n != 2 {
		t.Errorf("%d messages were compressed with deflate, want 2: the test proves nothing", n)
	}
}
