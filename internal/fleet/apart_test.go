package fleet_test

import (
	"context"
	"errors"
	"math"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/goshawk-ai/goshawk/internal/fleet"
	"github.com/goshawk-ai/goshawk/internal/fleet/fleettest"
	"github.com/goshawk-ai/goshawk/internal/infer"
	"github.com/goshawk-ai/goshawk/internal/infer/backendtest/onnxgen"
	"github.com/goshawk-ai/goshawk/internal/infer/child"
	"github.com/goshawk-ai/goshawk/internal/infer/oip"
	"github.com/goshawk-ai/goshawk/internal/infer/ort/orttest"
	"github.com/goshawk-ai/goshawk/internal/problem"
	"github.com/goshawk-ai/goshawk/internal/tensor"
)

// apart gives a backend whose processes this test binary plays.
func apart(t *testing.T) *child.Backend {
	t.Helper()
	library, err := orttest.Library()
	if err != nil {
		t.Fatal(err)
	}
	return child.New(child.Options{
		Engine: orttest.Open(t), Library: library, Memory: 256e6,
		Restart: child.Restart{First: time.Millisecond, Most: 2 * time.Millisecond, Deaths: 3},
	})
}

// divide is a model of tensors that kills its process by the smallest number
// over -1.
func divide() onnxgen.Model {
	value := func(name string) onnxgen.Value {
		return onnxgen.Value{Name: name, Type: tensor.Int64, Shape: []any{"n"}}
	}
	return onnxgen.Model{Graph: onnxgen.Graph{
		Inputs: []onnxgen.Value{value("a"), value("b")}, Outputs: []onnxgen.Value{value("quotient")},
		Nodes: []onnxgen.Node{{Op: "Div", In: []string{"a", "b"}, Out: []string{"quotient"}}},
	}}
}

func dividing(name string) fleettest.Package {
	return fleettest.Package{Files: map[string]string{
		"goshawk.yaml": "apiVersion: goshawk/v1\nkind: Tensor\nname: " + name + "\nmodel: model.onnx\n", "model.onnx": string(divide().Bytes()),
	}}
}

func over(ctx context.Context, f *fleet.Fleet, ref string, a, b int64) (int64, error) {
	m, release, err := f.AcquireContext(ctx, ref)
	if err != nil {
		return 0, err
	}
	defer release()
	number := func(name string, n int64) *tensor.Tensor {
		data := tensor.Aligned(8)
		tensor.View[int64](data)[0] = n
		return &tensor.Tensor{Name: name, Type: tensor.Int64, Shape: []int64{1}, Data: data}
	}
	out := &tensor.Tensor{Name: "quotient"}
	if err := m.RunTensors(ctx, []*tensor.Tensor{number("a", a), number("b", b)}, []*tensor.Tensor{out}); err != nil {
		return 0, err
	}
	return tensor.View[int64](out.Data)[0], nil
}

// TestADangerousModelIsMarkedAndComesBack kills a model's process until nobody
// starts it any more, while another model serves.
func TestADangerousModelIsMarkedAndComesBack(t *testing.T) {
	s := newShelf(t)
	v := s.put(dividing("divide"), "default")
	s.put(tiny("cats", "one"), "default")
	f := s.start(fleet.Options{Default: "divide", Apart: apart(t)})
	ready(t, f)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for range 3 {
		if got, err := over(ctx, f, "divide", 42, 6); err != nil || got != 7 {
			t.Fatalf("42 / 6 = %d, %v", got, err)
		}
		_, err := over(ctx, f, "divide", math.MinInt64, -1)
		p := problem.Of(err)
		if p.Kind != problem.ModelUnhealthy || !strings.Contains(p.Detail, `"divide"`) || !strings.Contains(p.Detail, "SIGFPE") || p.Extensions["retry_after_seconds"] != 1 {
			t.Fatalf("the deadly numbers: %v %v; want one problem that names the model and the reason, and when to come again", err, p.Extensions)
		}
		if err := answer(f, "cats"); err != nil {
			t.Fatalf("another model: %v", err)
		}
	}
	settled(t, "it is marked", func() bool {
		s, err := f.Status("divide")
		return err == nil && s.State == fleet.Failed && strings.Contains(s.Reason, "died 3 times")
	})
	if err := f.Ready(); !errors.Is(err, problem.ModelUnhealthy) || !strings.Contains(err.Error(), "died 3 times") {
		t.Errorf("readiness says %v; the default model is gone", err)
	}
	settled(t, "a request is told at once", func() bool {
		_, err := over(ctx, f, "divide", 42, 6)
		return errors.Is(err, problem.ModelUnhealthy) && strings.Contains(err.Error(), "died 3 times")
	})
	if err := answer(f, "cats"); err != nil {
		t.Errorf("another model: %v", err)
	}
	if err := f.Load(ctx, "divide"); err != nil {
		t.Fatalf("load: %v", err)
	}
	if got, err := over(ctx, f, "divide", 42, 6); err != nil || got != 7 {
		t.Errorf("after a load, 42 / 6 = %d, %v", got, err)
	}
	if got := stateOf(f, v); got != fleet.Ready {
		t.Errorf("after a load it is %s", got)
	}
}

