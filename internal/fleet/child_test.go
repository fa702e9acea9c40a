package fleet_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/goshawk-ai/goshawk/internal/fleet"
)

// faultInGo is how Go's runtime tells of a fault at nil: what stands before the stack, and its first function.
const faultInGo = "SIGSEGV: segmentation violation\nPC=0x43bafd m=3 sigcode=1 addr=0x0\n%s\ngoroutine 0 gp=0x28b631df0e0 m=3 mp=0x28b6322f008 [idle]:\n%s\n"

// TestADeathBecomesASentence plays every way in which a model has been seen to
// end the process that runs it.
func TestADeathBecomesASentence(t *testing.T) {
	limits := fleet.Limits{Memory: 64e6, CPU: time.Second, Wall: 5 * time.Second} // time to begin on a busy machine
	for _, c := range []struct {
		name string
		part []string
		want string
	}{
		{"it never ends", []string{"hang"}, "running the model on a test picture did not end within 5s"},
		{"SIGFPE, caught", []string{"die", strconv.Itoa(int(syscall.SIGFPE))}, "the runtime died with SIGFPE while running the model on a test picture: an integer division by zero, or of the smallest number by -1"},
		{"SIGFPE", []string{"die-at-once", "FPE"}, "the runtime died with SIGFPE while running the model on a test picture: an integer division"},
		{"SIGSEGV", []string{"die-at-once", "SEGV"}, "the runtime died with SIGSEGV while running the model on a test picture"},
		{"abort", []string{"die", strconv.Itoa(int(syscall.SIGABRT))}, "the runtime died with SIGABRT"},
		{"processor time", []string{"die-at-once", "XCPU"}, "running the model on a test picture took more than 1s of processor time"},
		{"the system's killer", []string{"die-at-once", "KILL"}, "the system killed the check while it was running the model on a test picture, most likely for want of memory (it may use 64MB)"},
		{"it eats all memory", []string{"eat"}, "running the model on a test picture needs more than 64MB of memory"},
		{"it spins", []string{"spin"}, "running the model on a test picture took more than 1s of processor time"},
		{"C++ has no memory", []string{"say", "terminate called after throwing an instance of 'std::bad_alloc'"}, "running the model on a test picture needs more than 64MB of memory"},
		{"Go has no memory", []string{"say", "fatal error: runtime: cannot allocate memory"}, "running the model on a test picture needs more than 64MB of memory"},
		{"Go's garbage collector has no memory", []string{"say", fmt.Sprintf(faultInGo, "", "runtime.(*spanQueue).tryDrain(0x7f2200000400?)")}, "running the model on a test picture needs more than 64MB of memory"},
		{"C faults at nil", []string{"say", fmt.Sprintf(faultInGo, "signal arrived during cgo execution\n", "runtime.cgocall(0xf36650)")}, "the runtime died with SIGSEGV while running the model on a test picture"},
		{"a thread of C faults at nil", []string{"say", fmt.Sprintf(faultInGo, "", "libonnxruntime")}, "the runtime died with SIGSEGV while running the model on a test picture"},
		{"it just exits", []string{"say", "bye"}, "the check ended without an answer (exit status 2) while running the model on a test picture"},
		{"it talks and talks", []string{"chatter"}, "the check ended without an answer (exit status 0)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			l := limits
			if c.part[0] != "hang" {
				l.Wall = time.Minute
			}
			checker := &fleet.Checker{Program: player(c.part...), Limits: l}
			r, err := checker.Check(t.Context(), t.TempDir())
			if err != nil {
				t.Fatalf("Check = %v; the death is the model's, not an error of the check", err)
			}
			if r.Accepted || !strings.HasPrefix(r.Problem, c.want) {
				t.Errorf("accepted %v, %q; want the sentence %q", r.Accepted, r.Problem, c.want)
			}
		})
	}
}

func TestAChildThatIsNotThereIsAnError(t *testing.T) {
	_, err := (&fleet.Checker{Program: []string{"/nonexistent/goshawk"}}).Check(t.Context(), t.TempDir())
	if err == nil {
		t.Fatal("a check that could not begin must not pass for a verdict on the model")
	}
}

func TestACancelledCheckKillsItsChild(t *testing.T) {
	mark := filepath.Join(t.TempDir(), "pid")
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("the caller went away")
	go func() {
		pidIn(t, mark)
		cancel(why)
	}()
	_, err := (&fleet.Checker{Program: player("hang", mark)}).Check(ctx, t.TempDir())
	if !errors.Is(err, why) {
		t.Errorf("Check = %v, want the cause that ended it", err)
	}
	gone(t, pidIn(t, mark))
}

func TestTheWholeGroupDies(t *testing.T) {
	t.Parallel()
	mark := filepath.Join(t.TempDir(), "pid")
	checker := &fleet.Checker{Program: player("child", mark), Limits: fleet.Limits{Wall: 5 * time.Second}}
	r, err := checker.Check(t.Context(), t.TempDir())
	if err != nil || r.Accepted {
		t.Fatalf("Check = %v, %v; want a refusal", r, err)
	}
	gone(t, pidIn(t, mark))
}

func TestTheChildDiesWithItsParent(t *testing.T) {
	mark := filepath.Join(t.TempDir(), "pid")
	parent := exec.Command(os.Args[0], "play", "parent", mark)
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	child := pidIn(t, mark)
	if err := parent.Process.Kill(); err != nil { // as a crash would: no code of ours runs
		t.Fatal(err)
	}
	_ = parent.Wait()
	gone(t, child)
}

func TestTheChildSeesNoSecrets(t *testing.T) {
	t.Setenv("GOSHAWK_AUTH_KEYS_FILE", "/secret")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	r, err := (&fleet.Checker{Program: player("look")}).Check(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	if r.Name != dir {
		t.Errorf("the child works in %q, want the package's folder %q", r.Name, dir)
	}
	for _, v := range r.Warnings {
		name, _, _ := strings.Cut(v, "=")
		if !slices.Contains([]string{"LANG", "ORT_DISABLE_TELEMETRY", "GOTRACEBACK", "LD_LIBRARY_PATH", "TMPDIR", "PWD", "GOSHAWK_ONNXRUNTIME_LIBRARY"}, name) {
			t.Errorf("the child sees %s: nothing of the server's environment is a model's business", name)
		}
	}
}

func TestTheChildWritesNoFiles(t *testing.T) {
	r, err := (&fleet.Checker{Program: player("write")}).Check(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if r.Accepted {
		t.Error("the child wrote a file; whatever a model makes the runtime do must leave no trace on disk")
	}
}

// pidIn waits for a child to write its process number.
func pidIn(t *testing.T, path string) int {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if text, err := os.ReadFile(path); err == nil && len(text) > 0 {
			pid, err := strconv.Atoi(string(text))
			if err != nil {
				t.Error(err)
			}
			return pid
		}
	}
	t.Error("the child did not start within a minute")
	return 0
}

// gone waits for a process to end; as a zombie it counts as ended.
func gone(t *testing.T, pid int) {
	t.Helper()
	if pid <= 0 {
		t.Fatal("no process to wait for")
	}
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if syscall.Kill(pid, 0) != nil || zombie(pid) {
			return
		}
	}
	t.Errorf("the process %d still runs a minute later; a stranger's model must not outlive its check", pid)
	_ = syscall.Kill(pid, syscall.SIGKILL)
}

func zombie(pid int) bool {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return true
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	return strings.HasPrefix(rest, "Z")
}
