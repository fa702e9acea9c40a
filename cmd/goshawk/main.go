// Command goshawk classifies pictures: it serves models over HTTP, answers on
// the command line, and looks after the models that it serves. The commands
// translate between a terminal and the packages under internal; they decide
// nothing about pictures themselves.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, cancel := context.WithCancelCause(context.Background()) // ends with a signal, or with the process
	stop := make(chan os.Signal, 2)
	signal.Notify(stop, os.Interrupt, syscall.SIGTERM)
	go func() { // lives as long as the process
		cancel(stopped{<-stop})
		<-stop
		os.Exit(exitInterrupted) // a second signal does not wait for anything
	}()
	os.Exit(run(ctx, os.Args[1:], processConsole(), house()))
}

// stopped is the cause of a context that a signal ended.
type stopped struct{ signal os.Signal }

func (s stopped) Error() string { return "stopped by " + s.signal.String() }

// run is the program without its process: it gives the exit code.
func run(ctx context.Context, args []string, c *console, h rooms) int {
	root := newRoot(c, h)
	root.SetArgs(args)
	root.SetIn(c.in)
	root.SetOut(c.out)
	root.SetErr(c.err)
	err := root.ExecuteContext(ctx)
	code := exitCode(ctx, err)
	if err != nil && code != exitInterrupted {
		complain(c.err, err)
	}
	return code
}

// complain prints each error of a joined one as a sentence of its own.
func complain(w io.Writer, err error) {
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range many.Unwrap() {
			complain(w, e)
		}
		return
	}
	if text := err.Error(); text != "" {
		io.WriteString(w, "goshawk: "+text+"\n")
	}
}
