package child

import (
	"bytes"
	"fmt"
	"os"
	"regexp"
	"time"

	"golang.org/x/sys/unix"

	"github.com/goshawk-ai/goshawk/internal/infer/ort"
)

// Environment is made anew: the server's environment may hold secrets that a
// stranger's model must not be able to read.
func Environment() []string {
	env := []string{"LANG=C", "ORT_DISABLE_TELEMETRY=1", "GOTRACEBACK=none"}
	for _, name := range []string{"LD_LIBRARY_PATH", "TMPDIR", "GLIBC_TUNABLES", ort.Variable} {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// Limits of a process.
type Limits struct {
	Memory int64         // that may come on top of what the program already has
	CPU    time.Duration // altogether; 0 is no limit, for a process that serves
}

// Restrict bounds this process; a child calls it before it touches the model.
// RLIMIT_DATA counts what can be written and is private, which is what a model
// eats; RLIMIT_AS would also count the address space that Go reserves and never
// uses.
func Restrict(l Limits) error {
	used, err := writableMemory()
	if err != nil {
		return err
	}
	type bound struct {
		name       string
		resource   int
		soft, hard uint64
	}
	bounds := []bound{
		{"memory", unix.RLIMIT_DATA, uint64(used + l.Memory), uint64(used + l.Memory)},
		{"core size", unix.RLIMIT_CORE, 0, 0},
		{"file size", unix.RLIMIT_FSIZE, 0, 0},
	}
	if l.CPU > 0 {
		seconds := uint64(l.CPU.Round(time.Second) / time.Second)
		bounds = append(bounds, bound{"processor time", unix.RLIMIT_CPU, seconds, seconds + 1})
	}
	for _, b := range bounds {
		limit := &unix.Rlimit{Cur: b.soft, Max: b.hard}
		if err := unix.Setrlimit(b.resource, limit); err != nil {
			return fmt.Errorf("bound this process's %s: %w", b.name, err)
		}
	}
	return nil
}

// The words in which a process says on standard error what it died of. Go's
// runtime catches the signals of C code, prints their name and exits with 2, so
// the exit status alone does not tell.
var (
	signalNames = []string{"SIGFPE", "SIGSEGV", "SIGBUS", "SIGILL", "SIGABRT", "SIGXCPU", "SIGSYS"}
	outOfMemory = []string{
		"std::bad_alloc", "out of memory", "cannot allocate memory", "Cannot allocate memory",
		"failed to create new OS thread", "pthread_create failed", "failed to allocate",
	}
)

// SignalIn finds the signal that a process wrote it died of; "" where there is none.
func SignalIn(stderr []byte) string { return named(stderr, signalNames) }

// nilInGo is a fault at nil in a function of Go's runtime. Go 1.26 writes it when
// the system gives its garbage collector no memory for a queue (newSpanSPMC does not
// look at what sysAlloc returns). A fault in C code looks otherwise: "signal arrived
// during cgo execution" stands between, or its function is not the runtime's.
var nilInGo = regexp.MustCompile(`SIGSEGV: segmentation violation\nPC=\S+ m=\d+ sigcode=1 addr=0x[0-9a-f]{1,3}\n\ngoroutine 0 [^\n]*\nruntime\.`)

// StarvedIn tells whether a process wrote that it got no more memory.
func StarvedIn(stderr []byte) bool { return named(stderr, outOfMemory) != "" || nilInGo.Match(stderr) }

func named(text []byte, words []string) string {
	for _, w := range words {
		if bytes.Contains(text, []byte(w)) {
			return w
		}
	}
	return ""
}
