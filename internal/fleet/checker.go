package fleet

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"
)

// Limits bound what the check of one model may cost.
type Limits struct {
	Memory int64         `json:"memory_bytes"` // that the check may add to its process
	CPU    time.Duration `json:"cpu_ns"`
	Wall   time.Duration `json:"wall_ns"`
}

// DefaultLimits are 1 GB and 30 seconds.
var DefaultLimits = Limits{Memory: 1e9, CPU: 30 * time.Second, Wall: 30 * time.Second}

func (l Limits) filled() Limits {
	if l.Memory <= 0 {
		l.Memory = DefaultLimits.Memory
	}
	if l.CPU <= 0 {
		l.CPU = DefaultLimits.CPU
	}
	if l.Wall <= 0 {
		l.Wall = DefaultLimits.Wall
	}
	return l
}

// Command is the hidden command of this program that runs CheckMain.
const Command = "check-model"

// Checker examines strangers' packages in a child process, which may hang, eat
// memory or be killed by the runtime without any harm to this one. The zero
// value checks with this program and DefaultLimits, and keeps no results. A
// Checker is safe for concurrent use.
type Checker struct {
	Program []string // the command that runs CheckMain; nil is this program with Command
	Library string   // the runtime's; "" leaves it to the child to find
	Decoder string   // auto, turbo or go
	Limits  Limits
	// RemoteHosts are the servers that a package may name, as in Options.
	RemoteHosts []string
	RemoteKey   string
	Cache       string // the directory that keeps accepted reports; "" keeps none
}

// Check examines the package in dir. The report says whether it is accepted;
// the error is nil even when it is not, and says only that the check itself
// could not be carried out (or that ctx ended).
func (c *Checker) Check(ctx context.Context, dir string) (*Report, error) {
	began := time.Now()
	limits := c.Limits.filled()
	program, err := c.program()
	if err != nil {
		return nil, err
	}
	input, err := json.Marshal(childRequest{Library: c.Library, Decoder: c.Decoder, Limits: limits, Hosts: c.RemoteHosts, Key: c.RemoteKey})
	if err != nil {
		return nil, err
	}
	out, err := runChild(ctx, program, dir, input, limits.Wall)
	if err != nil {
		return nil, fmt.Errorf("check the model in a child process: %w", err)
	}
	if out.failed != "" {
		return nil, fmt.Errorf("check the model in a child process: %s", out.failed)
	}
	report := out.verdict(limits)
	report.CheckMS = ms(time.Since(began))
	if err := c.keep(report); err != nil {
		return nil, fmt.Errorf("keep the check's result: %w", err)
	}
	return report, nil
}

func (c *Checker) program() ([]string, error) {
	if len(c.Program) > 0 {
		return c.Program, nil
	}
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program's own file: %w", err)
	}
	return []string{self, Command}, nil
}

// childRequest is what the child reads from its standard input.
type childRequest struct {
	Library string `json:"library,omitempty"`
	Decoder string `json:"decoder,omitempty"`
	Limits  Limits `json:"limits"`

	Hosts []string `json:"remote_hosts,omitempty"`
	Key   string   `json:"remote_key,omitempty"`
}

// childMessage is one line of what the child writes: first where it is, so that
// its parent knows what it died of, and last the report.
type childMessage struct {
	Doing  string  `json:"doing,omitempty"`
	Report *Report `json:"report,omitempty"`
	Failed string  `json:"failed,omitempty"` // the check itself could not be carried out
}

// outcome is how a child ended.
type outcome struct {
	doing  string
	report *Report
	failed string
	exit   string // "exit status 2", "signal: killed"
	signal string // SIGFPE, …; "" where there was none
	cpu    time.Duration
	late   bool // its time was over
	stderr []byte
}

// readMessages takes the child's lines. What is no message is left out: the
// runtime may have written to standard output as well.
func (o *outcome) readMessages(stdout []byte) {
	for line := range bytes.Lines(stdout) {
		var m childMessage
		if json.Unmarshal(line, &m) != nil {
			continue
		}
		if m.Doing != "" {
			o.doing = m.Doing
		}
		if m.Report != nil {
			o.report = m.Report
		}
		if m.Failed != "" {
			o.failed = m.Failed
		}
	}
}
