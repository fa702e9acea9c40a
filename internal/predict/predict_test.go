package predict_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"

	"github.com/goshawk-ai/goshawk/internal/fleet"
	"github.com/goshawk-ai/goshawk/internal/model"
	"github.com/goshawk-ai/goshawk/internal/predict"
	"github.com/goshawk-ai/goshawk/internal/problem"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const digest = "sha256:1111111111111111111111111111111111111111111111111111111111111111"

// catalog knows one model of three classes.
type catalog struct {
	mu   sync.Mutex
	held int
}

func (c *catalog) AcquireContext(_ context.Context, ref string) (*fleet.Model, func(), error) {
	if ref != "pets" {
		return nil, nil, problem.ModelNotFound.New("no model %q", ref)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.held++
	release := func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.held--
	}
	return &fleet.Model{
		Version: fleet.Version{Name: "pets", Digest: digest},
		Package: &model.Package{Labels: []model.Label{{Name: "cat"}, {Name: "dog"}, {Name: "newt"}}},
		Binding: model.Binding{Activation: model.None, Temperature: 1, TopK: 2},
	}, release, nil
}

// engine takes a picture's bytes for what to do: "bad" is damaged, "nan" and
// "wait" do as they say, anything else is a cat at 0.7.
type engine struct{}

func (engine) Classify(ctx context.Context, version string, encoded []byte, raw *predict.Raw) error {
	raw.Scores = append(raw.Scores[:0], .7, .2, .1)
	raw.Format, raw.Width, raw.Height = "png", 4, 3
	raw.Decode, raw.Infer = time.Millisecond, 2*time.Millisecond
	switch {
	case version != "pets@"+digest:
		return fmt.Errorf("asked for %q", version)
	case string(encoded) == "bad":
		raw.Format, raw.Width, raw.Height = "", 0, 0
		return problem.PictureDamaged.New("the picture ends early")
	case string(encoded) == "nan":
		raw.Scores[1] = float32(math.NaN())
	case string(encoded) == "panic":
		panic("boom")
	case string(encoded) == "wait":
		<-ctx.Done()
		return context.Cause(ctx)
	case string(encoded) == "dog":
		raw.Scores[0], raw.Scores[1] = raw.Scores[1], raw.Scores[0]
	}
	return nil
}

// Infer gives back what it got, under the names that were asked for.
func (engine) Infer(ctx context.Context, version string, call *predict.TensorCall) error {
	if version != "pets@"+digest {
		return fmt.Errorf("asked for %q", version)
	}
	if call.In[0].Name == "wait" {
		<-ctx.Done()
		return context.Cause(ctx)
	}
	for i, name := range call.Wanted {
		out := *call.In[i]
		out.Name = name
		call.Out = append(call.Out, &out)
	}
	call.Stages.Infer, call.Rows, call.Led = time.Millisecond, 3, []predict.Run{{Rows: 3}}
	return nil
}

func setup(t *testing.T, timeout time.Duration) (*predict.Predictor, *prometheus.Registry) {
	t.Helper()
	c, metrics := &catalog{}, prometheus.NewRegistry()
	t.Cleanup(func() {
		if c.held != 0 {
			t.Errorf("%d references to the model were not released: it could never be unloaded", c.held)
		}
	})
	return predict.New(predict.Options{
		Engine: engine{}, Catalog: c, Default: "pets", Width: 3, Pictures: 3, Timeout: timeout, Metrics: predict.NewMetrics(metrics),
	}), metrics
}

func pictures(contents ...string) []predict.Picture {
	list := make([]predict.Picture, len(contents))
	for i, c := range contents {
		list[i] = predict.Picture{Name: fmt.Sprintf("%d.png", i), Data: []byte(c)}
	}
	return list
}

