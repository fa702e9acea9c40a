//go:build ci

package oddmodels_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/goshawk-ai/goshawk/internal/fleet"
	"github.com/goshawk-ai/goshawk/internal/fleet/fleettest"
	"github.com/goshawk-ai/goshawk/internal/infer/ort/orttest"
	"github.com/goshawk-ai/goshawk/internal/interpret"
	"github.com/goshawk-ai/goshawk/internal/picture"
	"github.com/goshawk-ai/goshawk/internal/problem"
	"github.com/goshawk-ai/goshawk/internal/registry"
	"github.com/goshawk-ai/goshawk/test/checkout"
	"github.com/goshawk-ai/goshawk/test/oddmodels"
)

func TestMain(m *testing.M) { fleettest.Main(m) }

// TestTheWholeRoad adds every odd model as a command beside a running server
// does: import, check in a child process, spool, load. Meanwhile the server's
// good model must answer every request. What is accepted must answer as well.
func TestTheWholeRoad(t *testing.T) {
	cases, err := oddmodels.Cases(checkout.Shared(t, "models", "odd"))
	if err != nil {
		t.Fatal(err)
	}
	s := startServer(t)
	answered := s.keepAsking(t)
	var table bytes.Buffer
	w := csv.NewWriter(&table)
	_ = w.Write([]string{"file", "wanted", "answer", "sentence"})
	accepted, slowest, slowestName := 0, time.Duration(0), ""
	for _, c := range cases {
		began := time.Now()
		refused, warnings := s.add(t, c)
		if took := time.Since(began); took > slowest {
			slowest, slowestName = took, c.Name
		}
		answer, words := "refuse", refused
		if refused == "" {
			answer, words = "accept", warnings
			accepted++
		}
		_ = w.Write([]string{c.Name, c.Wanted, answer, words})
		strictly(t, c, refused)
	}
	w.Flush()
	t.Logf("%d cases: %d accepted, %d refused; slowest %s (%v); meanwhile the good model answered %d times",
		len(cases), accepted, len(cases)-accepted, slowestName, slowest.Round(time.Millisecond), answered())
	golden(t, "road.csv", table.Bytes())
}

// strictly holds an answer against the README's: now the runtime has spoken.
func strictly(t *testing.T, c oddmodels.Case, refused string) {
	t.Helper()
	// The README's "as above" goes on from a row that is refused.
	mayRefuse := strings.Contains(c.Wanted, "refuse") || strings.Contains(c.Wanted, "as above") || strings.Contains(c.Wanted, "as for NaN")
	mayAccept := strings.Contains(c.Wanted, "accept") || strings.Contains(c.Wanted, "batch size 1") || !mayRefuse
	variant := c.Name != filepath.Base(c.File)
	if strings.HasPrefix(c.Name, "wrong-declared-output") {
		variant = false // whatever the labels, the promise is broken
	}
	switch {
	case refused != "" && (strings.Contains(refused, "goroutine") || !bearable.MatchString(refused)):
		t.Errorf("%s: the sentence %q is none for people", c.Name, refused)
	case refused == "" && !mayAccept && !variant:
		t.Errorf("%s: accepted, but %q is wanted", c.Name, c.Wanted)
	case refused != "" && (variant || !mayRefuse):
		t.Errorf("%s: refused with %q, but %q is wanted", c.Name, refused, c.Wanted)
	}
}

// roadServer is a registry with its fleet, as 'serve' runs them, and a command
// beside it.
type roadServer struct {
	fleet  *fleet.Fleet
	client registry.Client
}

func startServer(t *testing.T) *roadServer {
	t.Helper()
	good := fstest.MapFS{}
	for name, text := range (fleettest.Package{Name: "good"}).Contents() {
		good[name] = &fstest.MapFile{Data: []byte(text)}
	}
	dir := t.TempDir()
	checker := fleettest.Checker(t)
	checker.Cache = filepath.Join(dir, registry.ChecksDir)
	checker.Limits = fleet.Limits{Wall: 30 * time.Second, CPU: time.Minute}
	s := &roadServer{client: registry.Client{Dir: dir, Checker: checker, Wait: time.Minute}}
	r, err := registry.Open(dir, []registry.BuiltIn{{FS: good}}, registry.Options{Taken: func(ctx context.Context, _ string, v fleet.Version) {
		if _, release, err := s.fleet.AcquireContext(ctx, v.Name+"@"+v.Digest); err == nil {
			release()
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	decoder, err := picture.NewDecoder("go")
	if err != nil {
		t.Fatal(err)
	}
	s.fleet = fleet.New(fleet.Options{Backend: orttest.Open(t), Source: r, Decoder: decoder, Checker: checker, Default: "good"})
	if err := s.fleet.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.Start(t.Context())
	t.Cleanup(func() {
		r.Close()
		s.fleet.Close()
	})
	if err := s.fleet.WaitReady(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

// keepAsking runs the good model until the returned function is called, which
// gives the number of answers.
func (s *roadServer) keepAsking(t *testing.T) (stop func() int64) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	var answers atomic.Int64
	go func() {
		defer close(done)
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for ctx.Err() == nil {
			if err := ask(ctx, s.fleet, "good"); err != nil && ctx.Err() == nil {
				t.Errorf("the good model failed while others were added: %v", err)
				return
			}
			answers.Add(1)
			<-tick.C
		}
	}()
	return func() int64 {
		cancel()
		<-done
		return answers.Load()
	}
}

// ask runs a model on a picture that is not black, within a deadline.
func ask(ctx context.Context, f *fleet.Fleet, ref string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	m, release, err := f.AcquireContext(ctx, ref)
	if err != nil {
		return err
	}
	defer release()
	slot, err := m.Slot()
	if err != nil {
		return err
	}
	defer m.Return(slot)
	img := picture.Image{Width: 64, Height: 48, Channels: 3, Orientation: 1}
	for i := range img.Width * img.Height * 3 {
		img.Pix = append(img.Pix, byte(i*7%200))
	}
	if err := m.Binding.Recipe.Fill(slot.Row, &img, nil); err != nil {
		return err
	}
	if err := m.Infer(ctx, slot); err != nil {
		return err
	}
	p := make([]float64, len(slot.Logits))
	if err := interpret.Probabilities(p, slot.Logits, m.Binding.Activation, m.Binding.Temperature); err != nil {
		return err
	}
	if top := interpret.Top(nil, p, 1); len(top) != 1 || top[0].Probability > 1.001 || top[0].Probability <= 0 {
		return fmt.Errorf("the best class is %v", top)
	}
	return nil
}

// add adds a case and, when it is accepted, asks it and removes it again.
func (s *roadServer) add(t *testing.T, c oddmodels.Case) (refused, warnings string) {
	t.Helper()
	source, options, err := c.Source(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	added, err := s.client.AddSource(t.Context(), registry.AddRequest{Source: source, Import: options}, nil)
	if err != nil {
		if !errors.Is(err, problem.ModelInvalid) {
			t.Errorf("%s: %v; want model-invalid with a sentence", c.Name, err)
		}
		return err.Error(), ""
	}
	ref := added.Version.Name + "@" + added.Version.Digest
	if !added.ByServer {
		t.Errorf("%s: the running server did not take it up", c.Name)
	}
	if err := ask(t.Context(), s.fleet, ref); err != nil {
		t.Errorf("%s: accepted, but it does not answer: %v", c.Name, err)
	}
	if _, err := s.client.Remove(t.Context(), ref); err != nil {
		t.Errorf("%s: %v", c.Name, err)
	}
	return "", figures.ReplaceAllString(strings.Join(added.Report.Warnings, "; "), "…")
}
