package main

import (
	"io"

	"github.com/spf13/cobra"
)

// checkModelFunc is the child process in which a stranger's model is tried.
type checkModelFunc func(stdin io.Reader, stdout io.Writer) int

// newCheckModel is the hidden half of `models add`: the same program, started
// again with bounds of its own.
func newCheckModel(c *console, h rooms) *cobra.Command {
	return &cobra.Command{
		Use:    "check-model",
		Short:  "Try a model in this process (started by goshawk itself)",
		Hidden: true,
		Args:   noArguments,
		RunE: func(*cobra.Command, []string) error {
			if code := h.checkModel(c.in, c.out); code != 0 {
				return &exitError{code, silent{}}
			}
			return nil
		},
	}
}

// workerFunc is the child process that serves one model.
type workerFunc func(stdin io.Reader) int

// newWorker is the process that a model has of its own.
func newWorker(c *console, h rooms) *cobra.Command {
	return &cobra.Command{
		Use:    "worker",
		Short:  "Serve one model to the process that started this one (started by goshawk itself)",
		Hidden: true,
		Args:   noArguments,
		RunE: func(*cobra.Command, []string) error {
			if code := h.worker(c.in); code != 0 {
				return &exitError{code, silent{}}
			}
			return nil
		},
	}
}

// silent is an error that was told already.
type silent struct{}

func (silent) Error() string { return "" }