// TestAPictureIsTheSameInAProcessOfItsOwn compares the scores bit by bit.
func TestAPictureIsTheSameInAProcessOfItsOwn(t *testing.T) {
	s := newShelf(t)
	s.put(tiny("here", "one"), "default")
	s.put(fleettest.Package{Name: "there", Rest: "serving: {isolation: process}\n"}, "default")
	f := s.start(fleet.Options{Default: "there", Apart: apart(t)})
	var scores [2][]float32
	for i, ref := range []string{"here", "there"} {
		m, release, err := f.AcquireContext(t.Context(), ref)
		if err != nil {
			t.Fatal(err)
		}
		if own := m.Apart != ""; own != (ref == "there") {
			t.Errorf("%s: apart because of %q", ref, m.Apart)
		}
		slot, err := m.Slot()
		if err != nil {
			t.Fatal(err)
		}
		for k, row := 0, tensor.View[float32](slot.Row); k < len(row); k++ {
			row[k] = float32(k%17) / 17
		}
		if err := m.Infer(t.Context(), slot); err != nil {
			t.Fatal(err)
		}
		scores[i] = slices.Clone(slot.Logits)
		m.Return(slot)
		release()
	}
	if !slices.Equal(scores[0], scores[1]) {
		t.Errorf("scores %v in this process and %v in one of its own", scores[0], scores[1])
	}
}

func TestWithoutProcessesADangerousModelIsRefused(t *testing.T) {
	s := newShelf(t)
	v := s.put(dividing("divide"), "default")
	f := s.start(fleet.Options{Default: "divide"})
	settled(t, "it is refused", func() bool { return stateOf(f, v) == fleet.Failed })
}

// far is a server of the protocol with one model, "m".
func far(t *testing.T) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	farOn(t, l)
	return l.Addr().String()
}

func farOn(t *testing.T, l net.Listener) *stalling {
	t.Helper()
	loaded, err := orttest.Open(t).Load(t.Context(), onnxgen.Classifier("N", 8, 3).Bytes(), infer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	session := &stalling{Session: loaded}
	server := oip.NewServer(session, oip.ServeOptions{Name: "m", Runs: 2})
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() {
		server.Stop()
		if err := session.Close(); err != nil {
			t.Error(err)
		}
	})
	return session
}

// stalling is a session that gives no answer while it is told to.
type stalling struct {
	infer.Session
	stalls atomic.Bool
}

func (s *stalling) Run(ctx context.Context, in, out []*tensor.Tensor) error {
	if s.stalls.Load() {
		<-ctx.Done()
		return context.Cause(ctx)
	}
	return s.Session.Run(ctx, in, out)
}

func elsewhere(address string) fleettest.Package {
	p := fleettest.Package{Name: "elsewhere"}
	manifest := p.Contents()["goshawk.yaml"]
	p.Files = map[string]string{"goshawk.yaml": strings.Replace(manifest, "model: model.onnx\n", "remote: {url: \"grpc://"+address+"\", model: m}\n", 1)}
	return p
}

func TestAModelOfAnotherServer(t *testing.T) {
	address := far(t)
	s := newShelf(t)
	s.put(elsewhere(address), "default")
	f := s.start(fleet.Options{Default: "elsewhere", RemoteHosts: []string{address}})
	ready(t, f)
	if err := answer(f, "elsewhere"); err != nil {
		t.Errorf("a request: %v", err)
	}
	checker := fleettest.Checker(t)
	for _, hosts := range [][]string{nil, {address}, {"127.0.0.1"}} {
		checker.RemoteHosts = hosts
		r, err := checker.Check(t.Context(), elsewhere(address).Write(t))
		if err != nil || r.Accepted != (hosts != nil) {
			t.Errorf("the check with %v allowed: %+v, %v", hosts, r, err)
		}
	}
}

