package registry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/goshawk-ai/goshawk/internal/fleet"
	"github.com/goshawk-ai/goshawk/internal/fleet/fleettest"
	"github.com/goshawk-ai/goshawk/internal/problem"
)

// server is a data directory that a running server holds.
func server(t *testing.T, o Options) (*Registry, *Client) {
	t.Helper()
	dir := t.TempDir()
	r, err := Open(dir, nil, o)
	if err != nil {
		t.Fatal(err)
	}
	r.Start(t.Context())
	t.Cleanup(func() { r.Close() })
	return r, &Client{Dir: dir, Checker: fleettest.Checker(t), Wait: 2 * time.Minute}
}

func TestChangesReachARunningServer(t *testing.T) {
	t.Parallel()
	told := make(chan string, 8)
	r, c := server(t, Options{Taken: func(_ context.Context, ref string, v fleet.Version) {
		told <- fmt.Sprint(strings.Replace(ref, v.Digest, "DIGEST", 1), " ", v.Number)
	}})
	one, err := c.AddSource(t.Context(), AddRequest{Source: pack("cats", "one").Write(t)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if !one.ByServer || one.Report == nil || !one.Report.Accepted || one.Version.Number != 1 {
		t.Errorf("added %+v; want version 1, checked, taken up by the server", one)
	}
	if len(told) != 1 {
		t.Errorf("Taken was called %d times before the command was answered, want once", len(told))
	}
	two, err := c.AddSource(t.Context(), AddRequest{Source: pack("cats", "two").Write(t), NoAlias: true}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if v, err := r.Resolve("cats"); err != nil || v.Digest != one.Version.Digest {
		t.Errorf("cats is %v, %v; --no-alias must leave it alone", v.Digest, err)
	}
	if v, err := c.Alias(t.Context(), "cats@"+two.Version.Digest, "default"); err != nil || v.Number != 2 {
		t.Errorf("Alias = %+v, %v", v, err)
	}
	if v, err := c.Rollback(t.Context(), "cats", "default"); err != nil || v.Number != 1 {
		t.Errorf("Rollback = %+v, %v", v, err)
	}
	if _, err := c.Remove(t.Context(), "cats@"+two.Version.Digest); err != nil {
		t.Errorf("Remove = %v", err)
	}
	for _, want := range []string{"cats@default 1", "cats@DIGEST 2", "cats@default 2", "cats@default 1"} {
		if got := <-told; got != want {
			t.Errorf("Taken was told %q, want %q", got, want)
		}
	}
	list, err := c.List()
	if err != nil || listing(list.Versions()) != listing(r.Versions()) || len(r.Versions()) != 1 {
		t.Errorf("a command lists %v, the server %v (%v)", list.Versions(), r.Versions(), err)
	}
	for _, sub := range []string{spoolDir, tmpDir} {
		// The server answers first and tidies up then: work that is done twice does no harm.
		settled(t, func() bool { return len(files(t, filepath.Join(c.Dir, sub))) == 0 })
	}
}

// TestWhoWaitsKeepsNobodyElse: while one addition waits to be served, others come
// and go.
func TestWhoWaitsKeepsNobodyElse(t *testing.T) {
	t.Parallel()
	waits, goOn := make(chan struct{}), make(chan struct{})
	var once sync.Once
	_, c := server(t, Options{Taken: func(context.Context, string, fleet.Version) {
		first := false
		once.Do(func() { first = true })
		if first {
			close(waits)
			<-goOn
		}
	}})
	first := make(chan error, 1)
	go func() {
		_, err := c.AddSource(t.Context(), AddRequest{Source: pack("cats", "one").Write(t)}, nil)
		first <- err
	}()
	<-waits
	if _, err := c.AddSource(t.Context(), AddRequest{Source: pack("dogs", "two").Write(t)}, nil); err != nil {
		t.Errorf("the second addition: %v; it has nothing to do with the first", err)
	}
	select {
	case err := <-first:
		t.Errorf("the first addition was answered (%v) before its version was", err)
	default:
	}
	close(goOn)
	if err := <-first; err != nil {
		t.Errorf("the first addition: %v", err)
	}
}

func TestARefusalComesBackFromTheServer(t *testing.T) {
	t.Parallel()
	_, c := server(t, Options{})
	if _, err := c.Remove(t.Context(), "dogs"); !errors.Is(err, problem.ModelNotFound) || err.Error() != `there is no model "dogs"` {
		t.Errorf("Remove = %v; want the server's own problem, word for word", err)
	}
	if _, err := c.Alias(t.Context(), "dogs", "A B"); !errors.Is(err, problem.InvalidRequest) {
		t.Errorf("Alias = %v; want invalid-request", err)
	}
}

func TestARefusedModelNeverReachesTheServer(t *testing.T) {
	t.Parallel()
	r, c := server(t, Options{})
	_, err := c.AddSource(t.Context(), AddRequest{Source: fleettest.Package{Labels: []string{"a", "b"}}.Write(t)}, nil)
	if !errors.Is(err, problem.ModelInvalid) {
		t.Errorf("AddSource = %v, want model-invalid", err)
	}
	if len(r.Versions()) != 0 {
		t.Errorf("the server lists %v", r.Versions())
	}
}

func TestNobodyTakesTheChangeUp(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r := open(t, dir) // holds the lock and never looks at the spool
	add(t, r, pack("cats", "one"), AddOptions{})
	c := &Client{Dir: dir, Wait: 50 * time.Millisecond}
	_, err := c.Remove(t.Context(), "cats")
	if _, ok := errors.AsType[*LockedError](err); !ok || !strings.Contains(err.Error(), "did not take the change up within 50ms") {
		t.Errorf("Remove = %v; want it to say who holds the directory and that he did not answer", err)
	}
	if left := files(t, filepath.Join(dir, spoolDir)); len(left) != 0 {
		t.Errorf("%v is left in the spool: it would be carried out when nobody expects it", left)
	}
}

func TestACommandWaitsForAnotherCommand(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := open(t, dir)
	add(t, first, pack("cats", "one"), AddOptions{})
	c := &Client{Dir: dir, Wait: 5 * time.Second} // all of it is waited, and the other has to be done by then
	done := make(chan error, 1)
	go func() {
		settled(t, func() bool { left, _ := os.ReadDir(filepath.Join(dir, spoolDir)); return len(left) == 1 })
		done <- first.Close()
	}()
	if _, err := c.Remove(t.Context(), "cats"); err != nil {
		t.Errorf("Remove = %v; the other command was done, so it must be carried out directly", err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// A server that died over a request leaves it as work; the next one does it.
func TestUnfinishedWorkIsDoneByTheNextServer(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r := open(t, dir)
	one := add(t, r, pack("cats", "one"), AddOptions{})
	r.Close()
	work := filepath.Join(dir, spoolDir, "1"+workSuffix)
	if err := os.Mkdir(work, 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(work, requestFile), `{"do":"alias","ref":"cats@`+one.Digest+`","alias":"stable"}`)
	bad := map[string]string{"2": `{"do":"paint"}`, "3": `no JSON`, "4": `{"do":"remove","ref":"cats"}`, "5": `{"do":"alias","ref":"cats@` + one.Digest[:30] + `","alias":"x"}`}
	for id, text := range bad {
		bad := filepath.Join(dir, spoolDir, id+newSuffix)
		if err := os.Mkdir(bad, 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(bad, requestFile), text)
	}
	r = open(t, dir)
	r.Start(t.Context())
	settled(t, func() bool { _, err := r.Resolve("cats@stable"); return err == nil })
	for id := range bad {
		answer := filepath.Join(dir, spoolDir, id+answerSuffix)
		settled(t, func() bool { text, _ := os.ReadFile(answer); return strings.Contains(string(text), "invalid-request") })
	}
}

// A server that dies between the change and its answer makes the change again
// when it is back. A rollback made twice must not lead back to where it began.
func TestARollbackMadeTwiceIsMadeOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r := open(t, dir) // holds the lock; the test is its loop
	one := add(t, r, pack("cats", "one"), AddOptions{})
	add(t, r, pack("cats", "two"), AddOptions{})
	c := &Client{Dir: dir, Wait: 2 * time.Minute}
	type outcome struct {
		v   fleet.Version
		err error
	}
	done := make(chan outcome, 1)
	go func() {
		v, err := c.Rollback(t.Context(), "cats", "default")
		done <- outcome{v, err}
	}()
	spool := filepath.Join(dir, spoolDir)
	var asked []string
	settled(t, func() bool { asked, _ = filepath.Glob(filepath.Join(spool, "*"+newSuffix)); return len(asked) == 1 })
	id := strings.TrimSuffix(filepath.Base(asked[0]), newSuffix)
	work := filepath.Join(spool, id+workSuffix)
	if err := os.Rename(asked[0], work); err != nil {
		t.Fatal(err)
	}
	q, err := readRequest(work)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.obey(q, work); err != nil { // and here it dies
		t.Fatal(err)
	}
	r.serveSpool(t.Context()) // the next one finds the work
	got := <-done
	if got.err != nil || got.v.Digest != one.Digest {
		t.Errorf("Rollback = %v, %v; want %s", got.v.Digest, got.err, one.Digest)
	}
	if v, err := r.Resolve("cats"); err != nil || v.Digest != one.Digest {
		t.Errorf("cats is %v, %v; want the first version: one rollback was asked for", v.Digest, err)
	}
}

// What a name means may change between the asking and the doing. Removed, or
// pointed to, is what it meant when it was asked.
func TestAChangeMeansTheVersionThatWasAskedFor(t *testing.T) {
	t.Parallel()
	for what, ask := range map[string]func(*Client) (fleet.Version, error){
		"remove": func(c *Client) (fleet.Version, error) { return c.Remove(t.Context(), "cats") },
		"alias":  func(c *Client) (fleet.Version, error) { return c.Alias(t.Context(), "cats@default", "stable") },
	} {
		dir := t.TempDir()
		r := open(t, dir) // holds the lock; the test is its loop
		one := add(t, r, pack("cats", "one"), AddOptions{})
		var got fleet.Version
		var err error
		var asking sync.WaitGroup
		asking.Go(func() { got, err = ask(&Client{Dir: dir, Wait: 2 * time.Minute}) })
		settled(t, func() bool {
			asked, _ := filepath.Glob(filepath.Join(dir, spoolDir, "*"+newSuffix))
			return len(asked) == 1
		})
		two := add(t, r, pack("cats", "two"), AddOptions{})
		r.serveSpool(t.Context())
		asking.Wait()
		if err != nil || got.Digest != one.Digest {
			t.Errorf("%s = %v, %v; want version one, %s", what, got.Digest, err, one.Digest)
		}
		if v, err := r.Resolve("cats"); err != nil || v.Digest != two.Digest {
			t.Errorf("%s: cats is %v, %v; want the newer version left alone", what, v.Digest, err)
		}
	}
}

func TestARefusalWithoutACauseNamesNone(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	r, err := Open(t.TempDir(), nil, Options{Logger: slog.New(slog.NewJSONHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	work := filepath.Join(r.Dir(), spoolDir, "1"+workSuffix)
	if err := os.Mkdir(work, 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(work, requestFile), `{"do":"remove","ref":"dogs@sha256:`+strings.Repeat("0", 64)+`"}`)
	r.serveSpool(t.Context())
	if !strings.Contains(log.String(), `there is no model`) || strings.Contains(log.String(), "cause") {
		t.Errorf("the log says %s; want the reason and no empty cause", log.String())
	}
}

func TestManyCommandsAtATime(t *testing.T) {
	t.Parallel()
	r, c := server(t, Options{})
	one, err := c.AddSource(t.Context(), AddRequest{Source: pack("cats", "one").Write(t)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for _, alias := range []string{"a", "b", "c", "d", "e", "f"} {
		all.Go(func() {
			if _, err := c.Alias(t.Context(), "cats@"+one.Version.Digest, alias); err != nil {
				t.Errorf("Alias %s = %v", alias, err)
			}
		})
	}
	all.Wait()
	if v := r.Versions(); len(v[0].Aliases) != 7 {
		t.Errorf("the aliases are %v, want default and six more", v[0].Aliases)
	}
}

// settled waits until a condition holds.
func settled(t *testing.T, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(2 * time.Millisecond) {
		if holds() {
			return
		}
	}
	t.Error("not within a minute")
}
