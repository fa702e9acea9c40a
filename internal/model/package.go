package model

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/goshawk-ai/goshawk/internal/picture"
	"github.com/goshawk-ai/goshawk/internal/tensor"
	"github.com/goshawk-ai/goshawk/internal/wording"
)

// Package is a model package that was read and is consistent in itself. Whether
// the model fits it is Bind's question.
type Package struct {
	Manifest Manifest
	Digest   string // sha256:HEX over the files, see Digest
	Labels   []Label
	FS       fs.FS    // the package's regular files and nothing else
	Notes    []string // what Import decided that its caller may want to know
}

// Label is one class.
type Label struct {
	Name        string
	Description string
}

// Activation is what turns a model's outputs into probabilities.
type Activation string

// The activations.
const (
	Softmax Activation = "softmax"
	Sigmoid Activation = "sigmoid"
	None    Activation = "none" // the outputs are probabilities already
)

// Binding is a package brought together with what its model really declares:
// everything that serving needs to know, with no question left open.
type Binding struct {
	Input      tensor.Spec
	Batch      int // rows a run must have; 0 when any number will do
	Recipe     picture.Recipe
	Logits     tensor.Spec // the output that holds the scores
	Classes    int         // 0 until a run has shown it (open in the declared shape)
	Activation Activation
	// Temperature divides logits before the activation.
	Temperature float64
	TopK        int
	Embedding   *tensor.Spec // nil where the package names none
}

// Open reads a package: its manifest, its labels and the digest of its files.
// Everything that the manifest names must be a file of the package.
func Open(fsys fs.FS) (*Package, error) { return openAs(fsys, "") }

// openAs takes the digest as known, where it is.
func openAs(fsys fs.FS, known string) (*Package, error) {
	files, err := walk(fsys, DefaultLimits)
	if err != nil {
		return nil, err
	}
	if top := commonTop(files); top != "" {
		if fsys, err = fs.Sub(fsys, top); err != nil {
			return nil, err
		}
		for i := range files {
			files[i] = strings.TrimPrefix(files[i], top+"/")
		}
	}
	p := &Package{FS: fsys}
	if err := p.read(files); err != nil {
		return nil, err
	}
	if p.Digest = known; known == "" {
		if p.Digest, err = digest(fsys, files); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// Peek reads the manifest of a package and nothing else.
func Peek(fsys fs.FS) (Manifest, error) {
	files, err := walk(fsys, DefaultLimits)
	if err != nil {
		return Manifest{}, err
	}
	text, err := readFile(fsys, path.Join(commonTop(files), ManifestName), maxManifest)
	if err != nil {
		return Manifest{}, err
	}
	m, _, err := ParseManifest(ManifestName, text)
	return m, err
}

func (p *Package) read(files []string) error {
	if len(files) == 0 {
		return refuse("the package is empty")
	}
	if !slices.Contains(files, ManifestName) {
		return refuse("%s is missing in the package; it says how pictures are prepared and what the outputs mean", ManifestName)
	}
	text, err := readFile(p.FS, ManifestName, maxManifest)
	if err != nil {
		return err
	}
	if p.Manifest, p.Labels, err = ParseManifest(ManifestName, text); err != nil {
		return err
	}
	m := &p.Manifest
	if m.Remote == nil {
		if err := named(files, "model", m.Model); err != nil {
			return err
		}
	}
	if m.Output.Labels != "" {
		if err := named(files, "output.labels", m.Output.Labels); err != nil {
			return err
		}
		text, err := readFile(p.FS, m.Output.Labels, maxLabelFile)
		if err != nil {
			return err
		}
		parse := ParseLabels
		if m.Kind == KindTensor { // they are given as they stand, and nobody refers to them
			parse = readLabels
		}
		if p.Labels, err = parse(m.Output.Labels, text); err != nil {
			return err
		}
	}
	return p.evidence(files)
}

// evidence checks that probe and certificate are there.
func (p *Package) evidence(files []string) error {
	m := &p.Manifest
	if m.Probe != nil {
		if err := named(files, "probe.image", m.Probe.Image); err != nil {
			return err
		}
		if !slices.ContainsFunc(p.Labels, func(l Label) bool { return l.Name == m.Probe.Label }) {
			return refuse("%s: probe.label is %s, which is none of the %d labels", ManifestName, wording.Quote(m.Probe.Label), len(p.Labels))
		}
	}
	if m.Parity != "" && !slices.ContainsFunc(files, func(f string) bool { return strings.HasPrefix(f, m.Parity+"/") }) {
		return refuse("%s: parity names the folder %s, which is not in the package", ManifestName, wording.Quote(m.Parity))
	}
	return nil
}

func named(files []string, field, name string) error {
	if slices.Contains(files, name) {
		return nil
	}
	return refuse("%s: %s names %s, which is missing in the package", ManifestName, field, wording.Quote(name))
}

// Model reads the model file. It fails above DefaultLimits.Bytes, and where the
// model is on another server.
func (p *Package) Model() ([]byte, error) { return p.ModelBy(nil) }

// ModelBy is Model by a reader of one's own for files of the system that are large.
// It is asked for a file's bytes from its start on, of which there should be size.
// nil is none.
func (p *Package) ModelBy(read func(f *os.File, size int64) ([]byte, error)) ([]byte, error) {
	if p.Manifest.Remote != nil {
		return nil, refuse("the model is on another server (%s), and not in the package", wording.Quote(p.Manifest.Remote.Address))
	}
	return readBy(p.FS, p.Manifest.Model, DefaultLimits.Bytes, func(f fs.File, size int64) ([]byte, error) {
		const large = 1 << 20
		if file, ok := f.(*os.File); ok && size >= large && read != nil {
			return read(file, size)
		}
		return readAll(f, size)
	})
}

// readFile reads at most limit bytes of a regular file.
func readFile(fsys fs.FS, name string, limit int64) ([]byte, error) {
	return readBy(fsys, name, limit, readAll)
}

func readBy(fsys fs.FS, name string, limit int64, read func(f fs.File, size int64) ([]byte, error)) ([]byte, error) {
	f, err := fsys.Open(name)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, refuse("%s is missing in the package", wording.Quote(name))
		}
		return nil, err
	}
	defer f.Close()
	size, err := readable(f, name, limit)
	if err != nil {
		return nil, err
	}
	return read(f, size)
}

func readOpen(f fs.File, name string, limit int64) ([]byte, error) {
	size, err := readable(f, name, limit)
	if err != nil {
		return nil, err
	}
	return readAll(f, size)
}

// readable is the size of a regular file that is not too large.
func readable(f fs.File, name string, limit int64) (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	if !info.Mode().IsRegular() {
		return 0, refuse("%s is no regular file", wording.Quote(name))
	}
	if info.Size() > limit {
		return 0, refuse("%s has %d bytes; at most %d are read", wording.Quote(name), info.Size(), limit)
	}
	return info.Size(), nil
}

// readAll makes one buffer of the right size: models are large, and io.ReadAll grows.
func readAll(f fs.File, size int64) ([]byte, error) {
	data := make([]byte, size)
	if _, err := io.ReadFull(f, data); err != nil {
		return nil, err
	}
	return data, nil
}