func TestOnePicture(t *testing.T) {
	p, _ := setup(t, time.Minute)
	a, err := p.Run(context.Background(), predict.Request{Pictures: pictures("cat"), Read: 5 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	r := a.Results[0]
	if len(r.Predictions) != 2 || r.Predictions[0] != (predict.Prediction{Label: "cat", Index: 0, Probability: float64(float32(.7))}) {
		t.Errorf("predictions = %v, want the package's top 2, the cat first", r.Predictions)
	}
	if a.Model != (predict.Model{Name: "pets", Version: digest}) || r.Name != "0.png" || r.Format != "png" || len(r.SHA256) != 64 {
		t.Errorf("answer = %+v: model, name, format or digest is missing", a)
	}
	if a.Timings.Read != 5 || a.Timings.Decode != 1 || a.Timings.Infer != 2 || a.Timings.Total < 5 {
		t.Errorf("timings = %+v; total includes reading", a.Timings)
	}
}

func TestASinglePictureThatFailsIsTheError(t *testing.T) {
	p, metrics := setup(t, time.Minute)
	for content, want := range map[string]*problem.Kind{"bad": problem.PictureDamaged, "nan": problem.Internal} {
		_, err := p.Run(context.Background(), predict.Request{Pictures: pictures(content)})
		if !errors.Is(err, want) {
			t.Errorf("%s: err = %v, want %s", content, err, want.Slug)
		}
		if content == "nan" && !strings.Contains(err.Error(), "pets") {
			t.Errorf("a score that is no number must name the model: %v", err)
		}
	}
	unread := problem.PictureTooLarge.New("too large")
	_, err := p.Run(context.Background(), predict.Request{Pictures: []predict.Picture{{Err: unread}}})
	if !errors.Is(err, problem.PictureTooLarge) {
		t.Errorf("err = %v, want what the door said of the picture", err)
	}
	if n, err := testutil.GatherAndCount(metrics, "goshawk_pictures_total"); n != 3 || err != nil {
		t.Errorf("%d outcomes were counted (%v), want 3 different ones", n, err)
	}
}

func TestOneBadPictureAmongSeveralFailsAlone(t *testing.T) {
	p, _ := setup(t, time.Minute)
	list := pictures("cat", "bad", "dog", "nan", "panic", "dog", "cat")
	list = append(list, predict.Picture{Name: "huge", Err: problem.PictureTooLarge.New("too large")})
	a, err := p.Run(context.Background(), predict.Request{Pictures: list, TopK: 1})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"cat", "picture-damaged", "dog", "internal", "internal", "dog", "cat", "picture-too-large"}
	for i, r := range a.Results {
		got := ""
		switch {
		case r.Error != nil && r.Predictions == nil:
			got = r.Error.Kind.Slug
		case r.Error == nil && len(r.Predictions) == 1:
			got = r.Predictions[0].Label
		}
		if got != want[i] || r.Name != list[i].Name {
			t.Errorf("place %d: %s %q, want %s: each picture answers in its own place", i, r.Name, got, want[i])
		}
	}
}

func TestThresholdComesAfterTopK(t *testing.T) {
	p, _ := setup(t, time.Minute)
	for _, c := range []struct {
		k         int
		threshold float64
		want      int
	}{{1, 0, 1}, {3, 0, 3}, {99, 0, 3}, {3, .15, 2}, {1, .15, 1}, {3, .99, 0}} {
		a, err := p.Run(context.Background(), predict.Request{Pictures: pictures("cat"), TopK: c.k, Threshold: c.threshold})
		if err != nil {
			t.Fatal(err)
		}
		if got := len(a.Results[0].Predictions); got != c.want {
			t.Errorf("top_k %d, threshold %v: %d predictions, want %d", c.k, c.threshold, got, c.want)
		}
		doc, err := json.Marshal(a.Results[0])
		if err != nil || !strings.Contains(string(doc), `"predictions":[`) {
			t.Errorf("%s, %v: an answer without any prediction must still say so", doc, err)
		}
	}
}

func TestWhoGoesAwayEndsTheRequest(t *testing.T) {
	p, _ := setup(t, time.Minute)
	gone := errors.New("client gone")
	for _, list := range [][]predict.Picture{pictures("wait"), pictures("wait", "cat", "wait", "wait", "wait")} {
		ctx, cancel := context.WithCancelCause(context.Background())
		time.AfterFunc(time.Millisecond, func() { cancel(gone) })
		if _, err := p.Run(ctx, predict.Request{Pictures: list}); !errors.Is(err, gone) {
			t.Errorf("%d pictures: err = %v, want the cause", len(list), err)
		}
	}
}

func TestARequestThatTakesTooLongIsStopped(t *testing.T) {
	p, _ := setup(t, time.Millisecond)
	if _, err := p.Run(context.Background(), predict.Request{Pictures: pictures("wait")}); !errors.Is(err, problem.DeadlineExceeded) {
		t.Fatalf("err = %v, want deadline-exceeded", err)
	}
}

func TestUnknownModelAndNoPicture(t *testing.T) {
	p, _ := setup(t, time.Minute)
	if _, err := p.Run(context.Background(), predict.Request{Model: "birds", Pictures: pictures("cat")}); !errors.Is(err, problem.ModelNotFound) {
		t.Errorf("err = %v, want model-not-found", err)
	}
	if _, err := p.Run(context.Background(), predict.Request{}); !errors.Is(err, problem.InvalidRequest) {
		t.Errorf("err = %v, want invalid-request", err)
	}
}

// TestAnswersKeepTheirMemory: the workspaces are used again, the answers stay.
func TestAnswersKeepTheirMemory(t *testing.T) {
	p, _ := setup(t, time.Minute)
	cat, err := p.Run(context.Background(), predict.Request{Pictures: pictures("cat")})
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		if _, err := p.Run(context.Background(), predict.Request{Pictures: pictures("dog")}); err != nil {
			t.Fatal(err)
		}
	}
	if got := cat.Results[0].Predictions[0].Label; got != "cat" {
		t.Fatalf("an answer of before now says %q", got)
	}
}

func TestIDsSortByTime(t *testing.T) {
	p, _ := setup(t, time.Minute)
	var ids []string
	for range 5 {
		a, err := p.Run(context.Background(), predict.Request{Pictures: pictures("cat")})
		if err != nil {
			t.Fatal(err)
		}
		if len(a.ID) != len("pred_")+26 || !strings.HasPrefix(a.ID, "pred_") || strings.ToLower(a.ID) != a.ID {
			t.Fatalf("id %q, want pred_ and 26 lower-case characters", a.ID)
		}
		ids = append(ids, a.ID)
		for start := time.Now(); time.Since(start) < 2*time.Millisecond; { // the next millisecond of the clock
		}
	}
	if !slices.IsSorted(ids) {
		t.Fatalf("%v are not sorted", ids)
	}
}
