package oipapi

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"

	"github.com/goshawk-ai/goshawk/internal/problem"
)

// incoming is what grpc's own receiver reads a call's messages from. That inflates a
// message whole before anybody hears of it; so those of compressed calls are read
// here, and have their part of the budget before they are inflated.
type incoming interface {
	ReadMessageHeader(header []byte) error
	Read(n int) (mem.BufferSlice, error)
}

// compressed receives the next message of a compressed call. It is of at most so many
// bytes, before and after.
func (in *intakes) compressed(ctx context.Context, s *seen, most int64, m *message) error {
	from, ok := grpc.ServerTransportStreamFromContext(ctx).(incoming)
	if !ok {
		return status.Error(codes.Unimplemented, "compressed messages are not read here; send it uncompressed")
	}
	var header [messageHeader]byte
	if err := from.ReadMessageHeader(header[:]); err != nil {
		return readError(err)
	}
	length := binary.BigEndian.Uint32(header[1:])
	if int64(length) > most {
		return status.Errorf(codes.ResourceExhausted, "the message has %d bytes, and at most %d are taken", length, most)
	}
	data, err := from.Read(int(length))
	if err != nil {
		return readError(err)
	}
	defer data.Free()
	if header[0] == 0 { // this one is not worth it
		s.read.Add(int64(length))
		return in.unfold(data, m)
	}
	whole := data.MaterializeToBuffer(mem.DefaultBufferPool())
	defer whole.Free()
	return in.inflate(ctx, s, most, whole.ReadOnlyData(), m)
}

// readError is a failure to read from a stream, in grpc's words.
func readError(err error) error {
	if _, ok := status.FromError(err); ok || errors.Is(err, io.EOF) {
		return err
	}
	return status.Error(codes.Internal, err.Error())
}

// inflate unfolds a message that has come. Nobody knows its size before it is inflated:
// it is done twice, the first time only to see that.
func (in *intakes) inflate(ctx context.Context, s *seen, most int64, data []byte, m *message) error {
	size, err := in.inflated(ctx, s.coding, data, io.Discard, most)
	if err != nil {
		return err
	}
	if size > most {
		return status.Errorf(codes.ResourceExhausted, "the message has more than %d bytes when it is decompressed, and at most as many are taken", most)
	}
	if m.held, err = take(ctx, in.budget, in.wait, size); err != nil {
		return in.refuse(ctx, err)
	}
	defer func() {
		if !m.kept {
			m.held.release()
		}
	}()
	out := bytes.NewBuffer(make([]byte, 0, size))
	if _, err := in.inflated(ctx, s.coding, data, out, size); err != nil {
		return err
	}
	s.read.Add(size)
	return in.unfold(mem.BufferSlice{mem.SliceBuffer(out.Bytes())}, m)
}

func (in *intakes) unfold(data mem.BufferSlice, m *message) error {
	if err := in.codec.Unmarshal(data, m); err != nil {
		return status.Errorf(codes.Internal, "the message cannot be read: %v", err)
	}
	return nil
}

// inflated writes what data hold, at most one byte more than so many. So many messages
// are inflated at a time as there are places.
func (in *intakes) inflated(ctx context.Context, coding string, data []byte, to io.Writer, most int64) (n int64, err error) {
	done, err := in.place(ctx)
	if err != nil {
		return 0, in.refuse(ctx, err)
	}
	defer done()
	var from io.ReadCloser
	if coding == deflate {
		from, err = zlib.NewReader(bytes.NewReader(data))
	} else {
		from, err = gzip.NewReader(bytes.NewReader(data))
	}
	if err == nil {
		defer from.Close()
		n, err = io.Copy(to, io.LimitReader(from, most+1))
	}
	if err != nil {
		return 0, status.Errorf(codes.InvalidArgument, "the message is no whole %s, which its grpc-encoding says", coding)
	}
	return n, nil
}

// place waits for one to inflate a message in, which is free again when it is done.
func (in *intakes) place(ctx context.Context) (done func(), err error) {
	late := time.NewTimer(in.wait)
	defer late.Stop()
	select {
	case in.inflating <- struct{}{}:
		return func() { <-in.inflating }, nil
	case <-late.C:
		return nil, problem.Overloaded.New("too many compressed messages are being read; send it uncompressed, or again in a moment").With("retry_after_seconds", 1)
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}
