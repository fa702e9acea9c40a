package predict_test

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/goshawk-ai/goshawk/internal/fleet"
	"github.com/goshawk-ai/goshawk/internal/fleet/fleettest"
	"github.com/goshawk-ai/goshawk/internal/infer/backendtest/onnxgen"
	"github.com/goshawk-ai/goshawk/internal/infer/ort/orttest"
	"github.com/goshawk-ai/goshawk/internal/model"
	"github.com/goshawk-ai/goshawk/internal/picture"
	"github.com/goshawk-ai/goshawk/internal/predict"
	"github.com/goshawk-ai/goshawk/internal/problem"
	"github.com/goshawk-ai/goshawk/internal/schedule"
	"github.com/goshawk-ai/goshawk/internal/tensor"
)

// folders are models in directories, one version of each.
type folders struct {
	versions []fleet.Version
	dirs     map[string]string // by digest
	changed  chan struct{}
}

func (f *folders) add(tb testing.TB, dir string) fleet.Version {
	tb.Helper()
	p, err := model.Open(os.DirFS(dir))
	if err != nil {
		tb.Fatal(err)
	}
	v := fleet.Version{Name: p.Manifest.Name, Digest: p.Digest, Number: 1, Aliases: []string{fleet.DefaultAlias}, BuiltIn: true}
	f.versions = append(f.versions, v)
	if f.dirs == nil {
		f.dirs, f.changed = map[string]string{}, make(chan struct{}, 1)
	}
	f.dirs[v.Digest] = dir
	return v
}

func (f *folders) Versions() []fleet.Version { return f.versions }
func (f *folders) Changed() <-chan struct{}  { return f.changed }

func (f *folders) Resolve(ref string) (fleet.Version, error) {
	name, _, _ := strings.Cut(ref, "@")
	for _, v := range f.versions {
		if v.Name == name {
			return v, nil
		}
	}
	return fleet.Version{}, problem.ModelNotFound.New("there is no model %q", ref)
}

func (f *folders) Open(_ context.Context, digest string) (*model.Package, error) {
	return model.Open(os.DirFS(f.dirs[digest]))
}

// local is an engine over models, with a scheduler of its own.
type local struct {
	*predict.Local
	fleet     *fleet.Fleet
	scheduler *schedule.Scheduler
}

func newFleet(tb testing.TB, f *folders, o fleet.Options) (*fleet.Fleet, *picture.Decoder) {
	tb.Helper()
	decoder, err := picture.NewDecoder("go")
	if err != nil {
		tb.Fatal(err)
	}
	o.Backend, o.Source, o.Decoder = orttest.Open(tb), f, decoder
	fl := fleet.New(o)
	if err := fl.Start(context.Background()); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(fl.Close)
	return fl, decoder
}

func engineOver(f *fleet.Fleet, decoder *picture.Decoder, lanes int) *local {
	s := schedule.New(schedule.Options{Lanes: lanes, MaxWait: time.Minute, Fair: time.Minute})
	return &local{predict.NewLocal(predict.LocalOptions{
		Catalog: f, Scheduler: s, Budget: schedule.NewBudget(1 << 30), Decoder: decoder, Limits: picture.DefaultLimits,
	}), f, s}
}

// joinable lets the rows of a model share runs.
func joinable(tb testing.TB, f *fleet.Fleet, name string) *fleet.Model {
	tb.Helper()
	m, release, err := f.AcquireContext(context.Background(), name)
	if err != nil {
		tb.Fatal(err)
	}
	defer release()
	if ok, err := m.Independent(context.Background()); !ok || err != nil {
		tb.Fatalf("rows of %q may not share a run (%v): nothing would be proved here", name, err)
	}
	return m
}

// photo is a picture of noise, encoded.
func photo(seed uint64, width, height int) []byte {
	random := rand.New(rand.NewPCG(seed, 7))
	img := image.NewRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			img.Set(x, y, color.RGBA{uint8(x*int(seed+1) + random.IntN(40)), uint8(y * 3), uint8(random.IntN(256)), 255})
		}
	}
	var b bytes.Buffer
	if seed%2 == 0 {
		_ = jpeg.Encode(&b, img, nil)
	} else {
		_ = png.Encode(&b, img)
	}
	return b.Bytes()
}