// TestAServerThatIsAwayAtFirstIsTriedAgain: the two may be started in any order,
// and readiness waits.
func TestAServerThatIsAwayAtFirstIsTriedAgain(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	s := newShelf(t)
	s.put(elsewhere(address), "default")
	f := s.start(fleet.Options{Default: "elsewhere", RemoteHosts: []string{address}})
	settled(t, "its absence is told", func() bool {
		s, err := f.Status("elsewhere")
		return err == nil && s.State == fleet.Failed && strings.Contains(s.Reason, "cannot be reached")
	})
	_, _, err = f.AcquireContext(t.Context(), "elsewhere")
	if p := problem.Of(err); p.Kind != problem.ModelUnhealthy || p.Extensions["retry_after_seconds"] == nil {
		t.Errorf("a request meanwhile: %v; want a refusal at once that says when to come again", err)
	}
	if l, err = net.Listen("tcp", address); err != nil {
		t.Fatal(err)
	}
	farOn(t, l)
	ready(t, f)
	if err := answer(f, "elsewhere"); err != nil {
		t.Errorf("a request then: %v", err)
	}
}

// TestAServerThatStallsHoldsNoOtherModelUp: models are loaded one after the other,
// and the one that is on a server that says nothing comes first.
func TestAServerThatStallsHoldsNoOtherModelUp(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := farOn(t, l)
	server.stalls.Store(true)
	s := newShelf(t)
	s.put(elsewhere(l.Addr().String()), "default")
	s.put(tiny("here", "one"), "default")
	f := s.start(fleet.Options{Default: "elsewhere", RemoteHosts: []string{l.Addr().String()}, Proof: 50 * time.Millisecond})
	settled(t, "the other model answers", func() bool { return answer(f, "here") == nil })
	settled(t, "it is told which server gives no answer", func() bool {
		s, err := f.Status("elsewhere")
		return err == nil && s.State == fleet.Failed && strings.Contains(s.Reason, "did not answer within 50ms")
	})
	server.stalls.Store(false)
	ready(t, f)
}

// TestAModelOfAnotherServerIsTriedAgainByItself: that its runs did not end may
// have been the server, or the way to it, and nobody is told when that is over.
func TestAModelOfAnotherServerIsTriedAgainByItself(t *testing.T) {
	address := far(t)
	s := newShelf(t)
	v := s.put(elsewhere(address), "default")
	f := s.start(fleet.Options{Default: "elsewhere", RemoteHosts: []string{address}})
	fleet.Relief(f, 100*time.Millisecond)
	ready(t, f)
	m, release, err := f.AcquireContext(t.Context(), "elsewhere")
	if err != nil {
		t.Fatal(err)
	}
	for range fleet.Overruns {
		m.Overran(time.Hour, 1)
	}
	release()
	if !errors.Is(m.Marked(), problem.ModelUnhealthy) {
		t.Fatal("three runs that did not end, and it is not marked")
	}
	settled(t, "it serves again", func() bool { return stateOf(f, v) == fleet.Ready && answer(f, "elsewhere") == nil })
}

// TestAKeyIsNotSentInTheClear: a package says how its server is called, and whoever
// made it may listen on the way.
func TestAKeyIsNotSentInTheClear(t *testing.T) {
	s := newShelf(t)
	s.put(elsewhere("models.example:8001"), "default")
	f := s.start(fleet.Options{Default: "elsewhere", RemoteHosts: []string{"models.example"}, RemoteKey: "a-key"})
	settled(t, "it is refused", func() bool {
		s, err := f.Status("elsewhere")
		return err == nil && s.State == fleet.Failed && strings.Contains(s.Reason, "in the clear") && strings.Contains(s.Reason, "grpcs://models.example:8001") && !strings.Contains(s.Reason, "a-key")
	})
	address := far(t) // this machine's own
	near := newShelf(t)
	near.put(elsewhere(address), "default")
	ready(t, near.start(fleet.Options{Default: "elsewhere", RemoteHosts: []string{address}, RemoteKey: "a-key"}))
}

// TestAPackageCallsNobodyUnasked: only the operator says where this program calls.
func TestAPackageCallsNobodyUnasked(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	called := make(chan struct{})
	go func() {
		if c, err := l.Accept(); err == nil {
			c.Close()
			close(called)
		}
	}()
	defer l.Close()
	s := newShelf(t)
	s.put(elsewhere(l.Addr().String()), "default")
	f := s.start(fleet.Options{Default: "elsewhere", RemoteHosts: []string{"models.example:8001", "127.0.0.1:1"}})
	settled(t, "it is refused", func() bool {
		s, err := f.Status("elsewhere")
		return err == nil && s.State == fleet.Failed && strings.Contains(s.Reason, "has not allowed; backends.remote_hosts")
	})
	select {
	case <-called:
		t.Error("the server that a package names was called")
	default:
	}
}
