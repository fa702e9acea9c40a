package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/goshawk-ai/goshawk/internal/problem"
)

// The exit codes of every command.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2 // wrong arguments or settings
	exitPartly      = 3 // some pictures failed
	exitUnreachable = 4
	exitInterrupted = 130
)

const exitHelp = `Exit status: 0 done, 1 failed, 2 used wrongly (arguments or settings), 3 done in
part (some pictures failed), 4 server not reachable, 130 interrupted.`

// exitError gives an error the exit code that it ends with.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

// usage marks an error as the caller's: its sentence says what to write instead.
func usage(format string, args ...any) error {
	return &exitError{exitUsage, fmt.Errorf(format, args...)}
}

// exitCode decides how the process ends. A command that returned nil after a
// signal (a drained server) is done; one that was cut short is interrupted,
// unless it has said itself how it ended.
func exitCode(ctx context.Context, err error) int {
	if err == nil {
		return exitDone
	}
	if e, ok := errors.AsType[*exitError](err); ok {
		return e.code
	}
	if _, ok := errors.AsType[stopped](context.Cause(ctx)); ok {
		return exitInterrupted
	}
	if errors.Is(err, problem.InvalidRequest) { // the rooms below call it a request; here it is the command line
		return exitUsage
	}
	return exitFailed
}
