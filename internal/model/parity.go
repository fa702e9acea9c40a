package model

import (
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/goshawk-ai/goshawk/internal/problem"
	"github.com/goshawk-ai/goshawk/internal/tensor"
	"github.com/goshawk-ai/goshawk/internal/wording"
)

// What a certificate may cost. They are inclusive; ours have 700 kB.
const (
	maxCases   = 64
	maxCase    = 32 << 20 // bytes of a case's .npz
	maxPicture = 20e6     // bytes of a case's picture
	maxArrays  = 96 << 20 // bytes of a case's arrays, unpacked
)

// Certificate is what the training side computed for a package's reference
// pictures. docs/reference/certificate.md describes the files.
type Certificate struct{ Cases []*Case }

// Case is one reference picture with everything that became of it where the
// model was trained.
type Case struct {
	Name          string
	File          string // the picture's
	Picture       []byte // encoded
	RGB           []uint8
	Width, Height int            // of RGB: rows of R,G,B as displayed
	Tensor        *tensor.Tensor // what the model was fed, [C,H,W] or [H,W,C], a leading 1 dropped
	Logits        []float32
	Meta          string // JSON, who made it with what; for people
}

// ReadCertificate reads the certificate in a folder of a package. Errors are
// problem.ModelInvalid.
func ReadCertificate(fsys fs.FS, dir string) (*Certificate, error) {
	dir = path.Clean(dir)
	entries, err := fs.ReadDir(fsys, dir)
	if err != nil {
		return nil, problem.ModelInvalid.New("parity: the folder %s cannot be read", wording.Quote(dir)).Because(err)
	}
	pictures := map[string]string{}
	var names []string
	for _, e := range entries {
		name, ext := strings.TrimSuffix(e.Name(), path.Ext(e.Name())), path.Ext(e.Name())
		switch ext {
		case ".npz":
			names = append(names, name)
		case ".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff":
			pictures[name] = e.Name()
		}
	}
	if len(names) == 0 || len(names) > maxCases {
		return nil, problem.ModelInvalid.New("parity: the folder %s holds %d cases (.npz files); it must hold 1 to %d", wording.Quote(dir), len(names), maxCases)
	}
	slices.Sort(names)
	c := &Certificate{}
	for _, name := range names {
		one, err := readCase(fsys, dir, name, pictures[name])
		if err != nil {
			return nil, problem.ModelInvalid.New("parity: case %s: %v", wording.Quote(name), err)
		}
		c.Cases = append(c.Cases, one)
	}
	return c, nil
}

func readCase(fsys fs.FS, dir, name, file string) (*Case, error) {
	if file == "" {
		return nil, fmt.Errorf("there is no picture beside %s", wording.Quote(name+".npz"))
	}
	c := &Case{Name: name, File: file}
	var err error
	if c.Picture, err = readBounded(fsys, path.Join(dir, file), maxPicture); err != nil {
		return nil, err
	}
	data, err := readBounded(fsys, path.Join(dir, name+".npz"), maxCase)
	if err != nil {
		return nil, err
	}
	arrays, err := ReadNPZ(data, maxArrays)
	if err != nil {
		return nil, err
	}
	return c, c.take(arrays)
}

// readBounded reads a file that may have limit bytes.
func readBounded(fsys fs.FS, name string, limit int64) ([]byte, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, fmt.Errorf("%s cannot be opened", wording.Quote(name))
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s cannot be read", wording.Quote(name))
	case int64(len(data)) > limit:
		return nil, fmt.Errorf("%s has more than %d bytes", wording.Quote(name), limit)
	}
	return data, nil
}

// take checks the arrays' types and shapes. Further arrays are left alone, so
// that a training side may keep more than we ask for.
func (c *Case) take(arrays map[string]*tensor.Tensor) error {
	for _, name := range []string{"rgb", "tensor", "logits"} {
		if arrays[name] == nil {
			return fmt.Errorf("the array %q is missing", name)
		}
	}
	rgb, t, logits := arrays["rgb"], arrays["tensor"], arrays["logits"]
	if rgb.Type != tensor.Uint8 || len(rgb.Shape) != 3 || rgb.Shape[2] != 3 || len(rgb.Data) == 0 {
		return fmt.Errorf("rgb is %s %v; it must be uint8 [H,W,3]", rgb.Type, rgb.Shape)
	}
	c.RGB, c.Height, c.Width = rgb.Data, int(rgb.Shape[0]), int(rgb.Shape[1])
	if len(t.Shape) == 4 && t.Shape[0] == 1 {
		t.Shape = t.Shape[1:]
	}
	if t.Type == tensor.String || len(t.Shape) != 3 || len(t.Data) == 0 {
		return fmt.Errorf("tensor is %s %v; it must be one picture's numbers, [1,C,H,W] or [1,H,W,C]", t.Type, t.Shape)
	}
	c.Tensor = t
	if len(logits.Shape) == 2 && logits.Shape[0] == 1 {
		logits.Shape = logits.Shape[1:]
	}
	if logits.Type == tensor.String || len(logits.Shape) != 1 || len(logits.Data) == 0 {
		return fmt.Errorf("logits are %s %v; they must be one picture's, [N] or [1,N]", logits.Type, logits.Shape)
	}
	for _, v := range numbers(logits) {
		c.Logits = append(c.Logits, float32(v))
	}
	if meta := arrays["meta"]; meta != nil && meta.Type == tensor.String {
		c.Meta = string(meta.Strings[0])
	}
	return nil
}

// numbers reads a tensor of any numeric type.
func numbers(t *tensor.Tensor) []float64 {
	out := make([]float64, len(t.Data)/max(1, t.Type.Size()))
	tensor.Widen(out, t)
	return out
}