// rowsOf is a float32 tensor of so many rows, each of its own seed.
func rowsOf(name string, seeds []uint64, shape ...int64) *tensor.Tensor {
	size := 1
	for _, n := range shape {
		size *= int(n)
	}
	t := &tensor.Tensor{Name: name, Type: tensor.Float32, Shape: append([]int64{int64(len(seeds))}, shape...), Data: tensor.Aligned(4 * size * len(seeds))}
	v := tensor.View[float32](t.Data)
	for i, seed := range seeds {
		random := rand.New(rand.NewPCG(seed, 9))
		for k := range size {
			v[i*size+k] = float32(random.NormFloat64())
		}
	}
	return t
}

// near compares numbers with those computed alone, to 1e-5 of the largest.
func near(got, want []float32) bool {
	most := 0.0
	for _, v := range want {
		most = max(most, math.Abs(float64(v)))
	}
	for i := range want {
		if i >= len(got) || !(math.Abs(float64(got[i])-float64(want[i])) <= 1e-5*most) {
			return false
		}
	}
	return len(got) == len(want)
}

// judge is a test, or a property.
type judge interface {
	Helper()
	Fatal(args ...any)
}

// truth remembers what each picture and row gives alone.
type truth struct {
	alone *local
	known map[string][]float32
}

func (k *truth) scores(t judge, version string, encoded []byte) []float32 {
	t.Helper()
	if s, ok := k.known[string(encoded)]; ok {
		return s
	}
	var raw predict.Raw
	if err := k.alone.Classify(context.Background(), version, encoded, &raw); err != nil {
		t.Fatal(err)
	}
	k.known[string(encoded)] = raw.Scores
	return raw.Scores
}

// row is what one row of tensors gives alone, for each output.
func (k *truth) row(t judge, version string, in []*tensor.Tensor) []float32 {
	t.Helper()
	var key strings.Builder
	for _, x := range in {
		key.WriteString(x.Name)
		key.Write(x.Data)
	}
	if s, ok := k.known[key.String()]; ok {
		return s
	}
	call := predict.TensorCall{In: in}
	if err := k.alone.Infer(context.Background(), version, &call); err != nil {
		t.Fatal(err)
	}
	k.known[key.String()] = tensor.View[float32](call.Out[0].Data)
	return k.known[key.String()]
}

