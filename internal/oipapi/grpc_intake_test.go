package oipapi_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding/gzip"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"

	"github.com/goshawk-ai/goshawk/api/oip"
	"github.com/goshawk-ai/goshawk/internal/access"
	"github.com/goshawk-ai/goshawk/internal/oipapi"
	"github.com/goshawk-ai/goshawk/internal/schedule"
)

// wire is a client that sends what no library would: parts of messages.
type wire struct {
	t    *testing.T
	conn net.Conn

	mu     sync.Mutex
	moved  *sync.Cond
	window map[uint32]int // guarded by mu; bytes that may be sent; 0 is the connection
	end    error          // guarded by mu; of the connection
}

func newWire(t *testing.T, address string) *wire {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{t: t, conn: conn, window: map[uint32]int{0: 65535}}
	w.moved = sync.NewCond(&w.mu)
	done := make(chan struct{})
	go func() {
		defer close(done)
		err := w.read()
		w.mu.Lock()
		defer w.mu.Unlock()
		w.end = err
		w.moved.Broadcast()
	}()
	t.Cleanup(func() {
		_ = conn.Close()
		<-done
	})
	w.write([]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"))
	w.frame(4, 0, 0, nil)
	return w
}

// read follows what the server allows.
func (w *wire) read() error {
	for {
		var h [9]byte
		if _, err := io.ReadFull(w.conn, h[:]); err != nil {
			return err
		}
		payload := make([]byte, int(h[0])<<16|int(h[1])<<8|int(h[2]))
		if _, err := io.ReadFull(w.conn, payload); err != nil {
			return err
		}
		stream := binary.BigEndian.Uint32(h[5:])
		switch {
		case h[3] == 8:
			w.mu.Lock()
			w.window[stream] += int(binary.BigEndian.Uint32(payload))
			w.moved.Broadcast()
			w.mu.Unlock()
		case h[3] == 6 && h[4] == 0:
			w.frame(6, 1, 0, payload)
		}
	}
}

func (w *wire) write(p []byte) { _, _ = w.conn.Write(p) }

func (w *wire) frame(kind, flags byte, stream uint32, payload []byte) {
	n := len(payload)
	b := binary.BigEndian.AppendUint32([]byte{byte(n >> 16), byte(n >> 8), byte(n), kind, flags}, stream)
	w.write(append(b, payload...))
}

// call begins one with a message of so many bytes.
func (w *wire) call(stream uint32, method string, length int) {
	w.head(stream, "/inference.GRPCInferenceService/"+method)
	w.data(stream, binary.BigEndian.AppendUint32([]byte{0}, uint32(length)))
}

// head begins a call.
func (w *wire) head(stream uint32, path string, more ...[2]string) {
	var b bytes.Buffer
	for _, h := range append([][2]string{
		{":method", "POST"},
		{":scheme", "http"},
		{":path", path},
		{":authority", "a"},
		{"content-type", "application/grpc"},
		{"te", "trailers"},
	}, more...) {
		b.WriteString("\x00" + string(rune(len(h[0]))) + h[0] + string(rune(len(h[1]))) + h[1])
	}
	w.mu.Lock()
	w.window[stream] = 65535
	w.mu.Unlock()
	w.frame(1, 4, stream, b.Bytes())
}

// data sends bytes as the server allows it; false when the connection has ended.
func (w *wire) data(stream uint32, p []byte) bool {
	for len(p) > 0 {
		w.mu.Lock()
		n := min(len(p), 16384, w.window[0], w.window[stream])
		for n <= 0 && w.end == nil {
			w.moved.Wait()
			n = min(len(p), 16384, w.window[0], w.window[stream])
		}
		w.window[0] -= n
		w.window[stream] -= n
		ended := w.end != nil
		w.mu.Unlock()
		if ended {
			return false
		}
		w.frame(0, 0, stream, p[:n])
		p = p[n:]
	}
	return true
}

func (w *wire) cut() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.end != nil
}

