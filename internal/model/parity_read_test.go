package model

import (
	"archive/zip"
	"errors"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/goshawk-ai/goshawk/internal/picture"
	"github.com/goshawk-ai/goshawk/internal/problem"
	"github.com/goshawk-ai/goshawk/internal/tensor"
)

// entries are a right case's arrays, changed by name.
func entries(change map[string][]byte) []any {
	arrays := map[string][]byte{
		"rgb":    npy(1, dict("|u1", "False", "(1, 2, 3)"), []byte{1, 2, 3, 4, 5, 6}),
		"tensor": npy(1, dict("<f4", "False", "(1, 3, 1, 1)"), make([]byte, 12)),
		"logits": npy(1, dict("<f8", "False", "(1, 2)"), make([]byte, 16)),
		"meta":   npy(1, dict("<U2", "False", "()"), []byte{'{', 0, 0, 0, '}', 0, 0, 0}),
		"extra":  npy(1, dict("|u1", "False", "(1,)"), []byte{1}),
	}
	var list []any
	for name, data := range arrays {
		if other, changed := change[name]; changed {
			data = other
		}
		if data != nil {
			list = append(list, name, data)
		}
	}
	return list
}

func TestReadCertificate(t *testing.T) {
	fsys := fstest.MapFS{
		"parity/b.npz":     {Data: npz(zip.Deflate, entries(nil)...)},
		"parity/b.png":     {Data: []byte("picture b")},
		"parity/a.npz":     {Data: npz(zip.Store, entries(nil)...)},
		"parity/a.jpg":     {Data: []byte("picture a")},
		"parity/README.md": {Data: []byte("read me")},
	}
	c, err := ReadCertificate(fsys, "parity/")
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Cases) != 2 || c.Cases[0].Name != "a" || c.Cases[1].Name != "b" {
		t.Fatalf("got %d cases, want a and b in this order", len(c.Cases))
	}
	a := c.Cases[0]
	if a.File != "a.jpg" || string(a.Picture) != "picture a" || a.Width != 2 || a.Height != 1 || len(a.RGB) != 6 || a.Meta != "{}" || len(a.Logits) != 2 {
		t.Errorf("got %+v", a)
	}
	if len(a.Tensor.Shape) != 3 {
		t.Errorf("the tensor's shape is %v, want the leading 1 dropped", a.Tensor.Shape)
	}
	p := &Package{FS: fsys}
	if c, err := p.Certificate(); c != nil || err != nil {
		t.Errorf("a package that names none: got %v, %v", c, err)
	}
	p.Manifest.Parity = "parity"
	if c, err := p.Certificate(); err != nil || len(c.Cases) != 2 {
		t.Errorf("got %v, %v; want the package's two cases", c, err)
	}
}

