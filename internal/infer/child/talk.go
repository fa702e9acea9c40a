package child

import (
	"context"
	"encoding/gob"
	"errors"
	"net"
	"os"
	"sync"

	"github.com/goshawk-ai/goshawk/internal/infer"
	"github.com/goshawk-ai/goshawk/internal/tensor"
)

// request is what a child reads first from its standard input, in gob; the
// model's bytes follow. Then nothing comes any more, and the end of it is the
// child's end.
type request struct {
	Library      string
	Memory       int64 // for the model
	Runs         int   // at a time
	Connections  int
	IntraThreads int
	Raw          bool
	Model        int // bytes
}

// greeting is what it answers on its first further file, when the model is
// loaded or refused.
type greeting struct {
	Inputs, Outputs []tensor.Spec
	Refused         *infer.Error
	Failed          string // the child itself could not begin
}

// The files that a child is given beyond its three: where it greets, and its
// ends of the connections.
const (
	greetFile = 3
	firstFile = 4
)

// modelName is what the model is called on the connection.
const modelName = "model"

func greet(g *greeting) error {
	f := os.NewFile(greetFile, "greeting")
	return errors.Join(gob.NewEncoder(f).Encode(g), f.Close())
}

// sockets makes a connection with no address: nobody but the holders of its two
// ends can reach it.
func sockets() (ours net.Conn, theirs *os.File, err error) {
	pair, err := socketPair()
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	theirs = os.NewFile(uintptr(pair[1]), "child's end")
	end := os.NewFile(uintptr(pair[0]), "parent's end")
	defer end.Close()
	if ours, err = net.FileConn(end); err != nil {
		return nil, nil, errors.Join(err, theirs.Close())
	}
	return ours, theirs, nil
}

// inherited are a child's ends.
func inherited(n int) (conns []net.Conn, err error) {
	for i := range n {
		f := os.NewFile(uintptr(firstFile+i), "child's end")
		c, err := net.FileConn(f)
		if err = errors.Join(err, f.Close()); err != nil {
			return nil, err
		}
		conns = append(conns, c)
	}
	return conns, nil
}

// taken is a listener whose connections are there already.
type taken struct {
	conns chan net.Conn
	ended chan struct{}
	once  sync.Once
}

func take(conns []net.Conn) *taken {
	l := &taken{conns: make(chan net.Conn, len(conns)), ended: make(chan struct{})}
	for _, c := range conns {
		l.conns <- c
	}
	return l
}

func (l *taken) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.ended:
		return nil, net.ErrClosed
	}
}

func (l *taken) Close() error {
	l.once.Do(func() { close(l.ended) })
	return nil
}

func (l *taken) Addr() net.Addr { return &net.UnixAddr{Net: "unix"} }

// dialer hands out connections that are there already, each once.
func dialer(conns []net.Conn) func(context.Context) (net.Conn, error) {
	l := take(conns)
	return func(context.Context) (net.Conn, error) {
		select {
		case c := <-l.conns:
			return c, nil
		default:
			return nil, errors.New("the process has ended")
		}
	}
}
