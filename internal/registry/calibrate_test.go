package registry

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/goshawk-ai/goshawk/internal/problem"
)

func TestTheServerCalibratesForOthers(t *testing.T) {
	t.Parallel()
	var asked Calibration
	_, c := server(t, Options{Calibrate: func(_ context.Context, q Calibration) (json.RawMessage, error) {
		asked = q
		return json.RawMessage(`{"threads":1}`), nil
	}})
	want := Calibration{Ref: "cats@champion", Budget: 3 * time.Second, Idle: true}
	got, held, err := c.Calibrate(t.Context(), want)
	if err != nil || !held || string(got) != `{"threads":1}` || asked != want {
		t.Errorf("Calibrate = %s, %v, %v; the server was asked for %+v, want %+v", got, held, err, asked, want)
	}
}

// A calibration takes seconds. Whoever adds a model meanwhile must not wait for it,
// and whoever waits for it waits longer than for a change.
func TestACalibrationHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	began, goOn := make(chan struct{}), make(chan struct{})
	_, c := server(t, Options{Calibrate: func(ctx context.Context, _ Calibration) (json.RawMessage, error) {
		close(began)
		select {
		case <-goOn:
		case <-ctx.Done():
		}
		return json.RawMessage(`{}`), nil
	}})
	done := make(chan error, 1)
	go func() {
		hasty := *c
		hasty.Wait = time.Millisecond // the request is taken up, and then it takes as long as it takes
		for {
			_, held, err := hasty.Calibrate(t.Context(), Calibration{Ref: "cats", Budget: time.Minute})
			if held || err != nil {
				done <- err
				return
			}
		}
	}()
	<-began
	if _, err := c.AddSource(t.Context(), AddRequest{Source: pack("cats", "one").Write(t)}, nil); err != nil {
		t.Errorf("a model was added during a calibration: %v", err)
	}
	close(goOn)
	if err := <-done; err != nil {
		t.Errorf("Calibrate = %v", err)
	}
}

func TestARefusedCalibrationSaysWhy(t *testing.T) {
	t.Parallel()
	_, c := server(t, Options{Calibrate: func(context.Context, Calibration) (json.RawMessage, error) {
		return nil, problem.Overloaded.New("requests were served just now")
	}})
	if _, held, err := c.Calibrate(t.Context(), Calibration{Ref: "cats"}); !held || !errors.Is(err, problem.Overloaded) || err.Error() != "requests were served just now" {
		t.Errorf("Calibrate = %v, %v; want the server's own sentence", held, err)
	}
	_, c = server(t, Options{})
	if _, held, err := c.Calibrate(t.Context(), Calibration{Ref: "cats"}); !held || !errors.Is(err, problem.InvalidRequest) {
		t.Errorf("a holder that calibrates nothing: %v, %v", held, err)
	}
}

func TestWithoutAHolderNobodyCalibrates(t *testing.T) {
	t.Parallel()
	c := &Client{Dir: t.TempDir(), Wait: time.Millisecond}
	if got, held, err := c.Calibrate(t.Context(), Calibration{Ref: "cats"}); got != nil || held || err != nil {
		t.Errorf("Calibrate = %s, %v, %v; want nothing, so that the caller does it", got, held, err)
	}
	left, err := filepath.Glob(filepath.Join(c.Dir, spoolDir, "*"))
	if err != nil || len(left) > 0 {
		t.Errorf("in the spool lies %v, %v; the request was withdrawn", left, err)
	}
}

// A server that died over a calibration leaves it behind. The next one has better
// things to do than to measure for somebody who has gone.
func TestALeftCalibrationIsNotMadeAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r, err := Open(dir, nil, Options{Calibrate: func(context.Context, Calibration) (json.RawMessage, error) {
		t.Error("it was made again")
		return nil, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	work := filepath.Join(dir, spoolDir, "1"+workSuffix)
	if err := os.Mkdir(work, 0o700); err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(request{Do: "calibrate", Calibration: &Calibration{Ref: "cats"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(work, requestFile), data, 0o600); err != nil {
		t.Fatal(err)
	}
	r.serveSpool(t.Context())
	r.side.Wait()
	if _, err := os.Stat(work); err == nil {
		t.Error("the request still lies in the spool")
	}
}