func TestBytesOnTheirWayInAreCounted(t *testing.T) {
	for _, method := range []string{"ModelInfer", "ModelStreamInfer", "RepositoryModelLoad"} {
		t.Run(method, func(t *testing.T) {
			const whole, sent = 8 << 20, 4 << 20
			budget := schedule.NewBudget(16 << 20)
			_, conn := serve(t, &echo{}, oipapi.Options{Budget: budget})
			w := newWire(t, conn.Target())
			w.call(1, method, whole)
			w.data(1, make([]byte, sent))
			until(t, "a part of a message is not counted", func() bool { return budget.Used() > sent-128<<10 })
			w.frame(3, 0, 1, []byte{0, 0, 0, 8})
			until(t, "its stream was ended, and it still is", func() bool { return budget.Used() == 0 })

			w.call(3, method, whole)
			w.data(3, make([]byte, sent))
			until(t, "a second one is not counted", func() bool { return budget.Used() > sent-128<<10 })
			_ = w.conn.Close()
			until(t, "its connection was closed, and it still is", func() bool { return budget.Used() == 0 })
		})
	}
}

// TestWhoSendsNothingMoreIsCutOff: what it has sent is memory that others wait for.
func TestWhoSendsNothingMoreIsCutOff(t *testing.T) {
	budget := schedule.NewBudget(16 << 20)
	_, conn := serve(t, &echo{}, oipapi.Options{Budget: budget, Grace: 100 * time.Millisecond, LeastRate: 1 << 40})
	for _, method := range []string{"ModelInfer", "ModelStreamInfer"} {
		w := newWire(t, conn.Target())
		w.call(1, method, 8<<20)
		w.data(1, make([]byte, 1<<20))
		until(t, method+": it is kept for ever", w.cut)
		until(t, method+": it still holds the budget", func() bool { return budget.Used() == 0 })
	}
}

// TestPartsThatWaitForEachOtherEnd: two callers with a half each of all the memory.
func TestPartsThatWaitForEachOtherEnd(t *testing.T) {
	budget := schedule.NewBudget(2 << 20)
	c, conn := serve(t, &echo{}, oipapi.Options{Budget: budget, BudgetWait: 50 * time.Millisecond})
	var all sync.WaitGroup
	var two []*wire
	for range 2 {
		w := newWire(t, conn.Target())
		two = append(two, w)
		all.Go(func() {
			w.call(1, "ModelInfer", 8<<20)
			w.data(1, make([]byte, 3<<19)) // three quarters of what there is
		})
	}
	all.Wait()
	until(t, "neither gives way", func() bool { return two[0].cut() || two[1].cut() })
	for _, w := range two {
		_ = w.conn.Close()
	}
	until(t, "they hold it though they are gone", func() bool { return budget.Used() == 0 })
	if _, err := c.ModelInfer(t.Context(), raw("UINT8", make([]byte, 1<<20), 1<<20)); err != nil {
		t.Errorf("another caller afterwards: %v", err)
	}
}

// TestLargeMessagesGiveBackWhatTheyHeld, one after the other, and in one stream.
func TestLargeMessagesGiveBackWhatTheyHeld(t *testing.T) {
	const size = 5 << 20
	budget := schedule.NewBudget(8 << 20) // not enough for a message that is counted twice
	c, _ := serve(t, &echo{}, oipapi.Options{Budget: budget})
	for range 5 {
		if _, err := c.ModelInfer(t.Context(), raw("UINT8", make([]byte, size), size), grpc.MaxCallRecvMsgSize(1<<30)); err != nil {
			t.Fatal(err)
		}
	}
	until(t, "calls that have ended hold the budget", func() bool { return budget.Used() == 0 })
	stream, err := c.ModelStreamInfer(t.Context(), grpc.MaxCallRecvMsgSize(1<<30))
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		send(t, stream, raw("UINT8", make([]byte, size), size))
		if got := receive(t, stream); got.GetErrorMessage() != "" {
			t.Fatal(got.GetErrorMessage())
		}
	}
	until(t, "a stream holds what it has taken", func() bool { return budget.Used() == 0 })
	closed(t, stream)
}

