package predict_test

import (
	"encoding/json"
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/goshawk-ai/goshawk/internal/predict"
	"github.com/goshawk-ai/goshawk/internal/problem"
)

func TestAnswersAreWhatEncodingJSONMakesOfThem(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.StringMatching(`[a-z @:.0-9]{0,12}`), rapid.String(), rapid.Just("a<b>&\"\\\x00\u2028é"))
		float := rapid.OneOf(rapid.Float64Range(0, 1), rapid.Float64Range(-1e-5, 1e-5), rapid.Float64(), rapid.SampledFrom([]float64{0, math.Copysign(0, -1), 1e-6, 1e21}))
		prediction := rapid.Custom(func(t *rapid.T) predict.Prediction {
			return predict.Prediction{Label: text.Draw(t, "label"), Index: rapid.Int().Draw(t, "index"), Probability: float.Draw(t, "probability")}
		})
		result := rapid.Custom(func(t *rapid.T) predict.Result {
			r := predict.Result{
				Name: text.Draw(t, "name"), SHA256: text.Draw(t, "sha256"), Format: text.Draw(t, "format"),
				Width: rapid.IntRange(0, 3).Draw(t, "width"), Height: rapid.IntRange(0, 3).Draw(t, "height"),
			}
			switch rapid.IntRange(0, 2).Draw(t, "outcome") {
			case 0:
				r.Predictions = []predict.Prediction{}
			case 1:
				r.Predictions = rapid.SliceOfN(prediction, 1, 3).Draw(t, "predictions")
			default:
				r.Error = problem.NotAPicture.New("%s", text.Draw(t, "detail")).With("limit", 5)
			}
			return r
		})
		a := &predict.Answer{
			ID: text.Draw(t, "id"), Model: predict.Model{Name: text.Draw(t, "model"), Version: text.Draw(t, "version")},
			Results: rapid.SliceOfN(result, 1, 3).Draw(t, "results"),
			Timings: predict.Timings{
				Read: float.Draw(t, "read"), Decode: float.Draw(t, "decode"), Preprocess: float.Draw(t, "preprocess"),
				Queue: float.Draw(t, "queue"), Infer: float.Draw(t, "infer"), Total: float.Draw(t, "total"),
			},
		}
		want, err := json.Marshal(a)
		if err != nil {
			t.Fatal(err)
		}
		got, err := a.AppendJSON([]byte("before"))
		if err != nil || string(got) != "before"+string(want) {
			t.Fatalf("got %s (%v), want %s", got, err, want)
		}
	})
}

func TestAnAnswerThatIsNoJSONIsAnError(t *testing.T) {
	for _, v := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		a := &predict.Answer{Results: []predict.Result{{Predictions: []predict.Prediction{{Probability: v}}}}}
		if got, err := a.AppendJSON(nil); err == nil {
			t.Errorf("%v became %s", v, got)
		}
	}
}