// TestBatchingNeverChangesAnAnswer sends random mixes of pictures and tensors of
// random numbers of rows, all at once, with random policies, and compares each
// answer with that of the row alone.
func TestBatchingNeverChangesAnAnswer(t *testing.T) {
	models := &folders{}
	pets := models.add(t, "../registry/builtin/cifar10")
	matrix := onnxgen.Model{Graph: onnxgen.Graph{
		Inputs:       []onnxgen.Value{{Name: "x", Type: tensor.Float32, Shape: []any{"n", 5}}, {Name: "y", Type: tensor.Float32, Shape: []any{"n", 5}}},
		Outputs:      []onnxgen.Value{{Name: "z", Type: tensor.Float32, Shape: []any{"n", 3}}},
		Nodes:        []onnxgen.Node{{Op: "Sub", In: []string{"x", "y"}, Out: []string{"d"}}, {Op: "MatMul", In: []string{"d", "w"}, Out: []string{"z"}}},
		Initializers: []onnxgen.Constant{onnxgen.Floats("w", []int{5, 3}, 1, -2, .5, 3, .25, -1, 7, 1, 2, -.125, .75, 4, 2, 2, -3)},
	}}
	plain := models.add(t, fleettest.Package{Model: matrix.Bytes(), Files: map[string]string{
		"goshawk.yaml": "apiVersion: goshawk/v1\nkind: Tensor\nname: plain\nmodel: model.onnx\n",
	}}.Write(t))
	f, decoder := newFleet(t, models, fleet.Options{Default: pets.Name})
	input := joinable(t, f, pets.Name).Inputs[0].Name
	joinable(t, f, plain.Name)
	petsRef, plainRef := pets.Name+"@"+pets.Digest, plain.Name+"@"+plain.Digest

	known := &truth{engineOver(f, decoder, 1), map[string][]float32{}}
	t.Cleanup(known.alone.scheduler.Close)
	var photos [][]byte
	for seed := range uint64(5) {
		photos = append(photos, photo(seed, 20+int(seed)*17, 60-int(seed)*9))
		known.scores(t, petsRef, photos[seed])
	}

	rapid.Check(t, func(rt *rapid.T) {
		e := engineOver(f, decoder, rapid.IntRange(1, 2).Draw(rt, "lanes"))
		defer e.scheduler.Close()
		for _, v := range []fleet.Version{pets, plain} {
			e.scheduler.Configure(v.Digest, schedule.Policy{
				MaxBatch: rapid.IntRange(0, 6).Draw(rt, "batch of "+v.Name),
				MaxDelay: time.Duration(rapid.IntRange(0, 2).Draw(rt, "delay of "+v.Name)) * time.Millisecond,
			})
		}
		var all sync.WaitGroup
		seeds := rapid.SliceOfN(rapid.Uint64Range(0, 9), 1, 9)
		for range rapid.IntRange(1, 12).Draw(rt, "requests") {
			switch rapid.IntRange(0, 4).Draw(rt, "kind") {
			case 0: // a picture, as /v1 asks for it
				encoded := photos[rapid.IntRange(0, len(photos)-1).Draw(rt, "picture")]
				want := known.scores(rt, petsRef, encoded)
				all.Go(func() {
					var raw predict.Raw
					if err := e.Classify(context.Background(), petsRef, encoded, &raw); err != nil || !near(raw.Scores, want) {
						rt.Errorf("a picture in company: %v, %v; alone %v", err, raw.Scores, want)
					}
				})
			case 1: // a damaged one
				broken := slices.Clone(photos[0][:len(photos[0])/2])
				all.Go(func() {
					var raw predict.Raw
					if err := e.Classify(context.Background(), petsRef, broken, &raw); !errors.Is(err, problem.PictureDamaged) {
						rt.Errorf("a damaged picture in company: %v; it must fail, and alone", err)
					}
				})
			case 2: // pictures in place of a tensor
				var which [][]byte
				var want [][]float32
				for _, i := range rapid.SliceOfN(rapid.IntRange(0, len(photos)-1), 1, 9).Draw(rt, "pictures") {
					which = append(which, photos[i])
					want = append(want, known.scores(rt, petsRef, photos[i]))
				}
				all.Go(func() {
					call := predict.TensorCall{In: []*tensor.Tensor{{Name: input, Type: tensor.String, Shape: []int64{int64(len(which))}, Strings: which}}}
					if err := e.Infer(context.Background(), petsRef, &call); err != nil {
						rt.Errorf("%d pictures: %v", len(which), err)
						return
					}
					for i := range which {
						if got := tensor.View[float32](call.Out[0].Row(i, len(which)).Data); !near(got, want[i]) {
							rt.Errorf("picture %d of %d: %v, alone %v", i, len(which), got, want[i])
						}
					}
				})
			case 3:
				rows := seeds.Draw(rt, "rows")
				in := []*tensor.Tensor{rowsOf(input, rows, 3, 32, 32)}
				compare(rt, &all, known, e, petsRef, in, len(rows))
			case 4:
				rows := seeds.Draw(rt, "rows")
				in := []*tensor.Tensor{rowsOf("x", rows, 5), rowsOf("y", rows[:1], 5)}
				in[1].Shape[0], in[1].Data = int64(len(rows)), bytes.Repeat(in[1].Data, len(rows))
				if rapid.Bool().Draw(rt, "in the other order") {
					slices.Reverse(in)
				}
				compare(rt, &all, known, e, plainRef, in, len(rows))
			}
		}
		all.Wait()
	})
}

func compare(rt *rapid.T, all *sync.WaitGroup, known *truth, e *local, version string, in []*tensor.Tensor, n int) {
	want := make([][]float32, n)
	for i := range n {
		row := make([]*tensor.Tensor, len(in))
		for k, x := range in {
			row[k] = x.Row(i, n)
		}
		want[i] = known.row(rt, version, row)
	}
	all.Go(func() {
		call := predict.TensorCall{In: in}
		if err := e.Infer(context.Background(), version, &call); err != nil || call.Rows != n || call.Out[0].Shape[0] != int64(n) {
			rt.Errorf("%d rows: %v, %+v", n, err, call)
			return
		}
		for i := range n {
			if got := tensor.View[float32](call.Out[0].Row(i, n).Data); !near(got, want[i]) {
				rt.Errorf("row %d of %d: %v, alone %v", i, n, got, want[i])
			}
		}
	})
}