// TestElementsAreCountedBeforeTheyAreMade: four bytes of an empty element are many
// times more when they are taken apart.
func TestElementsAreCountedBeforeTheyAreMade(t *testing.T) {
	budget := schedule.NewBudget(4 << 20)
	c, _ := serve(t, &echo{}, oipapi.Options{Budget: budget})
	const n = 200_000
	_, err := c.ModelInfer(t.Context(), raw("BYTES", make([]byte, 4*n), n))
	wants(t, err, codes.InvalidArgument, "bytes of memory")
	if _, err := c.ModelInfer(t.Context(), raw("BYTES", make([]byte, n/10), n/40)); err != nil {
		t.Error(err)
	}
	until(t, "the budget is not whole again", func() bool { return budget.Used() == 0 })
}

// TestWhatIsInflatedCounts: a compressed message has its part of the budget before it
// is inflated, and others go on meanwhile.
func TestWhatIsInflatedCounts(t *testing.T) {
	const all = 3 << 19 // not enough for a message that is counted twice
	budget := schedule.NewBudget(all)
	c, _ := serve(t, &echo{}, oipapi.Options{Budget: budget, BudgetWait: 50 * time.Millisecond})
	big := raw("UINT8", make([]byte, 1<<20), 1<<20) // a thousand bytes on the wire
	ask := func() error {
		_, err := c.ModelInfer(t.Context(), big, grpc.UseCompressor(gzip.Name))
		return err
	}
	if err := budget.Acquire(t.Context(), all-64<<10); err != nil {
		t.Fatal(err)
	}
	wants(t, ask(), codes.Unavailable, "memory")
	stream, err := c.ModelStreamInfer(t.Context(), grpc.UseCompressor(gzip.Name))
	if err != nil {
		t.Fatal(err)
	}
	send(t, stream, raw("UINT8", []byte{1}, 1))
	receive(t, stream)
	send(t, stream, big)
	_, err = stream.Recv()
	wants(t, err, codes.Unavailable, "memory")
	budget.Release(all - 64<<10)
	if err := ask(); err != nil {
		t.Errorf("there is room, and the answer is %v", err)
	}
	until(t, "the budget is not whole again", func() bool { return budget.Used() == 0 })
}

// TestCompressedStreamsMayWait: who sends nothing keeps no other from sending.
func TestCompressedStreamsMayWait(t *testing.T) {
	c, _ := serve(t, &echo{}, oipapi.Options{Budget: schedule.NewBudget(8 << 20), BudgetWait: 50 * time.Millisecond})
	var streams []clientStream
	for range 10 {
		stream, err := c.ModelStreamInfer(t.Context(), grpc.UseCompressor(gzip.Name))
		if err != nil {
			t.Fatal(err)
		}
		send(t, stream, raw("UINT8", []byte{1}, 1))
		receive(t, stream)
		streams = append(streams, stream)
	}
	if _, err := c.ModelInfer(t.Context(), raw("UINT8", []byte{1}, 1), grpc.UseCompressor(gzip.Name)); err != nil {
		t.Errorf("a single call beside them: %v", err)
	}
	for _, s := range streams {
		closed(t, s)
	}
}

// TestASecondMessageHoldsNothing: a unary call has one, and who sends another must
// not keep the memory of the first from everybody else.
func TestASecondMessageHoldsNothing(t *testing.T) {
	budget := schedule.NewBudget(16 << 20)
	_, conn := serve(t, &echo{}, oipapi.Options{Budget: budget})
	for _, options := range [][]grpc.CallOption{nil, nil, {grpc.UseCompressor(gzip.Name)}} {
		stream, err := conn.NewStream(t.Context(), &grpc.StreamDesc{ClientStreams: true}, oip.GRPCInferenceService_ModelInfer_FullMethodName, options...)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := stream.SendMsg(raw("UINT8", make([]byte, 1<<20), 1<<20)); err != nil && !errors.Is(err, io.EOF) {
				t.Fatal(err)
			}
		}
		if err := stream.CloseSend(); err != nil {
			t.Fatal(err)
		}
		wants(t, stream.RecvMsg(&oip.ModelInferResponse{}), codes.Internal)
	}
	until(t, "messages of calls that have ended hold the budget", func() bool { return budget.Used() == 0 })
}

