package golden

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goshawk-ai/goshawk/internal/infer"
	"github.com/goshawk-ai/goshawk/internal/infer/ort/orttest"
	"github.com/goshawk-ai/goshawk/internal/model"
	"github.com/goshawk-ai/goshawk/internal/picture"
	"github.com/goshawk-ai/goshawk/internal/tensor"
)

// packaged is a package with its model loaded and its certificate read.
type packaged struct {
	*model.Package
	binding     *model.Binding
	session     infer.Session
	certificate *model.Certificate
}

func open(t *testing.T, dir string) *packaged {
	t.Helper()
	p := &packaged{}
	var err error
	if p.Package, err = model.Open(os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(filepath.Join(dir, p.Manifest.Model))
	if err != nil {
		t.Fatal(err)
	}
	if p.session, err = orttest.Open(t).Load(t.Context(), file, infer.Options{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.session.Close() })
	if p.binding, err = model.Bind(p.Package, p.session.Inputs(), p.session.Outputs()); err != nil {
		t.Fatal(err)
	}
	if p.certificate, err = p.Certificate(); err != nil || p.certificate == nil {
		t.Fatalf("%s has no certificate to hold it to: %v", p.Manifest.Name, err)
	}
	return p
}

// picture runs the first stage with one of the JPEG decoders.
func (p *packaged) picture(t *testing.T, c *model.Case, decoder string) string {
	t.Helper()
	d, err := picture.NewDecoder(decoder)
	if err != nil {
		t.Fatal(err)
	}
	info, err := picture.Inspect(c.Picture, picture.DefaultLimits)
	if err != nil {
		t.Fatal(err)
	}
	exact := p.binding.Recipe
	exact.Exact = true
	var img picture.Image
	if err := d.Decode(t.Context(), c.Picture, info, d.Plan(info, &exact), &img); err != nil {
		t.Fatal(err)
	}
	return c.ComparePicture(p.binding, &img, info.Format, d.Name())
}

// logits runs the model on the case's tensor.
func (p *packaged) logits(t *testing.T, c *model.Case) []float32 {
	t.Helper()
	in, err := tensor.New(p.binding.Input.Name, p.binding.Recipe.Type,
		append([]int64{1}, p.binding.Recipe.Shape()...), int64(p.binding.Recipe.RowBytes()))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.FillRow(in.Data, p.binding); err != nil {
		t.Fatal(err)
	}
	out := &tensor.Tensor{Name: p.binding.Logits.Name}
	if err := p.session.Run(t.Context(), []*tensor.Tensor{in}, []*tensor.Tensor{out}); err != nil {
		t.Fatal(err)
	}
	return tensor.View[float32](out.Data)
}

// holds runs every stage of every case.
func (p *packaged) holds(t *testing.T) {
	t.Helper()
	for _, c := range p.certificate.Cases {
		for _, decoder := range []string{"auto", "go"} {
			if w := p.picture(t, c, decoder); w != "" {
				t.Errorf("%s: %s", p.Manifest.Name, w)
			}
		}
		if err := c.CompareTensor(p.binding); err != nil {
			t.Errorf("%s: %v", p.Manifest.Name, err)
		}
		if err := c.CompareLogits(p.logits(t, c)); err != nil {
			t.Errorf("%s: %v", p.Manifest.Name, err)
		}
	}
}

const imagenet = "../../internal/registry/builtin/imagenet"

func TestTheBuiltInModelHoldsItsCertificate(t *testing.T) {
	p := open(t, imagenet)
	if len(p.certificate.Cases) != 2 {
		t.Fatalf("%d cases, want the photo and the drawing", len(p.certificate.Cases))
	}
	p.holds(t)
}

// The sabotages of a real package: each must be caught where it happens, at the
// tensor, and by both pictures; and named.
func TestSabotagesOfTheBuiltInModelAreNamed(t *testing.T) {
	p := open(t, imagenet)
	for _, s := range []struct {
		name, want string
		sabotage   func(r *picture.Recipe)
	}{
		{"wrong filter", "preprocess.resize.filter is bilinear in training", func(r *picture.Recipe) { r.Resize.Filter = picture.Bicubic }},
		{"swapped channels", "input.color is RGB in training", func(r *picture.Recipe) { r.Color = picture.BGR }},
		{"forgotten antialias", "preprocess.resize.antialias is true in training", func(r *picture.Recipe) { r.Resize.Antialias = false }},
		{"wrong crop fraction", "preprocess.resize.size is 256 (a crop fraction of 0.875) in training", func(r *picture.Recipe) { r.Resize.Height, r.Resize.Width = 224, 224 }},
		{"forgotten rescale", "preprocess has rescale 1/255 in training", func(r *picture.Recipe) { r.Rescale = 1 }},
		{"imagenet's mean", "preprocess has mean [0.5, 0.5, 0.5], std [0.5, 0.5, 0.5] in training", func(r *picture.Recipe) {
			r.Mean, r.Std = [3]float64{0.485, 0.456, 0.406}, [3]float64{0.229, 0.224, 0.225}
		}},
		{"squashed", "preprocess.resize.mode is short-side", func(r *picture.Recipe) {
			r.Resize.Mode, r.Resize.Width, r.Resize.Height = picture.Exact, 256, 256
		}},
	} {
		for _, c := range p.certificate.Cases {
			b := *p.binding
			s.sabotage(&b.Recipe)
			err := c.CompareTensor(&b)
			if err == nil || !strings.HasPrefix(err.Error(), "tensor: ") || !strings.Contains(err.Error(), s.want) {
				t.Errorf("%s, case %s: got %v, want %q", s.name, c.Name, err, s.want)
				continue
			}
			t.Logf("%s: %v", s.name, err)
		}
	}
}
