package child

import (
	"bufio"
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"time"

	"github.com/goshawk-ai/goshawk/internal/infer"
	"github.com/goshawk-ai/goshawk/internal/infer/oip"
	"github.com/goshawk-ai/goshawk/internal/infer/ort"
)

// Command is the hidden command of this program that runs WorkerMain.
const Command = "worker"

// stuckGrace is how long a run may go on after its caller has gone, before the
// process ends itself: it can be stopped in no other way, and would hold a core.
const stuckGrace = 3 * time.Second

// WorkerMain is what a child runs: it bounds itself, loads the model that comes
// through stdin and answers for it until stdin ends. Its result is the
// process's exit status. exit ends the process at once.
func WorkerMain(stdin io.Reader, exit func(code int)) int {
	in := bufio.NewReader(stdin) // of bytes, so that gob reads no further than it must
	var r request
	if err := gob.NewDecoder(in).Decode(&r); err != nil {
		fmt.Fprintln(os.Stderr, "this is started by goshawk itself, which says on standard input what to do:", err)
		return 1
	}
	session, backend, err := r.load(in)
	if err != nil {
		g := &greeting{Failed: err.Error()}
		if refused, ok := errors.AsType[*infer.Error](err); ok {
			g = &greeting{Refused: refused}
		}
		_ = greet(g) // nobody else is there to be told
		return 1
	}
	if err := r.serve(in, session, exit); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if err := errors.Join(session.Close(), backend.Close()); err != nil {
		return 1
	}
	return 0
}

func (r *request) load(in io.Reader) (infer.Session, *ort.Backend, error) {
	runtime.GOMAXPROCS(r.Runs + 1) // a run keeps one until the monitor thread takes it away
	backend, err := ort.Open(ort.LibraryOptions{Path: r.Library, MemoryCap: r.Memory})
	if err != nil {
		return nil, nil, err
	}
	// While it loads, a model lies here beside what the runtime makes of it.
	if err := Restrict(Limits{Memory: r.Memory + 3*int64(r.Model) + overhead}); err != nil {
		return nil, nil, err
	}
	data := make([]byte, r.Model)
	if _, err := io.ReadFull(in, data); err != nil {
		return nil, nil, fmt.Errorf("read the model: %w", err)
	}
	session, err := backend.Load(context.Background(), data, infer.Options{IntraThreads: r.IntraThreads, Raw: r.Raw})
	return session, backend, err
}

// overhead is for messages on their way, twice the largest, and thread stacks.
const overhead = 2*oip.MaxMessage + 256<<20

func (r *request) serve(in io.Reader, s infer.Session, exit func(int)) error {
	conns, err := inherited(r.Connections)
	if err != nil {
		return err
	}
	server := oip.NewServer(s, oip.ServeOptions{Name: modelName, Runs: r.Runs, Grace: stuckGrace, Stuck: func() {
		fmt.Fprintln(os.Stderr, stuckWords)
		exit(1)
	}})
	served := make(chan error, 1)
	go func() { served <- server.Serve(take(conns)) }()
	if err := greet(&greeting{Inputs: s.Inputs(), Outputs: s.Outputs()}); err != nil {
		return err
	}
	_, _ = io.Copy(io.Discard, in) // until the parent closes it, or is gone
	server.Stop()
	return <-served
}

const stuckWords = "a run could not be stopped when its time was over"