// locked is a door that asks for the key "key".
func locked(t *testing.T, o oipapi.Options) (oip.GRPCInferenceServiceClient, *grpc.ClientConn) {
	t.Helper()
	keys, err := access.ParseKeys([]byte("keys: [{id: a, sha256: 2c70e12b7a0646f92279f427c7b38e7334d8e5389cff167a1dc30e73f826b683}]")) // of "key"
	if err != nil {
		t.Fatal(err)
	}
	o.Access = access.New(access.Options{Keys: keys})
	return serve(t, &echo{}, o)
}

// TestStrangersHoldNoMemory: probes need no key, and what is larger than one ends the
// connection, before others have to wait for what it takes.
func TestStrangersHoldNoMemory(t *testing.T) {
	for _, path := range []string{"/grpc.health.v1.Health/Check", "/grpc.health.v1.Health/Watch", oip.GRPCInferenceService_ServerLive_FullMethodName} {
		budget := schedule.NewBudget(16 << 20)
		c, conn := locked(t, oipapi.Options{Budget: budget})
		w := newWire(t, conn.Target())
		w.head(1, path)
		w.data(1, append(binary.BigEndian.AppendUint32([]byte{0}, 8<<20), make([]byte, 1<<20)...))
		until(t, path+": it is kept", w.cut)
		until(t, path+": it holds the budget", func() bool { return budget.Used() == 0 })
		authorized := metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer key")
		if _, err := c.ModelInfer(authorized, raw("UINT8", make([]byte, 1<<20), 1<<20)); err != nil {
			t.Errorf("a large message with a key: %v", err)
		}
	}
}

// TestProbesAreNoBombs: whoever has no key has nothing inflated but a probe.
func TestProbesAreNoBombs(t *testing.T) {
	c, conn := locked(t, oipapi.Options{})
	health := healthpb.NewHealthClient(conn)
	bomb := &healthpb.HealthCheckRequest{Service: strings.Repeat("a", 1<<20)} // a thousand bytes on the wire
	_, err := health.Check(t.Context(), bomb, grpc.UseCompressor(gzip.Name))
	wants(t, err, codes.ResourceExhausted, "decompressed")
	watch, err := health.Watch(t.Context(), bomb, grpc.UseCompressor(gzip.Name))
	if err == nil {
		_, err = watch.Recv()
	}
	wants(t, err, codes.ResourceExhausted, "decompressed")
	if got, err := health.Check(t.Context(), &healthpb.HealthCheckRequest{}, grpc.UseCompressor(gzip.Name)); err != nil || got.GetStatus() != serving {
		t.Errorf("a probe that is compressed: %v, %v", got, err)
	}
	if _, err := c.ServerLive(t.Context(), &oip.ServerLiveRequest{}, grpc.UseCompressor(gzip.Name)); err != nil {
		t.Errorf("another: %v", err)
	}
}

// unwrapped says that messages are compressed, and sends them as they are.
type unwrapped struct{ coding string }

func (u unwrapped) Type() string { return u.coding }

func (unwrapped) Do(w io.Writer, data []byte) error {
	_, err := w.Write(data)
	return err
}

func TestBrokenCompressionIsTheCallersMistake(t *testing.T) {
	c, conn := serve(t, &echo{}, oipapi.Options{})
	for _, coding := range []string{"gzip", "deflate"} {
		broken, err := grpc.NewClient(conn.Target(), grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithCompressor(unwrapped{coding})) //nolint:staticcheck // the way to have one of one's own
		if err != nil {
			t.Fatal(err)
		}
		_, err = oip.NewGRPCInferenceServiceClient(broken).ModelInfer(t.Context(), raw("UINT8", []byte{1}, 1))
		wants(t, err, codes.InvalidArgument, "no whole "+coding)
		_ = broken.Close()
	}
	if _, err := c.ModelInfer(t.Context(), raw("UINT8", []byte{1}, 1)); err != nil {
		t.Errorf("another call: %v", err)
	}
}
