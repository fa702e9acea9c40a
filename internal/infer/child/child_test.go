package child_test

import (
	"bufio"
	"context"
	"errors"
	"math"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/goshawk-ai/goshawk/internal/infer"
	"github.com/goshawk-ai/goshawk/internal/infer/backendtest/onnxgen"
	"github.com/goshawk-ai/goshawk/internal/infer/child"
	"github.com/goshawk-ai/goshawk/internal/tensor"
)

func load(t *testing.T, b *child.Backend, m onnxgen.Model) infer.Monitored {
	t.Helper()
	s, err := b.Load(t.Context(), m.Bytes(), infer.Options{})
	if err != nil {
		t.Fatalf("load: %v", err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s.(infer.Monitored)
}

func ints(name string, values ...int64) *tensor.Tensor {
	data := tensor.Aligned(8 * len(values))
	copy(tensor.View[int64](data), values)
	return &tensor.Tensor{Name: name, Type: tensor.Int64, Shape: []int64{int64(len(values))}, Data: data}
}

func quotient(ctx context.Context, s infer.Session, a, b int64) (int64, error) {
	out := &tensor.Tensor{Name: "quotient"}
	if err := s.Run(ctx, []*tensor.Tensor{ints("a", a), ints("b", b)}, []*tensor.Tensor{out}); err != nil {
		return 0, err
	}
	return tensor.View[int64](out.Data)[0], nil
}

// deadly is a request that no process survives; its answer says so.
func deadly(t *testing.T, s infer.Session) {
	t.Helper()
	_, err := quotient(t.Context(), s, math.MinInt64, -1)
	e, ok := errors.AsType[*infer.Error](err)
	if !ok || e.Code != infer.Unavailable || !strings.Contains(e.Message, "died while it computed this request (SIGFPE: an integer division") || e.Retry <= 0 {
		t.Fatalf("%v; want one clear sentence that the process died of it, and when to come again", err)
	}
}

// TestADeathCostsOnlyWhoWasInIt sends the deadly numbers while another model is
// asked all the time.
func TestADeathCostsOnlyWhoWasInIt(t *testing.T) {
	b := open(t, func(o *child.Options) { o.Restart.First = 10 * time.Millisecond })
	s, other := load(t, b, divide()), load(t, b, divide())
	stop := make(chan struct{})
	var group sync.WaitGroup
	group.Go(func() {
		for n := int64(1); ; n++ {
			select {
			case <-stop:
				return
			default:
			}
			if got, err := quotient(t.Context(), other, 6*n, n); err != nil || got != 6 {
				if t.Context().Err() != nil {
					return // the test has failed elsewhere
				}
				t.Errorf("another model's request got %d, %v while this one's process died", got, err)
				return
			}
		}
	})
	for range 2 {
		first := child.PID(s)
		deadly(t, s)
		if err := s.Await(t.Context()); err != nil {
			t.Fatalf("after a death: %v; want the next process", err)
		}
		if got, err := quotient(t.Context(), s, 42, 6); err != nil || got != 7 {
			t.Fatalf("42 / 6 = %d, %v after a death", got, err)
		}
		if now := child.PID(s); now == first || now == 0 {
			t.Errorf("process %d answers, as before the death", now)
		}
	}
	close(stop)
	group.Wait()
	if err := s.Health(); err != nil {
		t.Errorf("health: %v; it answers", err)
	}
}

func TestADeathTooMuchIsTheEnd(t *testing.T) {
	b := open(t, func(o *child.Options) {
		o.Restart = child.Restart{First: time.Millisecond, Most: 2 * time.Millisecond, Deaths: 3}
	})
	s := load(t, b, divide())
	for range 3 {
		if err := s.Await(t.Context()); err != nil {
			t.Fatal(err)
		}
		deadly(t, s)
	}
	select {
	case <-s.Broken():
	case <-time.After(time.Minute):
		t.Fatal("three deaths of three allowed, and the session is not broken")
	}
	if err := s.Health(); err == nil || !strings.Contains(err.Error(), "the process that runs it died 3 times in ") || !strings.Contains(err.Error(), "SIGFPE") {
		t.Errorf("health: %v, want how often it died, and of what", err)
	}
	for what, err := range map[string]error{"run": run(t, s), "await": s.Await(t.Context())} {
		if e, ok := errors.AsType[*infer.Error](err); !ok || e.Code != infer.Unavailable {
			t.Errorf("%s: %v, want at once that nobody is there", what, err)
		}
	}
}

func run(t *testing.T, s infer.Session) error {
	_, err := quotient(t.Context(), s, 1, 1)
	return err
}

// TestAKilledProcessIsReplaced also tells that the model is read anew.
func TestAKilledProcessIsReplaced(t *testing.T) {
	reads := 0
	b := open(t, nil)
	s, err := b.Load(t.Context(), divide().Bytes(), infer.Options{Again: func() ([]byte, error) {
		reads++
		return divide().Bytes(), nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	first := child.PID(s)
	if err := syscall.Kill(first, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	now := first
	for deadline := time.Now().Add(time.Minute); (now == first || now == 0) && time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		now = child.PID(s)
	}
	if got, err := quotient(t.Context(), s, 9, 3); err != nil || got != 3 {
		t.Errorf("9 / 3 = %d, %v", got, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if reads != 1 {
		t.Errorf("the model was read %d times again, want once for one death", reads)
	}
}

func TestARefusedModelIsRefusedAsHere(t *testing.T) {
	b := open(t, nil)
	unknown := onnxgen.Identity(tensor.Float32, 1)
	unknown.Nodes[0].Op = "FluxCapacitor"
	for what, c := range map[string]struct {
		model []byte
		want  infer.Code
	}{
		"text":                {[]byte("not a model at all"), infer.InvalidFile},
		"an unknown operator": {unknown.Bytes(), infer.Unsupported},
	} {
		_, err := b.Load(t.Context(), c.model, infer.Options{})
		if e, ok := errors.AsType[*infer.Error](err); !ok || e.Code != c.want {
			t.Errorf("%s: %v, want code %d", what, err, c.want)
		}
	}
}

func TestAProgramThatIsNoWorker(t *testing.T) {
	for what, program := range map[string][]string{
		"none":     {"/nonexistent/goshawk"},
		"it exits": {"/bin/sh", "-c", "exit 3"},
		"it lies":  {"/bin/sh", "-c", "echo lies >&3; cat >/dev/null"},
	} {
		b := open(t, func(o *child.Options) { o.Program, o.Load = program, time.Second })
		if s, err := b.Load(t.Context(), divide().Bytes(), infer.Options{}); err == nil {
			t.Errorf("%s: a session %v", what, s)
		}
	}
}

func TestALoadThatDoesNotEnd(t *testing.T) {
	b := open(t, func(o *child.Options) {
		o.Program, o.Load = []string{"/bin/sh", "-c", "sleep 1000"}, 50*time.Millisecond
	})
	_, err := b.Load(t.Context(), divide().Bytes(), infer.Options{})
	if err == nil || !strings.Contains(err.Error(), "not loaded within 50ms") {
		t.Errorf("%v, want that its time was over", err)
	}
}

// TestMemoryIsBounded: what a run asks for is refused, and the process goes on.
func TestMemoryIsBounded(t *testing.T) {
	m := onnxgen.Model{Graph: onnxgen.Graph{
		Inputs:  []onnxgen.Value{{Name: "sizes", Type: tensor.Int64, Shape: []any{1}}},
		Outputs: []onnxgen.Value{{Name: "out", Type: tensor.Float32, Shape: []any{"n"}}},
		Nodes:   []onnxgen.Node{{Op: "ConstantOfShape", In: []string{"sizes"}, Out: []string{"out"}}},
	}}
	s := load(t, open(t, nil), m)
	pid := child.PID(s)
	err := s.Run(t.Context(), []*tensor.Tensor{ints("sizes", 1e9)}, []*tensor.Tensor{{Name: "out"}})
	if e, ok := errors.AsType[*infer.Error](err); !ok || e.Code != infer.OutOfMemory {
		t.Errorf("4 GB where 256 MB are allowed: %v, want code %d", err, infer.OutOfMemory)
	}
	out := &tensor.Tensor{Name: "out"}
	if err := s.Run(t.Context(), []*tensor.Tensor{ints("sizes", 3)}, []*tensor.Tensor{out}); err != nil || len(out.Data) != 12 {
		t.Errorf("3 numbers: %v, %d bytes", err, len(out.Data))
	}
	if now := child.PID(s); now != pid {
		t.Errorf("process %d became %d: a refusal is no death", pid, now)
	}
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/limits")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "Max data size") && strings.Contains(line, "unlimited") {
			t.Errorf("the process may take any memory: %s", line)
		}
	}
}

func TestTheWorkerDiesWithItsParent(t *testing.T) {
	parent := exec.Command(os.Args[0], "parent")
	out, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		t.Fatalf("the parent said %q", line)
	}
	if err := parent.Process.Kill(); err != nil { // as a crash would: no code of ours runs
		t.Fatal(err)
	}
	_ = parent.Wait()
	for deadline := time.Now().Add(time.Minute); alive(pid); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("process %d outlives its parent", pid)
		}
	}
}

// alive is false for a process that has ended, whether somebody has asked or not.
func alive(pid int) bool {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	return !slices.Contains([]string{"Z", "X"}, rest[:1])
}

func TestPausesGrow(t *testing.T) {
	policy := child.Restart{First: time.Second, Most: 30 * time.Second}
	var got []time.Duration
	for n := range 9 {
		got = append(got, child.PauseAfter(n+1, policy))
	}
	want := []time.Duration{0, 1e9, 2e9, 4e9, 8e9, 16e9, 30e9, 30e9, 30e9}
	if !slices.Equal(got, want) {
		t.Errorf("pauses %v, want %v", got, want)
	}
}