func TestReadCertificateRefuses(t *testing.T) {
	one := func(change map[string][]byte) fstest.MapFS {
		return fstest.MapFS{"parity/x.png": {Data: []byte("p")}, "parity/x.npz": {Data: npz(zip.Store, entries(change)...)}}
	}
	many := fstest.MapFS{}
	for i := range maxCases + 1 {
		many["parity/"+strings.Repeat("x", i+1)+".npz"] = &fstest.MapFile{}
	}
	for name, c := range map[string]struct {
		fsys fstest.MapFS
		want string
	}{
		"no folder":      {fstest.MapFS{}, `the folder "parity" cannot be read`},
		"no case":        {fstest.MapFS{"parity/x.png": {}}, "holds 0 cases"},
		"too many":       {many, "holds 65 cases"},
		"no picture":     {fstest.MapFS{"parity/x.npz": {}}, "no picture beside"},
		"no archive":     {fstest.MapFS{"parity/x.npz": {}, "parity/x.png": {}}, "no .npz"},
		"large picture":  {fstest.MapFS{"parity/x.npz": {}, "parity/x.png": {Data: make([]byte, maxPicture+1)}}, "more than 20000000 bytes"},
		"no rgb":         {one(map[string][]byte{"rgb": nil}), `the array "rgb" is missing`},
		"no tensor":      {one(map[string][]byte{"tensor": nil}), `the array "tensor" is missing`},
		"no logits":      {one(map[string][]byte{"logits": nil}), `the array "logits" is missing`},
		"grey rgb":       {one(map[string][]byte{"rgb": npy(1, dict("|u1", "False", "(1, 2)"), []byte{1, 2})}), "must be uint8 [H,W,3]"},
		"float rgb":      {one(map[string][]byte{"rgb": npy(1, dict("<f4", "False", "(1, 1, 3)"), make([]byte, 12))}), "rgb is float32"},
		"empty rgb":      {one(map[string][]byte{"rgb": npy(1, dict("|u1", "False", "(0, 9, 3)"), nil)}), "rgb is uint8"},
		"two pictures":   {one(map[string][]byte{"tensor": npy(1, dict("<f4", "False", "(2, 3, 1, 1)"), make([]byte, 24))}), "one picture's numbers"},
		"flat tensor":    {one(map[string][]byte{"tensor": npy(1, dict("<f4", "False", "(3,)"), make([]byte, 12))}), "one picture's numbers"},
		"text as logits": {one(map[string][]byte{"logits": npy(1, dict("<U1", "False", "()"), make([]byte, 4))}), "logits are string"},
		"two logits":     {one(map[string][]byte{"logits": npy(1, dict("<f4", "False", "(2, 2)"), make([]byte, 16))}), "logits are float32"},
	} {
		_, err := ReadCertificate(c.fsys, "parity")
		if !errors.Is(err, problem.ModelInvalid) || !strings.HasPrefix(err.Error(), "parity: ") || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want the package refused with %q", name, err, c.want)
		}
	}
}

func TestFillRowTakesTheModelsType(t *testing.T) {
	c := &Case{Name: "x", Tensor: &tensor.Tensor{Type: tensor.Float64, Shape: []int64{3, 1, 1}, Data: tensor.Aligned(24)}}
	copy(tensor.View[float64](c.Tensor.Data), []float64{1, 2, 127})
	for _, typ := range []tensor.Type{
		tensor.Float16, tensor.BFloat16, tensor.Float32, tensor.Float64,
		tensor.Uint8, tensor.Int8, tensor.Int32, tensor.Int64,
	} {
		b := &Binding{Recipe: picture.Recipe{Type: typ, Color: picture.RGB, Layout: picture.NCHW, Width: 1, Height: 1}}
		row := tensor.Aligned(b.Recipe.RowBytes())
		if err := c.FillRow(row, b); err != nil {
			t.Errorf("%s: %v", typ, err)
			continue
		}
		got := numbers(&tensor.Tensor{Type: typ, Data: row})
		if got[0] != 1 || got[1] != 2 || got[2] != 127 {
			t.Errorf("%s: got %v, want 1, 2, 127", typ, got)
		}
		if err := c.FillRow(row[:typ.Size()], b); err == nil || !strings.HasPrefix(err.Error(), `logits: case "x": `) {
			t.Errorf("%s: a row of another length: got %v", typ, err)
		}
	}
}

// FuzzCertificate reads a case of which the arrays agree with nothing, or nearly.
func FuzzCertificate(f *testing.F) {
	f.Add(npz(zip.Store, entries(nil)...))
	f.Add(npz(zip.Deflate, entries(map[string][]byte{"rgb": npy(1, dict("|u1", "False", "(1, 2, 4)"), make([]byte, 8))})...))
	f.Add(npz(zip.Store, entries(map[string][]byte{"logits": nil, "tensor": npy(1, dict("<f2", "True", "(3, 1, 1)"), make([]byte, 6))})...))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := ReadCertificate(fstest.MapFS{"parity/a.npz": {Data: data}, "parity/a.png": {Data: []byte("x")}}, "parity")
		if err != nil {
			if !errors.Is(err, problem.ModelInvalid) || strings.ContainsAny(err.Error(), "\n\x00\x1b") || len(err.Error()) > 2000 {
				t.Fatalf("%q is no sentence for a person", err)
			}
			return
		}
		for _, k := range c.Cases {
			if len(k.RGB) != 3*k.Width*k.Height || len(k.Logits) == 0 {
				t.Fatalf("accepted with %d bytes for %d x %d and %d logits", len(k.RGB), k.Width, k.Height, len(k.Logits))
			}
		}
	})
}
