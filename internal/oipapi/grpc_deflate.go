package oipapi

import (
	"compress/zlib"
	"io"
)

// deflate is gRPC's encoding of that name, which is zlib's format. Beside gzip it is
// what clients offer as a choice, and grpc has none of its own.
const deflate = "deflate"

// inflater makes grpc take calls in that encoding.
type inflater struct{ most int64 }

func (i inflater) Type() string { return deflate }

// Do reads one byte more than a message may have: grpc refuses it then.
func (i inflater) Do(r io.Reader) ([]byte, error) {
	z, err := zlib.NewReader(r)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(z, i.most+1))
}
